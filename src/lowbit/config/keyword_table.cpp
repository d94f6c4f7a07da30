// Every word of --keyword: what it is for, what it sets, and where it has no effect.
#include <algorithm>

#include "lowbit/config/keyword.h"
#include "lowbit/config/methods.h"
#include "lowbit/config/option_table.h"

namespace lowbit::config {
namespace {

// Setters: set<&ModelOptions::fix> makes a field true, set<&ModelOptions::norm, Norm::group> gives
// it a value, set_tags does it for fm, wt and ot.

template <auto field, auto value = true>
void set(Options& options) {
  options.model.*field = value;
}
template <auto field, auto value = true>
void set_tags(Options& options) {
  for (QuantOptions* tag : {&options.model.fm, &options.model.wt, &options.model.ot})
    tag->*field = value;
}
template <Criterion criterion>
void set_criterion(Options& options) {
  options.train.criterion = criterion;
}

// Reasons for no effect: "" where there is one.

std::string never(const Options&) {
  return "it is accepted from old files";
}
// Data set fashion implies its keyword unless another one of the group is given.
std::string only_against_implied(const Options& options) {
  return options.data.dataset == "fashion" ? "" : never(options);
}

template <Family... families>
std::string only_in(const Options& options) {
  if (((options.model.family == families) || ...)) return "";
  return fmt::format("model '{}' does not read it", options.model.name);
}
// The families whose layers read the keywords of norm and activation.
constexpr auto only_flexible = only_in<Family::resnet, Family::pytorch_resnet, Family::mobilenetv1,
                                       Family::mobilenetv2, Family::nin>;
constexpr auto only_resnet = only_in<Family::resnet>;
constexpr auto only_mobilenetv1 = only_in<Family::mobilenetv1>;

template <auto field>
std::string only_resnet_with(const Options& options, const char* keyword) {
  const std::string reason = only_resnet(options);
  if (!reason.empty() || options.model.*field) return reason;
  return fmt::format("keyword '{}' is not given", keyword);
}

// A residual block with a shortcut.
std::string only_with_blocks(const Options& options) {
  if (options.model.family == Family::mobilenetv1)
    return options.model.block_skip ? "" : "mobilenetv1 reads it with keyword 'block_skip' alone";
  return only_resnet(options);
}

bool any_tag(const Options& options, bool (*holds)(const QuantOptions&)) {
  const ModelOptions& m = options.model;
  return (m.fm.enable && holds(m.fm)) || (m.wt.enable && holds(m.wt)) ||
         (m.ot.enable && holds(m.ot));
}
std::string nothing_quantized(const Options& options) {
  return any_tag(options, [](const QuantOptions&) { return true; }) ? "" : "nothing is quantized";
}
std::string not_enabled(const QuantOptions& tag, const char* option) {
  return tag.enable ? "" : std::string(option) + " is not given";
}

std::string no_gamma(const QuantOptions& tag, const char* option, Method method,
                     const char* method_name) {
  if (!tag.enable) return not_enabled(tag, option);
  return tag.method == method ? "" : fmt::format("the method is not {}", method_name);
}

std::string no_closed_form(const Options& options) {
  const QuantOptions& fm = options.model.fm;
  const bool acts = fm.enable && fm.method == Method::non_uniform;
  return acts ? "" : "activations are not quantized by non-uniform";
}

// The first convolution may be left out or shrink to 1x1 only behind another reduction.
std::string no_first_form(const Options& options) {
  return only_resnet_with<&ModelOptions::reshape_resolution>(options, "ReShapeResolution");
}

std::string no_convolution_form(const Options& options) {
  const std::string reason = only_resnet(options);
  if (!reason.empty() || options.model.reshape_resolution || options.model.prone) return reason;
  return "neither keyword 'ReShapeResolution' nor 'prone' is given";
}

KeywordGroup data_sets() {
  constexpr auto cifar_stem = set<&ModelOptions::cifar_stem>;
  return {"Data set: classes, size of the images, stem",
          false,
          {{"cifar10", "10 classes, 32x32, 3x3 stem without pooling", cifar_stem},
           {"cifar100", "100 classes, 32x32, 3x3 stem without pooling", cifar_stem},
           {"fashion",
            "10 classes, 32x32, 3x3 stem without pooling; data set fashion implies it where no "
            "word of this group is given",
            cifar_stem},
           {"imagenet", "what holds without the words above: 7x7 stem with pooling", nullptr,
            only_against_implied}}};
}

// A word for each order, which the families read.
template <const auto& words, auto field, Family... families, size_t... i>
std::vector<Keyword> order_words(std::index_sequence<i...>) {
  return {{words[i].name, words[i].help, set<field, words[i].order>, only_in<families...>}...};
}

KeywordGroup block_order_words() {
  return {"Order of a block: convolution, batch norm, activation, skip", true,
          order_words<kBlockOrders, &ModelOptions::order, Family::resnet, Family::mobilenetv1,
                      Family::mobilenetv2>(std::make_index_sequence<std::size(kBlockOrders)>())};
}

KeywordGroup unit_order_words() {
  return {"Order of a unit of vgg_small", true,
          order_words<kUnitOrders, &ModelOptions::unit_order, Family::vgg_small>(
              std::make_index_sequence<std::size(kUnitOrders)>())};
}

KeywordGroup block_words() {
  return {
      "Structure of blocks",
      false,
      {{"origin", "one skip per block; without it a skip around every convolution",
        set<&ModelOptions::origin>, only_in<Family::resnet, Family::mobilenetv1>},
       {"fix", "the last activation of a block stands behind the sum", set<&ModelOptions::fix>,
        only_with_blocks},
       {"singleconv", "shortcut: a strided 1x1 convolution instead of pooling and convolution",
        set<&ModelOptions::singleconv>, only_with_blocks},
       {"real_skip", "convolutions of shortcuts stay full precision", set<&ModelOptions::real_skip>,
        [](const Options& o) {
          if (o.model.family == Family::pytorch_resnet) return nothing_quantized(o);
          const std::string reason = only_with_blocks(o);
          return reason.empty() ? nothing_quantized(o) : reason;
        }},
       {"zir", "the last norm of a block starts at 0", set<&ModelOptions::zero_init_residual>,
        only_resnet},
       {"identify_norm", "a norm on identity shortcuts, too", set<&ModelOptions::identity_norm>,
        only_with_blocks},
       {"identity_norm", "the same", set<&ModelOptions::identity_norm>, only_with_blocks},
       {"DCHR", "shortcut: average pooling and repeated channels, no parameters",
        set<&ModelOptions::dchr>, only_with_blocks},
       {"fixup", "Fixup initialization, scalar factors instead of norms", set<&ModelOptions::fixup>,
        only_resnet},
       {"bias", "fixup: scalar biases", set<&ModelOptions::fixup_bias>,
        [](const Options& o) { return only_resnet_with<&ModelOptions::fixup>(o, "fixup"); }},
       {"group-net", "no activation after the stem (Group-Net, with --base)",
        set<&ModelOptions::group_net>, only_resnet},
       {"less_bn", "from old files", nullptr, never}}};
}

KeywordGroup ends_words() {
  return {"First and last layers",
          false,
          {{"fix_pooling", "stem: norm and activation before the pooling",
            set<&ModelOptions::fix_pooling>,
            [](const Options& o) {
              const ModelOptions& m = o.model;
              const std::string reason = only_resnet(o);
              if (!reason.empty() || (m.pre_norm && m.patch_pre_norm_stem)) return reason;
              const bool pools = !m.cifar_stem && m.stem != Stem::space_to_depth;
              return std::string(pools ? "" : "the stem has no pooling");
            }},
           {"first-last", "quantize the first convolution and the last layer, too",
            set<&ModelOptions::first_last>,
            only_in<Family::pytorch_resnet, Family::mobilenetv1, Family::mobilenetv2>},
           {"preBN", "no norm after the stem, one before the last pooling",
            set<&ModelOptions::pre_norm>,
            only_in<Family::resnet, Family::mobilenetv1, Family::mobilenetv2>},
           {"patch_preBN_stem",
            "preBN: activation before the last pooling and, with fix_pooling, norm and activation "
            "after the stem",
            set<&ModelOptions::patch_pre_norm_stem>,
            [](const Options& o) { return only_resnet_with<&ModelOptions::pre_norm>(o, "preBN"); }},
           {"TResNetStem", "cells of 4x4 pixels become channels of a 1x1 convolution",
            set<&ModelOptions::stem, Stem::space_to_depth>,
            [](const Options& o) {
              const std::string reason = only_resnet(o);
              return reason.empty() && o.model.cifar_stem ? "the 3x3 stem counts" : reason;
            }},
           {"TResNetStemMaxPool", "cells of 2x2 pixels, then 3x3 max-pooling",
            set<&ModelOptions::stem, Stem::space_to_depth_pool>,
            [](const Options& o) {
              const std::string reason = only_resnet(o);
              return reason.empty() && o.model.cifar_stem ? "the 3x3 stem counts" : reason;
            }},
           {"caffe-pooling", "3x3 max-pooling without padding, in ceil mode",
            set<&ModelOptions::caffe_pooling>, only_in<Family::pytorch_resnet>}}};
}

KeywordGroup reshape_words() {
  return {
      "Reshapes instead of strides",
      false,
      {{"ReShapeResolution", "lossless downsampling before strided blocks, its layers in --order",
        set<&ModelOptions::reshape_resolution>, only_resnet},
       {"ldn3x3", "its convolution is 3x3 and replaces the block", set<&ModelOptions::shrink_full>,
        [](const Options& o) {
          return only_resnet_with<&ModelOptions::reshape_resolution>(o, "ReShapeResolution");
        }},
       {"prone", "3x3 convolutions become reshapes and 1x1 convolutions", set<&ModelOptions::prone>,
        only_resnet},
       {"bn_before_restore", "prone: the norm stands before the second reshape",
        set<&ModelOptions::norm_before_restore>,
        [](const Options& o) { return only_resnet_with<&ModelOptions::prone>(o, "prone"); }},
       {"no_prone_downsample", "prone: strided convolutions stay",
        set<&ModelOptions::prone_downsample, false>,
        [](const Options& o) { return only_resnet_with<&ModelOptions::prone>(o, "prone"); }},
       {"f0x0", "no first convolution in such a block",
        set<&ModelOptions::first_conv, ConvForm::absent>, no_first_form},
       {"f1x1", "its first convolution is 1x1", set<&ModelOptions::first_conv, ConvForm::point>,
        no_first_form},
       {"f3x3", "its first convolution stays", set<&ModelOptions::first_conv, ConvForm::full>,
        no_convolution_form},
       {"s1x1", "its second convolution is 1x1", set<&ModelOptions::second_conv, ConvForm::point>,
        no_convolution_form},
       {"s3x3", "its second convolution stays", set<&ModelOptions::second_conv, ConvForm::full>,
        no_convolution_form}}};
}

KeywordGroup mobilenet_words() {
  return {
      "MobileNet V1",
      false,
      {{"bireal", "skips around single convolutions", set<&ModelOptions::bireal_skip>,
        only_mobilenetv1},
       {"react", "bireal: also where stride or width changes", set<&ModelOptions::react>,
        [](const Options& o) -> std::string {
          const std::string reason = only_mobilenetv1(o);
          if (!reason.empty()) return reason;
          if (!o.model.bireal_skip) return "keyword 'bireal' is not given";
          return o.model.order == BlockOrder::bacs ? "order bacs has none" : "";
        }},
       {"block_skip", "a skip around each block", set<&ModelOptions::block_skip>, only_mobilenetv1},
       {"real_dp", "depth-wise convolutions stay full precision",
        set<&ModelOptions::real_depthwise>, only_mobilenetv1},
       {"real_pt", "point-wise convolutions stay full precision",
        set<&ModelOptions::real_pointwise>, only_mobilenetv1},
       {"normal3x3", "no grouping in the 3x3 convolutions", set<&ModelOptions::normal3x3>,
        only_mobilenetv1}}};
}

KeywordGroup activation_words() {
  return {
      "Activation (without a word: ReLU)",
      true,
      {{"PReLU", "learned slope", set<&ModelOptions::activation, Activation::prelu>, only_flexible},
       {"NReLU", "none", set<&ModelOptions::activation, Activation::none>, only_flexible},
       {"ReLU6", "clipped at 6", set<&ModelOptions::activation, Activation::relu6>, only_flexible},
       {"LReLU", "slope 0.01 below 0", set<&ModelOptions::activation, Activation::leaky_relu>,
        only_flexible}}};
}

KeywordGroup norm_words() {
  return {
      "Norm (without a word: BatchNorm)",
      true,
      {{"group-norm", "GroupNorm of --fm_quant_group groups (32 without it)",
        set<&ModelOptions::norm, Norm::group>, only_flexible},
       {"static-bn", "BatchNorm with fixed statistics",
        set<&ModelOptions::norm, Norm::static_batch>, only_flexible},
       {"freeze-bn", "BatchNorm with everything fixed",
        set<&ModelOptions::norm, Norm::frozen_batch>, only_flexible},
       {"reverse-bn", "BatchNorm with factor and shift before the normalization",
        set<&ModelOptions::norm, Norm::reverse_batch>, only_flexible},
       {"instance-norm", "InstanceNorm", set<&ModelOptions::norm, Norm::instance>, only_flexible}}};
}

// The names of a method's keywords for one tag.
struct TagWords {
  const char* prefix;
  const char* enable;
  const char* tensors;
};
TagWords tag_words(Tag tag) {
  switch (tag) {
    case Tag::fm:
      return {"fm_", "--fm_enable", "activations"};
    case Tag::wt:
      return {"wt_", "--wt_enable", "weights"};
    case Tag::ot:
      break;
  }
  return {"ot_", "--ot_enable", "outputs"};
}

QuantOptions& options_of(Options& options, Tag tag) {
  ModelOptions& model = options.model;
  return tag == Tag::fm ? model.fm : tag == Tag::wt ? model.wt : model.ot;
}

// The keywords of a method: for every enabled tag, and for those that have their own.
void add_keywords(const MethodRow& row, std::vector<Keyword>& keywords) {
  const std::string all = row.of_weights == Method::none
                              ? row.title + " for every enabled tag"
                              : fmt::format("{} for activations, {} for weights", row.title,
                                            row_of(row.of_weights).title);
  keywords.push_back({row.name, all,
                      [method = row.method](Options& options) {
                        for (const Tag tag : {Tag::fm, Tag::wt, Tag::ot})
                          options_of(options, tag).method = method_of(method, tag);
                      },
                      nothing_quantized, row.needs});
  for (const Tag tag : row.tags) {
    const TagWords words = tag_words(tag);
    keywords.push_back(
        {std::string(words.prefix) + row.name, fmt::format("{} for {}", row.title, words.tensors),
         [method = row.method, tag](Options& options) { options_of(options, tag).method = method; },
         [tag, enable = words.enable](const Options& options) {
           return not_enabled(options.model.tag(tag), enable);
         },
         row.needs});
  }
}

KeywordGroup method_words() {
  KeywordGroup group = {"Quantization method", false, {}};
  for (const MethodRow& row : method_rows()) add_keywords(row, group.keywords);
  return group;
}

KeywordGroup method_detail_words() {
  constexpr auto closed_form = [](Options& o) { o.model.fm.closed_form = true; };
  return {
      "Details of the methods",
      false,
      {{"wt_bin", "dorefa, two levels: weights sign(x) * mean|x|",
        [](Options& o) { o.model.wt.binary_mean = true; },
        [](const Options& o) -> std::string {
          const QuantOptions& wt = o.model.wt;
          const bool acts = wt.enable && wt.method == Method::dorefa && wt.levels() == 2;
          return acts ? "" : "weights are not quantized to two levels by dorefa";
        }},
       {"wt_gamma", "dorefa: learned factor per group of weights",
        [](Options& o) { o.model.wt.gamma = o.model.wt.method == Method::dorefa; },
        [](const Options& o) {
          return no_gamma(o.model.wt, "--wt_enable", Method::dorefa, "dorefa");
        }},
       {"ot_gamma", "dorefa: learned factor per group of outputs",
        [](Options& o) { o.model.ot.gamma = o.model.ot.method == Method::dorefa; },
        [](const Options& o) {
          return no_gamma(o.model.ot, "--ot_enable", Method::dorefa, "dorefa");
        }},
       {"gamma", "xnor: learned factor per group of weights (XNOR++)",
        [](Options& o) { o.model.wt.gamma |= o.model.wt.method == Method::xnor; },
        [](const Options& o) { return no_gamma(o.model.wt, "--wt_enable", Method::xnor, "xnor"); }},
       {"symmetry", "lsq: full-range levels that contain zero", set_tags<&QuantOptions::symmetry>,
        [](const Options& o) -> std::string {
          const bool acts = any_tag(o, [](const QuantOptions& tag) {
            return tag.method == Method::lsq && !tag.half_range && tag.levels() > 2;
          });
          return acts ? "" : "lsq quantizes nothing to more than two levels in full range";
        }},
       {"independent_norm", "adaptive: normalize over the whole tensor, not per group",
        set_tags<&QuantOptions::independent_norm>,
        [](const Options& o) -> std::string {
          const QuantOptions& wt = o.model.wt;
          if (!wt.enable || wt.adaptive == Adaptive::none) return "weights are not normalized";
          return wt.method == Method::lq ? "lq normalizes each of its groups" : "";
        }},
       {"fm_closed_form", "non-uniform: factor on activations by least squares", closed_form,
        no_closed_form},
       {"closed_form", "the same", closed_form, no_closed_form},
       {"custom-update", "lq, closed_form: running means over all iterations",
        set_tags<&QuantOptions::custom_update>,
        [](const Options& o) -> std::string {
          const bool acts = any_tag(o, [](const QuantOptions& tag) {
            return tag.method == Method::lq ||
                   (tag.method == Method::non_uniform && tag.closed_form);
          });
          return acts ? "" : "neither lq nor a closed form is used";
        }},
       {"proxquant", "the result is mixed with its input, ever less (--proxquant_step)",
        set_tags<&QuantOptions::proxquant>, nothing_quantized}}};
}

KeywordGroup training_words() {
  return {
      "Training and tools",
      false,
      {{"debug", "the same as --verbose", [](Options& o) { o.train.verbose = true; }},
       {"label-smooth", "label smoothing (--label_smooth)", set_criterion<Criterion::label_smooth>},
       {"focal-loss", "focal loss (--focal_gamma, --focal_alpha)", set_criterion<Criterion::focal>},
       {"probe", "dump tensors (--probe_list, --probe_index, --probe_iteration)",
        [](Options& o) { o.train.probe = true; }},
       {"lr-test", "only print the learning rate of every epoch",
        [](Options& o) { o.train.lr_test = true; }},
       {"mean", "from old files", nullptr, never},
       {"raw", "from old files", nullptr, never},
       {"save", "from old files", nullptr, never},
       {"keepdim", "from old files", nullptr, never},
       {"postbn", "from old files", nullptr, never}}};
}

}  // namespace

std::vector<KeywordGroup> keyword_table() {
  return {data_sets(),  block_order_words(), unit_order_words(),    block_words(),
          ends_words(), reshape_words(),     mobilenet_words(),     activation_words(),
          norm_words(), method_words(),      method_detail_words(), training_words()};
}

}  // namespace lowbit::config
