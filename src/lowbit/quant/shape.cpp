#include "lowbit/quant/shape.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

#include "lowbit/core/log.h"

namespace lowbit::quant {
namespace {

const char* tag_name(config::Tag tag) {
  switch (tag) {
    case config::Tag::fm:
      return "fm";
    case config::Tag::wt:
      return "wt";
    case config::Tag::ot:
      return "ot";
  }
  return "";
}

}  // namespace

int64_t QuantShape::groups(int quant_group) const {
  const int64_t slices = shape[0] * shape[1];
  const int64_t fallback = tag == config::Tag::wt ? shape[0] : 1;
  if (quant_group == 0) return fallback;
  const int64_t wanted = std::abs(int64_t{quant_group});
  if (slices % wanted == 0) return quant_group > 0 ? wanted : slices / wanted;
  core::warn_once(fmt::format("--{}_quant_group {} does not divide {} x {} evenly: {} there",
                              tag_name(tag), quant_group, shape[0], shape[1],
                              fallback == 1 ? "one group" : "one group per output channel"));
  return fallback;
}

double QuantShape::elements(int64_t groups) const {
  const double per_group = static_cast<double>(shape[0] * fan()) / static_cast<double>(groups);
  if (tag == config::Tag::wt) return per_group;
  return per_group * static_cast<double>(batch_size * input_size * input_size);
}

double clip_gradient_scale(const QuantShape& shape, const config::QuantOptions& options,
                           int64_t groups) {
  const double fan = std::sqrt(static_cast<double>(shape.fan()));
  const double elements = std::sqrt(shape.elements(groups));
  switch (options.grad_scale) {
    case config::GradScale::none:
      return 1;
    case config::GradScale::fan_scale:
      return options.scale * fan;
    case config::GradScale::scale_fan:
      return options.scale / fan;
    case config::GradScale::element_scale:
      return options.scale * elements;
    case config::GradScale::scale_element:
      return options.scale / elements;
  }
  return 1;
}

}  // namespace lowbit::quant
