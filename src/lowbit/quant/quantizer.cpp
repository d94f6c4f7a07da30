#include "lowbit/quant/quantizer.h"

namespace lowbit::quant {

Quantizer::Quantizer(const QuantShape& shape, const config::QuantOptions& options)
    : shape_(shape), options_(options), groups_(shape.groups(options.quant_group)) {
  // Parameters, though never trained: checkpoints list them before clip_val, ahead of any buffer.
  const auto untrained = [this](const char* name, double value) {
    return register_parameter(name, torch::full({1}, value, torch::kFloat32),
                              /*requires_grad=*/false);
  };
  iteration_ = untrained("iteration", 0);
  level_num_ = untrained("level_num", options.levels());
}

torch::Tensor Quantizer::forward(const torch::Tensor& x, torch::ScalarType type) {
  torch::Tensor y = options_.stable > 0 && warms_up() ? warm_up(x, type) : quantize(x, type);
  if (options_.proxquant) {
    if (!proxquant_.defined() || proxquant_.device() != x.device())
      proxquant_ = torch::full({1}, proxquant_value_, iteration_.options());
    const torch::Tensor p = proxquant_.to(type);
    y = x.to(type) * p + y * (1 - p);
  }
  loss_ = options_.loss == config::QuantLoss::none ? torch::Tensor() : loss_of(x, y);
  return y;
}

// While iteration <= stable the result is x, and a learned clip value becomes the mean over the
// iterations of max|x|. Both are decided on the device: the pass may be captured.
torch::Tensor Quantizer::warm_up(const torch::Tensor& x, torch::ScalarType type) {
  const torch::Tensor warming = iteration_ <= options_.stable;
  if (torch::Tensor clip = clip_value(); clip.defined()) {
    const torch::NoGradGuard no_grad;
    torch::Tensor largest = x.abs().max().to(clip.scalar_type());
    if (options_.correlate > 0) largest = largest * options_.correlate;
    clip.copy_(torch::where(warming, (largest + (iteration_ - 1) * clip) / iteration_, clip));
  }
  return torch::where(warming, x.to(type), quantize(x, type));
}

torch::Tensor Quantizer::loss_of(const torch::Tensor& x, const torch::Tensor& y) const {
  const torch::ScalarType type = iteration_.scalar_type();
  const torch::Tensor a = x.to(type), b = y.to(type);
  torch::Tensor loss;
  switch (options_.loss) {
    case config::QuantLoss::l1:
      loss = torch::l1_loss(a, b);
      break;
    case config::QuantLoss::l2:
      loss = torch::mse_loss(a, b);
      break;
    case config::QuantLoss::qdl:
      loss = ((a * b).sum() / (b * b).sum() - 1).abs();
      break;
    case config::QuantLoss::none:
      return {};
  }
  return options_.loss_alpha * loss;
}

void Quantizer::set_proxquant(double p) {
  proxquant_value_ = p;
  if (proxquant_.defined()) proxquant_.fill_(p);
}

bool Quantizer::set_level_num(int levels) {
  const torch::NoGradGuard no_grad;
  torch::Tensor clip = clip_value();
  if (clip.defined()) clip.mul_((levels - 1) / (level_num_.to(clip.scalar_type()) - 1));
  level_num_.fill_(levels);
  return clip.defined();
}

std::vector<int64_t> Quantizer::per_group_shape() const {
  if (shape_.tag == config::Tag::wt) return {groups_, 1, 1, 1};
  if (groups_ == 1) return {1};
  return {1, groups_, 1, 1};
}

}  // namespace lowbit::quant
