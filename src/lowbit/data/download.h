// Published files that are fetched where they are missing.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace lowbit::data {

struct Published {
  std::vector<std::string> addresses;  // of the file, tried in turn
  int64_t size;                        // bytes
  std::string sha256;                  // 64 hexadecimal digits, lower case
};

struct Patience {
  int stall_seconds = 30;  // how long a server may be silent or send less than 1 KiB/s
  int attempts = 4;        // at an address that each time brings less than 1 % of the file
  // Before the second attempt; doubles with each further one.
  std::chrono::milliseconds pause{1000};
};

// Where `name` may be: in the folders of `mirrors`, of the environment variable LOWBIT_MIRROR (a
// comma between two) and of the publisher, in this order.
std::vector<std::string> addresses_of(const std::string& name, std::span<const std::string> mirrors,
                                      const std::string& publisher);

// Brings the file to `destination`, with the folders on the way, unless it is there already. It
// grows as `destination`.part, where a later call goes on if this one is cut off, and gets its name
// when its length and checksum are right. Another process that brings the same file is waited for.
// An Error (failure) says what was wrong at each address (wrong bytes: with both checksums); bytes
// that are wrong are not kept.
void download(const Published& file, const std::filesystem::path& destination,
              const Patience& patience = {});

}  // namespace lowbit::data
