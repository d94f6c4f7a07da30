#include "lowbit/data/verify.h"

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/data/image.h"

namespace lowbit::data {
namespace {

constexpr size_t kReported = 256;  // images between two reports

// Why the file cannot be decoded, "" if it can.
std::string trouble_with(const std::filesystem::path& path) {
  try {
    decode_image(core::read_file(path));
    return "";
  } catch (const core::Error& error) {
    return error.what();
  } catch (const std::bad_alloc&) {
    return "not enough memory";
  }
}

}  // namespace

std::vector<BadImage> find_bad_images(std::span<const std::filesystem::path> files, int threads,
                                      const std::function<void(size_t done)>& progress) {
  std::atomic<size_t> next = 0;
  std::mutex mutex;  // of what follows
  size_t done = 0;
  std::map<size_t, std::string> bad;  // by index
  const auto work = [&] {
    for (size_t i = next++; i < files.size(); i = next++) {
      std::string trouble = trouble_with(files[i]);
      const std::lock_guard lock(mutex);
      if (!trouble.empty()) bad.emplace(i, std::move(trouble));
      if (++done % kReported == 0) progress(done);
    }
  };
  {
    std::vector<std::jthread> others;
    for (int i = 1; i < threads; ++i) others.emplace_back(work);
    work();
  }
  std::vector<BadImage> images;
  for (auto& [i, reason] : bad) images.push_back({files[i], std::move(reason)});
  return images;
}

}  // namespace lowbit::data
