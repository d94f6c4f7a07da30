#include "lowbit/nn/quant_layer.h"

#include "lowbit/quant/factory.h"

namespace lowbit::nn {
namespace {

std::shared_ptr<quant::Quantizer> add(torch::nn::Module& owner, const char* name, config::Tag tag,
                                      const std::array<int64_t, 4>& shape,
                                      const config::ModelOptions& options) {
  auto quantizer =
      quant::make_quantizer({tag, shape, options.batch_size, options.input_size}, options.tag(tag));
  return quantizer ? owner.register_module(name, quantizer) : quantizer;
}

}  // namespace

void QuantLayer::add_input_quantizers(torch::nn::Module& owner, const config::ModelOptions& options,
                                      int64_t in, const std::array<int64_t, 4>& weight_shape) {
  activation_quantizer_ = add(owner, "quant_activation", config::Tag::fm, {1, in, 1, 1}, options);
  weight_quantizer_ = add(owner, "quant_weight", config::Tag::wt, weight_shape, options);
}

void QuantLayer::add_output_quantizer(torch::nn::Module& owner, const config::ModelOptions& options,
                                      int64_t out) {
  output_quantizer_ = add(owner, "quant_output", config::Tag::ot, {1, out, 1, 1}, options);
}

}  // namespace lowbit::nn
