// The numbers of a tensor.
#pragma once

#include <torch/types.h>

#include <vector>

namespace lowbit::deploy {

// Row by row, as Number (float, double).
template <class Number>
std::vector<Number> numbers_of(const torch::Tensor& tensor) {
  const torch::Tensor flat =
      tensor.detach().to(c10::CppTypeToScalarType<Number>::value).contiguous();
  const Number* first = flat.const_data_ptr<Number>();
  return {first, first + flat.numel()};
}

}  // namespace lowbit::deploy
