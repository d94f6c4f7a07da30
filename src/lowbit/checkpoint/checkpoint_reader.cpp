#include <algorithm>
#include <cstring>
#include <new>

#include "lowbit/checkpoint/checkpoint_file.h"
#include "lowbit/checkpoint/tree_reader.h"
#include "lowbit/core/error.h"
#include "lowbit/core/file_kind.h"
#include "lowbit/core/files.h"
#include "lowbit/core/pickle.h"
#include "lowbit/core/safetensors.h"
#include "lowbit/core/zip.h"

namespace lowbit::checkpoint {
namespace {

using core::PickleKind;
using core::PickleNode;
using core::PickleRef;
using core::PickleTree;

// `what` is in place of a checkpoint.
core::Error no_checkpoint(std::string_view what, std::string_view advice) {
  core::Error error = core::failure("no checkpoint: it is {}", what);
  if (!advice.empty()) error.detail(advice);
  return error;
}

// --- zip: data.pkl and one record a storage, all in one folder ---

constexpr std::string_view kPickle = "data.pkl";

bool any_ends(const std::vector<core::ZipEntry>& entries, std::string_view ending) {
  return std::ranges::any_of(
      entries, [&](const core::ZipEntry& entry) { return entry.name.ends_with(ending); });
}

core::Error other_archive(const std::vector<core::ZipEntry>& entries) {
  if (any_ends(entries, ".npy"))
    return no_checkpoint("numpy's archive of arrays (.npz)",
                         "save it in Python: torch.save({name: torch.from_numpy(array) for name, "
                         "array in numpy.load(FILE).items()}, NEW)");
  for (const char* ending : {".pth", ".pt", ".pth.tar", ".th", ".bin", ".ckpt", ".safetensors"})
    if (any_ends(entries, ending))
      return no_checkpoint("a zip archive around one", "unpack it and name the file inside");
  return no_checkpoint("a zip archive, but not PyTorch's: it has no data.pkl", "");
}

Value read_zip_format(std::string_view file) {
  const std::vector<core::ZipEntry> entries = core::read_zip(file);
  const auto pickle = std::ranges::find_if(entries, [](const core::ZipEntry& entry) {
    return entry.name == kPickle || entry.name.ends_with("/data.pkl");
  });
  if (pickle == entries.end()) throw other_archive(entries);
  const std::string folder(pickle->name, 0, pickle->name.size() - kPickle.size());
  if (any_ends(entries, folder + "constants.pkl"))
    throw no_checkpoint("a TorchScript program",
                        "save its weights in Python: "
                        "torch.save(torch.jit.load(FILE).state_dict(), NEW)");

  StorageBytes storages;
  for (const core::ZipEntry& entry : entries) {
    if (entry.name == folder + "byteorder" && entry.data != "little")
      throw core::failure("its numbers are not little-endian but '{}'", entry.data);
    if (entry.name.starts_with(folder + "data/"))
      storages[entry.name.substr(folder.size() + std::strlen("data/"))] = entry.data;
  }
  const PickleTree tree = core::read_pickle(pickle->data);
  return read_tree(tree, std::move(storages));
}

// --- legacy: five pickles in a row (magic number, version, system, object, keys), then of each key
// the number of elements, int64, and the elements ---

// 0x1950a86a20f9469cfc6c
constexpr std::string_view kMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr int64_t kLegacyVersion = 1001;

// The first pickle holds nothing else; protocols from 4 on put a frame around it.
bool has_legacy_magic(std::string_view file) {
  constexpr size_t kFirstPickle = 32;
  return file.starts_with("\x80") && file.substr(0, kFirstPickle).find(kMagic) != file.npos;
}

void check_system(const PickleTree& tree) {
  const PickleNode& system = tree[tree.root];
  if (system.kind != PickleKind::dict) throw core::failure("damaged: the system is not described");
  for (size_t i = 0; i + 1 < system.items.size(); i += 2)
    if (tree[system.items[i]].is_text("little_endian") && tree[system.items[i + 1]].integer == 0)
      throw core::failure("its numbers are not little-endian");
}

// Storages without a type in the table cannot be stepped over.
std::unordered_map<std::string, torch::Dtype> storage_dtypes(const PickleTree& tree) {
  std::unordered_map<std::string, torch::Dtype> dtypes;
  for (const PickleNode& node : tree.nodes) {
    if (node.kind != PickleKind::persistent_id) continue;
    if (const PickleNode& id = tree[node.items[0]];
        id.kind == PickleKind::tuple && !id.items.empty() && tree[id.items[0]].is_text("module"))
      continue;  // the source text of a class
    const StorageReference reference = storage_reference(tree, node);
    if (!reference.type)
      throw core::failure("tensor data '{}' is of a type that cannot be read", reference.key);
    dtypes.emplace(reference.key, reference.type->dtype);
  }
  return dtypes;
}

StorageBytes legacy_storages(std::string_view file, const PickleTree& object,
                             const PickleTree& keys) {
  const auto dtypes = storage_dtypes(object);
  StorageBytes storages;
  size_t next = keys.end;
  for (const PickleRef ref : keys[keys.root].items) {
    const std::string& key = keys[ref].text;
    const auto dtype = dtypes.find(key);
    if (dtype == dtypes.end()) throw core::failure("damaged: tensor data '{}' has no type", key);
    int64_t elements = 0;
    if (file.size() - next < sizeof(elements)) throw core::failure("damaged: it ends early");
    std::memcpy(&elements, file.data() + next, sizeof(elements));
    next += sizeof(elements);
    const size_t element_size = c10::elementSize(dtype->second);
    if (elements < 0 || static_cast<uint64_t>(elements) > (file.size() - next) / element_size)
      throw core::failure("damaged: it ends within tensor data '{}', or the size of that is wrong",
                          key);
    const size_t size = static_cast<size_t>(elements) * element_size;
    storages[key] = file.substr(next, size);
    next += size;
  }
  return storages;
}

Value read_legacy_format(std::string_view file) {
  const PickleTree magic = core::read_pickle(file);
  const PickleTree version = core::read_pickle(file, magic.end);
  if (version[version.root].integer != kLegacyVersion)
    throw core::failure("PyTorch's legacy format in the unknown version {}",
                        version[version.root].integer);
  const PickleTree system = core::read_pickle(file, version.end);
  check_system(system);
  const PickleTree object = core::read_pickle(file, system.end);
  const PickleTree keys = core::read_pickle(file, object.end);
  return read_tree(object, legacy_storages(file, object, keys));
}

// --- safetensors ---

Value tensor_of(const core::SafeTensor& entry) {
  const auto type = std::ranges::find(storage_types, entry.type, &StorageType::safetensors_name);
  if (entry.type.empty() || type == storage_types.end() || c10::isComplexType(type->dtype))
    return Value(Value::Content(Opaque{fmt::format("tensor of {}", entry.type)}));
  uint64_t bytes = c10::elementSize(type->dtype);
  for (const int64_t side : entry.shape)
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(side), &bytes)) bytes = UINT64_MAX;
  if (bytes != entry.data.size())
    throw core::failure("damaged: the data of '{}' have not the size of its shape", entry.name);
  const bool boolean = type->dtype == torch::kBool;
  torch::Tensor tensor = torch::empty(entry.shape, boolean ? torch::kUInt8 : type->dtype);
  if (bytes > 0) std::memcpy(tensor.mutable_data_ptr(), entry.data.data(), bytes);
  return boolean ? tensor.ne(0) : tensor;
}

