#include "lowbit/data/image_folder.h"

#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

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

bool is_hidden(const std::string& name) {
  return name.starts_with('.');
}

// Calls visit(name, is_folder) for everything in the folder that is not hidden, in any order.
template <class Visit>
void for_each_in(const fs::path& folder, const Visit& visit) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    std::error_code ignored;
    if (!is_hidden(name)) visit(std::move(name), it->is_directory(ignored));
  }
  if (error) throw core::failure("cannot read folder '{}': {}", folder.string(), error.message());
}

// A folder with pictures, somewhere below the folder of a class.
struct PictureFolder {
  std::string name;   // relative to the class folder; empty: that itself
  std::string state;  // as state_of says
  std::vector<std::string> pictures;
};

// The same for the same folder with the same entries: no program can set the time of the last
// change of an inode. Empty, which equals nothing that was kept, if that time is unknown or so
// short ago that a further change might get the same one.
std::string state_of(const fs::path& folder, std::chrono::nanoseconds settled) {
  struct stat status = {};
  if (::stat(folder.c_str(), &status) != 0) return "";
  using namespace std::chrono;
  const auto changed = seconds(status.st_ctim.tv_sec) + nanoseconds(status.st_ctim.tv_nsec);
  if (system_clock::now().time_since_epoch() - changed < settled) return "";
  return fmt::format("{} {} {}", status.st_ino, status.st_size, changed.count());
}

// The folders with pictures below that of a class. Links are followed, but not back to a folder
// that they lie in.
class FolderWalk {
 public:
  FolderWalk(fs::path top, std::chrono::nanoseconds settled)
      : top_(std::move(top)), settled_(settled) {
    std::error_code ignored;
    for (const fs::path& path : {fs::absolute(top_, ignored), fs::canonical(top_, ignored)})
      for (fs::path above = path; above.has_relative_path(); above = above.parent_path())
        above_.push_back(inode_of(above.parent_path()));
  }

  // In the order of torchvision's ImageFolder: that of the paths as texts.
  std::vector<PictureFolder> folders() && {
    visit("");
    std::ranges::sort(found_, {}, &PictureFolder::name);
    return std::move(found_);
  }

 private:
  using Inode = std::pair<dev_t, ino_t>;

  static Inode inode_of(const fs::path& folder) {
    struct stat status = {};
    if (::stat(folder.c_str(), &status) != 0)
      throw core::failure("cannot read folder '{}': {}", folder.string(), std::strerror(errno));
    return {status.st_dev, status.st_ino};
  }

  void visit(const std::string& name) {
    const fs::path folder = name.empty() ? top_ : top_ / name;
    const Inode inode = inode_of(folder);
    if (std::ranges::find(above_, inode) != above_.end())
      return core::warn_once(fmt::format(
          "'{}' is a link to a folder that contains it: it is left out", folder.string()));
    PictureFolder found{name, state_of(folder, settled_), {}};
    std::vector<std::string> inner;
    for_each_in(folder, [&](std::string entry, bool is_folder) {
      if (is_folder)
        inner.push_back(std::move(entry));
      else if (is_picture(entry))
        found.pictures.push_back(std::move(entry));
    });
    std::ranges::sort(found.pictures);
    found_.push_back(std::move(found));
    above_.push_back(inode);
    for (const std::string& each : inner) visit(name.empty() ? each : name + '/' + each);
    above_.pop_back();
  }

  const fs::path top_;
  const std::chrono::nanoseconds settled_;
  std::vector<Inode> above_;
  std::vector<PictureFolder> found_;
};

std::string place_in_class(const PictureFolder& folder, const std::string& picture) {
  return folder.name.empty() ? picture : folder.name + '/' + picture;
}

// The cache: fields that end with a 0. kMark, the folder, then for each class its name, the number
// of its folders and for each of these its name, its state, the number of its pictures, their
// names.
constexpr std::string_view kMark = "lowbit image folder 2";

using Listings = std::map<std::string, std::vector<PictureFolder>, std::less<>>;

class Fields {
 public:
  explicit Fields(std::string_view bytes) : rest_(bytes) {}
  bool at_end() const { return rest_.empty(); }

