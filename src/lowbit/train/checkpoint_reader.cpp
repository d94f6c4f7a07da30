#include <algorithm>
#include <cstring>
#include <new>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/pickle.h"
#include "lowbit/core/zip.h"
#include "lowbit/train/checkpoint_file.h"
#include "lowbit/train/tree_reader.h"

namespace lowbit::train {
namespace {

using core::PickleKind;
using core::PickleNode;
using core::PickleRef;
using core::PickleTree;

// --- zip: data.pkl and one record a storage, all in one folder ---

Value read_zip_format(std::string_view file) {
  const std::vector<core::ZipEntry> entries = core::read_stored_zip(file);
  const auto pickle = std::ranges::find_if(
      entries, [](const core::ZipEntry& entry) { return entry.name.ends_with("/data.pkl"); });
  if (pickle == entries.end())
    throw core::failure("a zip archive, but not PyTorch's: it has no data.pkl");
  const std::string folder(pickle->name, 0, pickle->name.size() - std::strlen("data.pkl"));

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

bool has_legacy_magic(std::string_view file) {
  if (!file.starts_with("\x80\x02")) return false;
  const PickleTree magic = core::read_pickle(file);
  return magic[magic.root].kind == PickleKind::long_integer && magic[magic.root].text == kMagic;
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

Value read_any_format(std::string_view file) {
  if (core::is_zip(file)) return read_zip_format(file);
  if (has_legacy_magic(file)) return read_legacy_format(file);
  throw core::failure("no checkpoint: neither PyTorch's zip format nor its legacy format");
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
  const std::string start = core::read_start(path, 2);
  // A zip archive, or a pickle of protocol 2 and later.
  return start == "PK" || start.starts_with('\x80');
}

}  // namespace lowbit::train
