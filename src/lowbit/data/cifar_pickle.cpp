#include "lowbit/data/cifar_pickle.h"

#include "lowbit/core/error.h"
#include "lowbit/core/pickle.h"

namespace lowbit::data {
namespace {

using core::PickleKind;
using core::PickleNode;
using core::PickleTree;

constexpr int64_t kImageNumbers = 3 * 32 * 32;

// Python 2 did not tell text from bytes; what it wrote is read as either.
bool is_string(const PickleNode& node) {
  return node.kind == PickleKind::text || node.kind == PickleKind::bytes;
}

const PickleNode& entry(const PickleTree& tree, std::string_view key) {
  const PickleNode& dict = tree[tree.root];
  if (dict.kind == PickleKind::dict)
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2)
      if (const PickleNode& name = tree[dict.items[i]]; is_string(name) && name.text == key)
        return tree[dict.items[i + 1]];
  throw core::failure("a pickle without the entry '{}'", key);
}

bool is_made_by(const PickleTree& tree, const PickleNode& node, std::string_view module,
                std::string_view function) {
  if (node.kind != PickleKind::object) return false;
  const std::string& maker = tree[node.maker].text;
  // numpy's private modules got another name in its version 2.
  return maker == fmt::format("numpy.core.{}.{}", module, function) ||
         maker == fmt::format("numpy._core.{}.{}", module, function);
}

bool is_uint8(const PickleTree& tree, const PickleNode& type) {
  if (type.kind != PickleKind::object || tree[type.maker].text != "numpy.dtype") return false;
  const std::vector<core::PickleRef>& arguments = tree[type.arguments].items;
  return !arguments.empty() && tree[arguments.front()].text == "u1";
}

// What a pickled array of numpy consists of.
struct Array {
  const PickleNode &shape, &type, &content;
  bool in_rows;
};

Array array_of(const PickleTree& tree, const PickleNode& node) {
  // Protocol 5: _frombuffer(content, dtype, shape, order).
  if (is_made_by(tree, node, "numeric", "_frombuffer")) {
    const std::vector<core::PickleRef>& made_of = tree[node.arguments].items;
    if (made_of.size() == 4)
      return {tree[made_of[2]], tree[made_of[1]], tree[made_of[0]], tree[made_of[3]].is_text("C")};
  }
  // Before: _reconstruct(...), then the state (version, shape, dtype, in columns, content).
  if (is_made_by(tree, node, "multiarray", "_reconstruct")) {
    const std::vector<core::PickleRef>& state = tree[node.state].items;
    if (state.size() == 5)
      return {tree[state[1]], tree[state[2]], tree[state[4]], tree[state[3]].integer == 0};
  }
  throw core::failure("its entry 'data' is no array of numpy");
}

// [N, 3072]
std::string images(const PickleTree& tree, const PickleNode& node) {
  const Array array = array_of(tree, node);
  const std::vector<core::PickleRef>& sizes = array.shape.items;
  const auto bytes = static_cast<int64_t>(array.content.text.size());
  const bool fits = sizes.size() == 2 && tree[sizes[1]].integer == kImageNumbers && array.in_rows &&
                    is_uint8(tree, array.type) && is_string(array.content) &&
                    bytes % kImageNumbers == 0 && tree[sizes[0]].integer == bytes / kImageNumbers &&
                    bytes > 0;
  if (!fits)
    throw core::failure("its entry 'data' is no array of N x {} bytes, row by row", kImageNumbers);
  return array.content.text;
}

const PickleNode& list(const PickleTree& tree, std::string_view key) {
  const PickleNode& node = entry(tree, key);
  if (node.kind != PickleKind::list) throw core::failure("its entry '{}' is no list", key);
  return node;
}

}  // namespace

CifarPickle read_cifar_batch(std::string_view pickle, std::string_view label_key) {
  const PickleTree tree = core::read_pickle(pickle);
  CifarPickle batch{images(tree, entry(tree, "data")), {}};
  for (const core::PickleRef item : list(tree, label_key).items) {
    const PickleNode& label = tree[item];
    if (label.kind != PickleKind::integer || label.integer < 0 || label.integer > 255)
      throw core::failure("its entry '{}' holds more than numbers of classes", label_key);
    batch.labels.push_back(label.integer);
  }
  const size_t count = batch.pixels.size() / kImageNumbers;
  if (batch.labels.size() != count)
    throw core::failure("it has {} images and {} labels", count, batch.labels.size());
  return batch;
}

std::vector<std::string> read_cifar_names(std::string_view pickle, std::string_view key) {
  const PickleTree tree = core::read_pickle(pickle);
  std::vector<std::string> names;
  for (const core::PickleRef item : list(tree, key).items) {
    if (!is_string(tree[item])) throw core::failure("its entry '{}' holds more than names", key);
    names.push_back(tree[item].text);
  }
  return names;
}

}  // namespace lowbit::data
