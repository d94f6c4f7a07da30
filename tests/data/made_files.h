// Small data set files, made by the tests themselves.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "lowbit/core/error.h"
#include "lowbit/data/dataset.h"

namespace lowbit::data {

// A test with a folder of its own.
class FolderTest : public testing::Test {
 protected:
  FolderTest();
  ~FolderTest() override;

  // Writes `content` to folder()/name, with the folders on the way.
  std::filesystem::path write(const std::string& name, const std::string& content) const;
  // The error of loading the split, or an Error "nothing was thrown".
  core::Error error_of(const std::string& dataset, const std::filesystem::path& root,
                       Split split) const;
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

config::DataOptions options_for(const std::string& dataset, const std::filesystem::path& root);

std::string gzipped(const std::string& content);

// A tar file of (name, content).
std::string tar(const std::vector<std::pair<std::string, std::string>>& members);

// An idx file: magic 0x800 + number of sizes, sizes, then `data`.
std::string idx(const std::vector<uint32_t>& sizes, const std::string& data);

// Byte i is (7 i + start) mod 251: neighbors, rows and channels differ.
std::string counting_bytes(size_t count, size_t start);

}  // namespace lowbit::data
