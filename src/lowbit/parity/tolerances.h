// How far a parity case may be from its record.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lowbit::parity {

// The largest relative errors allowed.
struct Tolerances {
  double logits = 1e-6;
  double loss = 1e-6;
  double gradients = 1e-5;
  double eval_logits = 1e-6;
  double state = 1e-6;
  bool compare_gradients = true;
};

// Tolerances by the name of a case.
class ToleranceTable {
 public:
  // The numbers above for every case.
  ToleranceTable() = default;
  // From a JSON file: "default" replaces the numbers above; "lq" adds to them where a quantizer is
  // LQ-Nets'; any other entry is the name of a case with numbers of its own; "grads_not_compared"
  // is a list of names. In a name * stands for any text. An unreadable file is an Error (failure),
  // one that is not of this form an Error (usage).
  static ToleranceTable read(const std::filesystem::path& file);

  Tolerances of(const std::string& name, bool uses_lq) const;

 private:
  struct Entry {
    std::string pattern;
    // Of those fields that the entry names.
    std::vector<std::pair<double Tolerances::*, double>> numbers;
  };
  std::vector<Entry> entries_;  // a later one wins
  std::vector<std::string> gradients_not_compared_;
};

}  // namespace lowbit::parity
