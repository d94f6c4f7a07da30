#include "lowbit/data/download.h"

#include <openssl/evp.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sstream>
#include <thread>

#include "lowbit/core/descriptor.h"
#include "lowbit/core/error.h"
#include "lowbit/core/file_lock.h"
#include "lowbit/core/files.h"
#include "lowbit/core/log.h"
#include "lowbit/data/http.h"

namespace lowbit::data {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr auto kReportEvery = std::chrono::seconds(5);

double megabytes(int64_t bytes) {
  return static_cast<double>(bytes) / 1e6;
}

// What has come of a file.
class Part {
 public:
  explicit Part(fs::path path) : path_(std::move(path)), file_(path_, O_RDWR | O_CREAT | O_APPEND) {
    struct stat status = {};
    if (file_.get() < 0 || ::fstat(file_.get(), &status) != 0) fail("write");
    size_ = status.st_size;
  }

  const fs::path& path() const { return path_; }
  int64_t size() const { return size_; }

  void clear() {
    if (::ftruncate(file_.get(), 0) != 0) fail("write");
    size_ = 0;
  }

  void rename(const fs::path& path) {
    if (::rename(path_.c_str(), path.c_str()) != 0) fail("rename");
  }

  void append(std::string_view bytes) {
    core::write_all(file_, path_, bytes);
    size_ += static_cast<int64_t>(bytes.size());
  }

  std::string sha256() const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash(EVP_MD_CTX_new(),
                                                                       &EVP_MD_CTX_free);
    bool works = hash && EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr) == 1;
    std::vector<char> block(1 << 20);
    for (int64_t place = 0; works && place < size_;) {
      const ssize_t count = ::pread(file_.get(), block.data(), block.size(), place);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) fail("read");
      works = EVP_DigestUpdate(hash.get(), block.data(), static_cast<size_t>(count)) == 1;
      place += count;
    }
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (!works || EVP_DigestFinal_ex(hash.get(), digest, &length) != 1)
      throw core::failure("'{}': no SHA-256 can be computed", path_.string());
    std::string text;
    for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
    return text;
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw core::failure("cannot {} '{}': {}", what, path_.string(), std::strerror(errno));
  }

  fs::path path_;
  core::Descriptor file_;
  int64_t size_ = 0;
};

class Transfer {
 public:
  Transfer(const Published& file, const Patience& patience, std::string name, Part& part)
      : file_(file), patience_(patience), name_(std::move(name)), part_(part) {
    if (part_.size() > file_.size) part_.clear();
  }

  // Why the part is not the whole, right file after all attempts at this address; "" if it is.
  std::string fetch(const std::string& address) {
    // Whether the part begins with bytes that came from elsewhere, or in an earlier run.
    mixed_ = part_.size() > 0;
    int64_t furthest = part_.size();
    for (int failures = 0;;) {
      refused_.clear();
      HttpReply reply;
      const int64_t start = part_.size();
      if (start < file_.size) reply = request(address);
      if (!refused_.empty()) return refused_;
      const bool complete = reply.trouble.empty() || part_.size() >= file_.size;
      if (complete || (reply.status == 416 && start > 0)) {
        const std::string wrong = complete ? check() : reply.trouble;
        if (wrong.empty()) return "";
        part_.clear();
        // They need not be this server's fault.
        if (!std::exchange(mixed_, false)) return wrong;
        core::log().warn("{}: {}; from the start again", name_, wrong);
        continue;
      }
      if (!reply.may_retry) return reply.trouble;
      if (part_.size() >= furthest + std::max<int64_t>(1, file_.size / 100)) failures = 0;
      furthest = std::max(furthest, part_.size());
      if (++failures >= patience_.attempts) return reply.trouble;
      core::log().warn("{}: {}; going on after {:.0f} of {:.0f} MB", name_, reply.trouble,
                       megabytes(part_.size()), megabytes(file_.size));
      std::this_thread::sleep_for(patience_.pause * (1 << std::min(failures - 1, 10)));
    }
  }

