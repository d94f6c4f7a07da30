#include "lowbit/data/pack.h"

#include <condition_variable>
#include <mutex>
#include <optional>

#include "lowbit/core/descriptor.h"
#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/interrupt.h"
#include "lowbit/core/threads.h"
#include "lowbit/data/image_formats.h"
#include "lowbit/data/imagenet.h"
#include "lowbit/data/sample.h"

namespace lowbit::data {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPackReported = 64;  // images between two reports

// An image as the file will have it.
struct Encoded {
  PackedPicture picture;
  std::string bytes;
};

Image resized(Picture& picture, int64_t shorter) {
  const Crop crop = whole_picture(picture.height(), picture.width(), shorter);
  check_size(static_cast<uint64_t>(crop.scaled_height), static_cast<uint64_t>(crop.scaled_width));
  Image image{crop.scaled_height, crop.scaled_width, {}};
  image.pixels.resize(static_cast<size_t>(image.height * image.width * 3));
  SampleMaker({}).cut_out(picture, crop, image.pixels.data());
  return image;
}

Encoded encode(const PictureSet& set, int64_t i, const PackOptions& options) {
  std::string memory;
  const StoredPicture stored = set.stored(i, memory);
  const std::unique_ptr<Picture> picture = open_picture(stored);
  const bool resize =
      options.side > 0 && std::min(picture->height(), picture->width()) != options.side;
  // A file that stays one is decoded, too: so a damaged one is found.
  Image image = resize ? resized(*picture, options.side) : decode_image(*picture);
  Encoded encoded{};
  if (options.format == PackedFormat::pixels)
    encoded.bytes.assign(image.pixels.begin(), image.pixels.end());
  else if (resize || stored.height > 0)
    encoded.bytes = encode_jpeg(image, options.quality);
  else
    encoded.bytes = stored.bytes;
  encoded.picture.bytes = encoded.bytes.size();
  encoded.picture.checksum = checksum_of(encoded.bytes);
  encoded.picture.height = static_cast<uint32_t>(image.height);
  encoded.picture.width = static_cast<uint32_t>(image.width);
  encoded.picture.label = static_cast<uint32_t>(set.label(i));
  return encoded;
}

// Lets threads do something one after the other, in the order of their numbers from 0.
class Turns {
 public:
  template <class Body>
  void take(size_t number, const Body& body) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return next_ == number; });
    try {
      body();
    } catch (...) {
      pass_on();
      throw;
    }
    pass_on();
  }

 private:
  void pass_on() {
    ++next_;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  size_t next_ = 0;
};

struct Source {
  Split split;
  std::unique_ptr<const PictureSet> pictures;
};

std::vector<Source> open_sources(const fs::path& root) {
  config::DataOptions options;
  options.root = root.string();
  std::vector<Source> sources;
  for (const Split split : kSplits)
    if (has_images(options, split)) sources.push_back({split, open_pictures(options, split)});
  if (sources.empty()) require_images(options, Split::train);  // throws
  return sources;
}

class Packer {
 public:
  Packer(const fs::path& path, const fs::path& unfinished, const PackOptions& options)
      : options_(options),
        path_(path),
        file_(unfinished, O_WRONLY | O_CREAT | O_TRUNC),
        index_(options.format) {
    write(index_.header());  // its place; what it says is not known yet
  }

  void add(const Source& source, const std::function<void(size_t)>& progress) {
    Turns turns;
    const auto count = static_cast<size_t>(source.pictures->size());
    core::for_each_in_order(options_.threads, count, [&](size_t number) {
      const auto i = static_cast<int64_t>(number);
      std::optional<Encoded> encoded;
      std::exception_ptr trouble;
      try {
        encoded = encode(*source.pictures, i, options_);
      } catch (...) {
        trouble = std::current_exception();
      }
      turns.take(number, [&] {
        if (failed_) return;
        failed_ = true;  // unless it comes to the end
        put(source, i, encoded, trouble);
        failed_ = false;
        if (++done_ % kPackReported == 0) progress(done_);
      });
    });
  }

  Packed finish(const std::vector<std::string>& class_names) {
    write(index_.finish(class_names));
    if (::lseek(file_.get(), 0, SEEK_SET) != 0)
      throw core::failure("cannot write '{}': no seeking in it", path_.string());
    write(index_.header());
    packed_.classes = class_names.size();
    return std::move(packed_);
  }

 private:
  void write(std::string_view bytes) { core::write_all(file_, path_, bytes); }

  void put(const Source& source, int64_t i, const std::optional<Encoded>& encoded,
           const std::exception_ptr& trouble) {
    if (const int signal = core::interrupted()) throw core::failure("stopped by signal {}", signal);
    const std::string name = source.pictures->name(i);
    if (!encoded) return leave_out(name, trouble);
    write(encoded->bytes);
    index_.add(source.split, encoded->picture, source.pictures->file_name(i));
    ++(source.split == Split::train ? packed_.train : packed_.validation);
  }

  void leave_out(const std::string& name, const std::exception_ptr& trouble) {
    try {
      std::rethrow_exception(trouble);
    } catch (core::Error& error) {
      if (!options_.skip_damaged)
        throw error.at(name).detail("--skip_damaged leaves damaged images out");
      packed_.left_out.push_back({name, error.what()});
    }
  }

  const PackOptions& options_;
  const fs::path& path_;
  core::Descriptor file_;
  PackedIndexWriter index_;
  Packed packed_;
  size_t done_ = 0;
  bool failed_ = false;  // one thread has thrown: nothing more is written
};

}  // namespace

Packed pack_images(const fs::path& root, const fs::path& path, const PackOptions& options,
                   const std::function<void(size_t done, size_t all)>& progress) {
  std::error_code ignored;
  if (fs::exists(path, ignored)) throw core::failure("'{}' exists already", path.string());
  core::require_writable(path, core::Special::refused);
  const std::vector<Source> sources = open_sources(root);
  size_t all = 0;
  for (const Source& source : sources) all += static_cast<size_t>(source.pictures->size());
  Packed packed;
  core::replace_file(path, [&](const fs::path& unfinished) {
    Packer packer(path, unfinished, options);
    for (const Source& source : sources)
      packer.add(source, [&](size_t done) { progress(done, all); });
    packed = packer.finish(sources.front().pictures->class_names());
  });
  return packed;
}

}  // namespace lowbit::data
