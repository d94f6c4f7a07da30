// Pictures of quantizers: value and gradient over a sweep of x, found by running their modules.
#pragma once

#include <string>
#include <vector>

#include "lowbit/config/quant_options.h"

namespace lowbit::quant {

// One quantizer, drawn over low..high.
struct Panel {
  std::string title;
  config::Tag tag;
  config::QuantOptions options;
  double low = -2, high = 2;
  double proxquant = 0;  // p, where options.proxquant
};

struct Curves {
  std::vector<double> x, value, gradient;
};

// What a new quantizer of the panel makes of a tensor that holds the sweep: its values, and the
// gradient of their sum. In float64, on the CPU. An Error (usage) for a method that is not built.
Curves sweep(const Panel& panel);

// The panels side by side as an SVG document on white: of each two polylines, of the classes
// `value` and `gradient`, with axes and a legend.
std::string svg(const std::vector<Panel>& panels);

}  // namespace lowbit::quant
