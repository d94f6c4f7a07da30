#include "lowbit/deploy/evaluate.h"

#include <ATen/Parallel.h>

#include <array>
#include <cmath>

#include "lowbit/core/error.h"
#include "lowbit/runtime/bits.h"

namespace lowbit::deploy {
namespace {

using torch::indexing::Slice;

// Sums of integers are exact in float32, in whatever order, up to here.
constexpr double kExact = 1 << 24;

torch::Tensor floats(const std::vector<float>& numbers) {
  return torch::tensor(numbers, torch::kFloat32);
}

// One number for each channel, or for all, to broadcast over [B, C, H, W].
torch::Tensor per_channel(const std::vector<float>& numbers) {
  return floats(numbers).view({1, -1, 1, 1});
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define LOWBIT_FUSED_CLONES __attribute__((target_clones("default", "fma")))
#else
#define LOWBIT_FUSED_CLONES
#endif

// sum[i] + x[i] * weight, each with one rounding.
LOWBIT_FUSED_CLONES void add_fused(float* sum, const float* x, float weight, int64_t count) {
  for (int64_t i = 0; i < count; ++i) sum[i] = std::fma(x[i], weight, sum[i]);
}

// sum [B, O, H, W] + x [B, O, H, W] * weights [O], for which LibTorch has no operation.
void add_products(const torch::Tensor& sum, const torch::Tensor& x, const torch::Tensor& weights) {
  const int64_t channels = sum.size(1), pixels = sum.size(2) * sum.size(3);
  const torch::Tensor features = x.contiguous();
  at::parallel_for(0, sum.size(0) * channels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane)
      add_fused(sum.mutable_data_ptr<float>() + plane * pixels,
                features.const_data_ptr<float>() + plane * pixels,
                weights.const_data_ptr<float>()[plane % channels], pixels);
  });
}

double largest(const torch::Tensor& integers) {
  return integers.numel() ? integers.abs().max().item<double>() : 0;
}

class Evaluator {
 public:
  Evaluator(const packed::ModelT& model, const torch::Tensor& images) : model_(model) {
    values_.push_back(images.permute({0, 3, 1, 2}).contiguous());
  }

  std::vector<torch::Tensor> run() {
    for (const auto& step : model_.steps) {
      shape_ = model_.values[values_.size()].get();
      values_.push_back(dispatch(step->operation).contiguous());
    }
    return std::move(values_);
  }

 private:
  const torch::Tensor& value(int number) const { return values_.at(static_cast<size_t>(number)); }

  torch::Tensor dispatch(const packed::OperationUnion& operation) const {
    using packed::Operation;
    switch (operation.type) {
      case Operation::CodeConv:
        return code_conv(*operation.AsCodeConv());
      case Operation::RealConv:
        return real_conv(*operation.AsRealConv());
      case Operation::Normalize: {
        const auto& o = *operation.AsNormalize();
        return (value(o.input).to(torch::kFloat32) / 255 - per_channel(o.mean)) /
               per_channel(o.std);
      }
      case Operation::Affine: {
        const auto& o = *operation.AsAffine();
        return affine(value(o.input), o.factor, o.shift);
      }
      case Operation::Activation:
        return activation(*operation.AsActivation());
      case Operation::Binary:
        return binary(*operation.AsBinary());
      case Operation::Quantize:
        return quantize(*operation.AsQuantize());
      case Operation::Dequantize:
        return dequantize(*operation.AsDequantize());
      case Operation::Pool:
        return pool(*operation.AsPool());
      case Operation::Mean:
        return mean(*operation.AsMean());
      case Operation::Rearrange:
        return rearrange(*operation.AsRearrange());
      case Operation::Concatenate: {
        std::vector<torch::Tensor> parts;
        for (const int input : operation.AsConcatenate()->inputs) parts.push_back(value(input));
        return torch::cat(parts, 1);
      }
      case Operation::NONE:
        break;
    }
    throw core::failure("a step of the program has no operation");
  }

  static torch::Tensor affine(torch::Tensor x, const std::vector<float>& factor,
                              const std::vector<float>& shift) {
    if (!factor.empty()) x = x * per_channel(factor);
    if (!shift.empty()) x = x + per_channel(shift);
    return x;
  }

