#include "lowbit/models/families/network_graph.h"

#include <map>

#include "lowbit/models/families/families.h"
#include "lowbit/models/width.h"

namespace lowbit::models {
namespace {

std::map<std::string, BuildGraph>& added_networks() {
  static std::map<std::string, BuildGraph> networks;
  return networks;
}

}  // namespace

graph::Dims image_of(const config::ModelOptions& options) {
  return {3, options.input_size, options.input_size};
}

graph::Graph network_graph(const config::ModelOptions& options, const graph::Dims& image) {
  const config::ModelRow& row = config::model_row(options.name);
  std::vector<int> blocks;
  for (const int count : row.blocks)  // a stage that has none stays so
    blocks.push_back(count > 0 ? scaled_count(count, options) : 0);
  switch (row.family) {
    case config::Family::resnet:
      return families::resnet(options, image, blocks, row.bottleneck);
    case config::Family::pytorch_resnet:
      return families::pytorch_resnet(options, image, blocks, row.bottleneck);
    case config::Family::mobilenetv1:
      return families::mobilenetv1(options, image);
    case config::Family::mobilenetv2:
      return families::mobilenetv2(options, image);
    case config::Family::vgg_small:
      return families::vgg_small(options, image);
    case config::Family::added:
      return added_networks().at(options.name)(options, image);
    case config::Family::nin:
      break;
  }
  return families::nin(options, image);
}

void add_network(const char* name, BuildGraph build) {
  config::add_model(name);
  added_networks()[name] = build;
}

}  // namespace lowbit::models