 private:
  HttpReply request(const std::string& address) {
    const HttpSink sink = {.begin = [this](const HttpBody& body) { return begin(body); },
                           .append = [this](std::string_view bytes) { return append(bytes); }};
    return http_get(address, part_.size(), patience_.stall_seconds, sink);
  }

  bool begin(const HttpBody& body) {
    // Also what the page of a login to the network is seen by.
    if (body.size && *body.size != file_.size)
      refused_ = fmt::format("has {} bytes, expected {}", *body.size, file_.size);
    else if (body.offset != 0 && body.offset != part_.size())
      refused_ = fmt::format("sends other bytes than those from {} on", part_.size());
    if (!refused_.empty()) return false;
    if (body.offset == 0) {
      part_.clear();
      mixed_ = false;
    }
    return true;
  }

  bool append(std::string_view bytes) {
    const auto room = static_cast<size_t>(file_.size - part_.size());
    if (bytes.size() > room) {
      part_.clear();
      refused_ = fmt::format("sends more than the expected {} bytes", file_.size);
      return false;
    }
    part_.append(bytes);
    if (const Clock::time_point now = Clock::now(); now - reported_ >= kReportEvery) {
      reported_ = now;
      core::log().info("{}: {:.0f} of {:.0f} MB", name_, megabytes(part_.size()),
                       megabytes(file_.size));
    }
    return true;
  }

  // What is wrong with the part as the whole file.
  std::string check() const {
    if (part_.size() != file_.size)
      return fmt::format("has {} bytes, expected {}", part_.size(), file_.size);
    const std::string actual = part_.sha256();
    if (actual == file_.sha256) return "";
    return fmt::format("its SHA-256 is {}, expected {}", actual, file_.sha256);
  }

  const Published& file_;
  const Patience& patience_;
  const std::string name_;
  Part& part_;
  bool mixed_ = false;
  std::string refused_;  // why the body of the request was not taken
  Clock::time_point reported_ = Clock::now();
};

void append_bases(std::vector<std::string>& bases, const std::string& text) {
  std::istringstream words(text);
  for (std::string base; std::getline(words, base, ',');)
    if (!base.empty()) bases.push_back(base);
}

}  // namespace

std::vector<std::string> addresses_of(const std::string& name, std::span<const std::string> mirrors,
                                      const std::string& publisher) {
  std::vector<std::string> addresses;
  for (const std::string& mirror : mirrors) append_bases(addresses, mirror);
  if (const char* variable = std::getenv("LOWBIT_MIRROR")) append_bases(addresses, variable);
  addresses.push_back(publisher);
  for (std::string& address : addresses) address += (address.ends_with('/') ? "" : "/") + name;
  return addresses;
}

void download(const Published& file, const fs::path& destination, const Patience& patience) {
  core::make_writable_folder(destination.has_parent_path() ? destination.parent_path() : ".");
  const core::FileLock lock(destination.string() + ".lock",
                            fmt::format("'{}'", destination.string()), core::IfHeld::wait);
  if (core::is_file(destination)) return;
  core::require_writable(destination, core::Special::refused);
  Part part(destination.string() + ".part");
  Transfer transfer(file, patience, destination.filename().string(), part);
  std::vector<std::string> troubles;
  for (const std::string& address : file.addresses) {
    core::log().info("downloading {} to '{}' ({:.0f} MB)", address, destination.string(),
                     megabytes(file.size));
    const std::string trouble = transfer.fetch(address);
    if (trouble.empty()) {
      core::replace_file(destination, [&part](const fs::path& path) { part.rename(path); });
      return;
    }
    troubles.push_back(fmt::format("{}: {}", address, trouble));
  }
  if (part.size() == 0) {
    std::error_code ignored;
    fs::remove(part.path(), ignored);
  }
  if (troubles.empty()) throw core::failure("no address of '{}' is known", destination.string());
  core::Error error =
      core::failure("'{}' could not be downloaded: {}", destination.string(), troubles.back());
  troubles.pop_back();
  for (const std::string& trouble : troubles) error.detail(trouble);
  if (part.size() > 0)
    error.detail(fmt::format("{:.0f} MB are kept in '{}': the next call goes on from there",
                             megabytes(part.size()), part.path().string()));
  throw error;
}

}  // namespace lowbit::data
