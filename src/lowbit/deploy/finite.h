// Numbers of a packed program that no arithmetic can be done with.
#pragma once

#include <string>

#include "lowbit/runtime/program_generated.h"

namespace lowbit::deploy {

// The first step with a parameter that is NaN or infinite and which parameter that is, as
// "'layer1.0.conv1', coefficients"; "" if there is none. A threshold may be positive infinity: no
// number reaches it.
std::string first_not_finite(const packed::ModelT& model);

}  // namespace lowbit::deploy
