#include "lowbit/tensor/host_copy.h"

#include <gtest/gtest.h>
#include <torch/cuda.h>

namespace lowbit::tensor {
namespace {

using torch::Tensor;

// Of several types and sizes, some not row-major, one without elements.
std::vector<Tensor> some(torch::Device device) {
  torch::manual_seed(1);
  return {torch::rand({2, 3, 4, 5}, device).contiguous(torch::MemoryFormat::ChannelsLast),
          torch::tensor(1.5, torch::dtype(torch::kFloat64).device(device)),
          torch::arange(6, device).view({2, 3}).t(),
          torch::empty({0, 3}, device),
          torch::rand({7}, device).requires_grad_(),
          torch::rand({2, 2}, device).to(torch::kFloat16)};
}

void expect_on_host(const std::vector<Tensor>& tensors) {
  const std::vector<Tensor> copies = to_host(tensors);
  ASSERT_EQ(copies.size(), tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    EXPECT_TRUE(copies[i].is_cpu()) << i;
    EXPECT_TRUE(copies[i].is_contiguous()) << i;
    EXPECT_FALSE(copies[i].requires_grad()) << i;
    EXPECT_EQ(copies[i].scalar_type(), tensors[i].scalar_type()) << i;
    EXPECT_TRUE(copies[i].equal(tensors[i].cpu())) << i;
  }
}

TEST(ToHost, GivesRowMajorTensorsInTheirOrder) {
  expect_on_host(some(torch::kCPU));
}

TEST(ToHost, CopiesNothingThatIsThereAlready) {
  const Tensor there = torch::rand({2, 3});
  EXPECT_TRUE(to_host({there})[0].is_alias_of(there));
}

TEST(ToHost, TakesTensorsOfADevice) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "no GPU";
  std::vector<Tensor> mixed = some(torch::kCUDA);
  mixed.insert(mixed.begin() + 1, torch::rand({3}));
  expect_on_host(mixed);
}

}  // namespace
}  // namespace lowbit::tensor
