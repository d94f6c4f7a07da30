#include "lowbit/nn/quant_layer.h"

#include "lowbit/quant/factory.h"

namespace lowbit::nn {

void QuantLayer::add_quantizers(torch::nn::Module& owner, const config::ModelOptions& options,
                                int64_t in, int64_t out,
                                const std::array<int64_t, 4>& weight_shape) {
  const auto make = [&](const char* name, config::Tag tag, std::array<int64_t, 4> shape) {
    auto quantizer = quant::make_quantizer({tag, shape, options.batch_size, options.input_size},
                                           options.tag(tag));
    return quantizer ? owner.register_module(name, quantizer) : quantizer;
  };
  activation_quantizer_ = make("quant_activation", config::Tag::fm, {1, in, 1, 1});
  weight_quantizer_ = make("quant_weight", config::Tag::wt, weight_shape);
  output_quantizer_ = make("quant_output", config::Tag::ot, {1, out, 1, 1});
}

}  // namespace lowbit::nn
