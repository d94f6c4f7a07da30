#include "lowbit/models/network_size.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace lowbit::models {
namespace {

constexpr int64_t kFloatBits = 32;

}  // namespace

int64_t bits_of(const quant::Quantizer* quantizer) {
  return quantizer ? bits_of_levels(quantizer->level_num().item<int64_t>()) : kFloatBits;
}

int64_t bits_of_levels(int64_t levels) {
  return std::bit_width(static_cast<uint64_t>(std::max<int64_t>(2, levels) - 1));
}

int64_t parameter_count(const Network& network, const std::string& prefix) {
  int64_t count = 0;
  for (const NamedTensor& entry : network.state()) {
    if (!entry.name.starts_with(prefix)) continue;
    const std::string leaf = entry.name.substr(entry.name.rfind('.') + 1);
    // Counters serve training alone.
    if (leaf == "iteration" || leaf == "level_num" || leaf == "num_batches_tracked") continue;
    count += entry.tensor.numel();
  }
  return count;
}

NetworkSize network_size(const Network& network) {
  NetworkSize size{};
  size.parameters = parameter_count(network, "");
  size.float_bytes = size.packed_bytes = size.parameters * kFloatBits / 8;
  for (const QuantLayer& layer : network.quant_layers()) {
    const int64_t weights = layer.weight().numel();
    const int64_t bits = bits_of(layer.quantizer(config::Tag::wt));
    size.packed_bytes += (weights * bits + 7) / 8 - weights * kFloatBits / 8;
  }
  return size;
}

std::string bytes_text(int64_t bytes) {
  const double size = static_cast<double>(bytes);
  return bytes >= 1000000 ? fmt::format("{:.2f} MB", size / 1e6)
                          : fmt::format("{:.1f} kB", size / 1e3);
}

}  // namespace lowbit::models