  // The integers that a plane makes of the codes, as float32; 0 outside its channels.
  torch::Tensor integers(const packed::CodePlaneT& plane, const torch::Tensor& codes) const {
    if (plane.integers.empty()) {
      const torch::Tensor zero =
          torch::tensor(std::vector<int>(plane.zero_points.begin(), plane.zero_points.end()))
              .view({1, -1, 1, 1});
      return (codes.to(torch::kInt32) - zero).to(torch::kFloat32);
    }
    const torch::Tensor table =
        floats(std::vector<float>(plane.integers.begin(), plane.integers.end()));
    torch::Tensor all = torch::zeros_like(codes, torch::kFloat32);
    const Slice channels(plane.first_channel, plane.first_channel + plane.channels);
    const torch::Tensor part = codes.index({Slice(), channels}).contiguous();
    all.index_put_({Slice(), channels},
                   table.index_select(0, part.flatten().to(torch::kInt64)).view(part.sizes()));
    return all;
  }

  // [O, I, k, k] as float32.
  static torch::Tensor integers(const packed::WeightPlaneT& plane,
                                const std::array<int64_t, 4>& shape) {
    const auto [out, in, kernel, same] = shape;
    std::vector<float> all(static_cast<size_t>(out * in * kernel * same), 1.0F);
    for (size_t i = 0; i < all.size() && !plane.data.empty(); ++i) {
      const uint8_t code = runtime::unpack_bits(plane.data, i, plane.bits);
      all[i] = plane.integers.empty() ? static_cast<float>(static_cast<int8_t>(code))
                                      : static_cast<float>(plane.integers.at(code));
    }
    return floats(all).view({out, kernel, same, in}).permute({0, 3, 1, 2}).contiguous();
  }

  torch::Tensor code_conv(const packed::CodeConvT& o) const {
    const torch::Tensor& codes = value(o.input);
    const auto out = static_cast<int64_t>(shape_->channels);
    const int64_t kernel = o.window->kernel(), inside = codes.size(1) / o.groups;
    torch::Tensor sum;
    size_t pair = 0;
    for (const auto& code_plane : o.codes) {
      const torch::Tensor x = integers(*code_plane, codes);
      for (const auto& weight_plane : o.weights) {
        const torch::Tensor w = integers(*weight_plane, {out, inside, kernel, kernel});
        const double bound =
            largest(x) * largest(w) * static_cast<double>(inside * kernel * kernel);
        const auto type = bound < kExact ? torch::kFloat32 : torch::kFloat64;
        const torch::Tensor acc = torch::conv2d(x.to(type), w.to(type), {}, o.window->stride(),
                                                o.window->padding(), 1, o.groups)
                                      .to(torch::kFloat32);
        const auto first = o.coefficients.begin() + static_cast<int64_t>(pair++) * out;
        const torch::Tensor term = acc * per_channel({first, first + out});
        sum = sum.defined() ? sum + term : term;
      }
    }
    return affine(sum, {}, o.bias);
  }

  torch::Tensor real_conv(const packed::RealConvT& o) const {
    const torch::Tensor& x = value(o.input);
    const auto out = static_cast<int64_t>(shape_->channels);
    const int64_t kernel = o.window->kernel(), stride = o.window->stride(),
                  padding = o.window->padding();
    const int64_t inside = x.size(1) / o.groups, per_group = out / o.groups;
    const torch::Tensor weight = floats(o.weight).view({out, kernel, kernel, inside});
    const torch::Tensor padded = torch::constant_pad_nd(x, {padding, padding, padding, padding});
    torch::Tensor sum = torch::zeros({x.size(0), out, shape_->height, shape_->width});
    for (int64_t row = 0; row < kernel; ++row)
      for (int64_t column = 0; column < kernel; ++column)
        for (int64_t i = 0; i < inside; ++i) {
          const auto cut = [&](int64_t from, int64_t count) {
            return Slice(from, from + (count - 1) * stride + 1, stride);
          };
          const torch::Tensor pixels =
              padded.index({Slice(), Slice(i, {}, inside), cut(row, shape_->height),
                            cut(column, shape_->width)});  // [B, groups, H', W']
          add_products(sum, pixels.repeat_interleave(per_group, 1),
                       weight.index({Slice(), row, column, i}).contiguous());
        }
    return affine(sum, {}, o.bias);
  }

  torch::Tensor activation(const packed::ActivationT& o) const {
    using packed::Function;
    const torch::Tensor& x = value(o.input);
    switch (o.function) {
      case Function::relu:
        return torch::where(x > 0, x, torch::zeros({}));
      case Function::clamp:
        return x.clamp(o.low, o.high);
      case Function::leaky:
        return torch::where(x > 0, x, x * per_channel(o.slope));
      case Function::absolute:
        return x.abs();
      case Function::divide_root:
        return 1 / (x + o.low).sqrt();
    }
    throw core::failure("a step of the program has an unknown function");
  }