  // An Error where the bytes end early.
  std::string next() {
    const size_t end = rest_.find('\0');
    if (end == rest_.npos) throw core::failure("a damaged list of images");
    std::string field(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return field;
  }
  size_t count() {
    const std::optional<size_t> number = core::number_of<size_t>(next());
    // Each of what is counted ends with a 0.
    if (!number || *number > rest_.size()) throw core::failure("a damaged list of images");
    return *number;
  }

 private:
  std::string_view rest_;
};

PictureFolder read_picture_folder(Fields& fields) {
  PictureFolder folder{fields.next(), fields.next(), {}};
  folder.pictures.resize(fields.count());
  for (std::string& picture : folder.pictures) picture = fields.next();
  return folder;
}

// What a cache of this folder holds; nothing if it is of another one, or damaged.
Listings read_listings(std::string_view bytes, const fs::path& folder) try {
  Fields fields(bytes);
  if (fields.next() != kMark || fields.next() != folder.native()) return {};
  Listings listings;
  while (!fields.at_end()) {
    std::vector<PictureFolder>& folders = listings[fields.next()];
    folders.resize(fields.count());
    for (PictureFolder& each : folders) each = read_picture_folder(fields);
  }
  return listings;
} catch (const core::Error&) {
  return {};
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
  std::vector<std::string> names;
  for_each_in(folder, [&](std::string name, bool is_folder) {
    if (is_folder) names.push_back(std::move(name));
  });
  std::ranges::sort(names);
  return names;
}

std::vector<std::string> require_class_folders(const fs::path& folder) {
  std::vector<std::string> classes = class_folders(folder);
  if (!classes.empty()) return classes;
  int64_t pictures = 0;
  for_each_in(folder, [&](const std::string& name, bool) { pictures += is_picture(name); });
  throw core::failure("'{}' has no class folders{}", folder.string(),
                      pictures == 0 ? ""
                                    : fmt::format("; its {} images have to be in a folder for each "
                                                  "class, named as the class",
                                                  pictures));
}

std::vector<std::string> pictures_below(const fs::path& folder) {
  std::vector<std::string> names;
  for (const PictureFolder& each : FolderWalk(folder, kSettled).folders())
    for (const std::string& picture : each.pictures) names.push_back(place_in_class(each, picture));
  return names;
}

std::string read_picture_file(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::exists(status) && !fs::is_regular_file(status))
    throw core::failure("it is not a regular file");
  return core::read_file(path);
}

fs::path user_cache() {
  const char *cache = std::getenv("XDG_CACHE_HOME"), *home = std::getenv("HOME");
  if (cache && *cache) return fs::path(cache) / "lowbit";
  return home && *home ? fs::path(home) / ".cache" / "lowbit" : fs::path();
}

ImageFolder::ImageFolder(const fs::path& folder, const fs::path& cache,
                         std::chrono::nanoseconds settled)
    : folder_(fs::absolute(folder).lexically_normal()),
      class_names_(require_class_folders(folder)) {
  const fs::path file = cache_file(cache, folder_);
  const std::string kept = read_cache(file);
  Listings listings = read_listings(kept, folder_);
  std::string now;
  append(now, kMark);
  append(now, folder_.native());
  for (const std::string& name : class_names_) {
    const fs::path path = folder_ / name;
    std::vector<PictureFolder> folders = std::move(listings[name]);
    const auto is_unchanged = [&](const PictureFolder& each) {
      return !each.state.empty() && each.state == state_of(path / each.name, settled);
    };
    if (!folders.empty() && std::ranges::all_of(folders, is_unchanged))
      ++classes_from_cache_;
    else
      folders = FolderWalk(path, settled).folders();
    append(now, name);
    append(now, std::to_string(folders.size()));
    for (const PictureFolder& each : folders) {
      append(now, each.name);
      append(now, each.state);
      append(now, std::to_string(each.pictures.size()));
      for (const std::string& picture : each.pictures) {
        append(now, picture);
        name_begin_.push_back(names_.size());
        append(names_, place_in_class(each, picture));
      }
    }
    if (size() == (class_end_.empty() ? 0 : class_end_.back()))
      throw core::failure("class folder '{}' has no images ({})", (folder / name).string(),
                          fmt::join(kEndings, ", "));
    class_end_.push_back(size());
  }
  if (now != kept) write_cache(file, now);
}

int64_t ImageFolder::label(int64_t i) const {
  return std::ranges::upper_bound(class_end_, i) - class_end_.begin();
}

StoredPicture ImageFolder::stored(int64_t i, std::string& memory) const {
  memory = read_picture_file(path(i));
  return {memory};
}

fs::path ImageFolder::path(int64_t i) const {
  return folder_ / class_names_[static_cast<size_t>(label(i))] / file_name(i);
}

std::string ImageFolder::file_name(int64_t i) const {
  return names_.data() + name_begin_[static_cast<size_t>(i)];
}

}  // namespace lowbit::data
