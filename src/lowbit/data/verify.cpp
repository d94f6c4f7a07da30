#include "lowbit/data/verify.h"

#include <map>
#include <mutex>

#include "lowbit/core/error.h"
#include "lowbit/core/threads.h"
#include "lowbit/data/image_folder.h"

namespace lowbit::data {
namespace {

constexpr size_t kVerifyReported = 256;  // images between two reports

// Why the image cannot be decoded, "" if it can.
std::string trouble_with(const ImagesToVerify& images, size_t i) {
  try {
    images.decode(i);
    return "";
  } catch (const core::Error& error) {
    return error.what();
  } catch (const std::bad_alloc&) {
    return "not enough memory";
  }
}

}  // namespace

ImagesToVerify images_of(std::vector<std::filesystem::path> files) {
  const size_t count = files.size();
  const auto kept = std::make_shared<const std::vector<std::filesystem::path>>(std::move(files));
  return {count, [kept](size_t i) { return (*kept)[i].string(); },
          [kept](size_t i) { require_whole({read_picture_file((*kept)[i])}); }};
}

ImagesToVerify images_of(std::shared_ptr<const PictureSet> pictures) {
  return {static_cast<size_t>(pictures->size()),
          [pictures](size_t i) { return pictures->name(static_cast<int64_t>(i)); },
          [pictures](size_t i) {
            std::string memory;
            require_whole(pictures->stored(static_cast<int64_t>(i), memory));
          }};
}

std::vector<BadImage> find_bad_images(const ImagesToVerify& images, int threads,
                                      const std::function<void(size_t done)>& progress) {
  std::mutex mutex;  // of what follows
  size_t done = 0;
  std::map<size_t, std::string> bad;  // by index
  core::for_each_in_order(threads, images.count, [&](size_t i) {
    std::string trouble = trouble_with(images, i);
    const std::lock_guard lock(mutex);
    if (!trouble.empty()) bad.emplace(i, std::move(trouble));
    if (++done % kVerifyReported == 0) progress(done);
  });
  std::vector<BadImage> found;
  for (auto& [i, reason] : bad) found.push_back({images.name(i), std::move(reason)});
  return found;
}

}  // namespace lowbit::data
