#include "made_files.h"

#include <fmt/format.h>
#include <zlib.h>

#include <cstdint>
#include <fstream>
#include <numeric>

namespace lowbit::data {

namespace fs = std::filesystem;

FolderTest::FolderTest()
    : folder_(fs::path(testing::TempDir()) / fmt::format("data_test.{}", ::getpid())) {
  fs::create_directories(folder_);
}

FolderTest::~FolderTest() {
  fs::remove_all(folder_);
}

fs::path FolderTest::write(const std::string& name, const std::string& content) const {
  const fs::path path = folder_ / name;
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

core::Error FolderTest::error_of(const std::string& dataset, const fs::path& root,
                                 Split split) const {
  try {
    load(options_for(dataset, root), split);
  } catch (const core::Error& error) {
    return error;
  }
  return {core::ErrorKind::usage, "nothing was thrown"};
}

config::DataOptions options_for(const std::string& dataset, const fs::path& root) {
  config::DataOptions options;
  options.dataset = dataset;
  options.root = root.string();
  return options;
}

std::string gzipped(const std::string& content) {
  z_stream stream{};
  constexpr int kGzip = 16, kWindowBits = 15, kMemoryLevel = 8;
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzip + kWindowBits, kMemoryLevel,
               Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, content.size()), '\0');
  std::string source = content;
  stream.next_in = reinterpret_cast<Bytef*>(source.data());
  stream.avail_in = static_cast<uInt>(source.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

namespace {

constexpr size_t kTarBlock = 512;

// The POSIX ustar header of a regular file.
std::string tar_header(const std::string& name, size_t bytes) {
  std::string header(kTarBlock, '\0');
  const auto put = [&](size_t place, const std::string& text) {
    header.replace(place, text.size(), text);
  };
  put(0, name);
  put(100, "0000644");
  put(124, fmt::format("{:011o}", bytes));
  put(136, "00000000000");
  put(148, "        ");  // the checksum counts as blanks
  put(156, "0");
  put(257, "ustar");
  put(263, "00");
  const unsigned sum = std::accumulate(header.begin(), header.end(), 0u, [](unsigned s, char c) {
    return s + static_cast<uint8_t>(c);
  });
  put(148, fmt::format("{:06o}", sum) + '\0');
  return header;
}

}  // namespace

std::string tar(const std::vector<std::pair<std::string, std::string>>& members) {
  std::string archive;
  for (const auto& [name, content] : members) {
    archive += tar_header(name, content.size()) + content;
    archive.resize((archive.size() + kTarBlock - 1) / kTarBlock * kTarBlock);
  }
  return archive + std::string(2 * kTarBlock, '\0');
}

std::string idx(const std::vector<uint32_t>& sizes, const std::string& data) {
  std::string file;
  const auto put = [&](uint32_t number) {
    for (int shift = 24; shift >= 0; shift -= 8) file += static_cast<char>(number >> shift);
  };
  put(static_cast<uint32_t>(0x800 + sizes.size()));
  for (const uint32_t size : sizes) put(size);
  return file + data;
}

std::string counting_bytes(size_t count, size_t start) {
  std::string bytes(count, '\0');
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<char>((7 * i + start) % 251);
  return bytes;
}

}  // namespace lowbit::data
