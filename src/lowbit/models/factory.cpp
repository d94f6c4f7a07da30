#include "lowbit/models/factory.h"

#include "lowbit/core/error.h"
#include "lowbit/models/mobilenetv1.h"
#include "lowbit/models/mobilenetv2.h"
#include "lowbit/models/nin.h"
#include "lowbit/models/policy.h"
#include "lowbit/models/pytorch_resnet.h"
#include "lowbit/models/resnet.h"
#include "lowbit/models/vgg_small.h"
#include "lowbit/models/width.h"

namespace lowbit::models {
namespace {

struct NetworkRow {
  const char* name;
  std::shared_ptr<Network> (*make)(const config::ModelOptions&);
};

// --block_alpha: the number of blocks of each stage. One that has none stays so.
std::vector<int> scaled_blocks(std::vector<int> blocks, const config::ModelOptions& options) {
  for (int& count : blocks)
    if (count > 0) count = scaled_count(count, options);
  return blocks;
}

template <int... blocks>
std::shared_ptr<Network> resnet(const config::ModelOptions& options) {
  return make_resnet(options, scaled_blocks({blocks...}, options));
}

template <int... blocks>
std::shared_ptr<Network> bottleneck_resnet(const config::ModelOptions& options) {
  return make_resnet(options, scaled_blocks({blocks...}, options), /*bottleneck=*/true);
}

template <bool bottleneck, int... blocks>
std::shared_ptr<Network> pytorch_resnet(const config::ModelOptions& options) {
  return make_pytorch_resnet(options, {scaled_blocks({blocks...}, options), bottleneck});
}

// clang-format off
constexpr NetworkRow kFactory[] = {
    {"resnet18", resnet<2, 2, 2, 2>},
    {"resnet20", resnet<3, 3, 3>},
    {"resnet20_", resnet<2, 2, 3, 2>},
    {"resnet32", resnet<5, 5, 5>},
    {"resnet34", resnet<3, 4, 6, 3>},
    {"resnet34_", resnet<0, 2, 2, 2, 2, 2, 2, 2, 2>},
    {"resnet44", resnet<7, 7, 7>},
    {"resnet50", bottleneck_resnet<3, 4, 6, 3>},
    {"resnet56", resnet<9, 9, 9>},
    {"resnet101", bottleneck_resnet<3, 4, 23, 3>},
    {"pytorch-resnet18", pytorch_resnet<false, 2, 2, 2, 2>},
    {"pytorch-resnet34", pytorch_resnet<false, 3, 4, 6, 3>},
    {"pytorch-resnet50", pytorch_resnet<true, 3, 4, 6, 3>},
    {"pytorch-resnet101", pytorch_resnet<true, 3, 4, 23, 3>},
    {"mobilenetv1", make_mobilenetv1},
    {"mobilenetv2", make_mobilenetv2},
    {"vgg_small", make_vgg_small},
    {"nin", make_nin},
};
// clang-format on

}  // namespace

config::ModelOptions full_precision(config::ModelOptions options) {
  options.fm.enable = options.wt.enable = options.ot.enable = false;
  options.policy = {};
  return options;
}

std::vector<std::string> network_names() {
  std::vector<std::string> names;
  for (const NetworkRow& row : kFactory) names.emplace_back(row.name);
  return names;
}

std::shared_ptr<Network> make_network(const config::ModelOptions& options) {
  for (const NetworkRow& row : kFactory)
    if (options.name == row.name) {
      std::shared_ptr<Network> network = row.make(options);
      apply_policy(*network, config::PolicyEvent::init);
      return network;
    }
  const std::vector<std::string> names = network_names();
  std::string all = "models:";
  for (const std::string& name : names) all += " " + name;
  throw core::usage_error("there is no model '{}'", options.name)
      .suggest(core::nearest_name(options.name, names))
      .detail(all);
}

}  // namespace lowbit::models
