// The interface of every quantizer: a module whose parameters have the names of checkpoints, and
// one method that maps a tensor to its quantized values, with straight-through gradients.
#pragma once

#include <torch/nn/module.h>

#include <optional>
#include <string>
#include <vector>

#include "lowbit/config/quant_options.h"
#include "lowbit/distributed/group_scope.h"
#include "lowbit/kernels/math/feature_quantizer.h"
#include "lowbit/quant/grid.h"
#include "lowbit/quant/grouped_tensor.h"
#include "lowbit/quant/lowering.h"
#include "lowbit/quant/shape.h"

namespace lowbit::quant {

class Quantizer : public torch::nn::Module {
 public:
  // options.enable and a number of levels must be given.
  Quantizer(const QuantShape& shape, const config::QuantOptions& options);

  // The values that take the place of x, as `type`, in the memory format of x if that is contiguous
  // or channels-last. x: for fm and ot [B, C, H, W] of the compute type, for wt the master weights
  // (float32, or float64 in a float64 network), so that quantizing also casts.
  // During warm-up x itself; in training with proxquant mixed with x.
  // Waits for nothing on the device and allocates through ATen alone: it may be captured.
  torch::Tensor forward(const torch::Tensor& x, torch::ScalarType type);

  // The quantizer in evaluation, warmed up, for input x (float32, on the CPU), on which its
  // statistics may depend. Without proxquant.
  virtual Lowering lower(const torch::Tensor& x) const = 0;

  // The grid of y = forward(x) in evaluation: all values of y are on it. Empty in training, and
  // where `--stable` may return x itself or y follows from more than a grid (a factor or offset of
  // the input's statistics). Waits for nothing on the device.
  Grid grid(const torch::Tensor& y) const;

  // The loss that the last forward pass adds to the training loss, a scalar; undefined: none, as
  // always in evaluation.
  const torch::Tensor& loss() const { return loss_; }
  // Turns it on; which one that is, and its factor. It is a part of the step: a captured one keeps
  // the old.
  void set_loss(config::QuantLoss loss, double alpha);

  // What went wrong in training passes that went on nevertheless, for a warning; "" if nothing.
  // Waits for the device.
  virtual std::string trouble() const { return ""; }

  // proxquant: y = p x + (1 - p) q(x), p in 0..1; 0 at the start. In training alone: what is
  // evaluated is always the quantized network, so that accuracies of all epochs compare. A captured
  // step takes the new p.
  void set_proxquant(double p);
  double proxquant() const { return proxquant_value_; }

  // Changes the number of levels while training (progressive quantization); a negative number is
  // how many fewer than now. A learned clip value is scaled by (new - 1) / (old - 1) and returned:
  // its momentum is then out of date (optim::Sgd::clear_momentum). Undefined: there is none. Too
  // few or too many levels are an Error (usage). Waits for the device; a captured step takes the
  // new number.
  torch::Tensor set_level_num(int levels);
  // Whether the method reads that number at run time. Otherwise another number of levels takes
  // another quantizer.
  virtual bool follows_level_num() const { return true; }

  // After the tensors came from a checkpoint: the number of levels and every table are again those
  // of options(), whatever the file had. A learned clip value that came with another number of
  // levels (clip_loaded) is scaled as by set_level_num. Returns what the file had instead ("16
  // levels, not 4"), "" if it agreed. Waits for the device.
  std::string follow_options(bool clip_loaded);

  // Takes over what `old` has learned: every parameter and buffer of the same name, shape and start
  // value, where `old` began with the options it has now. The others stay as they are and are
  // returned. Waits for the device.
  std::vector<torch::Tensor> inherit(const Quantizer& old);

  // Whether 0 becomes exactly 0 and adds nothing to any gradient, so that zeros padded before the
  // quantizer are the same as zeros padded after it.
  bool keeps_zero() const { return options_.stable <= 0 && !options_.proxquant && maps_zero(); }

  // Whether the quantized values are a function of each element alone that never changes: nothing
  // learned, no statistics, nothing added to the loss. Those of equal options are then one
  // function.
  bool is_fixed_function() const;

  // The method as one formula of each feature, where that and a learned clip value are all there is
  // to forward() now: one group, no warm-up, nothing mixed in, no loss. A pass that computes the
  // features may then quantize them on its way.
  struct FeatureForm {
    kernels::FeatureQuantizer formula;  // without its pointers
    torch::Tensor clip_val, level_num;  // clip_val: undefined where nothing is learned
  };
  std::optional<FeatureForm> feature_form() const;

  // Whether `iteration` counts forward passes of evaluation, too, or only those of training.
  virtual bool counts_evaluation() const { return true; }
  // Whether a forward pass of training counts as two.
  virtual bool counts_training_twice() const { return false; }

  // Both [1], float32 (float64 in a float64 network), never trained. `iteration` counts forward
  // passes, the running one included; the network advances it (exec::GraphModule::forward).
  const torch::Tensor& iteration() const { return iteration_; }
  const torch::Tensor& level_num() const { return level_num_; }

  const QuantShape& shape() const { return shape_; }
  const config::QuantOptions& options() const { return options_; }
  int64_t groups() const { return groups_; }

  // Scratch memory of kernels that run on behalf of this quantizer, see Workspace::get.
  void* workspace(const torch::Tensor& like) const { return workspace_.get(like); }

 protected:
  // forward(), when neither warm-up nor proxquant change it.
  virtual torch::Tensor quantize(const torch::Tensor& x, torch::ScalarType type) = 0;
  // keeps_zero() of quantize().
  virtual bool maps_zero() const { return false; }
  // is_fixed_function() of quantize().
  virtual bool maps_by_fixed_function() const { return false; }
  // feature_form() of quantize().
  virtual std::optional<kernels::FeatureQuantizer> feature_formula() const { return std::nullopt; }
  // grid() of quantize().
  virtual Grid grid_of(const torch::Tensor& y) const = 0;
  // Whether the method has a warm-up (--stable).
  virtual bool warms_up() const { return true; }
  // The fewest levels that the method quantizes to.
  virtual int fewest_levels() const { return 2; }
  // Gives tables that follow from options() their values again; whether they had others.
  virtual bool restore_tables() { return false; }
  // The learned clip value, parameter clip_val; undefined: none.
  virtual torch::Tensor clip_value() const { return {}; }

  // The processes over whose batches the statistics of this pass are taken; null: this one alone,
  // as always for weights, which are the same everywhere.
  distributed::Group* sharing_group() const;

  // Shape of a learned number for each of `groups` groups: [1] for fm and ot with one group, else
  // [1, g, 1, 1]; wt [g, 1, 1, 1].
  std::vector<int64_t> per_group_shape(int64_t groups) const;
  std::vector<int64_t> per_group_shape() const { return per_group_shape(groups_); }

 private:
  QuantShape shape_;
  config::QuantOptions options_;
  int64_t groups_;
  torch::Tensor iteration_, level_num_;
  torch::Tensor proxquant_;  // p, [1] float64, once it was needed
  double proxquant_value_ = 0;
  torch::Tensor loss_;
  mutable Workspace workspace_;

  torch::Tensor warm_up(const torch::Tensor& x, torch::ScalarType type);
  torch::Tensor loss_of(const torch::Tensor& x, const torch::Tensor& y) const;
};

}  // namespace lowbit::quant
