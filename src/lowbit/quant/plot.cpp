#include "lowbit/quant/plot.h"

#include <fmt/format.h>
#include <torch/autograd.h>

#include <algorithm>
#include <cmath>

#include "lowbit/quant/factory.h"

namespace lowbit::quant {
namespace {

constexpr int64_t kSamples = 1601;

// Pixels.
constexpr double kPanelWidth = 440, kPanelHeight = 320;
constexpr double kLeft = 48, kRight = 16, kTop = 60, kBottom = 36;

constexpr const char* kValueColor = "#1f5fa8";
constexpr const char* kGradientColor = "#c2410c";

std::vector<double> numbers(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.detach().flatten().contiguous();
  const double* first = flat.const_data_ptr<double>();
  return {first, first + flat.numel()};
}

// 1, 2 or 5 times a power of ten, so that about five fit into the span.
double tick_step(double span) {
  const double raw = span / 5, power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1, 2, 5})
    if (raw <= factor * power) return factor * power;
  return 10 * power;
}

// From numbers to pixels along one side of a panel.
struct Axis {
  double low, high;    // a multiple of step each
  double step;         // between ticks
  double first, last;  // pixels of low and high

  Axis(double least, double largest, double from, double to)
      : step(tick_step(largest - least)), first(from), last(to) {
    low = std::floor(least / step) * step;
    high = std::ceil(largest / step) * step;
  }
  double pixel(double number) const {
    return first + (number - low) / (high - low) * (last - first);
  }
  std::vector<double> ticks() const {
    std::vector<double> all;
    for (int i = 0; i <= std::lround((high - low) / step); ++i) {
      const double tick = low + i * step;
      all.push_back(std::abs(tick) < step / 2 ? 0 : tick);
    }
    return all;
  }
};

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '&') {
      result += "&amp;";
    } else if (c == '<') {
      result += "&lt;";
    } else if (c == '>') {
      result += "&gt;";
    } else {
      result += c;
    }
  }
  return result;
}

std::string line(double x1, double y1, double x2, double y2, const char* color) {
  return fmt::format(R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="{}"/>)"
                     "\n",
                     x1, y1, x2, y2, color);
}

std::string text(double x, double y, const char* anchor, const std::string& content) {
  return fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>)"
                     "\n",
                     x, y, anchor, escaped(content));
}

std::string axes(const Axis& x, const Axis& y) {
  const auto color = [](double tick) { return tick == 0 ? "#666666" : "#e2e2e2"; };
  std::string result;
  for (const double tick : x.ticks()) {
    result += line(x.pixel(tick), y.first, x.pixel(tick), y.last, color(tick));
    result += text(x.pixel(tick), y.first + 16, "middle", fmt::format("{:.3g}", tick));
  }
  for (const double tick : y.ticks()) {
    result += line(x.first, y.pixel(tick), x.last, y.pixel(tick), color(tick));
    result += text(x.first - 6, y.pixel(tick) + 4, "end", fmt::format("{:.3g}", tick));
  }
  return result + text(x.last, y.first + 32, "end", "x");
}

// Points within a straight piece need not be written: its two ends draw it.
bool is_on_straight_line(const std::vector<double>& y, size_t i) {
  constexpr double kRounding = 1e-9;
  return i > 0 && i + 1 < y.size() && std::abs(y[i - 1] - 2 * y[i] + y[i + 1]) < kRounding;
}

std::string curve(const char* name, const char* color, const char* dashes, const Axis& x_axis,
                  const Axis& y_axis, const std::vector<double>& x, const std::vector<double>& y) {
  std::string points;
  for (size_t i = 0; i < x.size(); ++i)
    if (!is_on_straight_line(y, i))
      points += fmt::format("{}{:.1f},{:.1f}", points.empty() ? "" : " ", x_axis.pixel(x[i]),
                            y_axis.pixel(y[i]));
  return fmt::format(
      R"(<polyline class="{}" points="{}" fill="none" stroke="{}" stroke-width="2"{}/>)"
      "\n",
      name, points, color, dashes);
}

std::string legend(double x, double y) {
  return line(x, y - 4, x + 24, y - 4, kValueColor) + text(x + 30, y, "start", "value") +
         line(x + 90, y - 4, x + 114, y - 4, kGradientColor) +
         text(x + 120, y, "start", "gradient (dashed)");
}

std::string draw(const Panel& panel, double left) {
  const Curves curves = sweep(panel);
  double least = 0, largest = 1;
  for (const auto* numbers : {&curves.value, &curves.gradient}) {
    least = std::min(least, *std::min_element(numbers->begin(), numbers->end()));
    largest = std::max(largest, *std::max_element(numbers->begin(), numbers->end()));
  }
  const Axis x(panel.low, panel.high, left + kLeft, left + kPanelWidth - kRight);
  const Axis y(least, largest, kPanelHeight - kBottom, kTop);
  const char* dashes = R"( stroke-dasharray="6 4")";
  return fmt::format(R"(<g font-weight="bold">{}</g>)"
                     "\n",
                     text(left + kLeft, 22, "start", panel.title)) +
         legend(left + kLeft, 44) + axes(x, y) +
         curve("gradient", kGradientColor, dashes, x, y, curves.x, curves.gradient) +
         curve("value", kValueColor, "", x, y, curves.x, curves.value);
}

}  // namespace

Curves sweep(const Panel& panel) {
  const torch::AutoGradMode grad(true);
  const auto quantizer = make_quantizer({panel.tag, {1, 1, 1, 1}, 1, 1}, panel.options);
  quantizer->to(torch::kFloat64);
  quantizer->iteration().detach().fill_(1);
  quantizer->set_proxquant(panel.proxquant);
  const torch::Tensor x = torch::linspace(panel.low, panel.high, kSamples, torch::kFloat64)
                              .view({1, 1, 1, kSamples})
                              .set_requires_grad(true);
  const torch::Tensor y = quantizer->forward(x, torch::kFloat64);
  return {numbers(x), numbers(y), numbers(torch::autograd::grad({y.sum()}, {x})[0])};
}

std::string svg(const std::vector<Panel>& panels) {
  const double width = kPanelWidth * static_cast<double>(panels.size());
  std::string result = fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0:.0f}" height="{1:.0f}" )"
      R"(viewBox="0 0 {0:.0f} {1:.0f}" font-family="sans-serif" font-size="12" fill="#222222">)"
      "\n"
      R"(<rect width="{0:.0f}" height="{1:.0f}" fill="#ffffff"/>)"
      "\n",
      width, kPanelHeight);
  for (size_t i = 0; i < panels.size(); ++i)
    result += draw(panels[i], kPanelWidth * static_cast<double>(i));
  return result + "</svg>\n";
}

}  // namespace lowbit::quant
