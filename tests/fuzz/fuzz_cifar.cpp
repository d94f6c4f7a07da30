// Any bytes as a file of CIFAR's version for Python.
#include <cstdint>
#include <string_view>

#include "lowbit/core/error.h"
#include "lowbit/data/cifar_pickle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    lowbit::data::read_cifar_names(bytes, "label_names");
  } catch (const lowbit::core::Error&) {
  }
  try {
    lowbit::data::read_cifar_batch(bytes, "labels");
  } catch (const lowbit::core::Error&) {
  }
  return 0;
}
