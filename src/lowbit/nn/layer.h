// A module that maps one tensor to one tensor, and a sequence of such modules.
#pragma once

#include <torch/nn/module.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lowbit::nn {

class Layer : public torch::nn::Module {
 public:
  // Sees a layer, what it was given, and what it has just returned.
  using Probe = std::function<void(const Layer&, const torch::Tensor&, const torch::Tensor&)>;

  torch::Tensor forward(const torch::Tensor& x) {
    torch::Tensor y = compute(x);
    if (probe_) (*probe_)(*this, x, y);
    return y;
  }

  // The dotted name within the network, as in checkpoints; the network sets it.
  const std::string& path() const { return path_; }
  void set_path(std::string path) { path_ = std::move(path); }
  // Null: none. The caller keeps the probe alive.
  void set_probe(const Probe* probe) { probe_ = probe; }
  bool is_probed() const { return probe_; }

 protected:
  virtual torch::Tensor compute(const torch::Tensor& x) = 0;

 private:
  std::string path_;
  const Probe* probe_ = nullptr;
};

using LayerPtr = std::shared_ptr<Layer>;

class Identity : public Layer {
 protected:
  torch::Tensor compute(const torch::Tensor& x) override { return x; }
};

// Layers one after another, named 0, 1, 2, ...
class Sequence : public Layer {
 public:
  explicit Sequence(std::vector<LayerPtr> layers = {});
  const std::vector<LayerPtr>& layers() const { return layers_; }

 protected:
  torch::Tensor compute(const torch::Tensor& x) override;

 private:
  std::vector<LayerPtr> layers_;
};

}  // namespace lowbit::nn
