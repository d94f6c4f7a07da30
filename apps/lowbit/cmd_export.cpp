// lowbit export CHECKPOINT -o MODEL.lowbit: packs a trained network and proves that nothing was
// lost.
#include <fmt/format.h>

#include <optional>

#include "command_line.h"
#include "commands.h"
#include "console.h"
#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/log.h"
#include "lowbit/data/crop.h"
#include "lowbit/deploy/lower.h"
#include "lowbit/deploy/packed_size.h"
#include "lowbit/deploy/prove.h"
#include "lowbit/models/network_size.h"
#include "lowbit/runtime/container.h"
#include "lowbit/train/checkpoint_file.h"
#include "lowbit/train/loaded_network.h"
#include "open_checkpoint.h"
#include "pixel_source.h"
#include "run_summary.h"

namespace lowbit::app {
namespace {

struct ExportCall {
  std::string checkpoint, output, ends = "int8";
  int calibrate = 64, check = 256;
  Arguments network;  // options of lowbit train
};

std::optional<ExportCall> read_export_call(const Arguments& arguments) {
  ExportCall call;
  CLI::App app(
      "Packs a checkpoint for inference on integers. Before the file is written every code and\n"
      "logit of the packed network is compared with the trained one on images of its validation "
      "set.\nOptions of lowbit train replace what the checkpoint says: --root FOLDER, --dataset "
      "NAME, ...",
      "lowbit export");
  app.add_option("checkpoint", call.checkpoint, "what lowbit train has saved")->required();
  app.add_option("-o,--output", call.output, "the packed file; default: beside the checkpoint");
  app.add_option("--ends", call.ends,
                 "layers trained in full precision, as the first and the last: 8 bits, or as "
                 "trained")
      ->check(CLI::IsMember({"int8", "float32"}))
      ->capture_default_str();
  app.add_option("--calibrate", call.calibrate,
                 "training images that show which range the inputs of 8 bits have")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--check", call.check, "validation images to compare on")
      ->check(CLI::Range(1, 10000000))
      ->capture_default_str();
  app.allow_extras();
  if (!parse_arguments(app, arguments)) return std::nullopt;
  call.network = app.remaining();
  if (call.output.empty()) {
    call.output = call.checkpoint.substr(0, call.checkpoint.find(".pth"));
    call.output += ".lowbit";
  }
  return call;
}

// Pictures of any size are cut out as validation does it.
int resize_of(const config::DataOptions& options) {
  return data::is_streamed(options) ? static_cast<int>(data::shorter_side(options.input_size)) : 0;
}

deploy::LowerOptions lower_options(const ExportCall& call, const models::Network& network,
                                   const config::DataOptions& data,
                                   const std::vector<std::string>& classes) {
  return {.ends = call.ends == "int8" ? deploy::Ends::int8 : deploy::Ends::float32,
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

void print_sizes(const packed::ModelT& model, size_t bytes, const models::Network& network) {
  const models::NetworkSize size = models::network_size(network);
  fmt::print("{}; {:.1f} times smaller than float32\n",
             deploy::format_sizes(deploy::packed_size(model, bytes)),
             static_cast<double>(size.float_bytes) / static_cast<double>(bytes));
}

}  // namespace

int export_network(const Arguments& arguments) {
  const std::optional<ExportCall> call = read_export_call(arguments);
  if (!call) return 0;
  log_to_console();
  const train::Value file = train::read_checkpoint(call->checkpoint);
  config::Configuration configuration =
      configuration_of(file, call->checkpoint, call->network, /*for_network=*/false);
  config::DataOptions& data = configuration.options.data;
  require_inputs(configuration.options);
  const train::LoadedNetwork loaded =
      train::load_network(configuration.options.model, file, call->checkpoint);
  require_weights(loaded.report, call->checkpoint);
  models::Network& network = *loaded.network;
  network.eval();

  const torch::NoGradGuard no_grad;
  PixelSource training(data, data::Split::train), validation(data, data::Split::validation);
  const int64_t calibration = std::min<int64_t>(call->calibrate, training.size());
  const deploy::Trace trace(network, normalized(training.fetch(0, calibration).pixels, data));
  packed::ModelT model =
      deploy::lower(trace, lower_options(*call, network, data, validation.class_names()));
  core::log().info("{}", network.description());
  deploy::Prover prover(network, model);
  const deploy::Proof proof = prove_on(prover, validation, call->check, data);
  model.checked = proof.text();
  const std::vector<uint8_t> bytes = runtime::seal(model);
  core::replace_file(call->output, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  fmt::print("{}\n{}:\n", proof.text(), call->output);
  print_sizes(model, bytes.size(), network);
  return 0;
}

}  // namespace lowbit::app
