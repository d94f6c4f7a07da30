// What a checkpoint keeps of an optimizer, put back into groups that may be others.
#include "lowbit/optim/optimizer_state.h"

#include <gmock/gmock.h>
#include <torch/nn/module.h>

#include "lowbit/core/error.h"

namespace lowbit::optim {
namespace {

using testing::HasSubstr;

// Vectors among matrices, so that options change their groups.
class Net : public torch::nn::Module {
 public:
  Net() {
    for (const char* name : {"a_weight", "b_weight"})
      register_parameter(name, torch::zeros({2, 3}));
    for (const char* name : {"a_bias", "b_bias"}) register_parameter(name, torch::zeros({3}));
  }
};

class OptimizerState : public testing::Test {
 protected:
  std::unique_ptr<Optimizer> make(const config::TrainOptions& options) const {
    return make_optimizer(group_parameters(options, net_), options);
  }
  // An optimizer whose momentum of the i-th parameter in the order of the network is i + 1.
  std::unique_ptr<Optimizer> trained(const config::TrainOptions& options) const {
    auto optimizer = make(options);
    for (const Optimizer::State& state : optimizer->state())
      for (size_t i = 0; i < state.tensors.size(); ++i)
        torch::Tensor(state.tensors[i]).fill_(number_of(optimizer->names()[i]));
    return optimizer;
  }
  static double number_of(const std::string& name) {
    const std::vector<std::string> order = {"a_weight", "b_weight", "a_bias", "b_bias"};
    return static_cast<double>(std::ranges::find(order, name) - order.begin() + 1);
  }
  static void expect_own_momentum(const Optimizer& optimizer) {
    for (const Optimizer::State& state : optimizer.state())
      for (size_t i = 0; i < state.tensors.size(); ++i)
        EXPECT_TRUE(state.tensors[i].eq(number_of(optimizer.names()[i])).all().item<bool>())
            << optimizer.names()[i];
  }
  static checkpoint::Value saved(const Optimizer& optimizer) {
    return optimizer_state(optimizer, std::vector<double>(optimizer.groups().size(), 0.1));
  }
  // As older versions of torch write it.
  static checkpoint::Value without_names(const checkpoint::Value& saved) {
    checkpoint::List groups;
    for (const checkpoint::Value& group :
         saved.get<checkpoint::Dict>("saved").at("param_groups").get<checkpoint::List>("groups"))
      groups.push_back(
          checkpoint::Dict{{"params", group.get<checkpoint::Dict>("group").at("params")}});
    return checkpoint::Dict{{"state", saved.get<checkpoint::Dict>("saved").at("state")},
                            {"param_groups", groups}};
  }
  static std::string error_of(const std::function<void()>& call) {
    try {
      call();
    } catch (const core::Error& error) {
      return error.what();
    }
    return "";
  }

  const Net net_;
  config::TrainOptions options_;
};

TEST_F(OptimizerState, IsPutBackByNameWhateverTheGroups) {
  const checkpoint::Value of_default = saved(*trained(options_));
  config::TrainOptions small = options_, custom = options_;
  small.decay_small = true;
  custom.custom_decay_list = {"b_weight", "a_bias"};
  for (const config::TrainOptions& options : {options_, small, custom}) {
    const auto optimizer = make(options);
    restore_optimizer(of_default, {}, *optimizer, "file");
    expect_own_momentum(*optimizer);
  }
}

TEST_F(OptimizerState, OfAdamIsPutBackWithItsSteps) {
  options_.optimizer = config::OptimizerKind::adam;
  const checkpoint::Value file = saved(*trained(options_));
  options_.decay_small = true;
  const auto optimizer = make(options_);
  restore_optimizer(file, {}, *optimizer, "file");
  expect_own_momentum(*optimizer);
}

TEST_F(OptimizerState, OfAnotherOptimizerIsAnErrorThatNamesBoth) {
  config::TrainOptions adam = options_;
  adam.optimizer = config::OptimizerKind::adam;
  EXPECT_EQ(error_of([&] { restore_optimizer(saved(*trained(adam)), {}, *make(options_), "f"); }),
            "its optimizer is Adam (it holds exp_avg, exp_avg_sq, step), not the one of "
            "'--optimizer'");
  EXPECT_EQ(error_of([&] { restore_optimizer(saved(*trained(options_)), {}, *make(adam), "f"); }),
            "its optimizer is SGD (it holds momentum_buffer), not the one of '--optimizer'");
}

TEST_F(OptimizerState, WithoutNamesGoesByThePlacesThatAreGiven) {
  const auto first = trained(options_), second = make(options_);
  restore_optimizer(without_names(saved(*first)), first->names(), *second, "file");
  expect_own_momentum(*second);
}

TEST_F(OptimizerState, ThatDoesNotFitItsPlaceIsAnErrorAndChangesNothing) {
  const auto first = trained(options_), second = make(options_);
  std::vector<std::string> order = first->names();
  std::ranges::reverse(order);
  EXPECT_EQ(
      error_of([&] { restore_optimizer(without_names(saved(*first)), order, *second, "file"); }),
      "'momentum_buffer' of parameter 'a_weight' in its optimizer is [3], here [2, 3]");
  const std::vector<Optimizer::State> states = second->state();
  for (const torch::Tensor& tensor : states[0].tensors)
    EXPECT_TRUE(tensor.eq(0).all().item<bool>());
  order.pop_back();
  EXPECT_THAT(
      error_of([&] { restore_optimizer(without_names(saved(*first)), order, *second, "file"); }),
      HasSubstr("has 4 parameters without names, this run's 3"));
}

TEST_F(OptimizerState, OfParametersThatTheFileLacksBeginsAtZero) {
  const auto first = trained(options_);
  checkpoint::Dict state;
  state.set(int64_t{0}, checkpoint::Dict{{"momentum_buffer", torch::ones({2, 3})}});
  const checkpoint::Value file = checkpoint::Dict{
      {"state", state},
      {"param_groups",
       checkpoint::List{checkpoint::Dict{{"params", checkpoint::List{int64_t{0}}},
                                         {"param_names", checkpoint::List{"module.b_weight"}}}}}};
  const auto second = make(options_);
  restore_optimizer(file, {}, *second, "file");
  for (size_t i = 0; i < second->names().size(); ++i)
    EXPECT_EQ(second->state()[0].tensors[i].sum().item<double>(),
              second->names()[i] == "b_weight" ? 6 : 0);
}

}  // namespace
}  // namespace lowbit::optim
