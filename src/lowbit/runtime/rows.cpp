#include "lowbit/runtime/rows.h"

namespace lowbit::runtime {

// Of the sources that are compiled for an instruction set.
#define LOWBIT_DECLARE_ROWS(rows)                                  \
  namespace rows {                                                 \
  extern const RowFunction kFunctions[kRowOperations];             \
  extern const WindowFunction kWindowFunctions[kWindowOperations]; \
  }
LOWBIT_DECLARE_ROWS(portable_rows)
#if defined(__x86_64__)
LOWBIT_DECLARE_ROWS(avx2_rows)
LOWBIT_DECLARE_ROWS(avx512_rows)
#endif

RowFunction row_function(RowOperation operation, Isa isa) {
  const int number = static_cast<int>(operation);
#if defined(__x86_64__)
  if (isa == Isa::avx2) return avx2_rows::kFunctions[number];
  if (isa == Isa::avx512) return avx512_rows::kFunctions[number];
#endif
  return portable_rows::kFunctions[number];
}

WindowFunction window_function(WindowOperation operation, Isa isa) {
  const int number = static_cast<int>(operation);
#if defined(__x86_64__)
  if (isa == Isa::avx2) return avx2_rows::kWindowFunctions[number];
  if (isa == Isa::avx512) return avx512_rows::kWindowFunctions[number];
#endif
  return portable_rows::kWindowFunctions[number];
}

}  // namespace lowbit::runtime
