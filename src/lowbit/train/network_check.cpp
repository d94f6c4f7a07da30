#include "lowbit/train/network_check.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "lowbit/core/error.h"
#include "lowbit/models/evaluation.h"

namespace lowbit::train {
namespace {

std::string first_line_of(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

// The batch size nearest to `batch` that leaves no batch of one image; 0: there is none.
int64_t batch_that_fits(int64_t images, int64_t batch, int processes, bool together) {
  for (int64_t step = 1; step < std::max(batch, images); ++step)
    for (const int64_t other : {batch + step, batch - step})
      if (other > 1 && fewest_images(images, other, processes, together) > 1) return other;
  return 0;
}

core::Error one_value_per_channel(const std::string& norm, int64_t images, int64_t batch,
                                  const StepOptions& options) {
  const int processes = options.group ? options.group->size() : 1;
  core::Error error = core::usage_error(
      "'{}' would have one value per channel to normalize by: {} images in batches of {}{} leave a "
      "last batch of one image, and its maps have one pixel",
      norm, images, batch,
      processes > 1 ? fmt::format(" on {} processes", processes) : std::string());
  const int64_t other = batch_that_fits(images, batch, processes, options.sync_batch_norm);
  return error.detail(
      fmt::format("{}keyword static-bn and a larger --input_size help, too",
                  other > 0 ? fmt::format("--batch_size {} leaves none; ", other) : std::string()));
}

// Why the norm cannot be trained on features x of one image; nothing if it can.
void require_values(const graph::Node& node, const std::string& name, const torch::Tensor& x,
                    int64_t fewest, int64_t images, int64_t batch, const StepOptions& options) {
  if (x.dim() != 4) return;
  const int64_t pixels = x.size(2) * x.size(3);
  if (const auto* norm = std::get_if<graph::BatchNorm>(&node.operation)) {
    if (!norm->fixed_statistics && pixels * fewest == 1)
      throw one_value_per_channel(name, images, batch, options);
  } else if (std::holds_alternative<graph::InstanceNorm>(node.operation)) {
    if (pixels == 1)
      throw core::usage_error("'{}': instance-norm makes 0 of maps of one pixel", name)
          .detail("a larger --input_size or another norm helps");
  } else if (const auto* group_norm = std::get_if<graph::GroupNorm>(&node.operation)) {
    if (x.size(1) / group_norm->groups * pixels == 1)
      throw core::usage_error("'{}': group-norm makes 0 of groups of one value", name)
          .detail("a smaller --fm_quant_group (the number of its groups) helps");
  }
}

void require_deviations(const models::Network& network) {
  using config::Adaptive;
  for (const models::QuantLayer& layer : network.quant_layers()) {
    const quant::Quantizer* quantizer = layer.quantizer(config::Tag::wt);
    if (!quantizer) continue;
    const Adaptive adaptive = quantizer->options().adaptive;
    const bool lq = quantizer->options().method == config::Method::lq;
    const bool deviates =
        lq ? adaptive == Adaptive::var || adaptive == Adaptive::mean_var
           : adaptive == Adaptive::var_mean && !quantizer->options().independent_norm;
    if (deviates && layer.weight().numel() <= quantizer->groups())
      throw core::usage_error("'{}': --wt_adaptive divides groups of one weight by their deviation",
                              layer.name())
          .detail("fewer groups (--wt_quant_group) or keyword independent_norm help");
  }
}

}  // namespace

int64_t fewest_images(int64_t images, int64_t batch, int processes, bool together) {
  // A batch of fewer images than processes is done by each of them, whole.
  const auto seen = [&](int64_t count) {
    return together || count < processes ? count : count / processes;
  };
  const int64_t full = std::min(images, batch), rest = images % batch;
  return rest == 0 || rest == full ? seen(full) : std::min(seen(full), seen(rest));
}

void require_statistics(models::Network& network, const data::BatchSource& source, int64_t batch,
                        const StepOptions& options) {
  require_deviations(network);
  const int processes = options.group ? options.group->size() : 1;
  const int64_t fewest = fewest_images(source.size(), batch, processes, options.sync_batch_norm);
  const models::Evaluation evaluation(network);
  const Batch image = make_batch(1, source, options);
  try {
    network.probe(image.images.zero_(), exec::Arithmetic::floats,
                  [&](const graph::Node& node, const torch::Tensor& x, const torch::Tensor&) {
                    require_values(node, network.graph().name_of(node), x, fewest, source.size(),
                                   batch, options);
                  });
  } catch (const c10::OutOfMemoryError&) {
    throw;
  } catch (const c10::Error& error) {
    throw core::usage_error("model '{}' cannot take images of {} x {} pixels: {}",
                            network.options().name, source.height(), source.width(),
                            first_line_of(error.what_without_backtrace()));
  }
}

std::vector<std::string> one_sided_layers(models::Network& network, const torch::Tensor& images) {
  std::map<std::string, std::string> layers;  // by quantizer
  for (const models::QuantLayer& layer : network.quant_layers())
    if (const auto* quantizer = layer.quantizer(config::Tag::fm);
        quantizer && quantizer->options().method == config::Method::xnor)
      layers[passes::quantizer_name(layer.name(), config::Tag::fm)] = layer.name();
  std::vector<std::string> found;
  if (layers.empty()) return found;
  const models::Evaluation evaluation(network);
  network.probe(images, exec::Arithmetic::floats,
                [&](const graph::Node& node, const torch::Tensor& x, const torch::Tensor&) {
                  const auto layer = layers.find(network.graph().name_of(node));
                  if (layer != layers.end() && x.min().item<double>() >= 0)
                    found.push_back(layer->second);
                });
  return found;
}

}  // namespace lowbit::train
