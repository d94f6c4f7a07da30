#if defined(__x86_64__)
#define LOWBIT_ISA avx2
#define LOWBIT_VECTOR 32
#include "lowbit/runtime/vector_functions_body.h"
#endif
