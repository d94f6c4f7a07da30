#include "lowbit/data/image_folder.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <optional>
#include <string_view>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/log.h"
#include "lowbit/core/number.h"

namespace lowbit::data {
namespace {

namespace fs = std::filesystem;

// Those of torchvision's ImageFolder. A file of a format that no decoder here reads is an error
// when its turn comes, and not a smaller set.
constexpr std::string_view kEndings[] = {".jpg", ".jpeg", ".png",  ".ppm", ".bmp",
                                         ".pgm", ".tif",  ".tiff", ".webp"};

bool is_picture(const std::string& name) {
  std::string ending = fs::path(name).extension().string();
  for (char& letter : ending)
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  return std::ranges::find(kEndings, ending) != std::end(kEndings);
}

template <class Wanted>
std::vector<std::string> sorted_names(const fs::path& folder, const Wanted& wanted) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    if (!name.starts_with(".") && wanted(*it, name)) names.push_back(std::move(name));
  }
  if (error) throw core::failure("cannot read folder '{}': {}", folder.string(), error.message());
  std::ranges::sort(names);
  return names;
}

// When the folder was last changed, in nanoseconds. 0, which equals no time that was kept, if that
// is unknown or so short ago that a further change might get the same time.
int64_t time_of_change(const fs::path& folder) {
  using namespace std::chrono;
  std::error_code error;
  const fs::file_time_type time = fs::last_write_time(folder, error);
  if (error || fs::file_time_type::clock::now() - time < seconds(2)) return 0;
  return duration_cast<nanoseconds>(time.time_since_epoch()).count();
}

// The cache: fields that end with a 0. kMark, the folder, then for each class its name, its time of
// change, the number of its pictures, their names.
constexpr std::string_view kMark = "lowbit image folder 1";

struct Listing {
  int64_t time;
  std::vector<std::string_view> names;  // in the cache's bytes
};
using Listings = std::map<std::string, Listing, std::less<>>;

class Fields {
 public:
  explicit Fields(std::string_view bytes) : rest_(bytes) {}
  bool at_end() const { return rest_.empty(); }

  std::optional<std::string_view> next() {
    const size_t end = rest_.find('\0');
    if (end == rest_.npos) return std::nullopt;
    const std::string_view field = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return field;
  }
  std::optional<int64_t> number() {
    const std::optional<std::string_view> field = next();
    return field ? core::number_of<int64_t>(*field) : std::nullopt;
  }

 private:
  std::string_view rest_;
};

// What a cache of this folder holds; nothing if it is of another one, or damaged.
Listings read_listings(std::string_view bytes, const fs::path& folder) {
  Fields fields(bytes);
  Listings listings;
  if (fields.next() != kMark || fields.next() != folder.native()) return {};
  while (!fields.at_end()) {
    const auto name = fields.next();
    const auto time = fields.number(), count = fields.number();
    if (!name || !time || !count || *count < 0) return {};
    Listing listing{*time, {}};
    for (int64_t i = 0; i < *count; ++i) {
      const auto file = fields.next();
      if (!file) return {};
      listing.names.push_back(*file);
    }
    listings.emplace(*name, std::move(listing));
  }
  return listings;
}

void append(std::string& bytes, std::string_view field) {
  bytes += field;
  bytes += '\0';
}

fs::path cache_file(const fs::path& cache, const fs::path& folder) {
  if (cache.empty()) return {};
  return cache / fmt::format("images-{:016x}", fs::hash_value(folder));
}

std::string read_cache(const fs::path& file) {
  if (file.empty() || !core::is_file(file)) return "";
  try {
    return core::read_file(file);
  } catch (const core::Error&) {
    return "";
  }
}

void write_cache(const fs::path& file, std::string_view bytes) {
  if (file.empty()) return;
  try {
    core::make_writable_folder(file.parent_path());
    core::replace_file(file, bytes);
  } catch (const core::Error& error) {
    core::log().debug("the list of images is not kept: {}", error.what());
  }
}

}  // namespace

std::vector<std::string> class_folders(const fs::path& folder) {
  return sorted_names(folder, [](const fs::directory_entry& entry, const std::string&) {
    std::error_code ignored;
    return entry.is_directory(ignored);
  });
}

std::vector<std::string> require_class_folders(const fs::path& folder) {
  std::vector<std::string> classes = class_folders(folder);
  if (classes.empty())
    throw core::failure("'{}': no folders, one for each class, are in it", folder.string());
  return classes;
}

std::vector<std::string> picture_names(const fs::path& folder) {
  return sorted_names(folder, [](const fs::directory_entry& entry, const std::string& name) {
    std::error_code ignored;
    return is_picture(name) && !entry.is_directory(ignored);
  });
}

fs::path user_cache() {
  const char *cache = std::getenv("XDG_CACHE_HOME"), *home = std::getenv("HOME");
  if (cache && *cache) return fs::path(cache) / "lowbit";
  return home && *home ? fs::path(home) / ".cache" / "lowbit" : fs::path();
}

ImageFolder::ImageFolder(const fs::path& folder, const fs::path& cache)
    : folder_(fs::absolute(folder).lexically_normal()),
      class_names_(require_class_folders(folder)) {
  const fs::path file = cache_file(cache, folder_);
  const std::string kept = read_cache(file);
  const Listings listings = read_listings(kept, folder_);
  std::string now;
  append(now, kMark);
  append(now, folder_.native());
  const auto add = [&](std::string_view name) {
    name_begin_.push_back(names_.size());
    append(names_, name);
    append(now, name);
  };
  for (const std::string& name : class_names_) {
    const int64_t time = time_of_change(folder_ / name);
    append(now, name);
    append(now, std::to_string(time));
    const auto known = listings.find(name);
    if (known != listings.end() && time != 0 && known->second.time == time) {
      append(now, std::to_string(known->second.names.size()));
      for (const std::string_view each : known->second.names) add(each);
      ++classes_from_cache_;
    } else {
      const std::vector<std::string> found = picture_names(folder_ / name);
      append(now, std::to_string(found.size()));
      for (const std::string& each : found) add(each);
    }
    if (size() == (class_end_.empty() ? 0 : class_end_.back()))
      throw core::failure("class folder '{}' has no images", (folder / name).string());
    class_end_.push_back(size());
  }
  if (now != kept) write_cache(file, now);
}

int64_t ImageFolder::label(int64_t i) const {
  return std::ranges::upper_bound(class_end_, i) - class_end_.begin();
}

StoredPicture ImageFolder::stored(int64_t i, std::string& memory) const {
  memory = core::read_file(path(i));
  return {memory};
}

fs::path ImageFolder::path(int64_t i) const {
  return folder_ / class_names_[static_cast<size_t>(label(i))] /
         (names_.data() + name_begin_[static_cast<size_t>(i)]);
}

}  // namespace lowbit::data
