#include "lowbit/graph/layout.h"

#include <algorithm>
#include <map>

namespace lowbit::graph {
namespace {

constexpr size_t kNoBox = SIZE_MAX;

class LayoutMaker {
 public:
  explicit LayoutMaker(const Graph& graph) : graph_(graph), box_of_(graph.values.size(), kNoBox) {}

  Layout make() {
    add_box(graph_.input, nullptr, 0, 0);
    for (const Node& node : graph_.nodes)
      if (graph_.value(node.output).type.batched) add_node(node);
    layout_.lanes.resize(static_cast<size_t>(layout_.columns));
    for (Line& line : layout_.lines) choose_lane(line);
    return std::move(layout_);
  }

 private:
  void add_box(ValueId value, const Node* node, int row, int column) {
    box_of_[static_cast<size_t>(value)] = layout_.boxes.size();
    layout_.boxes.push_back({value, node, row, column});
    layout_.rows = std::max(layout_.rows, row + 1);
    layout_.columns = std::max(layout_.columns, column + 1);
    last_column_.resize(static_cast<size_t>(layout_.rows), -1);
    int& last = last_column_[static_cast<size_t>(row)];
    last = std::max(last, column);
  }

  std::vector<size_t> boxes_read_by(const Node& node) const {
    std::vector<size_t> boxes;
    for (const ValueId input : node.inputs)
      if (const size_t box = box_of_[static_cast<size_t>(input)]; box != kNoBox)
        boxes.push_back(box);
    return boxes;
  }

  // Below the box whose row is the lowest, in its column or the next one that is free.
  void add_node(const Node& node) {
    const std::vector<size_t> read = boxes_read_by(node);
    int row = 0, column = 0;
    for (const size_t box : read)
      if (layout_.boxes[box].row >= row) {
        row = layout_.boxes[box].row + 1;
        column = layout_.boxes[box].column;
      }
    const auto filled = static_cast<size_t>(row) < last_column_.size()
                            ? last_column_[static_cast<size_t>(row)]
                            : -1;
    const size_t to = layout_.boxes.size();
    add_box(node.output, &node, row, std::max(column, filled + 1));
    for (size_t i = 0; i < read.size(); ++i)
      layout_.lines.push_back({.from = read[i],
                               .to = to,
                               .port = static_cast<int>(i),
                               .ports = static_cast<int>(read.size())});
  }

  // The rows that a lane is taken in, by the box whose lines run there.
  struct Taken {
    int begin, end;
    size_t from;
  };

  void choose_lane(Line& line) {
    const int begin = layout_.boxes[line.from].row, end = layout_.boxes[line.to].row;
    line.passes_rows = end > begin + 1;
    if (!line.passes_rows) return;
    const int column = layout_.boxes[line.from].column;
    std::vector<std::vector<Taken>>& lanes = taken_[column];
    size_t lane = 0;
    for (; lane < lanes.size(); ++lane)
      if (std::ranges::none_of(lanes[lane], [&](const Taken& t) {
            return t.from != line.from && t.begin < end && begin < t.end;
          }))
        break;
    if (lane == lanes.size()) lanes.emplace_back();
    lanes[lane].push_back({begin, end, line.from});
    line.lane = static_cast<int>(lane);
    layout_.lanes[static_cast<size_t>(column)] = static_cast<int>(lanes.size());
  }

  const Graph& graph_;
  std::vector<size_t> box_of_;                            // by ValueId
  std::vector<int> last_column_;                          // of each row; -1: the row is empty
  std::map<int, std::vector<std::vector<Taken>>> taken_;  // by column, by lane
  Layout layout_;
};

}  // namespace

Layout layout_of(const Graph& graph) {
  return LayoutMaker(graph).make();
}

}  // namespace lowbit::graph
