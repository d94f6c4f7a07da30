#ifdef LOWBIT_CUDA

#include "lowbit/data/nvjpeg.h"

#include <nvjpeg.h>

#include <vector>

#include "lowbit/core/error.h"
#include "lowbit/core/shared_library.h"

namespace lowbit::data {
namespace {

struct Functions {
  decltype(&nvjpegCreateEx) create;
  decltype(&nvjpegDestroy) destroy;
  decltype(&nvjpegJpegStateCreate) create_state;
  decltype(&nvjpegJpegStateDestroy) destroy_state;
  decltype(&nvjpegDecodeBatchedInitialize) begin_batch;
  decltype(&nvjpegDecodeBatched) decode_batch;
};

Functions load_functions() {
  const core::SharedLibrary library({"libnvjpeg.so.13"});
  if (!library.found()) throw core::failure("this machine lacks libnvjpeg.so.13");
  Functions functions{};
  library.get("nvjpegCreateEx", functions.create);
  library.get("nvjpegDestroy", functions.destroy);
  library.get("nvjpegJpegStateCreate", functions.create_state);
  library.get("nvjpegJpegStateDestroy", functions.destroy_state);
  library.get("nvjpegDecodeBatchedInitialize", functions.begin_batch);
  library.get("nvjpegDecodeBatched", functions.decode_batch);
  return functions;
}

const Functions& functions() {
  static const Functions loaded = load_functions();
  return loaded;
}

}  // namespace

struct NvJpeg::State {
  nvjpegHandle_t library = nullptr;
  nvjpegJpegState_t decoder = nullptr;
  // Of a batch.
  std::vector<const unsigned char*> bytes;
  std::vector<size_t> sizes;
  std::vector<nvjpegImage_t> images;

  State();
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

NvJpeg::State::State() {
  // Without the flag that smooths chroma, with which the engines are four times slower.
  nvjpegStatus_t status = NVJPEG_STATUS_NOT_INITIALIZED;
  for (const nvjpegBackend_t backend :
       {NVJPEG_BACKEND_HARDWARE, NVJPEG_BACKEND_GPU_HYBRID, NVJPEG_BACKEND_DEFAULT})
    if (status != NVJPEG_STATUS_SUCCESS)
      status = functions().create(backend, nullptr, nullptr, NVJPEG_FLAGS_DEFAULT, &library);
  if (status != NVJPEG_STATUS_SUCCESS)
    throw core::failure("nvJPEG does not start: status {}", static_cast<int>(status));
  status = functions().create_state(library, &decoder);
  if (status == NVJPEG_STATUS_SUCCESS) return;
  functions().destroy(library);
  throw core::failure("nvJPEG has no decoder: status {}", static_cast<int>(status));
}

NvJpeg::State::~State() {
  functions().destroy_state(decoder);
  functions().destroy(library);
}

NvJpeg::NvJpeg() : state_(std::make_unique<State>()) {}
NvJpeg::~NvJpeg() = default;

bool NvJpeg::decode(std::span<const JpegToDecode> pictures, kernels::Stream stream) {
  State& state = *state_;
  state.bytes.clear();
  state.sizes.clear();
  state.images.clear();
  for (const JpegToDecode& picture : pictures) {
    state.bytes.push_back(reinterpret_cast<const unsigned char*>(picture.bytes.data()));
    state.sizes.push_back(picture.bytes.size());
    nvjpegImage_t image{};
    image.channel[0] = picture.pixels;
    image.pitch[0] = static_cast<size_t>(picture.row_bytes);
    state.images.push_back(image);
  }
  constexpr int kThreads = 1;  // of the CPU; the back ends in use need none
  return functions().begin_batch(state.library, state.decoder, static_cast<int>(pictures.size()),
                                 kThreads, NVJPEG_OUTPUT_RGBI) == NVJPEG_STATUS_SUCCESS &&
         functions().decode_batch(state.library, state.decoder, state.bytes.data(),
                                  state.sizes.data(), state.images.data(),
                                  static_cast<cudaStream_t>(stream)) == NVJPEG_STATUS_SUCCESS;
}

}  // namespace lowbit::data

#endif
