#include "lowbit/quant/factory.h"

#include <utility>
#include <vector>

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
  MakeQuantizer make;
};

std::vector<Row>& factory_rows() {
  static std::vector<Row> rows = {
      {config::Method::dorefa, make_dorefa},
      {config::Method::pact, make_pact},
      {config::Method::lsq, make_lsq},
      {config::Method::lq, make_lq},
      {config::Method::non_uniform, make_non_uniform},
      {config::Method::xnor, make_xnor},
  };
  return rows;
}

}  // namespace

config::Method add_method(config::MethodRow row, MakeQuantizer make) {
  const config::Method method = config::add_method(std::move(row));
  factory_rows().push_back({method, make});
  return method;
}

std::shared_ptr<Quantizer> make_quantizer(const QuantShape& shape,
                                          const config::QuantOptions& options) {
  if (!options.enable) return nullptr;
  for (const Row& row : factory_rows())
    if (row.method == options.method) return row.make(shape, options);
  throw core::usage_error("this quantization method is not built yet");
}

}  // namespace lowbit::quant
