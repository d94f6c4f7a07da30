#include "lowbit/optim/gradient_buckets.h"

#include <torch/autograd.h>

namespace lowbit::optim {
namespace {

// Small enough that the first sums run beside most of the backward pass, large enough for the
// bandwidth between the devices.
constexpr int64_t kBucketBytes = 8 << 20;

}  // namespace

GradientBuckets::GradientBuckets(distributed::Group& group, std::vector<torch::Tensor> parameters)
    : group_(group), parameters_(std::move(parameters)), bucket_of_(parameters_.size()) {
  std::vector<size_t> next;
  int64_t bytes = 0;
  for (size_t i = parameters_.size(); i-- > 0;) {
    const bool other_type =
        !next.empty() && parameters_[next[0]].scalar_type() != parameters_[i].scalar_type();
    if (bytes >= kBucketBytes || other_type) {
      add_bucket(std::exchange(next, {}));
      bytes = 0;
    }
    next.push_back(i);
    bytes += static_cast<int64_t>(parameters_[i].nbytes());
  }
  if (!next.empty()) add_bucket(next);
  for (size_t i = 0; i < parameters_.size(); ++i)
    hooks_.push_back(parameters_[i].register_hook(
        [this, i](const torch::Tensor& gradient) { on_gradient(i, gradient); }));
}

GradientBuckets::~GradientBuckets() {
  for (size_t i = 0; i < parameters_.size(); ++i) parameters_[i].remove_hook(hooks_[i]);
}

void GradientBuckets::add_bucket(const std::vector<size_t>& parameters) {
  Bucket bucket;
  bucket.parameters = parameters;
  int64_t size = 0;
  for (const size_t i : parameters) {
    bucket_of_[i] = buckets_.size();
    size += parameters_[i].numel();
  }
  bucket.flat = torch::zeros({size}, parameters_[parameters[0]].options().requires_grad(false));
  int64_t at = 0;
  for (const size_t i : parameters) {
    // In the parameter's memory format, as its gradient has it.
    const torch::Tensor& like = parameters_[i];
    bucket.views.push_back(
        bucket.flat.narrow(0, at, like.numel()).as_strided(like.sizes(), like.strides()));
    at += like.numel();
  }
  buckets_.push_back(std::move(bucket));
}

// Called by the backward pass, on its thread; one after the other.
void GradientBuckets::on_gradient(size_t parameter, const torch::Tensor& gradient) {
  arrived_[parameter] = gradient.detach();
  ++buckets_[bucket_of_[parameter]].ready;
  while (next_ < buckets_.size() && buckets_[next_].ready == buckets_[next_].parameters.size())
    start_sum(buckets_[next_++]);
}

void GradientBuckets::start_sum(Bucket& bucket) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> to, from;
  for (size_t k = 0; k < bucket.parameters.size(); ++k) {
    const torch::Tensor& gradient = arrived_[bucket.parameters[k]];
    if (!gradient.defined()) {
      bucket.views[k].zero_();
      continue;
    }
    to.push_back(bucket.views[k]);
    from.push_back(gradient);
  }
  if (!to.empty()) torch::_foreach_copy_(to, from);
  bucket.sum = group_.start_sum(bucket.flat);
}

std::vector<torch::Tensor> GradientBuckets::gradients(const torch::Tensor& loss) {
  arrived_.assign(parameters_.size(), {});
  next_ = 0;
  for (Bucket& bucket : buckets_) bucket.ready = 0;
  torch::autograd::grad({loss}, parameters_, /*grad_outputs=*/{}, /*retain_graph=*/false,
                        /*create_graph=*/false, /*allow_unused=*/true);
  while (next_ < buckets_.size()) start_sum(buckets_[next_++]);
  std::vector<torch::Tensor> sums(parameters_.size());
  for (Bucket& bucket : buckets_) {
    bucket.sum->wait();
    bucket.sum.reset();
    for (size_t k = 0; k < bucket.parameters.size(); ++k)
      if (arrived_[bucket.parameters[k]].defined()) sums[bucket.parameters[k]] = bucket.views[k];
  }
  arrived_.clear();
  return sums;
}

}  // namespace lowbit::optim
