// What a convolution and a linear layer whose input and weight may be quantized share.
#pragma once

#include <memory>
#include <string>

#include "lowbit/config/model_options.h"
#include "lowbit/quant/quantizer.h"

namespace lowbit::nn {

class QuantLayer {
 public:
  virtual ~QuantLayer() = default;

  // Null where the tag is not enabled, the layer is forced to full precision, or it is a linear
  // layer and the tag ot.
  const std::shared_ptr<quant::Quantizer>& quantizer(config::Tag tag) const {
    return tag == config::Tag::fm   ? activation_quantizer_
           : tag == config::Tag::wt ? weight_quantizer_
                                    : output_quantizer_;
  }

  // The master weight: of a convolution [O, I / groups, k, k], of a linear layer [O, I].
  virtual torch::Tensor& weight() = 0;
  // The dotted name within the network.
  virtual const std::string& layer_path() const = 0;

 protected:
  // Register children of `owner`, those whose tag is enabled: quant_activation and quant_weight,
  // then quant_output. in, out: channels; weight_shape: as QuantShape::shape says.
  void add_input_quantizers(torch::nn::Module& owner, const config::ModelOptions& options,
                            int64_t in, const std::array<int64_t, 4>& weight_shape);
  void add_output_quantizer(torch::nn::Module& owner, const config::ModelOptions& options,
                            int64_t out);

  std::shared_ptr<quant::Quantizer> activation_quantizer_, weight_quantizer_, output_quantizer_;
};

}  // namespace lowbit::nn
