// Charts as inline SVG. Colors are the classes of the page's style: c0, c1, ... by series.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace lowbit::report {

struct Series {
  std::string name{};
  size_t color = 0;
  bool dashed = false;
  std::vector<std::pair<double, double>> points{};  // x ascending; y may be no number: a gap
};

struct Chart {
  std::string title{};
  std::string x_name = "epoch";
  std::vector<Series> series{};
  // A horizontal line with its name, in the color of a series.
  struct Level {
    std::string name;
    size_t color;
    double y;
  };
  std::vector<Level> levels{};
  std::vector<std::string>
      x_labels{};          // of x = 0, 1, ...: shown by the hover instead of the number
  bool from_zero = false;  // the y axis begins at 0
};

// A figure with its title, a legend and the data for the page's hover.
std::string line_chart(const Chart& chart);

// Small pictures for a cell of a table.

// The span of the input as a thin line, the clip range as a bar on the same scale.
std::string range_bar(double input_low, double input_high, double range_low, double range_high);
// How often each code occurs; a code that never does is marked.
std::string code_bars(const std::vector<int64_t>& codes);
// A curve without axes.
std::string sparkline(const std::vector<double>& values);

}  // namespace lowbit::report
