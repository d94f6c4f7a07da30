#include "lowbit/quant/factory.h"

#include "lowbit/core/error.h"
#include "lowbit/quant/dorefa.h"
#include "lowbit/quant/lq.h"
#include "lowbit/quant/lsq.h"
#include "lowbit/quant/non_uniform.h"
#include "lowbit/quant/pact.h"
#include "lowbit/quant/xnor.h"

namespace lowbit::quant {
namespace {

struct Row {
  config::Method method;
  std::shared_ptr<Quantizer> (*make)(const QuantShape&, const config::QuantOptions&);
};

constexpr Row kFactory[] = {
    {config::Method::dorefa, make_dorefa},
    {config::Method::pact, make_pact},
    {config::Method::lsq, make_lsq},
    {config::Method::lq, make_lq},
    {config::Method::non_uniform, make_non_uniform},
    {config::Method::xnor, make_xnor},
};

}  // namespace

std::shared_ptr<Quantizer> make_quantizer(const QuantShape& shape,
                                          const config::QuantOptions& options) {
  if (!options.enable) return nullptr;
  for (const Row& row : kFactory)
    if (row.method == options.method) return row.make(shape, options);
  throw core::usage_error("this quantization method is not built yet");
}

}  // namespace lowbit::quant
