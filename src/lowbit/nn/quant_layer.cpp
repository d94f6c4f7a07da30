#include "lowbit/nn/quant_layer.h"

#include "lowbit/quant/factory.h"

namespace lowbit::nn {
namespace {

constexpr std::array kNames = {"quant_activation", "quant_weight", "quant_output"};  // by tag

// Integers (counters, codes) stay integers.
void move_to(torch::nn::Module& module, const torch::Tensor& like) {
  const torch::NoGradGuard no_grad;
  const auto move = [&like](torch::Tensor tensor) {
    tensor.set_data(tensor.is_floating_point() ? tensor.detach().to(like.options())
                                               : tensor.detach().to(like.device()));
  };
  for (const torch::Tensor& tensor : module.parameters()) move(tensor);
  for (const torch::Tensor& tensor : module.buffers()) move(tensor);
}

// Whether nothing but the number of levels (and that it is progressive) is different.
bool only_levels_differ(config::QuantOptions a, const config::QuantOptions& b) {
  a.bit = b.bit;
  a.level = b.level;
  a.progressive = b.progressive;
  return a == b;
}

}  // namespace

void QuantLayer::add(config::Tag tag, torch::nn::Module& owner, const std::array<int64_t, 4>& shape,
                     const config::ModelOptions& options) {
  Place& place = places_[static_cast<size_t>(tag)];
  place = {&owner, {tag, shape, options.batch_size, options.input_size}, options.tag(tag), nullptr};
  place.quantizer = quant::make_quantizer(place.shape, place.options);
  if (place.quantizer) owner.register_module(kNames[static_cast<size_t>(tag)], place.quantizer);
}

void QuantLayer::add_input_quantizers(torch::nn::Module& owner, const config::ModelOptions& options,
                                      int64_t in, const std::array<int64_t, 4>& weight_shape) {
  add(config::Tag::fm, owner, {1, in, 1, 1}, options);
  add(config::Tag::wt, owner, weight_shape, options);
}

void QuantLayer::add_output_quantizer(torch::nn::Module& owner, const config::ModelOptions& options,
                                      int64_t out) {
  add(config::Tag::ot, owner, {1, out, 1, 1}, options);
}

void QuantLayer::register_all(torch::nn::Module& owner) {
  for (const char* name : kNames)
    if (owner.named_children().contains(name)) owner.unregister_module(name);
  for (size_t tag = 0; tag < kNames.size(); ++tag)
    if (places_[tag].quantizer) owner.register_module(kNames[tag], places_[tag].quantizer);
}

QuantLayer::Change QuantLayer::requantize(config::Tag tag, const config::QuantOptions& options) {
  Place& place = places_[static_cast<size_t>(tag)];
  if (options == place.options) return {};
  Change change;
  const std::shared_ptr<quant::Quantizer> old = place.quantizer;
  if (old && options.enable && options.progressive && old->follows_level_num() &&
      only_levels_differ(options, place.options)) {
    if (options.levels() != place.options.levels())
      if (const torch::Tensor clip = old->set_level_num(options.levels()); clip.defined())
        change.started.push_back(clip);
    place.options = options;
    return change;
  }
  const std::shared_ptr<quant::Quantizer> next = quant::make_quantizer(place.shape, options);
  if (next) {
    move_to(*next, weight());
    change.started = old ? next->inherit(*old) : next->parameters();
    next->train(place.owner->is_training());
  }
  place.quantizer = next;
  place.options = options;
  change.replaced = old || next;
  if (change.replaced) register_all(*place.owner);
  return change;
}

}  // namespace lowbit::nn
