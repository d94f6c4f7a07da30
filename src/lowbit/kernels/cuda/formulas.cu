#include "lowbit/kernels/formulas.cpp"
