#if defined(__x86_64__)
#define LOWBIT_ROWS avx2_rows
#define LOWBIT_VECTOR 32
#include "lowbit/runtime/rows_body.h"
#endif
