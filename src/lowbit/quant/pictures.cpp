#include "lowbit/quant/pictures.h"

#include "lowbit/core/files.h"

namespace lowbit::quant {
namespace {

using config::Method;
using config::QuantOptions;
using config::Tag;

// Two bits, activations in half range, as by default.
QuantOptions two_bits(Method method, Tag tag) {
  QuantOptions options;
  options.enable = true;
  options.method = method;
  options.bit = 2;
  options.half_range = tag == Tag::fm;
  return options;
}

Panel activations(Method method) {
  return {"activations, 4 levels", Tag::fm, two_bits(method, Tag::fm)};
}

Panel weights(Method method) {
  return {"weights, 4 levels", Tag::wt, two_bits(method, Tag::wt)};
}

Picture symmetry() {
  Panel even = weights(Method::lsq), ternary = even;
  even.title = "weights, symmetry, 8 levels";
  even.options.bit = 3;
  ternary.title = "weights, symmetry, 4 levels";
  even.options.symmetry = ternary.options.symmetry = true;
  return {"symmetry", {ternary, even}};
}

Picture non_uniform() {
  Panel codes = activations(Method::non_uniform), ternary = weights(Method::non_uniform);
  codes.low = -1;
  codes.high = 3.5;
  ternary.title = "weights, 3 levels";
  ternary.options.level = 3;
  codes.options.scale = ternary.options.scale = 1;
  return {"non-uniform", {codes, ternary}};
}

Picture lq() {
  Picture picture{"lq", {activations(Method::lq), weights(Method::lq)}};
  for (Panel& panel : picture.panels) {
    panel.low = -2.5;
    panel.high = 2.5;
  }
  return picture;
}

Picture xnor() {
  Panel triangle = activations(Method::xnor), straight = weights(Method::xnor);
  triangle.title = "activations, Triangle";
  triangle.options.grad_type = config::GradType::triangle;
  straight.title = "weights, STE";
  straight.options.grad_type = config::GradType::ste;
  triangle.options.bit = straight.options.bit = 1;
  return {"xnor", {triangle, straight}};
}

Picture proxquant() {
  Panel half = activations(Method::lsq), quarter = half;
  half.title = "LSQ activations, p = 0.5";
  half.proxquant = 0.5;
  quarter.title = "LSQ activations, p = 0.25";
  quarter.proxquant = 0.25;
  half.options.proxquant = quarter.options.proxquant = true;
  return {"proxquant", {half, quarter}};
}

}  // namespace

std::vector<Picture> pictures() {
  return {
      {"dorefa", {activations(Method::dorefa), weights(Method::dorefa)}},
      {"pact", {activations(Method::pact)}},
      {"lsq", {activations(Method::lsq), weights(Method::lsq)}},
      symmetry(),
      non_uniform(),
      lq(),
      xnor(),
      proxquant(),
  };
}

std::vector<std::filesystem::path> write_pictures(const std::filesystem::path& folder) {
  core::make_writable_folder(folder);
  std::vector<std::filesystem::path> written;
  for (const Picture& picture : pictures()) {
    written.push_back(folder / (picture.name + ".svg"));
    core::replace_file(written.back(), svg(picture.panels));
  }
  return written;
}

}  // namespace lowbit::quant
