// What --model, its companions and the structural keywords say.
#pragma once

#include <string>
#include <vector>

#include "lowbit/config/policy.h"
#include "lowbit/config/quant_options.h"

namespace lowbit::config {

// The sequence of convolution, norm, activation and skip in a residual block; cbas: conv, norm,
// activation, then (+skip). Empty: none was given.
enum class BlockOrder { none, cbas, cbsa, cabs, bacs, bcas };

// A keyword that names an order.
template <class Order>
struct OrderWord {
  const char* name;
  Order order;
  const char* help;
};
inline constexpr OrderWord<BlockOrder> kBlockOrders[] = {
    {"cbas", BlockOrder::cbas, "convolution, norm, activation, skip"},
    {"cbsa", BlockOrder::cbsa, "convolution, norm, skip, activation"},
    {"cabs", BlockOrder::cabs, "convolution, activation, norm, skip"},
    {"bacs", BlockOrder::bacs, "norm, activation, convolution, skip"},
    {"bcas", BlockOrder::bcas, "norm, convolution, activation, skip"}};

enum class Activation { relu, prelu, none, relu6, leaky_relu };

enum class Norm { batch, group, static_batch, frozen_batch, reverse_batch, instance };

// Networks that share a source file and read the same keywords.
// added: one of add_model().
enum class Family { resnet, pytorch_resnet, mobilenetv1, mobilenetv2, vgg_small, nin, added };

// The order of batch norm, activation and convolution in a unit of vgg_small. Empty: none was
// given.
enum class UnitOrder { none, bac, cba, abc };
inline constexpr OrderWord<UnitOrder> kUnitOrders[] = {
    {"bac", UnitOrder::bac, "norm, activation, convolution"},
    {"cba", UnitOrder::cba, "convolution, norm, activation"},
    {"abc", UnitOrder::abc, "activation, norm, convolution"}};

// ResNet: what follows the images. space_to_depth: cells of 4x4 pixels become channels of a 1x1 (or
// --stem_kernel) convolution; space_to_depth_pool: cells of 2x2, then max-pooling.
enum class Stem { standard, space_to_depth, space_to_depth_pool };

// ResNet: what the keywords f0x0, f1x1, f3x3 (first convolution of a block) and s1x1, s3x3 (second)
// make of a convolution. usual: what it is without them.
enum class ConvForm { usual, absent, point, full };

struct ModelOptions {
  std::string name = "resnet18";
  BlockOrder order = BlockOrder::none;
  Activation activation = Activation::relu;
  Norm norm = Norm::batch;
  int base = 1;            // branches of a block (Group-Net), >= 1
  double width_alpha = 1;  // factor on every width, > 0
  double block_alpha = 1;  // factor on the number of blocks of a stage, > 0
  int num_classes = 1000;  // the parser resolves: option, else keyword, else data set
  int input_size = 224;    // pixels; resolved likewise
  int batch_size = 256;    // of a training step; part of nElements (element-scale, scale-element)

  Family family = Family::resnet;   // of `name`; the parser sets it
  bool cifar_stem = false;          // keyword cifar10, cifar100, fashion: 3x3 stem without pooling
  bool origin = false;              // one skip per block, none per convolution
  bool fix = false;                 // the last activation of a block stands behind the sum
  bool fix_pooling = false;         // stem: norm and activation before pooling
  bool singleconv = false;          // shortcut: strided 1x1 convolution, no pooling
  bool real_skip = false;           // shortcut convolutions stay full precision
  bool first_last = false;          // quantize first and last layer (families that allow it)
  bool zero_init_residual = false;  // keyword zir
  bool padding_after_quant = false;

  // Further keywords of the ResNets.
  bool pre_norm = false;  // preBN: no norm after the stem, one before the last pooling
  bool patch_pre_norm_stem =
      false;               // preBN with activation there and, with fix_pooling, a stem norm
  bool group_net = false;  // no activation after the stem
  Stem stem = Stem::standard;
  int stem_kernel = 1;              // of the space-to-depth stem: 1 or 3
  bool identity_norm = false;       // a norm on identity shortcuts, too
  bool dchr = false;                // shortcut: pooling and repeated channels, no parameters
  bool fixup = false;               // https://arxiv.org/abs/1901.09321 instead of norms
  bool fixup_bias = false;          // its scalar biases
  bool reshape_resolution = false;  // lossless downsampling before strided blocks
  std::string shrink_order;         // its layers: letters c (convolution), b (norm), a (activation)
  bool shrink_full = false;         // ldn3x3: its convolution is 3x3 and replaces the block
  ConvForm first_conv = ConvForm::usual, second_conv = ConvForm::usual;
  bool prone = false;                // 3x3 convolutions become reshapes and 1x1 convolutions
  bool norm_before_restore = false;  // prone: the norm stands before the second reshape
  bool prone_downsample = true;      // prone: strided convolutions, too

  // MobileNet V1.
  bool bireal_skip = false;                             // skips around single convolutions ...
  bool react = false;                                   // ... also where stride or width changes
  bool block_skip = false;                              // a skip around each block
  bool real_depthwise = false, real_pointwise = false;  // these stay full precision
  bool normal3x3 = false;                               // no grouping in the 3x3 convolutions

  UnitOrder unit_order = UnitOrder::none;  // vgg_small
  bool caffe_pooling = false;              // pytorch-resnet: max-pool without padding, ceil mode

  // Of every tag that has no number of its own; see QuantOptions.
  int stable = 0;
  int proxquant_step = 5;

  QuantOptions fm{.half_range = true}, wt, ot;
  // What a policy file says beside them. Its text counts: the parser reads the file.
  std::string policy_file;
  Policy policy;

  const QuantOptions& tag(Tag t) const { return t == Tag::fm ? fm : t == Tag::wt ? wt : ot; }

  bool operator==(const ModelOptions&) const = default;
};

// A network: a new one of a family is a row of the table in model_options.cpp.
struct ModelRow {
  const char* name;
  Family family;
  std::vector<int> blocks = {};  // of each stage, of ResNets
  bool bottleneck = false;       // likewise: blocks of 1x1, 3x3 and 1x1 convolutions
};

// All values of ModelOptions::name.
std::vector<std::string> model_names();
// An unknown name is an Error (usage).
const ModelRow& model_row(const std::string& name);
inline Family family_of(const std::string& name) {
  return model_row(name).family;
}

// Adds a value of ModelOptions::name that has no keywords: of a family that
// models::add_network() builds. Before anything is parsed.
void add_model(const char* name);

// The word of the order that the family reads; "": none was given, or it reads none.
std::string order_name(const ModelOptions& model);
// An Error (usage) that lists the orders which the family has unless it reads none or has this one.
void require_order(const ModelOptions& model);

}  // namespace lowbit::config
