// The quantization methods as options, keywords and policies know them: a row of one table each.
// How the quantizer of a method is made is a row of quant/factory.cpp.
#pragma once

#include <string>
#include <vector>

#include "lowbit/config/quant_options.h"

namespace lowbit::config {

// Options of a tensor that only some methods read, as bits; an option that the method does not read
// is a warning.
enum MethodOption : unsigned {
  kReadsHalfRange = 1,
  kReadsBoundary = 2,
  kReadsGroups = 4,
  kReadsScale = 8,
  kReadsGradScale = 16,
  kReadsCorrelate = 32,  // its warm-up learns a clip value
};

struct MethodRow {
  Method method = Method::none;
  const char* name = "none";  // in policies, summaries and graphs, and the keyword for all tags
  std::string title;          // in the help of its keywords
  std::vector<Tag> tags;      // that have a keyword of their own, fm_<name> and so on
  std::vector<std::string> needs;        // keywords of which one must be given, too
  unsigned reads = 0, weight_reads = 0;  // MethodOption of fm and ot, and of wt
  // The method that quantizes weights under this one's name; none: this one.
  Method of_weights = Method::none;
};

// In the order in which their keywords are applied.
const std::vector<MethodRow>& method_rows();

// Adds a method to those of the library, as tests do. Before anything is parsed; the row's
// `method` is chosen here and returned.
Method add_method(MethodRow row);

// A row without a name for Method::none.
const MethodRow& row_of(Method method);

// The method that quantizes tensors of the tag where `method` was asked for.
Method method_of(Method method, Tag tag);

// Whether the method reads the option of the tag.
bool reads(Method method, Tag tag, MethodOption option);

}  // namespace lowbit::config
