#include "lowbit/config/keyword.h"

#include <algorithm>

namespace lowbit::config {
namespace {

template <BlockOrder order>
void set_order(Options& options) {
  options.model.order = order;
}
template <Activation activation>
void set_activation(Options& options) {
  options.model.activation = activation;
}
void set_cifar_stem(Options& options) {
  options.model.cifar_stem = true;
}

template <Method method>
void set_method(Options& options) {
  options.model.fm.method = options.model.wt.method = options.model.ot.method = method;
}

bool any_tag(const Options& options, bool (*holds)(const QuantOptions&)) {
  const ModelOptions& m = options.model;
  return (m.fm.enable && holds(m.fm)) || (m.wt.enable && holds(m.wt)) ||
         (m.ot.enable && holds(m.ot));
}

std::string never(const Options&) {
  return "it is accepted from old files";
}
// Data set fashion implies its keyword unless another one of the group is given.
std::string only_against_implied(const Options& options) {
  return options.data.dataset == "fashion" ? "" : never(options);
}
std::string only_other_models(const Options&) {
  return "only other models read it";
}
std::string only_other_methods(const Options&) {
  return "only other methods read it";
}

std::string nothing_quantized(const Options& options) {
  return any_tag(options, [](const QuantOptions&) { return true; }) ? "" : "nothing is quantized";
}

std::string not_enabled(const QuantOptions& tag, const char* option) {
  return tag.enable ? "" : std::string(option) + " is not given";
}

std::string no_gamma(const QuantOptions& tag, const char* option) {
  if (!tag.enable) return not_enabled(tag, option);
  return tag.method == Method::dorefa ? "" : "the method is not dorefa";
}

std::vector<KeywordGroup> make_groups() {
  return {
      {"Data set: classes, size of the images, stem",
       false,
       {{"cifar10", "10 classes, 32x32, 3x3 stem without pooling", set_cifar_stem},
        {"cifar100", "100 classes, 32x32, 3x3 stem without pooling", set_cifar_stem},
        {"fashion",
         "10 classes, 32x32, 3x3 stem without pooling; data set fashion implies it where no word "
         "of "
         "this group is given",
         set_cifar_stem},
        {"imagenet", "what holds without the words above: 7x7 stem with pooling", nullptr,
         only_against_implied}}},
      {"Order of a residual block: convolution, batch norm, activation, skip",
       true,
       {{"cbas", "convolution, norm, activation, skip", set_order<BlockOrder::cbas>},
        {"cbsa", "convolution, norm, skip, activation", set_order<BlockOrder::cbsa>},
        {.name = "cabs", .help = "convolution, activation, norm, skip", .built = false},
        {.name = "bacs", .help = "norm, activation, convolution, skip", .built = false},
        {.name = "bcas", .help = "norm, convolution, activation, skip", .built = false}}},
      {"Structure",
       false,
       {{"origin", "one skip per block; without it a skip around every convolution",
         [](Options& o) { o.model.origin = true; }},
        {"fix", "the last activation of a block stands behind the sum",
         [](Options& o) { o.model.fix = true; }},
        {"fix_pooling", "stem: norm and activation before the pooling",
         [](Options& o) { o.model.fix_pooling = true; },
         [](const Options& o) {
           return std::string(o.model.cifar_stem ? "the 3x3 stem has no pooling" : "");
         }},
        {"singleconv", "shortcut: a strided 1x1 convolution instead of pooling and convolution",
         [](Options& o) { o.model.singleconv = true; }},
        {"real_skip", "convolutions of shortcuts stay full precision",
         [](Options& o) { o.model.real_skip = true; }, nothing_quantized},
        {"zir", "the last norm of a block starts at 0",
         [](Options& o) { o.model.zero_init_residual = true; }},
        {"first-last", "quantize the first convolution and the last layer, too",
         [](Options& o) { o.model.first_last = true; },
         [](const Options&) {
           return std::string("first and last layer of this family are never quantized");
         }},
        {.name = "preBN", .help = "norm before the final pooling", .built = false},
        {.name = "patch_preBN_stem", .help = "activations of preBN", .built = false},
        {.name = "group-net", .help = "Group-Net", .built = false},
        {.name = "TResNetStem", .help = "space-to-depth stem", .built = false},
        {.name = "TResNetStemMaxPool", .help = "space-to-depth stem with pooling", .built = false},
        {.name = "identify_norm", .help = "norm on identity shortcuts", .built = false},
        {.name = "identity_norm", .help = "the same as identify_norm", .built = false},
        {.name = "DCHR", .help = "shortcut: pooling and tiled channels", .built = false},
        {.name = "fixup", .help = "Fixup initialization instead of norms", .built = false},
        {"bias", "biases of fixup", nullptr,
         [](const Options&) { return std::string("keyword 'fixup' is not given"); }},
        {.name = "ReShapeResolution", .help = "lossless downsampling", .built = false},
        {.name = "ldn3x3", .help = "3x3 lossless downsampling", .built = false},
        {.name = "f0x0", .help = "no first convolution", .built = false},
        {.name = "f1x1", .help = "1x1 first convolution", .built = false},
        {.name = "f3x3", .help = "3x3 first convolution", .built = false},
        {.name = "s1x1", .help = "1x1 second convolution", .built = false},
        {.name = "s3x3", .help = "3x3 second convolution", .built = false},
        {.name = "prone", .help = "point-wise convolutions and reshapes only", .built = false},
        {.name = "bn_before_restore", .help = "order within prone", .built = false},
        {.name = "no_prone_downsample", .help = "strided convolutions stay", .built = false},
        {.name = "less_bn", .help = "fewer norms", .built = false},
        {"bireal", "skips of mobilenetv1", nullptr, only_other_models},
        {"react", "skips of mobilenetv1", nullptr, only_other_models},
        {"block_skip", "skips of mobilenetv1", nullptr, only_other_models},
        {"real_dp", "mobilenetv1: depth-wise convolutions full precision", nullptr,
         only_other_models},
        {"real_pt", "mobilenetv1: point-wise convolutions full precision", nullptr,
         only_other_models},
        {"normal3x3", "mobilenetv1: no depth-wise convolutions", nullptr, only_other_models},
        {"caffe-pooling", "pytorch-resnet: pooling without padding", nullptr, only_other_models},
        {"bac", "order of vgg_small", nullptr, only_other_models},
        {"cba", "order of vgg_small", nullptr, only_other_models},
        {"abc", "order of vgg_small", nullptr, only_other_models}}},
      {"Activation (without a word: ReLU)",
       true,
       {{"PReLU", "learned slope", set_activation<Activation::prelu>},
        {"NReLU", "none", set_activation<Activation::none>},
        {"ReLU6", "clipped at 6", set_activation<Activation::relu6>},
        {"LReLU", "slope 0.01 below 0", set_activation<Activation::leaky_relu>}}},
      {"Norm (without a word: BatchNorm)",
       true,
       {{.name = "group-norm", .help = "group norm", .built = false},
        {.name = "static-bn", .help = "fixed statistics", .built = false},
        {.name = "freeze-bn", .help = "all fixed", .built = false},
        {.name = "reverse-bn", .help = "affine before normalization", .built = false},
        {.name = "instance-norm", .help = "instance norm", .built = false}}},
      {"Quantization method",
       false,
       {{"dorefa", "DoReFa for every enabled tag", set_method<Method::dorefa>, nothing_quantized},
        {.name = "pact", .help = "PACT", .built = false},
        {"lsq",
         "LSQ for every enabled tag",
         set_method<Method::lsq>,
         nothing_quantized,
         {"dorefa", "pact"}},
        {"fm_lsq",
         "LSQ for activations",
         [](Options& o) { o.model.fm.method = Method::lsq; },
         [](const Options& o) { return not_enabled(o.model.fm, "--fm_enable"); },
         {"dorefa", "pact"}},
        {"wt_lsq",
         "LSQ for weights",
         [](Options& o) { o.model.wt.method = Method::lsq; },
         [](const Options& o) { return not_enabled(o.model.wt, "--wt_enable"); },
         {"dorefa", "pact"}},
        {"ot_lsq",
         "LSQ for outputs",
         [](Options& o) { o.model.ot.method = Method::lsq; },
         [](const Options& o) { return not_enabled(o.model.ot, "--ot_enable"); },
         {"dorefa", "pact"}},
        {.name = "non-uniform", .help = "FATNN", .built = false},
        {.name = "fm_non-uniform", .help = "FATNN for activations", .built = false},
        {.name = "wt_non-uniform", .help = "FATNN for weights", .built = false},
        {.name = "fm_closed_form", .help = "FATNN: factor in closed form", .built = false},
        {.name = "closed_form", .help = "the same as fm_closed_form", .built = false},
        {.name = "lq", .help = "LQ-Nets", .built = false},
        {.name = "xnor", .help = "XNOR, Bi-Real, Group-Net", .built = false},
        {.name = "proxquant", .help = "ProxQuant", .built = false}}},
      {"Details of the methods",
       false,
       {{"wt_bin", "dorefa, two levels: weights sign(x) * mean|x|",
         [](Options& o) { o.model.wt.binary_mean = true; },
         [](const Options& o) -> std::string {
           const QuantOptions& wt = o.model.wt;
           const bool acts = wt.enable && wt.method == Method::dorefa && wt.levels() == 2;
           return acts ? "" : "weights are not quantized to two levels by dorefa";
         }},
        {"wt_gamma", "dorefa: learned factor per group of weights",
         [](Options& o) { o.model.wt.gamma = true; },
         [](const Options& o) { return no_gamma(o.model.wt, "--wt_enable"); }},
        {"ot_gamma", "dorefa: learned factor per group of outputs",
         [](Options& o) { o.model.ot.gamma = true; },
         [](const Options& o) { return no_gamma(o.model.ot, "--ot_enable"); }},
        {"gamma", "learned factor of XNOR++", nullptr, only_other_methods},
        {"symmetry", "lsq: full-range levels that contain zero",
         [](Options& o) { o.model.fm.symmetry = o.model.wt.symmetry = o.model.ot.symmetry = true; },
         [](const Options& o) -> std::string {
           const bool acts = any_tag(o, [](const QuantOptions& tag) {
             return tag.method == Method::lsq && !tag.half_range && tag.levels() > 2;
           });
           return acts ? "" : "lsq quantizes nothing to more than two levels in full range";
         }},
        {"independent_norm", "adaptive: normalize over the whole tensor, not per group",
         [](Options& o) {
           o.model.fm.independent_norm = o.model.wt.independent_norm = o.model.ot.independent_norm =
               true;
         },
         [](const Options& o) -> std::string {
           const bool normalizes = o.model.wt.enable && o.model.wt.adaptive != Adaptive::none;
           return normalizes ? "" : "weights are not normalized";
         }},
        {"custom-update", "running means of LQ-Nets and closed forms", nullptr,
         only_other_methods}}},
      {"Training and tools",
       false,
       {{"debug", "the same as --verbose", [](Options& o) { o.train.verbose = true; }},
        {.name = "label-smooth", .help = "label smoothing", .built = false},
        {.name = "focal-loss", .help = "focal loss", .built = false},
        {.name = "probe", .help = "dump tensors", .built = false},
        {.name = "lr-test", .help = "only print the schedule", .built = false},
        {"mean", "from old files", nullptr, never},
        {"raw", "from old files", nullptr, never},
        {"save", "from old files", nullptr, never},
        {"keepdim", "from old files", nullptr, never},
        {"postbn", "from old files", nullptr, never}}},
  };
}

}  // namespace

const std::vector<KeywordGroup>& keyword_groups() {
  static const std::vector<KeywordGroup> groups = make_groups();
  return groups;
}

const KeywordGroup& block_orders() {
  const auto holds_orders = [](const KeywordGroup& group) {
    return group.keywords.front().set == set_order<BlockOrder::cbas>;
  };
  return *std::find_if(keyword_groups().begin(), keyword_groups().end(), holds_orders);
}

const Keyword* find_keyword(const std::string& name) {
  for (const KeywordGroup& group : keyword_groups())
    for (const Keyword& keyword : group.keywords)
      if (keyword.name == name) return &keyword;
  return nullptr;
}

std::vector<std::string> keyword_names() {
  std::vector<std::string> names;
  for (const KeywordGroup& group : keyword_groups())
    for (const Keyword& keyword : group.keywords) names.push_back(keyword.name);
  return names;
}

}  // namespace lowbit::config
