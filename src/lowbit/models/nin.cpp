#include "lowbit/models/nin.h"

#include "lowbit/nn/activation.h"
#include "lowbit/nn/norm.h"
#include "lowbit/nn/pool.h"
#include "lowbit/nn/quant_conv.h"

namespace lowbit::models {
namespace {

// The layers one after another under the name `body`, then the global average.
class NetworkInNetwork : public Network {
 public:
  explicit NetworkInNetwork(const config::ModelOptions& options) : Network(options) {
    add_first_conv();
    add_conv(160, 1);
    add_conv(96, 1);
    body_.push_back(std::make_shared<nn::MaxPool>(/*size=*/3, /*stride=*/2, /*padding=*/1));
    add_conv(192, 5);
    add_conv(192, 1);
    add_conv(192, 1);
    body_.push_back(std::make_shared<nn::AveragePool>(/*size=*/3, /*stride=*/2, /*padding=*/1));
    add_conv(192, 3);
    add_conv(192, 1);
    add_last_conv();
    register_module("body", std::make_shared<nn::Sequence>(body_));
    modules_are_complete();
  }

 protected:
  torch::Tensor logits(const torch::Tensor& images) override {
    torch::Tensor x = images;
    for (const nn::LayerPtr& layer : body_) x = layer->forward(x);
    // Half precision ends here.
    return x.to(torch::promote_types(x.scalar_type(), torch::kFloat)).mean({2, 3});
  }

 private:
  nn::ConvShape next(int64_t out, int64_t kernel, bool bias) const {
    return {.in = channels_, .out = out, .kernel = kernel, .padding = kernel / 2, .bias = bias};
  }
  // With the norm and the activation behind it.
  void add(nn::LayerPtr conv, int64_t out) {
    body_.insert(body_.end(), {std::move(conv), nn::make_norm(out, options()),
                               nn::make_activation(options().activation)});
    channels_ = out;
  }
  void add_conv(int64_t out, int64_t kernel) {
    add(std::make_shared<nn::QuantConv2d>(next(out, kernel, /*bias=*/false), options()), out);
  }
  // The outer two stay full precision.
  void add_first_conv() { add(std::make_shared<nn::Conv2d>(next(192, 5, /*bias=*/true)), 192); }
  void add_last_conv() {
    const int64_t classes = options().num_classes;
    add(std::make_shared<nn::Conv2d>(next(classes, 1, /*bias=*/true)), classes);
  }

  int64_t channels_ = 3;
  std::vector<nn::LayerPtr> body_;
};

}  // namespace

std::shared_ptr<Network> make_nin(const config::ModelOptions& options) {
  return std::make_shared<NetworkInNetwork>(options);
}

}  // namespace lowbit::models
