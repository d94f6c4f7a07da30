// From run-time types and ranges to template arguments.
#pragma once

#include "lowbit/kernels/lsq.h"
#include "lowbit/kernels/math/feature_quantizer.h"
#include "lowbit/kernels/math/lsq.h"
#include "lowbit/kernels/math/xnor.h"
#include "lowbit/kernels/types.h"
#include "lowbit/kernels/xnor.h"

namespace lowbit::kernels {

template <class T>
struct Type {
  using type = T;
};

// visit(Type<double>) for float64 arrays, visit(Type<float>) for all others: the type to compute
// in.
template <class Visit>
void visit_compute_type(ScalarType type, const Visit& visit) {
  if (type == ScalarType::float64)
    visit(Type<double>{});
  else
    visit(Type<float>{});
}

// visit(Type<the grid of the range>).
template <class T, class Visit>
void visit_grid(LsqRange range, const Visit& visit) {
  switch (range) {
    case LsqRange::half:
      return visit(Type<LsqHalfGrid<T>>{});
    case LsqRange::full:
      return visit(Type<LsqFullGrid<T>>{});
    case LsqRange::symmetric:
      return visit(Type<LsqSymmetricGrid<T>>{});
  }
}

// visit(Type<the quantizer>).
template <class T, class Visit>
void visit_feature_quantizer(FeatureQuantizerKind kind, const Visit& visit) {
  switch (kind) {
    case FeatureQuantizerKind::none:
      return visit(Type<NoFeatureQuantizer<T>>{});
    case FeatureQuantizerKind::lsq:
      return visit(Type<FormulaFeatureQuantizer<LsqHalfRange<T>>>{});
    case FeatureQuantizerKind::dorefa:
      return visit(Type<FormulaFeatureQuantizer<DorefaActivation<T>>>{});
    case FeatureQuantizerKind::pact:
      return visit(Type<FormulaFeatureQuantizer<Pact<T>>>{});
  }
}

// visit(Type<the mask>).
template <class T, class Visit>
void visit_mask(XnorMask mask, const Visit& visit) {
  switch (mask) {
    case XnorMask::none:
      return visit(Type<XnorIdentityMask<T>>{});
    case XnorMask::ste:
      return visit(Type<XnorSteMask<T>>{});
    case XnorMask::triangle:
      return visit(Type<XnorTriangleMask<T>>{});
  }
}

}  // namespace lowbit::kernels
