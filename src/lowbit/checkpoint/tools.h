// What `lowbit tools` does with checkpoint files: their names changed, their content listed.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lowbit/checkpoint/state_dict.h"

namespace lowbit::checkpoint {

// Pairs of a prefix of dotted names and what takes its place.
using NameMapping = std::vector<std::pair<std::string, std::string>>;

// Reads two files of prefixes: line i of `from` becomes line i of `to`. Quotes, blanks, blank lines
// and what follows a # are dropped; quotes around nothing are an empty prefix, which `to` alone may
// have; "layer{1,2}.bn" stands for "layer1.bn" and "layer2.bn". Lists
// of different length are an Error (usage) that names both.
NameMapping read_name_mapping(const std::filesystem::path& from, const std::filesystem::path& to);

struct Renaming {
  NamedTensors tensors;                // under their new names, in the old order
  std::vector<std::string> unmatched;  // prefixes that no name begins with
};

// Changes the names that begin, up to a dot or their end, with a prefix of the mapping, which may
// hold that dot; where several do, the longest counts. A dot goes with what becomes nothing. Two
// tensors under one new name, or one under none, are an Error (usage).
Renaming rename(const NamedTensors& tensors, const NameMapping& mapping);

struct UpdateReport {
  size_t renamed = 0;                  // tensors whose name changed
  size_t kept = 0;                     // tensors whose name did not
  std::vector<std::string> unmatched;  // prefixes that no name begins with
  std::vector<std::string> dropped;    // entries beside the tensors that could not be written again
  std::vector<std::filesystem::path> written;
};

// Writes the checkpoint `old_file` to `new_file` with its tensors renamed, in a dict under
// 'state_dict' with what else the file held; with `raw` additionally the bare dict of tensors to
// "<new_file>-raw". Whether they can be written is known before the first is.
UpdateReport update_names(const std::filesystem::path& old_file,
                          const std::filesystem::path& new_file, const NameMapping& mapping,
                          bool raw);

// Lines on the entries of a checkpoint, in its order, its 'state_dict' or 'model' unwrapped.
// `verbose_list` "all": name, shape and type of every tensor, the value of every other entry;
// else a comma list: name and values of the entries whose last name part is in it.
std::string inspect(const Value& file, std::string_view verbose_list = "ratio,sep");

}  // namespace lowbit::checkpoint
