#include "lowbit/models/vgg_small.h"

#include <fmt/format.h>

#include <algorithm>

#include "lowbit/core/error.h"
#include "lowbit/nn/activation.h"
#include "lowbit/nn/deferred.h"
#include "lowbit/nn/linear.h"
#include "lowbit/nn/norm.h"
#include "lowbit/nn/pool.h"
#include "lowbit/nn/quant_conv.h"

namespace lowbit::models {
namespace {

enum class UnitOp { conv, norm, activation };

struct UnitOrderRow {
  config::UnitOrder order;
  const char* name;
  std::vector<UnitOp> unit;
};

const std::vector<UnitOrderRow>& unit_order_table() {
  using enum UnitOp;
  static const std::vector<UnitOrderRow> table = {
      {config::UnitOrder::bac, "bac", {norm, activation, conv}},
      {config::UnitOrder::cba, "cba", {conv, norm, activation}},
      {config::UnitOrder::abc, "abc", {activation, norm, conv}},
  };
  return table;
}

const UnitOrderRow& unit_order_row(config::UnitOrder order) {
  std::string names;
  for (const UnitOrderRow& row : unit_order_table()) {
    if (row.order == order) return row;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", row.name);
  }
  throw core::usage_error("vgg_small needs the order of its units as a keyword: {}", names);
}

// The convolution of a unit with what stands around it, and the pooling behind it all.
struct UnitShape {
  int64_t out;
  bool pool;
};
constexpr UnitShape kUnits[] = {{128, false}, {128, true},  {256, false},
                                {256, true},  {512, false}, {512, true}};
// In the order of checkpoints.
constexpr size_t kNormOrder[] = {0, 2, 4, 1, 3, 5};
constexpr int64_t kReduction = 8;  // of the resolution, by all poolings

nn::LayerPtr make_batch_norm(int64_t channels) {
  return std::make_shared<nn::BatchNorm>(channels, config::Norm::batch);
}

// Six units -> norm -> ReLU -> classifier of all pixels.
class VggSmall : public Network {
 public:
  explicit VggSmall(const config::ModelOptions& options);

 protected:
  torch::Tensor logits(const torch::Tensor& images) override;

 private:
  struct Unit {
    nn::LayerPtr conv;
    nn::LayerPtr norm;  // null: neither norm nor activation
    bool pool;
  };
  void add_norms();
  void add_convs();
  torch::Tensor run(const Unit& unit, const torch::Tensor& x) const;

  const std::vector<UnitOp>& order_;
  std::vector<Unit> units_;
  nn::LayerPtr last_norm_, activation_, pool_, classifier_;
};

VggSmall::VggSmall(const config::ModelOptions& options)
    : Network(options), order_(unit_order_row(options.unit_order).unit) {
  const int64_t side = options.input_size / kReduction;
  if (side < 1)
    throw core::usage_error("--input_size {}: vgg_small needs {} pixels", options.input_size,
                            kReduction);
  for (const UnitShape& shape : kUnits) units_.push_back({nullptr, nullptr, shape.pool});
  add_norms();
  const int64_t channels = std::end(kUnits)[-1].out;
  last_norm_ = register_module("bn7", make_batch_norm(channels));
  activation_ = register_module("relu", nn::make_activation(config::Activation::relu));
  pool_ = register_module("pool", std::make_shared<nn::MaxPool>(2, 2, 0));
  add_convs();
  classifier_ = register_module(
      "classifier", std::make_shared<nn::Linear>(channels * side * side, options.num_classes));
  modules_are_complete();
}

// A norm before its convolution has the width that enters it. The first convolution then has
// neither norm nor activation: it sees the image as it is.
void VggSmall::add_norms() {
  const bool conv_first = order_.front() == UnitOp::conv;
  for (const size_t i : kNormOrder) {
    if (!conv_first && i == 0) continue;
    const int64_t width = conv_first ? kUnits[i].out : kUnits[i - 1].out;
    units_[i].norm = register_module(fmt::format("bn{}", i + 1), make_batch_norm(width));
  }
}

void VggSmall::add_convs() {
  int64_t in = 3;
  for (size_t i = 0; i < units_.size(); ++i) {
    const nn::ConvShape shape = {.in = in, .out = kUnits[i].out, .kernel = 3, .padding = 1};
    units_[i].conv = i == 0 ? std::make_shared<nn::Conv2d>(shape)
                            : nn::LayerPtr(std::make_shared<nn::QuantConv2d>(shape, options()));
    register_module(fmt::format("conv{}", i + 1), units_[i].conv);
    in = shape.out;
  }
}

torch::Tensor VggSmall::run(const Unit& unit, const torch::Tensor& x) const {
  nn::Deferred y(x);
  for (const UnitOp op : order_) {
    if (op == UnitOp::conv)
      y.pass_through(*unit.conv);
    else if (unit.norm)
      y.pass_through(op == UnitOp::norm ? *unit.norm : *activation_);
  }
  if (unit.pool) y.pass_through(*pool_);
  return y.tensor();
}

torch::Tensor VggSmall::logits(const torch::Tensor& images) {
  torch::Tensor x = images;
  for (const Unit& unit : units_) x = run(unit, x);
  return classifier_->forward(activation_->forward(last_norm_->forward(x)).flatten(1));
}

}  // namespace

std::shared_ptr<Network> make_vgg_small(const config::ModelOptions& options) {
  return std::make_shared<VggSmall>(options);
}

}  // namespace lowbit::models
