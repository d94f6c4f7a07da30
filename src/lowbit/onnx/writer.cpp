#include "lowbit/onnx/writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lowbit/core/error.h"
#include "lowbit/core/json_text.h"
#include "lowbit/core/printable.h"
#include "lowbit/runtime/check.h"
#include "translation.h"

namespace lowbit::onnx {
namespace {

// The first versions of the format and of the set of operators that have what is written.
constexpr int kFormat = 10, kOperators = 21;
constexpr int kFormatWithTwoBits = 13, kOperatorsWithTwoBits = 25;

std::string layer_of(const packed::ModelT& model, size_t step) {
  std::string name = core::printable(model.values[step + 1]->name);
  if (name.empty()) return "step" + std::to_string(step);
  std::ranges::replace(name, ' ', '.');
  return name;
}

// Only Normalize and a convolution of the image's own bytes know what its codes are.
void require_known_input(const packed::Step& step) {
  using packed::Operation;
  const std::vector<int> inputs = runtime::inputs_of(step);
  if (step.operation_type() != Operation::CodeConv &&
      step.operation_type() != Operation::Normalize && std::ranges::find(inputs, 0) != inputs.end())
    throw core::failure("ONNX: only a convolution takes the codes of the image");
}

std::string decimals(const std::array<double, 3>& numbers) {
  return fmt::format("{},{},{}", numbers[0], numbers[1], numbers[2]);
}

void add_properties(proto::ModelProto& file, const packed::ModelT& model, const Options& options) {
  const auto add = [&file](const char* key, std::string value) {
    proto::StringStringEntryProto& entry = *file.add_metadata_props();
    entry.set_key(key);
    entry.set_value(std::move(value));
  };
  const packed::ValueT& image = *model.values.at(0);
  add("network", core::printable(model.network));
  add("image_size", fmt::format("{},{}", image.height, image.width));
  add("channels", "RGB");
  add("mean", decimals(options.mean));
  add("std", decimals(options.std));
  if (model.preprocessing && model.preprocessing->resize > 0)
    add("resize_shorter_side", std::to_string(model.preprocessing->resize));
  if (!model.classes.empty()) add("classes", core::json_text(model.classes));
}

proto::GraphProto graph_of(const packed::ModelT& model, const Options& options) {
  const packed::ValueT& image = *model.values.at(0);
  flatbuffers::FlatBufferBuilder program;
  packed::FinishModelBuffer(program, packed::CreateModel(program, &model));
  Translation to{model, *packed::GetModel(program.GetBufferPointer()), options, {}, {}};
  to.values.push_back({to.graph.add_input("image", {image.channels, image.height, image.width})});
  for (size_t step = 0; step < model.steps.size(); ++step) {
    to.graph.begin_layer(layer_of(model, step));
    require_known_input(to.step());
    to.values.push_back(translate(to, model.steps[step]->operation));
  }
  const packed::ValueT& logits = *model.values.back();
  to.graph.add_output("logits", to.values.back().tensor,
                      {int64_t{logits.channels} * logits.height * logits.width});
  proto::GraphProto graph = to.graph.take();
  graph.set_name("lowbit");
  return graph;
}

bool has_two_bits(const proto::GraphProto& graph) {
  return std::ranges::any_of(graph.initializer(), [](const proto::TensorProto& tensor) {
    return tensor.data_type() == proto::TensorProto::INT2 ||
           tensor.data_type() == proto::TensorProto::UINT2;
  });
}

}  // namespace

std::string onnx_file(const packed::ModelT& model, const Options& options) {
  proto::ModelProto file;
  *file.mutable_graph() = graph_of(model, options);
  const bool two_bits = has_two_bits(file.graph());
  file.set_ir_version(two_bits ? kFormatWithTwoBits : kFormat);
  proto::OperatorSetIdProto& operators = *file.add_opset_import();
  operators.set_domain("");
  operators.set_version(two_bits ? kOperatorsWithTwoBits : kOperators);
  file.set_producer_name("lowbit");
  file.set_producer_version(options.version);
  file.set_doc_string(core::printable(model.network));
  add_properties(file, model, options);
  std::string bytes;
  if (!file.SerializeToString(&bytes))
    throw core::failure("ONNX: the network does not fit into the 2 GiB of a file");
  return bytes;
}

}  // namespace lowbit::onnx
