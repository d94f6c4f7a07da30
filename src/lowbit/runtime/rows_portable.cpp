#define LOWBIT_ROWS portable_rows
#define LOWBIT_VECTOR 16
#include "lowbit/runtime/rows_body.h"
