#include "lowbit/deploy/packed_summary.h"

#include <map>
#include <memory>
#include <span>
#include <utility>

#include "lowbit/core/mapped_file.h"
#include "lowbit/core/table.h"
#include "lowbit/deploy/finite.h"
#include "lowbit/models/network_size.h"
#include "lowbit/runtime/check.h"
#include "lowbit/runtime/container.h"

namespace lowbit::deploy {
namespace {

constexpr int64_t kFloatBits = 32;

std::vector<int64_t> shape_of(const packed::Value& value) {
  return {value.channels(), value.height(), value.width()};
}

int64_t bits_of(const packed::CodeConv& conv) {
  int64_t bits = 0;
  for (const packed::WeightPlane* plane : *conv.weights())
    if (plane->data()) bits += plane->bits();
  return bits;
}

int64_t bits_of(const packed::RealConv&) {
  return kFloatBits;
}

template <class Conv>
void add_conv(PackedLayer& layer, const Conv& conv, const packed::Value& in,
              const packed::Value& out) {
  const int64_t groups = conv.groups(), side = conv.window()->kernel();
  layer.multiplies = true;
  layer.name = out.name() ? out.name()->str() : "";
  layer.kind = side == 1 && in.height() == 1 && in.width() == 1
                   ? "linear"
                   : models::conv_kind(groups, in.channels(), out.channels());
  layer.weight_bits = bits_of(conv);
  layer.activation_bits =
      in.kind() == packed::Kind::code ? models::bits_of_levels(in.levels()) : kFloatBits;
  const int64_t each = side * side * (in.channels() / groups);
  layer.multiply_accumulates = each * out.channels() * out.height() * out.width();
}

// The packed model, step by step; what describes a group is put together on the way. Between the
// steps of a group may stand those of another one.
class Walk {
 public:
  Walk(const runtime::PackedNetwork& network, const packed::Model& model)
      : network_(network), model_(model), numbers_(model.UnPack()) {}

  PackedSummary summary(size_t file_bytes) {
    PackedSummary result;
    result.not_finite = first_not_finite(*numbers_);
    std::map<int, PackedLayer> begun;  // by the last step of the group
    for (int number = 0; number < static_cast<int>(numbers_->steps.size()); ++number) {
      const lowbit_value value = network_.describe(number + 1);
      PackedLayer& layer = begun[value.group];
      add_step(layer, number);
      if (value.group != number) continue;  // run together with a later one
      complete(layer, value);
      result.layers.push_back(std::move(layer));
    }
    result.sizes = packed_size(*numbers_, file_bytes);
    return result;
  }

 private:
  const packed::Value& value(int number) const {
    return *model_.values()->Get(static_cast<unsigned>(number));
  }

  void add_step(PackedLayer& layer, int number) {
    const packed::Step& step = *model_.steps()->Get(static_cast<unsigned>(number));
    const int first = runtime::inputs_of(step).front();
    layer.bytes += packed_size(*numbers_->steps[static_cast<size_t>(number)]);
    if (layer.input.empty()) layer.input = shape_of(value(first));
    if (const auto* codes = step.operation_as_CodeConv())
      add_conv(layer, *codes, value(first), value(number + 1));
    else if (const auto* reals = step.operation_as_RealConv())
      add_conv(layer, *reals, value(first), value(number + 1));
  }

  static void complete(PackedLayer& layer, const lowbit_value& value) {
    layer.output = {value.channels, value.height, value.width};
    layer.kernel = value.kernel;
    if (layer.multiplies) return;
    layer.name = value.name;
    layer.kind = value.operation;
  }

  const runtime::PackedNetwork& network_;
  const packed::Model& model_;
  std::unique_ptr<packed::ModelT> numbers_;
};

}  // namespace

models::Costs PackedSummary::multiply_accumulates() const {
  models::Costs result;
  for (const PackedLayer& layer : layers)
    if (layer.multiplies)
      result[{layer.weight_bits, layer.activation_bits}] += layer.multiply_accumulates;
  return result;
}

PackedSummary summarize(const runtime::PackedNetwork& network, const std::string& path) {
  const core::MappedFile file(path);
  file.bring(file.bytes());
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(file.bytes().data()),
                                       file.bytes().size());
  return Walk(network, runtime::open_sealed(bytes)).summary(bytes.size());
}

std::string format_summary(const PackedSummary& summary) {
  std::vector<core::TableRow> rows = {
      {"layer", "kind", "kernel", "input", "output", "bits", "bytes", "mult-adds"}};
  for (const PackedLayer& layer : summary.layers)
    rows.push_back(
        {layer.name, layer.kind, layer.kernel, models::shape_text(layer.input),
         models::shape_text(layer.output),
         layer.multiplies ? models::bits_text(layer.weight_bits, layer.activation_bits) : "",
         std::to_string(layer.bytes),
         layer.multiplies ? std::to_string(layer.multiply_accumulates) : ""});
  std::string text = core::format_table(rows, 3) + "\n";
  const models::Costs costs = summary.multiply_accumulates();
  if (!costs.empty()) text += models::format_costs(costs) + "\n";
  return text + "bytes of the file\n" + format_sizes(summary.sizes) + "\n";
}

}  // namespace lowbit::deploy
