// Loops on vector instructions, in a program that must start on any processor of its architecture.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "lowbit/kernels/parallel.h"
#include "lowbit/kernels/types.h"

// A function with this attribute is compiled once for each instruction set, with all that it calls
// in it; the loader picks the widest that the processor has. Multiplications and additions are
// never contracted (-ffp-contract=off), so all give the same bits. clang has no such templates, and
// the sanitizers' start-up comes too late for them.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define LOWBIT_VECTOR_CLONES __attribute__((flatten, target_clones("default", "avx2", "avx512f")))
#else
#define LOWBIT_VECTOR_CLONES
#endif

namespace lowbit::kernels::cpu {

// body(i) for i in [0, length).
template <class Body>
LOWBIT_VECTOR_CLONES void vector_for(std::int64_t length, Body body) {
  for (std::int64_t i = 0; i < length; ++i) body(i);
}

// The sums of the numbers in term(i).value[count] for i in [0, length). Terms go to 16 partial sums
// in turn, which fill the vector registers of every instruction set alike.
template <int count, class Term>
LOWBIT_VECTOR_CLONES std::array<double, count> vector_sums(std::int64_t length, Term term) {
  constexpr int kLanes = 16;
  double lanes[count][kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= length; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) {
      const auto terms = term(i + lane);
      for (int k = 0; k < count; ++k) lanes[k][lane] += static_cast<double>(terms.value[k]);
    }
  for (int lane = 0; i < length; ++i, ++lane) {
    const auto terms = term(i);
    for (int k = 0; k < count; ++k) lanes[k][lane] += static_cast<double>(terms.value[k]);
  }
  std::array<double, count> sums = {};
  for (int k = 0; k < count; ++k)
    for (const double lane : lanes[k]) sums[k] += lane;
  return sums;
}

// The sum of term(i) for i in [0, length), in double.
template <class Term>
double vector_sum(std::int64_t length, Term term) {
  struct One {
    decltype(term(length)) value[1];
  };
  return vector_sums<1>(length, [term](std::int64_t i) { return One{{term(i)}}; })[0];
}

// A loop of fewer than twice as many elements stays on one thread: to start another costs as much.
inline constexpr std::int64_t kGrain = 1 << 14;

// Reductions are made over blocks of this many elements, then over the blocks in order, so that
// they do not depend on the number of threads.
inline constexpr std::int64_t kBlock = 1 << 13;

constexpr std::int64_t block_count(std::int64_t size) {
  return (size + kBlock - 1) / kBlock;
}

// body(block, begin, end) for the blocks of [0, size).
template <class Body>
void for_each_block(std::int64_t size, const Body& body) {
  parallel_for(block_count(size), kGrain / kBlock, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t block = first; block < last; ++block)
      body(block, block * kBlock, std::min((block + 1) * kBlock, size));
  });
}

// body(group, begin, end) for the stretches of one group that [begin, end) consists of.
template <class Body>
void for_each_run(const Groups& groups, std::int64_t begin, std::int64_t end, const Body& body) {
  while (begin < end) {
    const std::int64_t run_end = std::min((begin / groups.run + 1) * groups.run, end);
    body(groups.of(begin), begin, run_end);
    begin = run_end;
  }
}

}  // namespace lowbit::kernels::cpu
