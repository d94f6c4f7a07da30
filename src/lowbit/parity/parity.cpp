#include "lowbit/parity/parity.h"

#include <fmt/format.h>
#include <torch/nn/functional/loss.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/models/factory.h"
#include "lowbit/parity/name_fill.h"

namespace lowbit::parity {
namespace {

using Json = nlohmann::ordered_json;
using TensorsByName = std::map<std::string, torch::Tensor>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

// The original built torchvision's networks for the classes of ImageNet, whatever its options said;
// targets still are those of the record's num_classes.
void fix_classes_of_the_original(config::ModelOptions& options) {
  if (options.family == config::Family::pytorch_resnet) options.num_classes = 1000;
}

config::ModelOptions model_options(const Json& record) {
  config::ModelOptions options =
      config::parse_options(words(record.at("options").get<std::string>())).options.model;
  for (const auto& [name, value] : record.at("overrides").items()) {
    if (name == "batch_size")
      options.batch_size = value;
    else if (name == "num_classes")
      options.num_classes = value;
    else if (name == "input_size")
      options.input_size = value;
    else if (name == "width_alpha")
      options.width_alpha = value;
    else if (name == "base")
      options.base = value;
    else
      throw core::usage_error("override '{}' is unknown", name);
  }
  fix_classes_of_the_original(options);
  return options;
}

bool uses_lq(const config::ModelOptions& options) {
  const auto lq = [](const config::QuantOptions& tag) {
    return tag.enable && tag.method == config::Method::lq;
  };
  return lq(options.fm) || lq(options.wt) || lq(options.ot);
}

// The name, and the shape in brackets.
std::string signature(const std::string& name, const std::vector<int64_t>& shape) {
  return fmt::format("{} [{}]", name, fmt::join(shape, ","));
}

// Names, shapes and their order must be those of the record.
void check_keys(const std::vector<models::NamedTensor>& state, const Json& keys) {
  std::vector<std::string> expected;
  for (const auto& [name, shape] : keys.items())
    expected.push_back(signature(name, shape.get<std::vector<int64_t>>()));
  for (size_t i = 0; i < std::max(state.size(), expected.size()); ++i) {
    const std::string is =
        i < state.size() ? signature(state[i].name, state[i].tensor.sizes().vec()) : "nothing";
    const std::string should = i < expected.size() ? expected[i] : "nothing";
    if (is != should)
      throw core::failure("tensor {} of the network is {}, of the record {}", i, is, should);
  }
}

// The error of a float64 tensor against the record's rows, relative to the record's largest entry.
double logits_error(const torch::Tensor& logits, const Json& rows) {
  const auto classes = static_cast<int64_t>(rows.at(0).size());
  std::vector<double> flat;
  for (const Json& row : rows)
    for (const double value : row) flat.push_back(value);
  const torch::Tensor expected =
      torch::from_blob(flat.data(), {static_cast<int64_t>(rows.size()), classes}, torch::kFloat64);
  const torch::Tensor actual = logits.detach().to(torch::kCPU, torch::kFloat64);
  if (actual.sizes() != expected.sizes()) return kInfinity;
  const double error = ((actual - expected).abs().max() / expected.abs().max()).item<double>();
  return std::isfinite(error) ? error : kInfinity;
}

// The error of sum and L2 norm of the tensors that the record names: name -> [sum, L2]. A tensor
// whose norm is tiny beside the largest one holds rounding noise only and is measured against that
// one.
double summary_error(const TensorsByName& tensors, const Json& summaries) {
  double largest = 1;
  for (const Json& summary : summaries) largest = std::max(largest, summary.at(1).get<double>());
  double worst = 0;
  for (const auto& [name, summary] : summaries.items()) {
    const auto found = tensors.find(name);
    if (found == tensors.end() || !found->second.defined())
      throw core::failure("the record has a value for '{}', the network none", name);
    const torch::Tensor tensor = found->second.detach().to(torch::kCPU, torch::kFloat64);
    const double sum = summary.at(0), norm = summary.at(1);
    const double unit = std::max(norm, 1e-7 * largest);
    const double norm_error = std::abs(tensor.norm().item<double>() - norm) / unit;
    const double sum_error = std::abs(tensor.sum().item<double>() - sum) /
                             (unit * std::sqrt(static_cast<double>(tensor.numel())));
    const double error = std::max(norm_error, sum_error);
    worst = std::max(worst, std::isfinite(error) ? error : kInfinity);
  }
  return worst;
}

TensorsByName by_name(const std::vector<models::NamedTensor>& state) {
  TensorsByName result;
  for (const models::NamedTensor& entry : state) result[entry.name] = entry.tensor;
  return result;
}

TensorsByName gradients(const std::vector<models::NamedTensor>& state) {
  TensorsByName result;
  for (const models::NamedTensor& entry : state) result[entry.name] = entry.tensor.grad();
  return result;
}

// Input and targets of a case.
struct Batch {
  torch::Tensor images, targets;
};

Batch make_batch(const Json& record, const ParityRun& run) {
  const int64_t size = record.at("batch"), pixels = record.at("input_size"),
                classes = record.at("num_classes");
  std::vector<double> values = uniform_from_key("input", size * 3 * pixels * pixels);
  for (double& value : values) value = 4 * value - 2;
  const torch::Tensor images =
      torch::from_blob(values.data(), {size, 3, pixels, pixels}, torch::kFloat64);
  const torch::Tensor targets = (7 * torch::arange(size, torch::kInt64) + 3) % classes;
  return {images.to(run.device, run.type, /*non_blocking=*/false, /*copy=*/true),
          targets.to(run.device)};
}

std::shared_ptr<models::Network> make_filled_network(const config::ModelOptions& options,
                                                     const ParityRun& run) {
  const std::shared_ptr<models::Network> network = models::make_network(options);
  network->to(run.device,
              run.type == torch::kFloat64 ? torch::ScalarType::Double : torch::ScalarType::Float);
  for (const models::NamedTensor& entry : network->state())
    fill_from_name(entry.name, entry.tensor);
  return network;
}

void judge(const Tolerances& allowed, ParityResult& result) {
  std::string over;
  const auto check = [&](const char* what, double error, double limit) {
    if (!(error <= limit))
      over += fmt::format("{}{} {:.1e} > {:.0e}", over.empty() ? "" : ", ", what, error, limit);
  };
  check("logits", result.logits, allowed.logits);
  check("loss", result.loss, allowed.loss);
  if (result.gradients_compared) check("gradients", result.gradients, allowed.gradients);
  check("evaluation logits", result.eval_logits, allowed.eval_logits);
  check("state", result.state, allowed.state);
  result.message = over;
  result.ok = over.empty();
}

void run_record(const Json& record, const ToleranceTable& table, const ParityRun& run,
                ParityResult& result) {
  const config::ModelOptions options = model_options(record);
  const Tolerances allowed = table.of(result.name, uses_lq(options));
  const std::shared_ptr<models::Network> network = make_filled_network(options, run);
  const std::vector<models::NamedTensor> state = network->state();
  check_keys(state, record.at("keys"));

  const Batch batch = make_batch(record, run);
  const torch::Tensor logits = network->forward(batch.images);
  const torch::Tensor loss = torch::nn::functional::cross_entropy(logits, batch.targets);
  loss.backward();
  result.logits = logits_error(logits, record.at("train_logits"));
  const double expected_loss = record.at("loss");
  const double loss_error = std::abs(loss.item<double>() - expected_loss) / std::abs(expected_loss);
  result.loss = std::isfinite(loss_error) ? loss_error : kInfinity;
  result.gradients_compared = allowed.compare_gradients;
  if (result.gradients_compared)
    result.gradients = summary_error(gradients(state), record.at("grads"));

  network->eval();
  const torch::NoGradGuard no_grad;
  result.eval_logits = logits_error(network->forward(batch.images, exec::Arithmetic::whole_numbers),
                                    record.at("eval_logits"));
  result.state = summary_error(by_name(state), record.at("state_after"));
  judge(allowed, result);
}

}  // namespace

ParityResult run_parity(const std::filesystem::path& file, const ToleranceTable& tolerances,
                        const ParityRun& run) {
  ParityResult result;
  result.name = file.stem().string();
  try {
    const Json record = Json::parse(core::read_file(file));
    result.name = record.at("name");
    run_record(record, tolerances, run, result);
  } catch (const nlohmann::json::exception& error) {
    result.message = fmt::format("{}: no parity case: {}", file.string(), error.what());
  } catch (const c10::Error& error) {
    result.message = error.what_without_backtrace();
  } catch (const std::exception& error) {
    result.message = error.what();
  }
  return result;
}

ParityNetwork parity_network(const std::filesystem::path& file, const ParityRun& run) {
  const Json record = Json::parse(core::read_file(file));
  return {make_filled_network(model_options(record), run), make_batch(record, run).images};
}

std::string format_line(const ParityResult& result) {
  const std::string gradient_error =
      result.gradients_compared ? fmt::format("{:.1e}", result.gradients) : "-";
  std::string line = fmt::format("{:<48} {:>7.1e} {:>7.1e} {:>7} {:>7.1e} {}", result.name,
                                 std::max(result.logits, result.eval_logits), result.loss,
                                 gradient_error, result.state, result.ok ? "ok" : "FAIL");
  if (!result.message.empty()) line += " " + result.message;
  return line;
}

}  // namespace lowbit::parity
