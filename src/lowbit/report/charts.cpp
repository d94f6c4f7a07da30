#include "lowbit/report/charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "lowbit/core/printable.h"
#include "lowbit/report/markup.h"

namespace lowbit::report {
namespace {

// Units of the SVG's own coordinates.
constexpr double kWidth = 520, kHeight = 260;
constexpr double kLeft = 52, kRight = 14, kTop = 12, kBottom = 34;

// From numbers to coordinates along one side.
struct Axis {
  double low = 0, high = 1;
  double first = 0, last = 1;  // coordinates of low and high

  double at(double number) const { return first + (number - low) / (high - low) * (last - first); }

  // Multiples of 1, 2 or 5 times a power of ten, about five of them.
  std::vector<double> ticks() const {
    const double raw = (high - low) / 5, power = std::pow(10, std::floor(std::log10(raw)));
    double step = 10 * power;
    for (const double factor : {5, 2, 1})
      if (raw <= factor * power) step = factor * power;
    std::vector<double> result;
    for (double tick = std::ceil(low / step) * step; tick <= high + step / 1000; tick += step)
      result.push_back(std::abs(tick) < step / 1000 ? 0 : tick);
    return result;
  }
};

struct Span {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

// With some air above and below, and never of width 0.
Axis axis_of(Span span, bool from_zero, double first, double last, double air) {
  if (span.empty()) span = {0, 1};
  if (from_zero) span.low = std::min(span.low, 0.0);
  // A single value has an axis, too.
  if (span.high <= span.low) span.high = span.low + std::max(std::abs(span.low), 1.0);
  const double width = span.high - span.low;
  return {from_zero ? span.low : span.low - air * width, span.high + air * width, first, last};
}

std::string grid(const Axis& x, const Axis& y, const Chart& chart) {
  std::string svg;
  for (const double tick : y.ticks())
    svg +=
        fmt::format(R"(<line class="grid" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>)"
                    R"(<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="end">{:.4g}</text>)",
                    x.first, x.last, y.at(tick), y.at(tick), x.first - 7, y.at(tick) + 4, tick);
  for (const double tick : x.ticks())
    if (tick == std::floor(tick))
      svg += fmt::format(
          R"(<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="middle">{:g}</text>)",
          x.at(tick), y.first + 17, tick);
  return svg +
         fmt::format(R"(<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)",
                     x.last, y.first + 31, escaped(chart.x_name));
}

// A gap where y is no number; a single point as a dot.
std::string curve(const Series& series, const Axis& x, const Axis& y) {
  std::string svg, points;
  size_t count = 0;
  const auto end_piece = [&] {
    if (count > 1)
      svg += fmt::format(R"(<polyline class="line c{}{}" points="{}"/>)", series.color,
                         series.dashed ? " dashed" : "", points);
    else if (count == 1)
      svg += fmt::format(R"(<circle class="dot c{}" cx="{}" cy="{}" r="3"/>)", series.color,
                         points.substr(0, points.find(',')), points.substr(points.find(',') + 1));
    points.clear();
    count = 0;
  };
  for (const auto& [at, value] : series.points) {
    if (!std::isfinite(value)) {
      end_piece();
      continue;
    }
    points += fmt::format("{}{:.1f},{:.1f}", count ? " " : "", x.at(at), y.at(value));
    ++count;
  }
  end_piece();
  return svg;
}

std::string legend(const Chart& chart) {
  std::string html;
  const auto entry = [&](size_t color, const char* stroke, const std::string& name) {
    html += fmt::format(
        R"(<span class="key"><svg width="22" height="8"><line class="line c{}{}" x1="0" x2="22" )"
        R"(y1="4" y2="4"/></svg>{}</span>)",
        color, stroke, escaped(name));
  };
  for (const Series& series : chart.series)
    entry(series.color, series.dashed ? " dashed" : "", series.name);
  for (const Chart::Level& level : chart.levels) entry(level.color, " level", level.name);
  return R"(<div class="legend">)" + html + "</div>";
}

// What the hover shows. JSON has no NaN: null.
std::string hover_data(const Chart& chart, const Axis& x) {
  nlohmann::json series = nlohmann::json::array();
  std::vector<std::string> labels;
  for (const std::string& label : chart.x_labels) labels.push_back(core::printable(label));
  for (const Series& one : chart.series) {
    nlohmann::json points = nlohmann::json::array();
    for (const auto& [at, value] : one.points) points.push_back({at, value});
    series.push_back(
        {{"name", core::printable(one.name)}, {"color", one.color}, {"points", std::move(points)}});
  }
  const nlohmann::json data = {{"x", chart.x_name},
                               {"labels", std::move(labels)},
                               {"low", x.low},
                               {"high", x.high},
                               {"first", x.first},
                               {"last", x.last},
                               {"series", std::move(series)}};
  return data.dump();
}

}  // namespace

std::string line_chart(const Chart& chart) {
  Span xs, ys;
  for (const Series& series : chart.series)
    for (const auto& [at, value] : series.points) {
      xs.add(at);
      ys.add(value);
    }
  for (const Chart::Level& level : chart.levels) ys.add(level.y);
  const Axis x = axis_of(xs, false, kLeft, kWidth - kRight, 0);
  const Axis y = axis_of(ys, chart.from_zero, kHeight - kBottom, kTop, 0.05);
  std::string svg = grid(x, y, chart);
  for (const Chart::Level& level : chart.levels)
    if (std::isfinite(level.y))
      svg += fmt::format(
          R"(<line class="line level c{}" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>)",
          level.color, x.first, x.last, y.at(level.y), y.at(level.y));
  for (const Series& series : chart.series) svg += curve(series, x, y);
  return fmt::format(R"(<figure class="chart"><figcaption>{}</figcaption>{}<div class="plot">)"
                     R"(<svg viewBox="0 0 {:g} {:g}" role="img" aria-label="{}" data-chart="{}">{})"
                     R"(<line class="cursor" y1="{:g}" y2="{:g}" hidden=""/></svg>)"
                     R"(<div class="tip" hidden></div></div></figure>)"
                     "\n",
                     escaped(chart.title), legend(chart), kWidth, kHeight, escaped(chart.title),
                     escaped(hover_data(chart, x)), svg, kTop, kHeight - kBottom);
}

std::string range_bar(double input_low, double input_high, double range_low, double range_high) {
  constexpr double kBarWidth = 150, kBarHeight = 16;
  Span span;
  for (const double end : {input_low, input_high, range_low, range_high}) span.add(end);
  if (span.empty()) return "";
  const Axis x = axis_of(span, false, 2, kBarWidth - 2, 0.02);
  std::string svg;
  if (std::isfinite(range_low) && std::isfinite(range_high))
    svg += fmt::format(R"(<rect class="range" x="{:.1f}" y="3" width="{:.1f}" height="10"/>)",
                       x.at(std::min(range_low, range_high)),
                       std::max(1.0, std::abs(x.at(range_high) - x.at(range_low))));
  if (std::isfinite(input_low) && std::isfinite(input_high))
    svg += fmt::format(R"(<line class="input" x1="{:.1f}" x2="{:.1f}" y1="8" y2="8"/>)"
                       R"(<line class="input" x1="{:.1f}" x2="{:.1f}" y1="5" y2="11"/>)"
                       R"(<line class="input" x1="{:.1f}" x2="{:.1f}" y1="5" y2="11"/>)",
                       x.at(input_low), x.at(input_high), x.at(input_low), x.at(input_low),
                       x.at(input_high), x.at(input_high));
  return fmt::format(R"(<svg class="small" viewBox="0 0 {0:g} {1:g}" width="{0:g}" height="{1:g}">)"
                     R"(<title>input {2} to {3}, clip range {4} to {5}</title>{6}</svg>)",
                     kBarWidth, kBarHeight, short_number(input_low), short_number(input_high),
                     short_number(range_low), short_number(range_high), svg);
}

std::string code_bars(const std::vector<int64_t>& codes) {
  constexpr double kBarsWidth = 96, kBarsHeight = 24;
  if (codes.empty()) return "";
  const double largest =
      static_cast<double>(std::max<int64_t>(1, *std::ranges::max_element(codes)));
  double all = 0;
  for (const int64_t count : codes) all += static_cast<double>(count);
  const double width = kBarsWidth / static_cast<double>(codes.size());
  const double bar = std::max(0.5, width - (width > 4 ? 2 : 0));
  std::string svg, title;
  for (size_t code = 0; code < codes.size(); ++code) {
    const auto count = static_cast<double>(codes[code]);
    const double height = count > 0 ? std::max(1.0, (kBarsHeight - 1) * count / largest) : 3;
    svg += fmt::format(R"(<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>)",
                       count > 0 ? "code" : "dead", static_cast<double>(code) * width,
                       kBarsHeight - height, bar, height);
    if (codes.size() <= 16)
      title +=
          fmt::format("{}{}: {}", code ? ", " : "code ", code, percent(count / std::max(all, 1.0)));
  }
  return fmt::format(R"(<svg class="small" viewBox="0 0 {0:g} {1:g}" width="{0:g}" height="{1:g}">)"
                     R"(<title>{2}</title>{3}</svg>)",
                     kBarsWidth, kBarsHeight, title, svg);
}

std::string sparkline(const std::vector<double>& values) {
  constexpr double kLineWidth = 64, kLineHeight = 20;
  Span span;
  for (const double value : values) span.add(value);
  if (span.empty() || values.size() < 2) return "";
  const Axis x{0, static_cast<double>(values.size() - 1), 1, kLineWidth - 1};
  const Axis y = axis_of({0, span.high}, true, kLineHeight - 1, 1, 0.02);
  std::string points;
  for (size_t i = 0; i < values.size(); ++i)
    if (std::isfinite(values[i]))
      points += fmt::format("{}{:.1f},{:.1f}", points.empty() ? "" : " ",
                            x.at(static_cast<double>(i)), y.at(values[i]));
  return fmt::format(R"(<svg class="small" viewBox="0 0 {0:g} {1:g}" width="{0:g}" height="{1:g}">)"
                     R"(<polyline class="spark" points="{2}"/></svg>)",
                     kLineWidth, kLineHeight, points);
}

}  // namespace lowbit::report
