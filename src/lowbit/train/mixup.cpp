#include "lowbit/train/mixup.h"

#include <algorithm>
#include <limits>
#include <random>

#include "lowbit/data/shuffle.h"
#include "lowbit/kernels/math/random.h"

namespace lowbit::train {
namespace {

// Items of different batches of an epoch never meet: a batch has fewer than 2^32.
int64_t first_item(int64_t batch) {
  return batch << 32;
}

// The random bits of a batch as a source for the distributions of the standard library.
class Draws {
 public:
  using result_type = uint32_t;
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }

  Draws(uint64_t seed, int64_t epoch, int64_t batch)
      : seed_(seed), epoch_(epoch), item_(first_item(batch)) {}
  result_type operator()() {
    return kernels::random_bits(seed_, kernels::Purpose::mixup_share, epoch_, item_++).word[0];
  }

 private:
  uint64_t seed_;
  int64_t epoch_, item_;
};

// X / (X + Y) of two gamma variables. Both are 0 only for a tiny alpha: then the distribution is
// nearly a coin's.
double draw_beta(double alpha, Draws& draws) {
  std::gamma_distribution<double> gamma(alpha);
  const double x = gamma(draws), y = gamma(draws);
  return x + y > 0 ? x / (x + y) : static_cast<double>(draws() & 1);
}

}  // namespace

Mixture draw_mixture(double alpha, uint64_t seed, int64_t epoch, int64_t batch, int64_t size) {
  Draws draws(seed, epoch, batch);
  Mixture mixture{alpha > 0 ? draw_beta(alpha, draws) : 1,
                  std::vector<int64_t>(static_cast<size_t>(size))};
  data::shuffle(mixture.partners, seed, kernels::Purpose::mixup_partner, epoch, first_item(batch));
  return mixture;
}

Mixup::Mixup(double alpha, uint64_t seed, int64_t largest, torch::Device device)
    : alpha_(alpha),
      seed_(seed),
      share_(torch::ones({}, torch::dtype(torch::kFloat32).device(device))),
      partners_(torch::arange(largest, torch::dtype(torch::kInt64).device(device))) {}

void Mixup::begin(int64_t epoch, int64_t batch, int64_t size) {
  const Mixture mixture = draw_mixture(alpha_, seed_, epoch, batch, size);
  share_.fill_(mixture.share);
  // A fresh buffer each time: freed pinned memory stays untouched until the copies that torch has
  // enqueued from it are done, so nothing need be waited for here.
  const torch::Tensor partners =
      torch::empty({size}, torch::TensorOptions(torch::kInt64).pinned_memory(partners_.is_cuda()));
  std::copy(mixture.partners.begin(), mixture.partners.end(), partners.data_ptr<int64_t>());
  partners_.narrow(0, 0, size).copy_(partners, /*non_blocking=*/true);
}

torch::Tensor Mixup::partners_of(const torch::Tensor& batch) const {
  return batch.index_select(0, partners_.narrow(0, 0, batch.size(0)));
}

torch::Tensor Mixup::mix(const torch::Tensor& images) const {
  return images * share_ + partners_of(images) * (1 - share_);
}

Labels Mixup::mix_labels(const torch::Tensor& targets) const {
  return {targets, partners_of(targets), share_};
}

}  // namespace lowbit::train
