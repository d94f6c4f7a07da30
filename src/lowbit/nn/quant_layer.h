// What a convolution and a linear layer whose input and weight may be quantized share.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "lowbit/config/model_options.h"
#include "lowbit/quant/quantizer.h"

namespace lowbit::nn {

class QuantLayer {
 public:
  virtual ~QuantLayer() = default;

  // Null where the tag is not enabled, the layer is forced to full precision, or it is a linear
  // layer and the tag ot.
  const std::shared_ptr<quant::Quantizer>& quantizer(config::Tag tag) const {
    return place(tag).quantizer;
  }
  // The options of the tag's quantizer, enabled or not; null where the layer can have none.
  const config::QuantOptions* quant_options(config::Tag tag) const {
    return place(tag).owner ? &place(tag).options : nullptr;
  }

  // What `requantize` has done to the quantizers.
  struct Change {
    bool replaced = false;               // modules and parameters are others now
    std::vector<torch::Tensor> started;  // parameters whose value training did not give
  };
  // Gives the tag, where quant_options() is not null, a quantizer of other options: the same one
  // with another number of levels where progressive quantization wants it, otherwise a new one that
  // takes over what the old one has learned (quant::Quantizer::inherit). Waits for the device. An
  // Error (usage) if there is no such quantizer.
  Change requantize(config::Tag tag, const config::QuantOptions& options);

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

 private:
  // Where a quantizer is or could be.
  struct Place {
    torch::nn::Module* owner = nullptr;  // null: nowhere
    quant::QuantShape shape;
    config::QuantOptions options;
    std::shared_ptr<quant::Quantizer> quantizer;
  };

  const Place& place(config::Tag tag) const { return places_[static_cast<size_t>(tag)]; }
  void add(config::Tag tag, torch::nn::Module& owner, const std::array<int64_t, 4>& shape,
           const config::ModelOptions& options);
  // Registers the quantizers anew, in the order of checkpoints.
  void register_all(torch::nn::Module& owner);

  std::array<Place, 3> places_;  // by tag
};

}  // namespace lowbit::nn
