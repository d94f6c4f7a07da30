#include "lowbit/nn/activation.h"

namespace lowbit::nn {
namespace {

class Relu : public Layer {
 protected:
  torch::Tensor compute(const torch::Tensor& x) override { return torch::relu(x); }
};

class Relu6 : public Layer {
 protected:
  torch::Tensor compute(const torch::Tensor& x) override { return torch::hardtanh(x, 0, 6); }
};

class LeakyRelu : public Layer {
 protected:
  torch::Tensor compute(const torch::Tensor& x) override { return torch::leaky_relu(x, 0.01); }
};

class PRelu : public Layer {
 public:
  PRelu() { slope_ = register_parameter("weight", torch::full({1}, 0.25)); }

 protected:
  torch::Tensor compute(const torch::Tensor& x) override {
    return torch::prelu(x, slope_.to(x.scalar_type()));
  }

 private:
  torch::Tensor slope_;
};

}  // namespace

LayerPtr make_activation(config::Activation activation) {
  switch (activation) {
    case config::Activation::relu:
      return std::make_shared<Relu>();
    case config::Activation::prelu:
      return std::make_shared<PRelu>();
    case config::Activation::relu6:
      return std::make_shared<Relu6>();
    case config::Activation::leaky_relu:
      return std::make_shared<LeakyRelu>();
    case config::Activation::none:
      break;
  }
  return std::make_shared<Identity>();
}

std::optional<kernels::NormActivation> norm_activation(const Layer& layer) {
  if (layer.is_probed()) return std::nullopt;
  if (dynamic_cast<const Relu*>(&layer)) return kernels::NormActivation::relu;
  if (dynamic_cast<const Relu6*>(&layer)) return kernels::NormActivation::relu6;
  return std::nullopt;
}

}  // namespace lowbit::nn
