#include "lowbit/models/network_size.h"

#include <bit>

namespace lowbit::models {

NetworkSize network_size(const Network& network) {
  NetworkSize size{};
  for (const NamedTensor& entry : network.state()) {
    const std::string leaf = entry.name.substr(entry.name.rfind('.') + 1);
    // Counters serve training alone.
    if (leaf == "iteration" || leaf == "level_num" || leaf == "num_batches_tracked") continue;
    size.parameters += entry.tensor.numel();
  }
  size.float_bytes = size.packed_bytes = 4 * size.parameters;
  for (nn::QuantLayer* layer : network.quant_layers()) {
    const auto& quantizer = layer->quantizer(config::Tag::wt);
    if (!quantizer) continue;
    const auto levels = static_cast<unsigned>(quantizer->options().levels());
    const int64_t bits = std::bit_width(levels - 1);
    size.packed_bytes += (layer->weight().numel() * bits + 7) / 8 - 4 * layer->weight().numel();
  }
  return size;
}

}  // namespace lowbit::models
