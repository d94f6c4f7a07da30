#include "lowbit/config/quant_levels.h"

#include <fmt/format.h>

namespace lowbit::config {

std::string level_fault(Tag tag, const QuantOptions& options) {
  const int levels = options.levels();
  const auto fault = [levels](const char* method, const char* possible) {
    return fmt::format("{} has {} levels, not {}", method, possible, levels);
  };
  if (options.method == Method::non_uniform) {
    const bool half = tag != Tag::wt && options.half_range;
    if (half && levels > 4) return fault("non-uniform in half range", "2 to 4");
    if (!half && levels != 3) return fault("non-uniform in full range", "3");
  }
  if (options.method == Method::xnor && levels != 2) return fault("xnor", "2");
  return "";
}

}  // namespace lowbit::config
