#include <bit>
#include <map>
#include <tuple>
#include <unordered_map>

#include "lowbit/checkpoint/checkpoint_file.h"
#include "lowbit/checkpoint/storage_types.h"
#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/pickle.h"
#include "lowbit/core/zip.h"
#include "lowbit/tensor/host_copy.h"

namespace lowbit::checkpoint {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are written as they lie");

// One memory, read one way.
using TensorIdentity =
    std::tuple<const void*, std::vector<int64_t>, std::vector<int64_t>, torch::Dtype>;

TensorIdentity identity(const torch::Tensor& tensor) {
  return {tensor.const_data_ptr(), tensor.sizes().vec(), tensor.strides().vec(),
          tensor.scalar_type()};
}

const StorageType& storage_type(torch::Dtype dtype) {
  for (const StorageType& type : storage_types)
    if (type.dtype == dtype) return type;
  throw core::failure("tensors of type {} cannot be written", c10::toString(dtype));
}

// Writes the tree as a pickle and collects the storages that it refers to by number.
class TreeWriter {
 public:
  void write(const Value& value, const std::string& place) {
    const Value::Content* content = &value.content();
    if (const auto known = written_.find(content); known != written_.end())
      return pickle_.recall(known->second);
    std::visit([&](const auto& held) { write_content(held, place); }, *content);
    // A number is shorter than its name.
    if (content->index() >= Value::Content(std::string()).index())
      written_.emplace(content, pickle_.remember());
  }

  std::string pickle() && { return std::move(pickle_).finish(); }
  // Row-major, on the CPU.
  std::vector<torch::Tensor> storages() const { return tensor::to_host(storages_); }

 private:
  void write_content(None, const std::string&) { pickle_.none(); }
  void write_content(bool boolean, const std::string&) { pickle_.boolean(boolean); }
  void write_content(int64_t integer, const std::string&) { pickle_.integer(integer); }
  void write_content(double real, const std::string&) { pickle_.real(real); }
  void write_content(const std::string& text, const std::string&) { pickle_.text(text); }
  void write_content(const Bytes& bytes, const std::string&) { pickle_.bytes(bytes.data); }
  void write_content(const LongInteger& integer, const std::string&) {
    pickle_.long_integer(integer.twos_complement);
  }
  void write_content(const List& list, const std::string& place) {
    pickle_.begin_list();
    write_items(list, place);
    pickle_.end_list();
  }
  void write_content(const Tuple& tuple, const std::string& place) {
    pickle_.begin_tuple();
    write_items(tuple.items, place);
    pickle_.end_tuple();
  }
  void write_content(const Dict& dict, const std::string& place) {
    pickle_.begin_dict();
    for (const auto& [key, value] : dict) {
      const auto* name = key.get_if<std::string>();
      const std::string inner = place + '.' + (name ? *name : "[...]");
      write(key, inner);
      write(value, inner);
    }
    pickle_.end_dict();
  }
  void write_content(const Opaque& opaque, const std::string& place) {
    throw core::failure("{} is an object of class {}: only plain values can be written", place,
                        opaque.type);
  }

  void write_items(const List& items, const std::string& place) {
    for (size_t i = 0; i < items.size(); ++i) write(items[i], fmt::format("{}[{}]", place, i));
  }

  void write_content(const torch::Tensor& tensor, const std::string& place) {
    if (!tensor.defined()) throw core::failure("{} is an undefined tensor", place);
    const StorageType& type = storage_type(tensor.scalar_type());
    const bool untyped = type.name.empty();
    pickle_.global("torch._utils", untyped ? "_rebuild_tensor_v3" : "_rebuild_tensor_v2");
    pickle_.begin_tuple();
    if (untyped)
      write_storage(tensor, "torch.storage", untyped_storage, tensor.nbytes());
    else
      write_storage(tensor, "torch", type.name, static_cast<size_t>(tensor.numel()));
    pickle_.integer(0);  // offset in the storage
    write_integers(tensor.sizes());
    write_integers(c10::contiguous_strides(tensor.sizes()));
    pickle_.boolean(false);                        // requires_grad, as in Python's state_dict()
    pickle_.global("collections", "OrderedDict");  // backward hooks: none
    pickle_.begin_tuple();
    pickle_.end_tuple();
    pickle_.call();
    if (untyped) pickle_.global("torch", type.dtype_name);
    pickle_.end_tuple();
    pickle_.call();
  }

  void write_storage(const torch::Tensor& tensor, std::string_view module,
                     std::string_view class_name, size_t size) {
    pickle_.begin_tuple();
    pickle_.text("storage");
    pickle_.global(module, class_name);
    pickle_.text(std::to_string(storage_number(tensor)));
    pickle_.text("cpu");
    pickle_.integer(static_cast<int64_t>(size));
    pickle_.end_tuple();
    pickle_.persistent_id();
  }

  size_t storage_number(const torch::Tensor& tensor) {
    const auto [place, added] = numbers_.emplace(identity(tensor), storages_.size());
    if (added) storages_.push_back(tensor);
    return place->second;
  }

  void write_integers(c10::IntArrayRef integers) {
    pickle_.begin_tuple();
    for (const int64_t integer : integers) pickle_.integer(integer);
    pickle_.end_tuple();
  }

  core::PickleWriter pickle_;
  std::unordered_map<const Value::Content*, uint32_t> written_;
  std::map<TensorIdentity, size_t> numbers_;
  std::vector<torch::Tensor> storages_;
};

// The records that torch.save makes, by the same names.
std::string to_archive(const Value& root) {
  TreeWriter tree;
  tree.write(root, "the checkpoint");
  core::StoredZipWriter archive;
  archive.add("archive/data.pkl", std::move(tree).pickle());
  archive.add("archive/.format_version", "1");
  archive.add("archive/.storage_alignment", std::to_string(archive.alignment));
  archive.add("archive/byteorder", "little");
  size_t number = 0;
  for (const torch::Tensor& storage : tree.storages())
    archive.add(fmt::format("archive/data/{}", number++),
                {static_cast<const char*>(storage.const_data_ptr()), storage.nbytes()});
  archive.add("archive/version", "3\n");
  return std::move(archive).finish();
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, const Value& root,
                      const std::filesystem::path& kept) {
  try {
    core::replace_file(path, to_archive(root), kept);
  } catch (const c10::Error& error) {
    throw core::failure("cannot write '{}': {}", path.string(), error.what_without_backtrace());
  }
}

}  // namespace lowbit::checkpoint
