// What every page carries: its style, and the hover of its charts.
#pragma once

#include <string_view>

namespace lowbit::report {

extern const std::string_view kStyle;   // CSS, light and dark
extern const std::string_view kScript;  // JavaScript; the page is whole without it

// The number of colors c0, c1, ... of the style.
inline constexpr size_t kColors = 8;

}  // namespace lowbit::report
