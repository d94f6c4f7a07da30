#if defined(__x86_64__)
#define LOWBIT_ISA avx512
#define LOWBIT_VECTOR 64
#include "lowbit/runtime/vector_functions_body.h"
#endif
