#include "lowbit/nn/deferred.h"

#include "lowbit/nn/activation.h"
#include "lowbit/nn/fused_passes.h"
#include "lowbit/nn/norm.h"
#include "lowbit/nn/quant_conv.h"

namespace lowbit::nn {

bool Deferred::takes_skip(const torch::Tensor& skip) const {
  return norm_ && !skip_.defined() && activation_ == kernels::NormActivation::none &&
         skip.sizes() == x_.sizes() && skip.scalar_type() == x_.scalar_type() &&
         skip.device() == x_.device() && has_fused_passes(skip);
}

NormPass Deferred::pass() const {
  NormPass pass = norm_->pass();
  pass.skip = skip_;
  pass.activation = activation_;
  return pass;
}

void Deferred::pass_through(Layer& layer) {
  if (dynamic_cast<Identity*>(&layer) && !layer.is_probed()) return;
  if (auto* norm = dynamic_cast<BatchNorm*>(&layer)) {
    if (!norm->is_probed() && norm->has_pass(tensor())) {
      norm_ = norm;
      return;
    }
  } else if (norm_ && activation_ == kernels::NormActivation::none) {
    if (const auto activation = norm_activation(layer)) {
      activation_ = *activation;
      return;
    }
  }
  auto* conv = dynamic_cast<QuantConv2d*>(&layer);
  if (const auto form = conv && norm_ && !skip_.defined() ? conv->input_form() : std::nullopt) {
    NormPass pass = this->pass();
    pass.quantizer = form;
    x_ = conv->forward_quantized(norm_pass(x_, pass));
    norm_ = nullptr;
    activation_ = kernels::NormActivation::none;
    return;
  }
  x_ = layer.forward(tensor());
}

void Deferred::add(const torch::Tensor& skip) {
  if (takes_skip(skip))
    skip_ = skip;
  else
    x_ = tensor() + skip;
}

const torch::Tensor& Deferred::tensor() {
  if (!norm_) return x_;
  // The gradient of a sum alone is that of both summands: a pass would copy it.
  const torch::Tensor sum_with = activation_ == kernels::NormActivation::none
                                     ? std::exchange(skip_, torch::Tensor())
                                     : torch::Tensor();
  x_ = norm_pass(x_, pass());
  if (sum_with.defined()) x_ = x_ + sum_with;
  norm_ = nullptr;
  skip_ = torch::Tensor();
  activation_ = kernels::NormActivation::none;
  return x_;
}

}  // namespace lowbit::nn
