// What the two CPU back ends of LQ share: a group's part of each array.
#pragma once

#include "lowbit/kernels/learn_lq_group.h"
#include "lowbit/kernels/lq.h"
#include "lowbit/kernels/math/lq.h"

namespace lowbit::kernels {

// The tables of a group, to read.
template <class T>
struct LqGroup {
  const T* levels;
  const T* thresholds;
  const std::int32_t* codes;
  int level_count;

  LqGroup(const LqForward& args, std::int64_t group)
      : levels(static_cast<const T*>(args.tables.levels) + group * args.level_count),
        thresholds(static_cast<const T*>(args.tables.thresholds) + group * (args.level_count - 1)),
        codes(args.tables.codes + group * args.level_count),
        level_count(args.level_count) {}

  int position(T x) const { return lq_position(x, thresholds, level_count - 1); }
};

// The tables of one group of args.
template <class T>
void build_lq_group(const LqBuildTables& args, std::int64_t group) {
  const int count = args.level_count;
  T by_code[kLqMaxLevels], unordered[kLqMaxLevels];
  T* levels = static_cast<T*>(args.tables.levels) + group * count;
  T* thresholds = static_cast<T*>(args.tables.thresholds) + group * (count - 1);
  std::int32_t* codes = args.tables.codes + group * count;
  for (int k = 0; k < count; ++k)
    by_code[k] = lq_dot(static_cast<const T*>(args.codec_vector) + k * args.bits,
                        static_cast<const T*>(args.basis) + group, args.groups, args.bits);
  for (int k = 0; k < count; ++k) {
    const int rank = lq_rank(by_code, count, k);
    levels[rank] = by_code[k];
    codes[rank] = args.codec_index[k];
  }
  for (int i = 0; i < count - 1; ++i)
    unordered[i] =
        lq_dot(static_cast<const T*>(args.thrs_multiplier) + i * count, levels, 1, count);
  for (int i = 0; i < count - 1; ++i) thresholds[i] = lq_lowest_threshold(unordered, count - 1, i);
}

// LqLearn of the CPU, where groups are few and the work small.
void learn_lq(const LqLearn& args);

}  // namespace lowbit::kernels
