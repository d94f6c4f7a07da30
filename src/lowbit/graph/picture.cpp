#include "lowbit/graph/picture.h"

#include <fmt/format.h>

#include <algorithm>

#include "lowbit/graph/dims_text.h"
#include "lowbit/graph/layout.h"
#include "lowbit/graph/operation_table.h"
#include "lowbit/graph/text.h"

namespace lowbit::graph {
namespace {

// All in pixels.
constexpr int kCharacter = 7, kLineHeight = 15, kInset = 8;
constexpr int kRowGap = 26, kColumnGap = 24, kLaneWidth = 14, kMargin = 16, kCorner = 5;
constexpr size_t kLongestLabel = 52;  // characters

// The length in bytes of the UTF-8 sequence at the start of `text`; 0: there is none.
size_t sequence_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return 1;
  const size_t length = byte(0) >= 0xf0 && byte(0) < 0xf5   ? 4
                        : byte(0) >= 0xe0 && byte(0) < 0xf0 ? 3
                        : byte(0) >= 0xc2 && byte(0) < 0xe0 ? 2
                                                            : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  return length;
}

// As the text of an XML element; what XML cannot hold becomes "?".
std::string escaped(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const size_t length = sequence_length(text);
    const char first = text.front();
    if (first == '&')
      result += "&amp;";
    else if (first == '<')
      result += "&lt;";
    else if (first == '>')
      result += "&gt;";
    else if (length == 0 || (static_cast<unsigned char>(first) < 0x20 && first != '\n'))
      result += '?';
    else
      result += text.substr(0, length);
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return result;
}

// Cut at the start of a character.
std::string shortened(const std::string& text) {
  if (text.size() <= kLongestLabel) return text;
  size_t length = kLongestLabel - 3;
  while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80) --length;
  return text.substr(0, length) + "...";
}

const char* color_of(const Node* node) {
  struct Color {
    const char* operator()(const Convolution&) const { return "#cfe2ff"; }
    const char* operator()(const Linear&) const { return "#cfe2ff"; }
    const char* operator()(const BatchNorm&) const { return "#e9ecef"; }
    const char* operator()(const GroupNorm&) const { return "#e9ecef"; }
    const char* operator()(const InstanceNorm&) const { return "#e9ecef"; }
    const char* operator()(const Relu&) const { return "#d1e7dd"; }
    const char* operator()(const Clip&) const { return "#d1e7dd"; }
    const char* operator()(const LeakyRelu&) const { return "#d1e7dd"; }
    const char* operator()(const PRelu&) const { return "#d1e7dd"; }
    const char* operator()(const Quantize&) const { return "#ffe5d0"; }
    const char* operator()(const Pool&) const { return "#e2d9f3"; }
    const char* operator()(const Mean&) const { return "#e2d9f3"; }
    const char* operator()(const Binary&) const { return "#fff3cd"; }
    const char* operator()(const Concat&) const { return "#fff3cd"; }
  };
  return node ? std::visit(
                    [](const auto& op) -> const char* {
                      if constexpr (std::is_invocable_v<Color, decltype(op)>) return Color{}(op);
                      return "#ffffff";
                    },
                    node->operation)
              : "#ffffff";
}

class Painter {
 public:
  explicit Painter(const Graph& graph) : graph_(graph), uses_(graph), layout_(layout_of(graph)) {
    size_t longest = 1, most = 1;
    for (const Box& box : layout_.boxes) {
      labels_.push_back(labels_of(box));
      most = std::max(most, labels_.back().size());
      for (const std::string& label : labels_.back()) longest = std::max(longest, label.size());
    }
    box_width_ = static_cast<int>(longest) * kCharacter + 2 * kInset;
    box_height_ = static_cast<int>(most) * kLineHeight + 2 * kInset;
    int x = kMargin;
    for (const int lanes : layout_.lanes) {
      column_x_.push_back(x);
      x += box_width_ + kColumnGap + lanes * kLaneWidth;
    }
    width_ = x + kMargin;
    height_ = top(layout_.rows) - kRowGap + kMargin;
  }

