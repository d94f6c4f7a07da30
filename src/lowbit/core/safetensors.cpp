#include "lowbit/core/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lowbit/core/error.h"

namespace lowbit::core {
namespace {

constexpr size_t kLengthBytes = 8;
// Of the header, the limit of the format.
constexpr uint64_t kLongestHeader = 100'000'000;

uint64_t header_length(std::string_view bytes) {
  uint64_t length = 0;
  for (size_t i = kLengthBytes; i-- > 0;) length = length << 8 | static_cast<uint8_t>(bytes[i]);
  return length;
}

SafeTensor tensor_of(const std::string& name, const nlohmann::json& entry, std::string_view data) {
  SafeTensor tensor;
  tensor.name = name;
  tensor.type = entry.at("dtype").get<std::string>();
  for (const nlohmann::json& side : entry.at("shape")) {
    if (!side.is_number_unsigned() || side.get<uint64_t>() > INT64_MAX)
      throw failure("damaged safetensors file: a side of '{}' is none", name);
    tensor.shape.push_back(side.get<int64_t>());
  }
  const nlohmann::json& offsets = entry.at("data_offsets");
  const uint64_t begin = offsets.at(0).get<uint64_t>(), end = offsets.at(1).get<uint64_t>();
  if (begin > end || end > data.size())
    throw failure("damaged safetensors file: the data of '{}' lie outside of it", name);
  tensor.data = data.substr(begin, end - begin);
  return tensor;
}

}  // namespace

bool is_safetensors(std::string_view start) {
  return start.size() > kLengthBytes && header_length(start) <= kLongestHeader &&
         start[kLengthBytes] == '{';
}

std::vector<SafeTensor> read_safetensors(std::string_view bytes) {
  const uint64_t length = header_length(bytes);
  if (length > bytes.size() - kLengthBytes)
    throw failure("damaged safetensors file: it ends early");
  const std::string_view data = bytes.substr(kLengthBytes + length);
  std::vector<SafeTensor> tensors;
  try {
    const auto header = nlohmann::json::parse(bytes.substr(kLengthBytes, length));
    for (const auto& [name, entry] : header.items())
      if (name != "__metadata__") tensors.push_back(tensor_of(name, entry, data));
  } catch (const nlohmann::json::exception& error) {
    throw failure("damaged safetensors file: its header cannot be read").detail(error.what());
  }
  std::ranges::stable_sort(tensors, {}, [](const SafeTensor& each) { return each.data.data(); });
  // Data that several share would let a small file unfold into any size.
  for (size_t i = 1; i < tensors.size(); ++i)
    if (tensors[i - 1].data.data() + tensors[i - 1].data.size() > tensors[i].data.data())
      throw failure("damaged safetensors file: '{}' and '{}' overlap", tensors[i - 1].name,
                    tensors[i].name);
  return tensors;
}

}  // namespace lowbit::core
