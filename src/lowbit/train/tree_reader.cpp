#include "lowbit/train/tree_reader.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <vector>

#include "lowbit/core/error.h"

namespace lowbit::train {
namespace {

using core::PickleKind;
using core::PickleNode;
using core::PickleRef;
using core::PickleTree;

static_assert(std::endian::native == std::endian::little, "tensors are read as they lie");

constexpr int kDeepest = 200;           // containers within one another
constexpr size_t kMostDimensions = 64;  // PyTorch's own limit
// Elements of a view that repeats those of its storage.
constexpr int64_t kLargestExpansion = 1 << 24;

int64_t size_of(const PickleNode& node) {
  if (node.kind != PickleKind::integer || node.integer < 0)
    throw core::failure("damaged: a size or offset is none");
  return node.integer;
}

// The storages of a file, each copied once out of it when first asked for.
class Storages {
 public:
  explicit Storages(StorageBytes bytes) : bytes_(std::move(bytes)) {}

  // One dimension, at least `reference.offset + reference.elements` long.
  const torch::Tensor& find(const StorageReference& reference) {
    torch::Tensor& storage = tensors_[reference.key];
    if (!storage.defined()) storage = copy(reference);
    if (storage.scalar_type() != reference.type->dtype)
      throw core::failure("damaged: tensor data '{}' is of two types", reference.key);
    if (reference.elements > storage.numel() ||
        reference.offset > storage.numel() - reference.elements)
      throw core::failure("damaged: tensor data '{}' ends early", reference.key);
    return storage;
  }

 private:
  torch::Tensor copy(const StorageReference& reference) const {
    const auto found = bytes_.find(reference.key);
    if (found == bytes_.end())
      throw core::failure("damaged: tensor data '{}' is missing", reference.key);
    const std::string_view bytes = found->second;
    const torch::Dtype dtype = reference.type->dtype;
    // Any byte but 0 is true; as a bool in memory only 1 may stand for it.
    const bool boolean = dtype == torch::kBool;
    const auto elements = static_cast<int64_t>(bytes.size() / c10::elementSize(dtype));
    torch::Tensor storage = torch::empty({elements}, boolean ? torch::kUInt8 : dtype);
    if (elements > 0) std::memcpy(storage.mutable_data_ptr(), bytes.data(), storage.nbytes());
    return boolean ? storage.ne(0) : storage;
  }

  StorageBytes bytes_;
  std::unordered_map<std::string, torch::Tensor> tensors_;
};

// The number of elements from the first to the last of a view that has any, both included; refuses
// views beyond any memory.
int64_t extent(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides) {
  int64_t reached = 1;
  for (size_t i = 0; i < sizes.size(); ++i) {
    int64_t step = 0;
    if (__builtin_mul_overflow(sizes[i] - 1, strides[i], &step) ||
        __builtin_add_overflow(reached, step, &reached))
      throw core::failure("damaged: a tensor is larger than any memory");
  }
  return reached;
}

int64_t element_count(const std::vector<int64_t>& sizes) {
  int64_t count = 1;
  bool empty = false;
  for (const int64_t size : sizes) {
    if (size == 0)
      empty = true;
    else if (__builtin_mul_overflow(count, size, &count))
      throw core::failure("damaged: a tensor is larger than any memory");
  }
  return empty ? 0 : count;
}

// Turns the nodes of a pickle into Values.
class TreeReader {
 public:
  TreeReader(const PickleTree& tree, Storages storages)
      : tree_(tree), storages_(std::move(storages)), slots_(tree.nodes.size()) {}

  Value read() { return value(tree_.root); }

 private:
  struct Slot {
    bool begun = false;
    std::optional<Value> value;
  };

  // Each node becomes one Value, however often it is referred to: the work is linear in the file.
  Value value(PickleRef ref) {
    Slot& slot = slots_[ref];
    if (slot.value) return *slot.value;
    if (slot.begun) throw core::failure("damaged: a value contains itself");
    if (++depth_ > kDeepest) throw core::failure("damaged: values are nested too deeply");
    slot.begun = true;
    slot.value = convert(tree_[ref]);
    --depth_;
    return *slot.value;
  }

  Value convert(const PickleNode& node) {
    switch (node.kind) {
      case PickleKind::none:
        return {};
      case PickleKind::boolean:
        return node.integer != 0;
      case PickleKind::integer:
        return node.integer;
      case PickleKind::long_integer:
        return Value(Value::Content(LongInteger{node.text}));
      case PickleKind::real:
        return node.real;
      case PickleKind::text:
        return node.text;
      case PickleKind::bytes:
        return Bytes{node.text};
      case PickleKind::list:
        return values(node.items);
      case PickleKind::tuple:
        return Tuple{values(node.items)};
      case PickleKind::dict:
        return dict(node.items);
      case PickleKind::set:
        return opaque("set");
      case PickleKind::global:
        return opaque(node.text);
      case PickleKind::persistent_id:
        return opaque("storage");
      case PickleKind::object:
        return object(node);
    }
    throw core::failure("damaged: a value of no kind");
  }