  std::string svg() const {
    std::string text = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
        "viewBox=\"0 0 {0} {1}\" font-family=\"monospace\" font-size=\"11\">\n"
        "<title>{2}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        "<g fill=\"none\" stroke=\"#6c757d\">\n",
        width_, height_, escaped(graph_.name));
    for (const Line& line : layout_.lines) text += path_of(line);
    text += "</g>\n";
    for (size_t i = 0; i < layout_.boxes.size(); ++i) text += box_text(i);
    return text + "</svg>\n";
  }

 private:
  int top(int row) const { return kMargin + row * (box_height_ + kRowGap); }
  int left(const Box& box) const { return column_x_[static_cast<size_t>(box.column)]; }

  // Name, operation, shape, and a line for each quantized parameter.
  std::vector<std::string> labels_of(const Box& box) const {
    const Value& value = graph_.value(box.value);
    std::vector<std::string> labels = {shortened(value.name)};
    if (box.node) {
      const Operation& operation = box.node->operation;
      std::string kernel;
      for (const ValueId input : box.node->inputs)
        if (const Type& type = graph_.value(input).type; !type.batched && type.dims.size() == 4)
          kernel = fmt::format(" {}x{}", type.dims[2], type.dims[3]);
      labels.push_back(
          shortened(operation_name(operation) + kernel + row_of(operation).attributes(operation)));
      for (const ValueId input : box.node->inputs)
        if (const Node* node = uses_.producer(input); node && !graph_.value(input).type.batched)
          labels.push_back(shortened(operation_name(node->operation) +
                                     row_of(node->operation).attributes(node->operation)));
    }
    labels.push_back(dims_text(value.type.dims));
    return labels;
  }

  std::string path_of(const Line& line) const {
    const Box &from = layout_.boxes[line.from], &to = layout_.boxes[line.to];
    const int x1 = left(from) + box_width_ / 2, y1 = top(from.row) + box_height_;
    const int x2 = left(to) + box_width_ * (line.port + 1) / (line.ports + 1), y2 = top(to.row);
    // Lines cross the gap below the first box and the gap above the second one.
    const int below = y1 + kRowGap / 3, above = y2 - kRowGap / 3;
    if (!line.passes_rows)
      return fmt::format("<path d=\"M{} {}V{}H{}V{}\"/>\n", x1, y1, (below + above) / 2, x2, y2);
    const int lane = left(from) + box_width_ + (line.lane + 1) * kLaneWidth;
    return fmt::format("<path d=\"M{} {}V{}H{}V{}H{}V{}\"/>\n", x1, y1, below, lane, above, x2, y2);
  }

  std::string box_text(size_t index) const {
    const Box& box = layout_.boxes[index];
    const int x = left(box), y = top(box.row);
    const std::string& name = graph_.value(box.value).name;
    std::string text = fmt::format(
        "<g><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\" "
        "fill=\"{}\" stroke=\"#495057\"/>\n",
        escaped(box.node ? name + " = " + node_text(graph_, uses_, *box.node) : name), x, y,
        box_width_, box_height_, kCorner, color_of(box.node));
    for (size_t i = 0; i < labels_[index].size(); ++i)
      text += fmt::format("<text x=\"{}\" y=\"{}\"{}>{}</text>\n", x + kInset,
                          y + kInset + static_cast<int>(i + 1) * kLineHeight - 4,
                          i == 0 ? " font-weight=\"bold\"" : "", escaped(labels_[index][i]));
    return text + "</g>\n";
  }

  const Graph& graph_;
  const Uses uses_;
  const Layout layout_;
  std::vector<std::vector<std::string>> labels_;  // of each box
  std::vector<int> column_x_;
  int box_width_, box_height_, width_, height_;
};

}  // namespace

std::string to_svg(const Graph& graph) {
  return Painter(graph).svg();
}

}  // namespace lowbit::graph
