#include "lowbit/run/event_log.h"

#include <cmath>
#include <string>

namespace lowbit::run {

void EventLog::add(const EpochMetrics& metrics,
                   const std::vector<models::QuantizerStatistics>& layers) {
  std::vector<events::Scalar> scalars = {{"loss/train", metrics.training.loss},
                                         {"accuracy/train_top1", metrics.training.top1},
                                         {"accuracy/best_top1", metrics.best_top1},
                                         {"learning_rate", metrics.learning_rate},
                                         {"images_per_second", metrics.images_per_second},
                                         {"loss_scale", metrics.loss_scale}};
  if (metrics.validation) {
    scalars.push_back({"loss/validation", metrics.validation->loss});
    scalars.push_back({"accuracy/top1", metrics.validation->top1});
    scalars.push_back({"accuracy/top5", metrics.validation->top5});
  }
  std::vector<events::CodeCounts> histograms;
  for (const models::QuantizerStatistics& layer : layers) {
    const std::string name = layer.layer + "." + models::tag_name(layer.tag);
    if (!std::isnan(layer.clip_mean)) scalars.push_back({"clip/" + name, layer.clip_mean});
    scalars.push_back({"error/" + name, layer.relative_error});
    if (layer.usable()) histograms.push_back({"codes/" + name, layer.codes});
  }
  writer_.add(metrics.epoch, scalars, histograms);
}

}  // namespace lowbit::run