  static Value opaque(std::string type) { return Value(Value::Content(Opaque{std::move(type)})); }

  List values(const std::vector<PickleRef>& refs) {
    List list;
    list.reserve(refs.size());
    for (const PickleRef ref : refs) list.push_back(value(ref));
    return list;
  }

  Dict dict(const std::vector<PickleRef>& refs) {
    std::vector<Dict::Entry> entries;
    entries.reserve(refs.size() / 2);
    for (size_t i = 0; i + 1 < refs.size(); i += 2)
      entries.emplace_back(value(refs[i]), value(refs[i + 1]));
    return Dict(std::move(entries));
  }

  // The few functions whose results are plain data; no other object has a meaning here.
  Value object(const PickleNode& node) {
    const PickleNode& maker = tree_[node.maker];
    const std::vector<PickleRef>& arguments = tree_[node.arguments].items;
    const std::string& name = maker.text;
    if (maker.kind != PickleKind::global) return opaque("object");
    if (name == "torch._utils._rebuild_tensor_v2" || name == "torch._utils._rebuild_tensor")
      return tensor(arguments);
    const bool parameter = name == "torch._utils._rebuild_parameter" ||
                           name == "torch._utils._rebuild_parameter_with_state";
    if (parameter && arguments.size() >= 2) return with_gradient(value(arguments[0]), arguments[1]);
    if (name == "torch.Size" && arguments.size() == 1)
      return Tuple{values(tree_[arguments[0]].items)};
    return opaque(name);
  }

  // Parameters remember that they are trained.
  Value with_gradient(const Value& data, PickleRef required) const {
    const auto* tensor = data.get_if<torch::Tensor>();
    const bool possible = tensor && tensor->is_floating_point();
    return possible && tree_[required].integer != 0 ? tensor->detach().requires_grad_() : data;
  }

  // (storage, offset, sizes, strides, ...), offset and strides in elements.
  Value tensor(const std::vector<PickleRef>& arguments) {
    if (arguments.size() < 4 || tree_[arguments[0]].kind != PickleKind::persistent_id)
      throw core::failure("damaged: a tensor lacks its data");
    const StorageReference reference = storage_reference(tree_, tree_[arguments[0]]);
    if (!reference.type) return opaque("torch.Tensor");
    const int64_t offset = size_of(tree_[arguments[1]]);
    const std::vector<int64_t> sizes = dimensions(arguments[2]), strides = dimensions(arguments[3]);
    if (sizes.size() != strides.size() || sizes.size() > kMostDimensions)
      throw core::failure("damaged: a tensor's sizes and strides do not fit together");

    const torch::Tensor& storage = storages_.find(reference);
    const int64_t elements = element_count(sizes);
    if (elements == 0) return torch::empty(sizes, reference.type->dtype);
    const int64_t needed = extent(sizes, strides);
    if (needed > reference.elements || offset > reference.elements - needed)
      throw core::failure("damaged: a tensor reaches beyond its data");
    if (elements > std::max(reference.elements, kLargestExpansion))
      throw core::failure("damaged: a tensor of {} elements over {}", elements, reference.elements);
    return torch::empty({0}, storage.options())
        .set_(storage.storage(), reference.offset + offset, sizes, strides);
  }

  std::vector<int64_t> dimensions(PickleRef ref) const {
    const PickleNode& node = tree_[ref];
    if (node.kind != PickleKind::tuple && node.kind != PickleKind::list)
      throw core::failure("damaged: the shape of a tensor is none");
    std::vector<int64_t> sizes;
    for (const PickleRef item : node.items) sizes.push_back(size_of(tree_[item]));
    return sizes;
  }

  const PickleTree& tree_;
  Storages storages_;
  std::vector<Slot> slots_;
  int depth_ = 0;
};

}  // namespace

StorageReference storage_reference(const PickleTree& tree, const PickleNode& persistent_id) {
  const PickleNode& id = tree[persistent_id.items[0]];
  if (id.kind != PickleKind::tuple || id.items.size() < 5 ||
      !tree[id.items[0]].is_text("storage") || tree[id.items[1]].kind != PickleKind::global ||
      tree[id.items[2]].kind != PickleKind::text)
    throw core::failure("damaged: a reference to tensor data is none");
  StorageReference reference{.key = tree[id.items[2]].text, .elements = size_of(tree[id.items[4]])};
  for (const StorageType& type : storage_types)
    if (tree[id.items[1]].text == fmt::format("torch.{}", type.name)) reference.type = &type;
  if (id.items.size() > 5 && tree[id.items[5]].kind == PickleKind::tuple) {
    const PickleNode& view = tree[id.items[5]];  // (key, offset, elements)
    if (view.items.size() != 3) throw core::failure("damaged: a view of tensor data is none");
    reference.offset = size_of(tree[view.items[1]]);
    reference.elements = size_of(tree[view.items[2]]);
  }
  return reference;
}

Value read_tree(const PickleTree& tree, StorageBytes storages) {
  return TreeReader(tree, Storages(std::move(storages))).read();
}

}  // namespace lowbit::train
