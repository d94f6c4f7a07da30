// Graphs of any operations: packed with the values that they have, or refused by the name of the
// node.
#include <gmock/gmock.h>

#include <functional>

#include "lowbit/graph/builder.h"
#include "lowbit/passes/insert_quantizers.h"
#include "support/proved_program.h"

namespace lowbit::deploy {
namespace {

using graph::Arithmetic;
using graph::Binary;
using graph::Builder;
using graph::Graph;
using graph::Role;
using graph::ValueId;
using testing_support::kMean;
using testing_support::kStd;

constexpr int64_t kHeight = 8, kWidth = 12;

using Body = std::function<ValueId(Builder&, ValueId)>;

// The body between images of 8 x 12 pixels and a mean of the channels.
Graph graph_of(const Body& body) {
  Builder b("stranger");
  const ValueId y = body(b, b.input({3, kHeight, kWidth}));
  return b.finish(b.dims(y).size() == 3 ? b.global_average("average", y) : y);
}

torch::Tensor pixels_of(int64_t count) {
  torch::manual_seed(2);
  return torch::randint(0, 256, {count, kHeight, kWidth, 3}, torch::kUInt8);
}

LowerOptions lower_options() {
  return {.ends = Ends::float32, .mean = kMean, .std = kStd, .network = "", .classes = {}};
}

// How far the packed network's results are from the graph's, in units of the largest.
double packed_difference(const Body& body) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  exec::GraphModule network(graph_of(body));
  for (auto& item : network.named_parameters())
    item.value().add_(torch::rand_like(item.value()) * 0.5 + 0.1);
  network.eval();
  const torch::Tensor pixels = pixels_of(2), images = testing_support::normalized(pixels);
  const packed::ModelT model = lower(TrainedGraph(network, images), lower_options());
  return Prover(network, model)
      .prove(pixels, images, torch::zeros({2}, torch::kInt64))
      .largest_difference;
}

std::string refusal(const Body& body) {
  exec::GraphModule network(graph_of(body));
  try {
    lower(TrainedGraph(network, testing_support::normalized(pixels_of(1))), lower_options());
    return "";
  } catch (const core::Error& error) {
    return error.what();
  }
}

struct Operation {
  std::string name;
  Body body;
};

void PrintTo(const Operation& value, std::ostream* out) {
  *out << value.name;
}

std::string name_of(const testing::TestParamInfo<Operation>& info) {
  return info.param.name;
}

ValueId parameter(Builder& b, const graph::Dims& dims) {
  return b.parameter("p", dims, Role::trained, {.value = 0.5});
}

template <class Op>
Body one(const Op& op) {
  return [op](Builder& b, ValueId x) { return b.node("node", op, {x}); };
}

Body binary(Arithmetic kind, const graph::Dims& dims, bool constant_first = false) {
  return [=](Builder& b, ValueId x) {
    const ValueId p = parameter(b, dims);
    return b.node("node", Binary{kind}, constant_first ? std::vector{p, x} : std::vector{x, p});
  };
}

// Of the features and their mean over the pixels.
Body with_means(Arithmetic kind, bool means_first) {
  return [=](Builder& b, ValueId x) {
    const ValueId means = b.node("means", graph::Mean{.axes = {1, 2}, .keep = true}, {x});
    return b.node("node", Binary{kind},
                  means_first ? std::vector{means, x} : std::vector{x, means});
  };
}

class Packed : public testing::TestWithParam<Operation> {};

TEST_P(Packed, GivesWhatItsGraphGives) {
  EXPECT_LT(packed_difference(GetParam().body), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(
    Of, Packed,
    testing::Values(
        Operation{"convolution",
                  [](Builder& b, ValueId x) {
                    return b.convolution(
                        "node", x, {.out = 6, .kernel = 3, .stride = 2, .padding = 1, .groups = 3,
                                    .bias = true});
                  }},
        Operation{"point_convolution_that_leaves_out",
                  [](Builder& b, ValueId x) {
                    return b.convolution("node", x, {.out = 4, .stride = 2});
                  }},
        Operation{"convolution_and_norm",
                  [](Builder& b, ValueId x) {
                    x = b.convolution("conv", x, {.out = 4, .kernel = 3, .padding = 1});
                    return b.batch_norm("node", x, {});
                  }},
        Operation{"convolution_read_twice_and_norm",
                  [](Builder& b, ValueId x) {
                    x = b.convolution("conv", x, {.out = 4});
                    return b.add("sum", b.batch_norm("node", x, {}), x);
                  }},
        Operation{"norm_with_its_affine_first",
                  [](Builder& b, ValueId x) {
                    return b.batch_norm("node", x, {.affine_first = true});
                  }},
        Operation{"linear",
                  [](Builder& b, ValueId x) {
                    return b.linear("node", b.global_average("mean", x), {.out = 4});
                  }},
        Operation{"linear_and_norm",
                  [](Builder& b, ValueId x) {
                    x = b.linear("fc", b.global_average("mean", x), {.out = 4});
                    return b.batch_norm("node", x, {});
                  }},
        Operation{"relu", one(graph::Relu{})}, Operation{"clip", one(graph::Clip{-0.5, 0.5})},
        Operation{"leaky_relu", one(graph::LeakyRelu{0.2})},
        Operation{"prelu", [](Builder& b, ValueId x) { return b.prelu("node", x); }},
        Operation{"add_number", binary(Arithmetic::add, {1})},
        Operation{"subtract_channels", binary(Arithmetic::subtract, {3, 1, 1})},
        Operation{"multiply_by_channels", binary(Arithmetic::multiply, {3, 1, 1}, true)},
        Operation{"divide_by_number", binary(Arithmetic::divide, {})},
        Operation{"multiply_and_add",
                  [](Builder& b, ValueId x) {
                    const ValueId p = parameter(b, {3, 1, 1});
                    return b.add("node", b.multiply("scaled", x, p), p);
                  }},
        Operation{"computed_constant",
                  [](Builder& b, ValueId x) {
                    const ValueId p = parameter(b, {6, 1, 1});
                    const ValueId half = b.node("half", graph::Slice{.begin = 1, .end = 4}, {p});
                    return b.multiply("node", x, half);
                  }},
        Operation{"multiply_by_means", with_means(Arithmetic::multiply, false)},
        Operation{"means_plus_features", with_means(Arithmetic::add, true)},
        Operation{"concat",
                  [](Builder& b, ValueId x) {
                    return b.concat("node", {x, b.node("relu", graph::Relu{}, {x}), x});
                  }},
        Operation{"slice", one(graph::Slice{.begin = 1, .end = 3})},
        Operation{"max_pool", one(graph::Pool{.kernel = 3, .stride = 2, .padding = 1})},
        Operation{"max_pool_ceil", one(graph::Pool{.kernel = 3, .stride = 2, .ceil = true})},
        Operation{"average_pool", one(graph::Pool{.kind = graph::Pool::Kind::average,
                                                  .kernel = 3,
                                                  .stride = 2,
                                                  .padding = 1})},
        Operation{"mean_of_channels", one(graph::Mean{.axes = {0}, .keep = true})},
        Operation{"mean_of_all", one(graph::Mean{.axes = {0, 1, 2}, .keep = true})},
        Operation{"reshape_of_means",
                  [](Builder& b, ValueId x) {
                    x = b.node("mean", graph::Mean{.axes = {1, 2}, .keep = true}, {x});
                    return b.linear("fc", b.flatten("node", x), {.out = 2});
                  }},
        Operation{"reshape_of_a_square_map",
                  [](Builder& b, ValueId x) {
                    x = b.convolution("conv", x, {.out = 4, .stride = 7});
                    return b.linear("fc", b.flatten("node", x), {.out = 2});
                  }},
        Operation{"space_to_depth", one(graph::SpaceToDepth{4})},
        Operation{"depth_to_space",
                  [](Builder& b, ValueId x) {
                    x = b.convolution("conv", x, {.out = 8});
                    return b.node("node", graph::DepthToSpace{2}, {x});
                  }},
        Operation{"pad", one(graph::Pad{.padding = 2})}, Operation{"widen", one(graph::Widen{})},
        Operation{"nothing", [](Builder&, ValueId x) { return x; }}),
    name_of);

// A linear layer between quantizers becomes sums of integers.
TEST(Lower, OfAQuantizedLinearLayer_IsACodeConv) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  const config::QuantOptions two_bits = {
      .enable = true, .method = config::Method::dorefa, .bit = 2};
  const Body body = [](Builder& b, ValueId x) {
    return b.linear("fc", b.node("relu", graph::Relu{}, {b.global_average("mean", x)}), {.out = 4});
  };
  exec::GraphModule network(
      passes::insert_quantizers(graph_of(body), {{.fm = two_bits, .wt = two_bits, .ot = {}}},
                                {.keeps_zero = [](const graph::Quantize&) { return true; }}));
  network.eval();
  const torch::Tensor pixels = pixels_of(4), images = testing_support::normalized(pixels);
  const packed::ModelT model = lower(TrainedGraph(network, images), lower_options());
  EXPECT_EQ(model.steps.back()->operation.type, packed::Operation::CodeConv);
  const Proof proof =
      Prover(network, model).prove(pixels, images, torch::zeros({4}, torch::kInt64));
  EXPECT_LT(proof.largest_difference, 1e-5);
}

struct Refused {
  std::string name;
  Body body;
  std::string message;
};

void PrintTo(const Refused& value, std::ostream* out) {
  *out << value.name;
}

class Unpacked : public testing::TestWithParam<Refused> {};

TEST_P(Unpacked, IsRefusedByTheNode) {
  EXPECT_THAT(refusal(GetParam().body), testing::HasSubstr(GetParam().message));
}

Body convolution(const graph::ConvolutionSpec& spec) {
  return [spec](Builder& b, ValueId x) { return b.convolution("node", x, spec); };
}

INSTANTIATE_TEST_SUITE_P(
    Of, Unpacked,
    testing::Values(
        Refused{"kernel", convolution({.out = 2, .kernel = {1, 3}}),
                "node 'node' (convolution) cannot be packed: its kernel is not square"},
        Refused{"strides", convolution({.out = 2, .stride = {1, 2}}), "'node' (convolution)"},
        Refused{"padding", convolution({.out = 2, .kernel = 3, .padding = {0, 1, 0, 1}}),
                "'node' (convolution)"},
        Refused{"dilation", convolution({.out = 2, .kernel = 3, .dilation = 2}),
                "'node' (convolution) cannot be packed: a dilation"},
        Refused{"group_norm",
                [](Builder& b, ValueId x) { return b.group_norm("node", x, {.groups = 3}); },
                "node 'node' (group_norm) cannot be packed: no step of a program does this"},
        Refused{"instance_norm", one(graph::InstanceNorm{}), "'node' (instance_norm)"},
        Refused{"transpose", one(graph::Transpose{{0, 2, 1}}), "'node' (transpose)"},
        Refused{"constant_of_pixels", binary(Arithmetic::add, {8, 1}),
                "'node' (add) cannot be packed: a constant that is neither one number"},
        Refused{"constant_that_repeats",
                [](Builder& b, ValueId x) {
                  x = b.convolution("conv", x, {.out = 1});
                  return b.multiply("node", x, parameter(b, {3, 1, 1}));
                },
                "'node' (multiply)"},
        Refused{"divided_constant", binary(Arithmetic::divide, {1}, true), "'node' (divide)"},
        Refused{"smaller_first", with_means(Arithmetic::divide, true), "'node' (divide)"},
        Refused{
            "both_repeated",
            [](Builder& b, ValueId x) {
              const ValueId means = b.node("means", graph::Mean{.axes = {1, 2}, .keep = true}, {x});
              const ValueId pixels = b.node("pixels", graph::Mean{.axes = {0}, .keep = true}, {x});
              return b.add("node", means, pixels);
            },
            "'node' (add) cannot be packed: both operands are repeated"},
        Refused{"concat_of_rows",
                [](Builder& b, ValueId x) {
                  return b.node("node", graph::Concat{1}, {x, x});
                },
                "'node' (concat)"},
        Refused{"slice_of_rows", one(graph::Slice{.axis = 1, .begin = 0, .end = 4}),
                "'node' (slice)"},
        Refused{"pool_windows", one(graph::Pool{.kernel = {2, 1}, .stride = 1}), "'node' (pool)"},
        Refused{"mean_of_rows", one(graph::Mean{.axes = {1}, .keep = true}),
                "'node' (mean) cannot be packed: a mean over rows or columns alone"},
        Refused{"matrix", one(graph::Mean{.axes = {0}}),
                "'node' (mean) cannot be packed: its result is neither a map"},
        Refused{"flattened", [](Builder& b, ValueId x) { return b.flatten("node", x); },
                "'node' (reshape)"},
        Refused{"padded_ones", one(graph::Pad{.padding = 1, .value = 1}), "'node' (pad)"}),
    [](const auto& given) { return given.param.name; });

TEST(Lower, OfAnImageWithOtherChannels_IsAnError) {
  Builder b("gray");
  exec::GraphModule network(b.finish(b.global_average("mean", b.input({1, 4, 4}))));
  try {
    lower(TrainedGraph(network, torch::zeros({1, 1, 4, 4})), lower_options());
    FAIL();
  } catch (const core::Error& error) {
    EXPECT_STREQ(error.what(),
                 "network 'gray' cannot be packed: its input is not an image of 3 channels");
  }
}

// The steps of a program by the names of their values.
std::vector<std::string> step_names(const Body& body, Ends ends) {
  const torch::NoGradGuard no_grad;
  exec::GraphModule network(graph_of(body));
  LowerOptions options = lower_options();
  options.ends = ends;
  const packed::ModelT model =
      lower(TrainedGraph(network, testing_support::normalized(pixels_of(1))), options);
  std::vector<std::string> names;
  for (const auto& value : model.values) names.push_back(value->name);
  return names;
}

TEST(Lower, NamesValuesByNodesAndFoldsTheNormThatNothingElseReads) {
  const auto body = [](bool reads_before) {
    return [=](Builder& b, ValueId x) {
      const ValueId y = b.convolution("conv", x, {.out = 4});
      const ValueId z = b.batch_norm("bn", y, {});
      return reads_before ? b.add("sum", z, y) : z;
    };
  };
  EXPECT_EQ(step_names(body(false), Ends::int8),
            (std::vector<std::string>{"image", "conv", "average"}));
  EXPECT_EQ(step_names(body(true), Ends::int8),
            (std::vector<std::string>{"image", "conv", "bn", "sum", "average"}));
  // As trained: the norm is a step of its own.
  EXPECT_EQ(step_names(body(false), Ends::float32),
            (std::vector<std::string>{"image", "images", "conv", "conv", "average"}));
}

}  // namespace
}  // namespace lowbit::deploy
