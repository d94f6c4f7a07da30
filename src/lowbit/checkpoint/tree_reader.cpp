#include "lowbit/checkpoint/tree_reader.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <vector>

#include "lowbit/core/error.h"
#include "lowbit/core/pickled_module.h"

namespace lowbit::checkpoint {
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

  Value object(const PickleNode& node) {
    if (modules_.is_module(node)) return module(node);
    if (node.pairs) return dict(node.items);  // a subclass of dict
    if (tree_[node.maker].kind != PickleKind::global) return opaque("object");
    const std::string& name = tree_[node.maker].text;
    const PickleNode& state = tree_[node.state];
    // Tensors of the first versions of PyTorch.
    const bool tensor_class = name.starts_with("torch.") && name.ends_with("Tensor");
    if (tensor_class && state.kind == PickleKind::tuple && state.items.size() == 4 &&
        tree_[state.items[0]].kind == PickleKind::persistent_id)
      return tensor(state.items);
    return result_of(name, tree_[node.arguments].items);
  }

  // The few functions and classes whose results are plain data; no other call has a meaning here.
  Value result_of(const std::string& name, const std::vector<PickleRef>& arguments,
                  bool within = false) {
    if (name == "torch._utils._rebuild_tensor_v2" || name == "torch._utils._rebuild_tensor")
      return tensor(arguments);
    if (name == "torch._utils._rebuild_tensor_v3" && arguments.size() >= 7)
      return tensor(arguments, &tree_[arguments[6]]);
    // (function, class, its arguments, attributes): a subclass of Tensor, or one with attributes.
    const bool typed =
        name == "torch._tensor._rebuild_from_type_v2" || name == "torch._tensor._rebuild_from_type";
    if (typed && !within && arguments.size() >= 3)
      return result_of(tree_[arguments[0]].text, tree_[arguments[2]].items, /*within=*/true);
    const bool parameter = name == "torch._utils._rebuild_parameter" ||
                           name == "torch._utils._rebuild_parameter_with_state" ||
                           name == "torch.nn.parameter.Parameter";
    if (parameter && arguments.size() >= 2) return with_gradient(value(arguments[0]), arguments[1]);
    const bool only_wrapped = parameter || name == "collections.Counter" ||
                              name == "torch._utils._rebuild_device_tensor_from_cpu_tensor";
    if (only_wrapped && !arguments.empty()) return value(arguments[0]);
    if (name == "torch.Size" && arguments.size() == 1)
      return Tuple{values(tree_[arguments[0]].items)};
    if (name == "collections.defaultdict") return Dict{};
    if (name.ends_with("multiarray.scalar") && arguments.size() == 2)
      return numpy_scalar(tree_[arguments[0]], tree_[arguments[1]].text);
    return opaque(kind_of(name));
  }

  // What a call that is not read would make.
  static std::string kind_of(const std::string& name) {
    static constexpr std::pair<std::string_view, const char*> kKinds[] = {
        {"torch._utils._rebuild_qtensor", "quantized tensor"},
        {"torch._utils._rebuild_sparse_tensor", "sparse tensor"},
        {"torch._utils._rebuild_sparse_csr_tensor", "sparse tensor"},
        {"torch._utils._rebuild_nested_tensor", "nested tensor"},
        {"torch._utils._rebuild_meta_tensor_no_storage", "tensor without data (device meta)"},
        {"torch._utils._rebuild_wrapper_subclass", "tensor of a subclass"},
        {"torch._utils._rebuild_device_tensor_from_numpy", "tensor of a foreign device"},
        {"numpy.core.multiarray._reconstruct", "numpy.ndarray"},
        {"numpy._core.multiarray._reconstruct", "numpy.ndarray"},
        {"numpy.core.numeric._frombuffer", "numpy.ndarray"},
        {"numpy._core.numeric._frombuffer", "numpy.ndarray"}};
    for (const auto& [maker, kind] : kKinds)
      if (name == maker) return kind;
    return name;
  }

  Dict module(const PickleNode& node) {
    std::vector<Dict::Entry> entries;
    for (const auto& [name, ref] : modules_.state_of(node)) entries.emplace_back(name, value(ref));
    return Dict(std::move(entries));
  }

  // --- numpy ---

  // dtype: numpy.dtype("f8", ...) with the state (version, byte order, ...).
  static Value numpy_scalar(std::string_view code, char order, std::string_view bytes) {
    const auto read = [&]<class T>(T) {
      T number;
      if (bytes.size() != sizeof number) throw core::failure("damaged: a number of numpy");
      std::memcpy(static_cast<void*>(&number), bytes.data(), sizeof number);
      return number;
    };
    if (order != '>') {
      if (code == "f8") return read(double());
      if (code == "f4") return read(float());
      if (code == "f2") return static_cast<float>(read(c10::Half()));
      if (code == "i8") return read(int64_t());
      if (code == "i4") return read(int32_t());
      if (code == "i2") return read(int16_t());
      if (code == "i1") return read(int8_t());
      if (code == "u4") return read(uint32_t());
      if (code == "u2") return read(uint16_t());
      if (code == "u1") return read(uint8_t());
      if (code == "u8")
        if (const auto number = read(uint64_t()); number <= INT64_MAX)
          return static_cast<int64_t>(number);
      if (code == "b1") return read(uint8_t()) != 0;
    }
    return opaque(fmt::format("numpy scalar ({})", code));
  }

