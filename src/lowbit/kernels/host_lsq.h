// What the two CPU back ends of LSQ share: the counts behind STE-scale.
#pragma once

#include "lowbit/kernels/lsq.h"
#include "lowbit/kernels/math/gradscale.h"

namespace lowbit::kernels {

// k of math/lsq.h. count_inside: () -> number of elements of x inside the clamp.
template <class T, class Count>
T clamp_scale(const LsqBackward& args, const Count& count_inside) {
  if (!args.ste_scale) return 1;
  if (args.counted == nullptr) return static_cast<T>(ste_scale_factor(args.size, count_inside()));
  return static_cast<T>(ste_scale_factor(static_cast<std::int64_t>(args.counted[0]),
                                         static_cast<std::int64_t>(args.counted[1])));
}

inline void write_counted(const LsqCountInside& args, std::int64_t inside) {
  args.counted[0] = static_cast<double>(args.size);
  args.counted[1] = static_cast<double>(inside);
}

}  // namespace lowbit::kernels
