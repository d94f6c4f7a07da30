// Arrays as rows of neighbors: a sum over each row, and a loop over all elements that knows the
// row.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "lowbit/kernels/cpu/vector_loop.h"
#include "lowbit/kernels/parallel.h"

namespace lowbit::kernels::cpu {

// Of each of `rows` rows of `length` elements the sum of part(row, begin, end) over its blocks of
// kBlock elements, in order. S{} is neutral, S::add adds another.
template <class S, class Part>
std::vector<S> reduce_rows(std::int64_t rows, std::int64_t length, const Part& part) {
  const std::int64_t blocks = block_count(length);
  std::vector<S> parts(rows * blocks);
  const std::int64_t grain = std::max<std::int64_t>(kGrain / std::min(length, kBlock), 1);
  parallel_for(rows * blocks, grain, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t row = i / blocks, begin = row * length + i % blocks * kBlock;
      parts[i] = part(row, begin, std::min(begin + kBlock, (row + 1) * length));
    }
  });
  if (blocks == 1) return parts;
  std::vector<S> sums(rows);
  for (std::int64_t i = 0; i < rows * blocks; ++i) sums[i / blocks].add(parts[i]);
  return sums;
}

// body(row, begin, end) for pieces of rows that together are all elements.
template <class Body>
void for_each_row_piece(std::int64_t rows, std::int64_t length, const Body& body) {
  parallel_for(rows * length, kGrain, [&](std::int64_t first, std::int64_t last) {
    for_each_run({length, rows}, first, last, body);
  });
}

}  // namespace lowbit::kernels::cpu
