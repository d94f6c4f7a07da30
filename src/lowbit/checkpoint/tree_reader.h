// What the pickle of a .pth file describes, as Values. The pickle names the data of tensors; where
// those lie is up to the format of the file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "lowbit/checkpoint/storage_types.h"
#include "lowbit/checkpoint/value.h"
#include "lowbit/core/pickle.h"

namespace lowbit::checkpoint {

// What a pickle says of a storage, ('storage', class, key, device, elements): its elements lie
// `offset` behind those of the storage `key` where it is itself a view, as files of 2017 had it.
struct StorageReference {
  std::string key;
  std::string class_name;             // "torch.FloatStorage"
  const StorageType* type = nullptr;  // that of bytes if it is untyped; nullptr: not in the table
  int64_t elements = 0, offset = 0;
};

// Of a node of kind persistent_id; an Error (failure) if it is no reference to a storage.
StorageReference storage_reference(const core::PickleTree& tree,
                                   const core::PickleNode& persistent_id);

// The bytes of each storage by its key.
using StorageBytes = std::unordered_map<std::string, std::string_view>;

// The Values below the root: plain data, instances of subclasses of dict among them, numpy's
// scalars, tensors; a pickled torch.nn.Module is the dict of its parameters and buffers by dotted
// names. Anything else is Opaque, tensors of kinds that are not read among it ("sparse tensor").
// The data of tensors are copied out of `storages`, each storage once. An Error (failure) if it
// contains itself, is nested too deeply, or describes a tensor that its storage cannot hold.
Value read_tree(const core::PickleTree& tree, StorageBytes storages);

}  // namespace lowbit::checkpoint
