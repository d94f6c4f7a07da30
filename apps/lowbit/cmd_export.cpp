// lowbit export CHECKPOINT -o MODEL.lowbit --onnx FILE: packs a trained network and proves that
// nothing was lost; lowbit tools export_onnx.

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "command_line.h"
#include "commands.h"
#include "console.h"
#include "export_to.h"
#include "lowbit/checkpoint/checkpoint_file.h"
#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/log.h"
#include "lowbit/data/crop.h"
#include "lowbit/data/labels.h"
#include "lowbit/deploy/lower.h"
#include "lowbit/deploy/packed_size.h"
#include "lowbit/deploy/prove.h"
#include "lowbit/models/network_size.h"
#include "lowbit/onnx/writer.h"
#include "lowbit/run/loaded_network.h"
#include "lowbit/run/run_state.h"
#include "lowbit/runtime/container.h"
#include "open_checkpoint.h"
#include "output.h"
#include "pixel_source.h"
#include "run_summary.h"
#include "tool_call.h"
#include "tools.h"

namespace lowbit::app {
namespace {

template <class Value>
using Names = std::vector<std::pair<std::string, Value>>;

const Names<deploy::Ends> kEnds = {
    {"int8", deploy::Ends::int8}, {"int4", deploy::Ends::int4}, {"float32", deploy::Ends::float32}};
const Names<onnx::Weights> kOnnxWeights = {
    {"int8", onnx::Weights::int8}, {"int4", onnx::Weights::int4}, {"int2", onnx::Weights::int2}};

// name: one of the names.
template <class Value>
Value named(const Names<Value>& names, const std::string& name) {
  return std::ranges::find(names, name, &Names<Value>::value_type::first)->second;
}

struct ExportCall {
  std::string checkpoint, output, onnx, onnx_weights = "int8", ends = "int8";
  int calibrate = 64, check = 256;
  Arguments network;  // options of lowbit train
};

// A network of two bits answers otherwise in doubtful cases as soon as a single code near a
// threshold is another one: as well on the whole, but not the same.
void explain_other_answers(const deploy::Proof& proof, const ExportCall& call) {
  constexpr int64_t kExpectedOf = 1000;  // one image of so many, for float32 roundings
  if (named(kEnds, call.ends) == deploy::Ends::float32 ||
      proof.disagreeing * kExpectedOf <= proof.images)
    return;
  print(
      "the other classes come of layers trained in full precision that have {} weights here; "
      "--ends float32 leaves them as trained\n",
      call.ends);
}

// The file's name where none is given.
std::string beside(const std::string& checkpoint, const char* extension) {
  return checkpoint.substr(0, checkpoint.find(".pth")) + extension;
}

// What both verbs take.
void add_export_options(CLI::App& app, ExportCall& call) {
  app.add_option("--onnx_weights", call.onnx_weights,
                 "of the ONNX file: int8, int4, int2 where they fit")
      ->check(CLI::IsMember(kOnnxWeights))
      ->capture_default_str();
  app.add_option("--ends", call.ends,
                 "weights of full-precision layers: 8 bits, 4 but for the first, or as trained")
      ->check(CLI::IsMember(kEnds))
      ->capture_default_str();
  app.add_option("--calibrate", call.calibrate, "training images that show the range of 8 bits")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--check", call.check, "validation images to compare on")
      ->check(CLI::Range(1, 10000000))
      ->capture_default_str();
}

std::optional<ExportCall> read_export_call(const Arguments& arguments) {
  ExportCall call;
  CLI::App app(
      "Packs a checkpoint for inference on integers. Before a file is written every\n"
      "code and logit of the packed network is compared with the trained one on images\n"
      "of its validation set. With --onnx alone no packed file is written. Options of\n"
      "lowbit train replace what the checkpoint says: --root FOLDER, --dataset NAME",
      "lowbit export");
  app.add_option("checkpoint", call.checkpoint, "what lowbit train has saved")->required();
  app.add_option("-o,--output", call.output, "the packed file; default: beside the checkpoint");
  app.add_option("--onnx", call.onnx, "an ONNX file of the packed network");
  add_export_options(app, call);
  app.allow_extras();
  if (!parse_arguments(app, arguments)) return std::nullopt;
  call.network = app.remaining();
  if (call.output.empty() && call.onnx.empty()) call.output = beside(call.checkpoint, ".lowbit");
  return call;
}

// A network may have more classes than the data set names; numbers name the others.
std::vector<std::string> all_classes(std::vector<std::string> names, int classes) {
  while (!names.empty() && static_cast<int>(names.size()) < classes)
    names.push_back(std::to_string(names.size()));
  return names;
}

// Pictures of any size are cut out as validation does it.
int resize_of(const config::DataOptions& options) {
  return data::is_streamed(options) ? static_cast<int>(data::shorter_side(options.input_size)) : 0;
}

deploy::LowerOptions lower_options(const ExportCall& call, const models::Network& network,
                                   const config::DataOptions& data,
                                   const std::vector<std::string>& classes) {
  return {.ends = named(kEnds, call.ends),
          .mean = data.mean,
          .std = data.std,
          .network = network.description(),
          .classes = classes,
          .resize = resize_of(data)};
}

deploy::Proof prove_on(deploy::Prover& prover, PixelSource& source, int64_t count,
                       const config::DataOptions& data) {
  constexpr int64_t kBatch = 32;
  deploy::Proof proof;
  count = std::min(count, source.size());
  for (int64_t first = 0; first < count; first += kBatch) {
    const PixelSource::Batch batch = source.fetch(first, std::min(kBatch, count - first));
    proof.add(prover.prove(batch.pixels, normalized(batch.pixels, data), batch.labels));
  }
  return proof;
}

void write_packed(const std::string& path, const packed::ModelT& model,
                  const models::Network& network) {
  const std::vector<uint8_t> bytes = runtime::seal(model);
  core::replace_file(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  const models::NetworkSize size = models::network_size(network);
  print("{}:\n", path);
  print_lines(deploy::format_sizes(deploy::packed_size(model, bytes.size())));
  print("; {:.1f} times smaller than float32\n",
        static_cast<double>(size.float_bytes) / static_cast<double>(bytes.size()));
}

void write_onnx(const ExportCall& call, const packed::ModelT& model,
                const config::DataOptions& data) {
  const std::string bytes =
      onnx::onnx_file(model, {.mean = data.mean,
                              .std = data.std,
                              .weights = named(kOnnxWeights, call.onnx_weights),
                              .version = LOWBIT_VERSION});
  core::replace_file(call.onnx, bytes);
  print("{}: {} bytes\n", call.onnx, bytes.size());
}

// Before the work: that the files can be written, and that none takes another one's place.
void require_outputs(const ExportCall& call) {
  std::error_code none;
  for (const std::string& output : {call.output, call.onnx}) {
    if (output.empty()) continue;
    core::require_writable(output, core::Special::written);
    if (std::filesystem::equivalent(output, call.checkpoint, none))
      throw core::usage_error("'{}' is the checkpoint itself", output);
  }
  if (!call.output.empty() && core::behind_links(call.output) == core::behind_links(call.onnx))
    throw core::usage_error("'{}' cannot be both the packed file and the ONNX file", call.output);
}

// file: what is read from call.checkpoint
int export_as(const ExportCall& call, const checkpoint::Value& file) {
  log_to_console();
  require_outputs(call);
  config::Configuration configuration = configuration_to_use(file, call.checkpoint, call.network);
  config::DataOptions& data = configuration.options.data;
  require_inputs(configuration.options);
  const run::LoadedNetwork loaded =
      run::load_network(configuration.options.model, file, call.checkpoint);
  require_weights(loaded.report, call.checkpoint);
  models::Network& network = *loaded.network;
  network.eval();

  const torch::NoGradGuard no_grad;
  PixelSource training(data, data::Split::train), validation(data, data::Split::validation);
  if (run::has_description(file))
    data::require_classes_of(run::description_of(file, call.checkpoint).class_names,
                             validation.class_names(), "checkpoint");
  const int64_t calibration = std::min<int64_t>(call.calibrate, training.size());
  const torch::Tensor images = normalized(training.fetch(0, calibration).pixels, data);
  core::log().info("{}", network.description());
  deploy::Proof proof;
  packed::ModelT model;
  try {
    model = deploy::lower(
        deploy::TrainedGraph(network, images),
        lower_options(call, network, data,
                      all_classes(validation.class_names(), network.options().num_classes)));
    deploy::Prover prover(network, model);
    proof = prove_on(prover, validation, call.check, data);
  } catch (core::Error& error) {
    error.at(call.checkpoint);
    throw;
  } catch (const c10::Error& error) {
    throw core::failure("{}", error.what_without_backtrace()).at(call.checkpoint);
  }
  model.checked = proof.text();
  print("{}\n", proof.text());
  explain_other_answers(proof, call);
  if (!call.output.empty()) write_packed(call.output, model, network);
  if (!call.onnx.empty()) write_onnx(call, model, data);
  return 0;
}

}  // namespace

int export_network(const Arguments& arguments) {
  const std::optional<ExportCall> call = read_export_call(arguments);
  return call ? export_as(*call, checkpoint::read_checkpoint(call->checkpoint)) : 0;
}

void export_to(const std::string& output, const checkpoint::Value& file,
               const std::string& checkpoint) {
  ExportCall call;
  call.checkpoint = checkpoint;
  call.output = output;
  export_as(call, file);
}

int export_onnx(const Arguments& arguments) {
  ExportCall call;
  const auto tool =
      read_tool_call("export_onnx", "write an ONNX file: --new, or beside --old", arguments,
                     nullptr, [&call](CLI::App& app) { add_export_options(app, call); });
  if (!tool) return 0;
  call.checkpoint = tool->checkpoint();
  call.onnx = tool->new_file.empty() ? beside(call.checkpoint, ".onnx") : tool->new_file;
  call.network = tool->network;
  return export_as(call, checkpoint::read_checkpoint(call.checkpoint));
}

}  // namespace lowbit::app
