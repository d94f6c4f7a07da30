#include <fmt/format.h>

#include "lowbit/models/families/families.h"
#include "lowbit/models/families/layers.h"

namespace lowbit::models::families {
namespace {

// The layers body.0, body.1, ... one after another.
class NinBody {
 public:
  NinBody(Builder& b, ValueId x, const config::ModelOptions& options) : b_(b), x_(x), o_(options) {}

  // With the norm and the activation behind it.
  void conv(int64_t out, int64_t kernel) { add_conv(out, kernel, Precision::free); }
  // Full precision, with a bias: the outer two.
  void end_conv(int64_t out, int64_t kernel) { add_conv(out, kernel, Precision::fixed); }
  void pool(graph::Pool::Kind kind) {
    x_ = b_.node(next(), graph::Pool{.kind = kind, .kernel = 3, .stride = 2, .padding = 1}, {x_});
  }
  ValueId result() const { return x_; }

 private:
  std::string next() { return fmt::format("body.{}", place_++); }

  void add_conv(int64_t out, int64_t kernel, Precision precision) {
    x_ = b_.convolution(next(), x_,
                        {.out = out,
                         .kernel = kernel,
                         .padding = kernel / 2,
                         .bias = precision == Precision::fixed,
                         .precision = precision});
    x_ = norm(b_, next(), x_, o_);
    x_ = activation(b_, next(), x_, o_.activation);
  }

  Builder& b_;
  ValueId x_;
  const config::ModelOptions& o_;
  int place_ = 0;
};

}  // namespace

graph::Graph nin(const config::ModelOptions& options, const graph::Dims& image) {
  Builder b(options.name);
  NinBody body(b, b.input(image), options);
  body.end_conv(192, 5);
  body.conv(160, 1);
  body.conv(96, 1);
  body.pool(graph::Pool::Kind::max);
  body.conv(192, 5);
  body.conv(192, 1);
  body.conv(192, 1);
  body.pool(graph::Pool::Kind::average);
  body.conv(192, 3);
  body.conv(192, 1);
  body.end_conv(options.num_classes, 1);
  const ValueId x = b.node("widen", graph::Widen{}, {body.result()});
  return b.finish(b.global_average("average", x));
}

}  // namespace lowbit::models::families
