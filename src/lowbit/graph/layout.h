// Where the boxes and lines of a graph's picture go.
#pragma once

#include <cstdint>
#include <vector>

#include "lowbit/graph/graph.h"

namespace lowbit::graph {

// A box of the picture: the input or a node that gives features.
struct Box {
  ValueId value;
  const Node* node;  // null: the input
  int row, column;   // rows from the top: one below the lowest of those that it reads
};

// A line from one box to another one in a row below it.
struct Line {
  size_t from, to;  // boxes
  // The place among those that read into `to`, and their number.
  int port, ports;
  // Where it passes rows in between it runs down in a lane beside the column of its first box: lane
  // 0, 1, ... Lines of one box share their lane, others never do.
  bool passes_rows = false;
  int lane = 0;
};

struct Layout {
  std::vector<Box> boxes;
  std::vector<Line> lines;
  int rows = 0, columns = 0;
  std::vector<int> lanes;  // beside each column
};

// Valid as long as the graph does not change.
Layout layout_of(const Graph& graph);

}  // namespace lowbit::graph
