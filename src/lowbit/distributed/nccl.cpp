#include "lowbit/distributed/nccl.h"

#include "lowbit/core/error.h"

#ifdef LOWBIT_CUDA
#define USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

namespace lowbit::distributed {

#ifdef LOWBIT_CUDA
c10::intrusive_ptr<c10d::Backend> open_nccl(const c10::intrusive_ptr<c10d::Store>& store,
                                            const Place& place, torch::Device device,
                                            std::chrono::milliseconds longest_wait) {
  const auto options = c10d::ProcessGroupNCCL::Options::create(/*is_high_priority_stream=*/true);
  options->timeout = longest_wait;
  const auto engine =
      c10::make_intrusive<c10d::ProcessGroupNCCL>(store, place.rank, place.size, options);
  engine->setBoundDeviceId(device);
  return engine;
}
#else
c10::intrusive_ptr<c10d::Backend> open_nccl(const c10::intrusive_ptr<c10d::Store>&, const Place&,
                                            torch::Device, std::chrono::milliseconds) {
  throw core::failure("this build has no CUDA part, hence no NCCL");
}
#endif

}  // namespace lowbit::distributed
