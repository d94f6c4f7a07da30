// What --model, its companions and the structural keywords say.
#pragma once

#include <string>

#include "lowbit/config/quant_options.h"

namespace lowbit::config {

// The sequence of convolution, norm, activation and skip in a residual block; cbas: conv, norm,
// activation, then (+skip). Empty: none was given.
enum class BlockOrder { none, cbas, cbsa, cabs, bacs, bcas };

enum class Activation { relu, prelu, none, relu6, leaky_relu };

enum class Norm { batch, group, static_batch, frozen_batch, reverse_batch, instance };

struct ModelOptions {
  std::string name = "resnet18";
  BlockOrder order = BlockOrder::none;
  Activation activation = Activation::relu;
  Norm norm = Norm::batch;
  int base = 1;            // branches of a block (Group-Net)
  double width_alpha = 1;  // factor on every width, > 0
  int num_classes = 1000;  // the parser resolves: option, else keyword, else data set
  int input_size = 224;    // pixels; resolved likewise
  int batch_size = 256;    // of a training step; part of nElements (element-scale, scale-element)

  bool cifar_stem = false;          // keyword cifar10, cifar100, fashion: 3x3 stem without pooling
  bool origin = false;              // one skip per block, none per convolution
  bool fix = false;                 // the last activation of a block stands behind the sum
  bool fix_pooling = false;         // stem: norm and activation before pooling
  bool singleconv = false;          // shortcut: strided 1x1 convolution, no pooling
  bool real_skip = false;           // shortcut convolutions stay full precision
  bool first_last = false;          // quantize first and last layer (families that allow it)
  bool zero_init_residual = false;  // keyword zir
  bool padding_after_quant = false;

  QuantOptions fm{.half_range = true}, wt, ot;
  const QuantOptions& tag(Tag t) const { return t == Tag::fm ? fm : t == Tag::wt ? wt : ot; }

  bool operator==(const ModelOptions&) const = default;
};

}  // namespace lowbit::config
