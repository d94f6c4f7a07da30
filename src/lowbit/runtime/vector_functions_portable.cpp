#define LOWBIT_ISA portable
#define LOWBIT_VECTOR 16
#include "lowbit/runtime/vector_functions_body.h"