Value read_safetensors_format(std::string_view file) {
  std::vector<Dict::Entry> entries;
  for (const core::SafeTensor& entry : core::read_safetensors(file))
    entries.emplace_back(entry.name, tensor_of(entry));
  return Dict(std::move(entries));
}

// --- anything ---

bool is_pickle(std::string_view file) {
  return file.size() > 1 && file[0] == '\x80' && file[1] >= 2 && file[1] <= 5;
}

core::Error other_file(std::string_view file) {
  if (const auto kind = core::file_kind(file)) return no_checkpoint(kind->name, kind->advice);
  if (is_pickle(file))
    return no_checkpoint("a pickle, but not of torch.save",
                         "load it in Python and save a dict of tensors: torch.save({name: "
                         "torch.as_tensor(array)}, NEW)");
  return core::failure("no checkpoint: not a file of torch.save, nor safetensors");
}

Value read_any_format(std::string_view file) {
  if (core::is_zip(file)) return read_zip_format(file);
  if (has_legacy_magic(file)) return read_legacy_format(file);
  if (core::is_safetensors(file)) return read_safetensors_format(file);
  throw other_file(file);
}

}  // namespace

Value read_checkpoint(const std::filesystem::path& path) {
  const torch::NoGradGuard no_grad;
  const std::string file = core::read_file(path);
  try {
    return read_any_format(file);
  } catch (core::Error& error) {
    error.at(path.string());
    throw;
  } catch (const c10::Error& error) {
    throw core::failure("damaged: {}", error.what_without_backtrace()).at(path.string());
  } catch (const std::bad_alloc&) {
    throw core::failure("not enough memory to read it").at(path.string());
  }
}

bool looks_like_checkpoint(const std::filesystem::path& path) {
  const std::string start = core::read_start(path, core::file_kind_bytes);
  if (start.empty()) return false;
  if (core::is_zip(start) || is_pickle(start) || core::is_safetensors(start)) return true;
  // What is no checkpoint, but no config file either: reading it says what it is.
  const auto kind = core::file_kind(start);
  return kind && !kind->text;
}

}  // namespace lowbit::checkpoint
