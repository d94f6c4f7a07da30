#include "lowbit/train/teacher.h"

#include "lowbit/checkpoint/checkpoint_file.h"
#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"
#include "lowbit/models/factory.h"
#include "lowbit/run/loaded_network.h"
#include "lowbit/run/run_files.h"
#include "lowbit/run/run_state.h"

namespace lowbit::train {
namespace {

config::ModelOptions structure_of(const checkpoint::Value& checkpoint, const std::string& path,
                                  const config::Options& options) {
  const std::string& model = options.train.distill_teacher;
  config::ModelOptions teacher = models::full_precision(options.model);
  teacher.name = model;
  teacher.family = config::family_of(model);
  if (!run::has_description(checkpoint)) return teacher;
  teacher = config::Configuration::from_json(run::description_of(checkpoint, path).configuration)
                .options.model;
  if (teacher.name != model)
    throw core::failure("'{}' is no {}: it is a {}", path, model, teacher.name);
  return teacher;
}

}  // namespace

std::filesystem::path find_teacher_weights(const config::Options& options) {
  const config::TrainOptions& train = options.train;
  return run::find_weights(train, train.distill_teacher,
                           train.distill_weights.empty() ? train.pretrained : train.distill_weights,
                           "--distill_weights");
}

std::shared_ptr<models::Network> make_teacher(const config::Options& options) {
  const std::string path = find_teacher_weights(options).string();
  const checkpoint::Value checkpoint = checkpoint::read_checkpoint(path);
  const config::ModelOptions structure = structure_of(checkpoint, path, options);
  if (structure.num_classes != options.model.num_classes)
    throw core::usage_error("the teacher has {} classes, the student {}", structure.num_classes,
                            options.model.num_classes);
  const auto [teacher, report] = run::load_network(structure, checkpoint, path);
  if (!report.stayed.empty())
    throw core::failure("the teacher's file '{}' lacks '{}' and {} more entries of {}", path,
                        report.stayed[0], report.stayed.size() - 1, structure.name);
  run::require_finite(*teacher, path);
  for (torch::Tensor& parameter : teacher->parameters()) parameter.requires_grad_(false);
  teacher->eval();
  return teacher;
}

}  // namespace lowbit::train