  Value numpy_scalar(const PickleNode& dtype, std::string_view bytes) const {
    const std::vector<PickleRef>& arguments = tree_[dtype.arguments].items;
    const std::vector<PickleRef>& state = tree_[dtype.state].items;
    if (dtype.kind != PickleKind::object || arguments.empty()) return opaque("numpy scalar");
    const std::string_view order = state.size() > 1 ? std::string_view(tree_[state[1]].text) : "";
    return numpy_scalar(tree_[arguments[0]].text, order.empty() ? '|' : order[0], bytes);
  }

  // --- tensors ---

  // Parameters remember that they are trained.
  Value with_gradient(const Value& data, PickleRef required) const {
    const auto* tensor = data.get_if<torch::Tensor>();
    const bool possible = tensor && tensor->is_floating_point();
    return possible && tree_[required].integer != 0 ? tensor->detach().requires_grad_() : data;
  }

  // (storage, offset, sizes, strides, ...), offset and strides in elements. named_type: of a
  // tensor over an untyped storage.
  Value tensor(const std::vector<PickleRef>& arguments, const PickleNode* named_type = nullptr) {
    if (arguments.size() < 4 || tree_[arguments[0]].kind != PickleKind::persistent_id)
      throw core::failure("damaged: a tensor lacks its data");
    const StorageReference reference = storage_reference(tree_, tree_[arguments[0]]);
    const StorageType* type = named_type ? type_named(named_type->text) : reference.type;
    if (!reference.type || !type)
      return opaque(fmt::format("tensor of {}", type         ? reference.class_name
                                                : named_type ? named_type->text
                                                             : reference.class_name));
    if (c10::isQIntType(type->dtype)) return opaque("quantized tensor");
    if (c10::isComplexType(type->dtype)) return opaque("complex tensor");
    const int64_t offset = size_of(tree_[arguments[1]]);
    const std::vector<int64_t> sizes = dimensions(arguments[2]), strides = dimensions(arguments[3]);
    if (sizes.size() != strides.size() || sizes.size() > kMostDimensions)
      throw core::failure("damaged: a tensor's sizes and strides do not fit together");

    const torch::Tensor& storage = storages_.find(reference);
    const int64_t elements = element_count(sizes);
    if (elements == 0) return torch::empty(sizes, type->dtype);
    // Of the storage, in elements of the tensor.
    const auto size = static_cast<int64_t>(c10::elementSize(type->dtype));
    const int64_t unit = storage.element_size();
    const int64_t begin = reference.offset * unit / size, most = reference.elements * unit / size;
    const int64_t needed = extent(sizes, strides);
    if (reference.offset * unit % size != 0 || needed > most || offset > most - needed)
      throw core::failure("damaged: a tensor reaches beyond its data");
    if (elements > std::max(most, kLargestExpansion))
      throw core::failure("damaged: a tensor of {} elements over {}", elements, most);
    return torch::empty({0}, type->dtype).set_(storage.storage(), begin + offset, sizes, strides);
  }

  // By the name in Python, "torch.float8_e5m2"; nullptr for one that is not in the table, or has a
  // storage of its own class.
  static const StorageType* type_named(std::string_view name) {
    for (const StorageType& type : storage_types)
      if (type.name.empty() && name == fmt::format("torch.{}", type.dtype_name)) return &type;
    return nullptr;
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
  core::ModuleReader modules_{tree_};
  int depth_ = 0;
};

}  // namespace

StorageReference storage_reference(const PickleTree& tree, const PickleNode& persistent_id) {
  const PickleNode& id = tree[persistent_id.items[0]];
  if (id.kind != PickleKind::tuple || id.items.size() < 5 ||
      !tree[id.items[0]].is_text("storage") || tree[id.items[1]].kind != PickleKind::global ||
      tree[id.items[2]].kind != PickleKind::text)
    throw core::failure("damaged: a reference to tensor data is none");
  StorageReference reference;
  reference.key = tree[id.items[2]].text;
  reference.class_name = tree[id.items[1]].text;
  reference.elements = size_of(tree[id.items[4]]);
  const bool untyped = reference.class_name == fmt::format("torch.storage.{}", untyped_storage) ||
                       reference.class_name == fmt::format("torch.{}", untyped_storage);
  for (const StorageType& type : storage_types)
    if (untyped ? type.dtype == torch::kUInt8
                : !type.name.empty() && reference.class_name == fmt::format("torch.{}", type.name))
      reference.type = &type;
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

}  // namespace lowbit::checkpoint
