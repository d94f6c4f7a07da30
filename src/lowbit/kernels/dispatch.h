// The one place where an operator's back end is chosen.
#pragma once

#include "lowbit/kernels/types.h"

namespace lowbit::kernels {

template <class Args>
void dispatch(Backend backend, const Args& args, Stream stream, void (&reference)(const Args&),
              void (&cpu)(const Args&), void (&cuda)(const Args&, Stream)) {
  switch (backend) {
    case Backend::reference:
      return reference(args);
    case Backend::cpu:
      return cpu(args);
    case Backend::cuda:
      return cuda(args, stream);
  }
}

}  // namespace lowbit::kernels
