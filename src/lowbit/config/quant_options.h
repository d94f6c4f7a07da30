// How one kind of tensor is quantized: what --fm_*, --wt_*, --ot_* and the method keywords say.
#pragma once

#include <optional>

namespace lowbit::config {

// The three tensors of a quantized convolution that can be quantized.
enum class Tag {
  fm,  // feature map: the activations that enter
  wt,  // weight
  ot,  // output
};

enum class Method {
  none,         // --<tag>_enable without a method keyword is an error; further ones: methods.h
  dorefa,       // https://arxiv.org/abs/1606.06160
  pact,         // https://arxiv.org/abs/1805.06085
  lsq,          // https://arxiv.org/abs/1902.08153
  non_uniform,  // FATNN, https://arxiv.org/abs/2008.05101
  lq,           // LQ-Nets, https://arxiv.org/abs/1807.10029
  xnor,         // https://arxiv.org/abs/1603.05279
};

// Which gradient passes a rounding or a clamp.
enum class GradType { none, ste, ste_scale, triangle };

// The factor on the gradient of a learned clip value: 1, scale * sqrt(fan), scale / sqrt(fan), and
// the same with the number of elements that share the clip value.
enum class GradScale { none, fan_scale, scale_fan, element_scale, scale_element };

// Normalization of the tensor before it is quantized.
enum class Adaptive { none, var, mean, mean_var, var_mean };

// The factor that XNOR puts on the signs of activations: 1, or the mean of |x| over the channels of
// a pixel, or over the pixels of a channel.
enum class XnorFactor { none, channel, resolution };

// The loss added to the training loss for the difference of a tensor and its quantized values (set
// by policies). QDL: |sum(x y) / sum(y y) - 1|.
enum class QuantLoss { l1, l2, qdl };

struct QuantOptions {
  bool enable = false;
  Method method = Method::none;
  std::optional<int> bit{};    // 1..8
  std::optional<int> level{};  // 2..256; given, it replaces 2^bit
  // Codes 0..n over [0, c] instead of -1..1 over [-c, c]. The default for fm alone.
  bool half_range = false;
  double scale = 0.5;
  double boundary = 1;  // start (learned) or value (fixed) of the clip value, > 0
  // q > 0: q groups; q < 0: groups of |q| channels; 0, or no even division: per output channel
  // (wt), per layer (fm, ot).
  int quant_group = 0;
  Adaptive adaptive = Adaptive::none;
  bool adaptive_restore = false;
  GradType grad_type = GradType::none;
  GradScale grad_scale = GradScale::none;
  bool independent_norm = false;  // normalization over the whole tensor, not per group
  bool binary_mean = false;       // keyword wt_bin: sign(x) * mean|x| at two levels
  bool gamma = false;             // a learned factor on the result
  bool symmetry = false;          // full-range levels that contain zero
  bool closed_form = false;       // non-uniform: factor by least squares
  bool custom_update = false;     // lq, closed_form: running mean over all iterations
  XnorFactor xnor_factor = XnorFactor::none;

  // Warm-up: up to this iteration tensors pass unchanged while clip values learn the range; 0:
  // none.
  int stable = 0;
  double correlate = -1;  // factor on max|x| in the warm-up, if above 0

  bool proxquant = false;  // https://arxiv.org/abs/1810.00861: the result is mixed with its input
  int proxquant_step = 5;  // over how many epochs (or, below 10, steps of the learning rate)

  bool loss_enable = false;
  QuantLoss loss_function = QuantLoss::l2;
  double loss_alpha = 1;  // its factor

  // A change of the number of levels while training scales a learned clip value, so that the
  // distance of two levels stays (set by policies).
  bool progressive = false;

  // Number of levels; only for an enabled tag (the parser has checked that one of the two is
  // given).
  int levels() const { return level ? *level : 1 << *bit; }

  bool operator==(const QuantOptions&) const = default;
};

}  // namespace lowbit::config