  torch::Tensor binary(const packed::BinaryT& o) const {
    using packed::Arithmetic;
    const torch::Tensor &a = value(o.a), &b = value(o.b);
    switch (o.arithmetic) {
      case Arithmetic::add:
        return a + b;
      case Arithmetic::subtract:
        return a - b;
      case Arithmetic::multiply:
        return a * b;
      case Arithmetic::divide:
        return a / b;
    }
    throw core::failure("a step of the program has an unknown arithmetic");
  }

  torch::Tensor quantize(const packed::QuantizeT& o) const {
    const torch::Tensor& x = value(o.input);
    const auto count = static_cast<int64_t>(o.thresholds.size()) / o.groups;
    const torch::Tensor thresholds = floats(o.thresholds).view({o.groups, count});
    const int64_t channels = x.size(1) / o.groups;
    std::vector<torch::Tensor> parts;
    for (int64_t group = 0; group < o.groups; ++group) {
      const torch::Tensor part =
          x.index({Slice(), Slice(group * channels, (group + 1) * channels)}).contiguous();
      const torch::Tensor counted = torch::bucketize(part, thresholds[group].contiguous(),
                                                     /*out_int32=*/true, /*right=*/true);
      parts.push_back(counted.masked_fill(part.isnan(), 0).to(torch::kUInt8));
    }
    return torch::cat(parts, 1);
  }

  torch::Tensor dequantize(const packed::DequantizeT& o) const {
    const torch::Tensor& codes = value(o.input);
    const auto count = static_cast<int64_t>(o.levels.size()) / o.groups;
    const int64_t channels = codes.size(1) / o.groups;
    const torch::Tensor group =
        torch::arange(codes.size(1), torch::kInt64).div(channels, "floor").view({1, -1, 1, 1});
    const torch::Tensor places = codes.to(torch::kInt64) + group * count;
    return floats(o.levels).index_select(0, places.flatten()).view(codes.sizes());
  }

  torch::Tensor pool(const packed::PoolT& o) const {
    const torch::Tensor& x = value(o.input);
    const int64_t kernel = o.window->kernel(), stride = o.window->stride(),
                  padding = o.window->padding();
    if (o.pooling == packed::Pooling::maximum)
      return torch::max_pool2d(x, kernel, stride, padding, 1, o.ceil);
    const torch::Tensor padded = torch::constant_pad_nd(x, {padding, padding, padding, padding});
    torch::Tensor sum = torch::zeros({x.size(0), x.size(1), shape_->height, shape_->width});
    for (int64_t row = 0; row < kernel; ++row)
      for (int64_t column = 0; column < kernel; ++column)
        sum =
            sum + padded.index({Slice(), Slice(),
                                Slice(row, row + (shape_->height - 1) * stride + 1, stride),
                                Slice(column, column + (shape_->width - 1) * stride + 1, stride)});
    return sum * (1.0F / static_cast<float>(kernel * kernel));
  }

  torch::Tensor mean(const packed::MeanT& o) const {
    torch::Tensor x = value(o.input);
    int64_t count = 1;
    const auto sum_over = [&x, &count](int64_t dim) {
      torch::Tensor sum = torch::zeros_like(x.select(dim, 0));
      for (int64_t i = 0; i < x.size(dim); ++i) sum = sum + x.select(dim, i);
      count *= x.size(dim);
      x = sum.unsqueeze(dim);
    };
    if (o.over_pixels) {
      const torch::Tensor pixels = x.flatten(2);
      x = pixels.unsqueeze(3);
      sum_over(2);
    }
    if (o.over_channels) sum_over(1);
    return x / static_cast<float>(count);
  }

  torch::Tensor rearrange(const packed::RearrangeT& o) const {
    using packed::Layout;
    const torch::Tensor& x = value(o.input);
    const int64_t cell = o.cell;
    switch (o.layout) {
      case Layout::space_to_depth:
        return torch::pixel_unshuffle(x, cell);
      case Layout::depth_to_space:
        return torch::pixel_shuffle(x, cell);
      case Layout::repeat:
        return x.repeat({1, cell, 1, 1});
      case Layout::pad:
        return torch::constant_pad_nd(x, {cell, cell, cell, cell});
      case Layout::slice:
        return x.index({Slice(), Slice(o.first, o.first + shape_->channels)});
      case Layout::flatten:
        return x;
    }
    throw core::failure("a step of the program has an unknown layout");
  }

  const packed::ModelT& model_;
  const packed::ValueT* shape_ = nullptr;  // of the step that runs
  std::vector<torch::Tensor> values_;
};

}  // namespace

std::vector<torch::Tensor> evaluate(const packed::ModelT& model, const torch::Tensor& images) {
  const torch::NoGradGuard no_grad;
  return Evaluator(model, images).run();
}

}  // namespace lowbit::deploy
