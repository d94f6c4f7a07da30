#include "lowbit/deploy/prove.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <span>

#include "lowbit/core/error.h"
#include "lowbit/deploy/evaluate.h"
#include "lowbit/models/evaluation.h"
#include "lowbit/runtime/container.h"

namespace lowbit::deploy {
namespace {

// One image's value as the runtime lays it out: [H, W, C].
torch::Tensor laid_out(const torch::Tensor& value, int64_t image) {
  return value[image].permute({1, 2, 0}).contiguous();
}

// The number of the first element that differs, or -1.
int64_t first_difference(const uint8_t* a, const uint8_t* b, int64_t bytes, int64_t element) {
  const int64_t same = std::mismatch(a, a + bytes, b).first - a;
  return same < bytes ? same / element : -1;
}

class Comparison {
 public:
  Comparison(const std::vector<torch::Tensor>& expected, const packed::ModelT& model)
      : expected_(expected), model_(model) {}

  void run(runtime::PackedNetwork& network, const torch::Tensor& pixels, int64_t image) {
    const torch::Tensor own = pixels[image].contiguous();
    network.run_visiting(own.const_data_ptr<uint8_t>(),
                         [&](int number, std::span<const uint8_t> bytes) {
                           compare(network, number, bytes, image);
                         });
  }

  int64_t values() const { return values_; }
  int64_t numbers() const { return numbers_; }

 private:
  void compare(const runtime::PackedNetwork& network, int number, std::span<const uint8_t> bytes,
               int64_t image) {
    const torch::Tensor want = laid_out(expected_.at(static_cast<size_t>(number)), image);
    const auto size = static_cast<int64_t>(want.nbytes());
    if (size != static_cast<int64_t>(bytes.size()))
      throw core::failure("value {} of the program has {} bytes in the runtime instead of {}",
                          number, bytes.size(), size);
    const int64_t at = first_difference(static_cast<const uint8_t*>(want.const_data_ptr()),
                                        bytes.data(), size, want.element_size());
    if (at >= 0)
      throw core::failure(
          "the packed network differs from the trained one evaluated on codes: value {} ('{}', "
          "{}), number {}, image {}, kernels {}",
          number, model_.values[static_cast<size_t>(number)]->name, network.operation(number), at,
          image, network.kernels());
    // Equal bits of NaN prove nothing.
    if (want.is_floating_point() && !want.isfinite().all().item<bool>())
      throw core::failure(
          "the packed network gives numbers that are not finite: value {} ('{}', {}), "
          "image {}",
          number, model_.values[static_cast<size_t>(number)]->name, network.operation(number),
          image);
    ++values_;
    numbers_ += want.numel();
  }

  const std::vector<torch::Tensor>& expected_;
  const packed::ModelT& model_;
  int64_t values_ = 0, numbers_ = 0;
};

}  // namespace

void Proof::add(const Proof& other) {
  images += other.images;
  values += other.values;
  numbers += other.numbers;
  disagreeing += other.disagreeing;
  largest_difference = std::max(largest_difference, other.largest_difference);
  right_trained += other.right_trained;
  right_packed += other.right_packed;
}

std::string Proof::text() const {
  const auto percent = [this](int64_t count) {
    return 100 * static_cast<double>(count) / static_cast<double>(images);
  };
  return fmt::format(
      "{} images: {} numbers of {} tensors equal bit for bit to the network evaluated on codes; "
      "another class than the trained network's for {} ({:.2f} %), logits within {:.2g} of the "
      "largest; top-1 {:.2f} % packed, {:.2f} % trained",
      images, numbers, values, disagreeing, percent(disagreeing), largest_difference,
      percent(right_packed), percent(right_trained));
}

Prover::Prover(exec::GraphModule& network, const packed::ModelT& model)
    : network_(network),
      model_(model),
      fast_(runtime::seal(model), "auto", 1),
      plain_(runtime::seal(model), "reference", 1) {}

Proof Prover::prove(const torch::Tensor& pixels, const torch::Tensor& images,
                    const torch::Tensor& labels) {
  const torch::NoGradGuard no_grad;
  const models::Evaluation evaluation(network_);
  const std::vector<torch::Tensor> expected = evaluate(model_, pixels);
  Comparison comparison(expected, model_);
  comparison.run(plain_, pixels, 0);
  for (int64_t image = 0; image < pixels.size(0); ++image) comparison.run(fast_, pixels, image);

  const torch::Tensor packed = expected.back().flatten(1);
  const torch::Tensor trained =
      network_.forward(images, exec::Arithmetic::whole_numbers).to(torch::kFloat32);
  if (!trained.isfinite().all().item<bool>())
    throw core::failure("the trained network gives logits that are not finite");
  const auto count = [](const torch::Tensor& mask) { return mask.sum().item<int64_t>(); };
  const torch::Tensor packed_class = packed.argmax(1), trained_class = trained.argmax(1);
  Proof proof;
  proof.images = pixels.size(0);
  proof.values = comparison.values();
  proof.numbers = comparison.numbers();
  proof.disagreeing = count(packed_class != trained_class);
  // Where all logits are 0 any difference is as large as they are.
  proof.largest_difference =
      (packed - trained).abs().max().item<double>() /
      std::max(trained.abs().max().item<double>(), double{std::numeric_limits<float>::min()});
  proof.right_packed = count(packed_class == labels);
  proof.right_trained = count(trained_class == labels);
  return proof;
}

}  // namespace lowbit::deploy
