#include "lowbit/runtime/rows.h"

namespace lowbit::runtime {

namespace portable_rows {
extern const RowFunction kFunctions[kRowOperations];
}
#if defined(__x86_64__)
namespace avx2_rows {
extern const RowFunction kFunctions[kRowOperations];
}
namespace avx512_rows {
extern const RowFunction kFunctions[kRowOperations];
}
#endif

RowFunction row_function(RowOperation operation, Isa isa) {
  const RowFunction* functions = portable_rows::kFunctions;
#if defined(__x86_64__)
  if (isa == Isa::avx2) functions = avx2_rows::kFunctions;
  if (isa == Isa::avx512) functions = avx512_rows::kFunctions;
#endif
  return functions[static_cast<int>(operation)];
}

}  // namespace lowbit::runtime
