#include "lowbit/data/http.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <strings.h>

#include <exception>
#include <memory>

#include "lowbit/core/error.h"
#include "lowbit/core/number.h"
#include "lowbit/core/shared_library.h"

// curl checks the types of these by macros of the same names.
#undef curl_easy_setopt
#undef curl_easy_getinfo

namespace lowbit::data {
namespace {

struct Curl {
  decltype(&curl_global_init) global_init;
  decltype(&curl_easy_init) init;
  decltype(&curl_easy_setopt) setopt;
  decltype(&curl_easy_perform) perform;
  decltype(&curl_easy_getinfo) getinfo;
  decltype(&curl_easy_strerror) strerror;
  decltype(&curl_easy_cleanup) cleanup;
};

Curl load_curl() {
  const core::SharedLibrary library({"libcurl.so.4", "libcurl-gnutls.so.4"});
  if (!library.found())
    throw core::failure("downloads need libcurl, which this machine lacks")
        .detail("apt-get install libcurl4 (Ubuntu 24.04: libcurl4t64)");
  Curl curl{};
  library.get("curl_global_init", curl.global_init);
  library.get("curl_easy_init", curl.init);
  library.get("curl_easy_setopt", curl.setopt);
  library.get("curl_easy_perform", curl.perform);
  library.get("curl_easy_getinfo", curl.getinfo);
  library.get("curl_easy_strerror", curl.strerror);
  library.get("curl_easy_cleanup", curl.cleanup);
  curl.global_init(CURL_GLOBAL_DEFAULT);
  return curl;
}

const Curl& curl() {
  static const Curl loaded = load_curl();
  return loaded;
}

// The state of one request, which curl's callbacks share.
struct Request {
  CURL* handle;
  const HttpSink& sink;
  bool begun = false;
  std::string content_range = {};       // as the last answer says it
  std::exception_ptr thrown = nullptr;  // must not pass through curl, which is C

  int64_t number_info(CURLINFO info) const {
    curl_off_t value = -1;
    curl().getinfo(handle, info, &value);
    return value;
  }
  long status() const {
    long value = 0;
    curl().getinfo(handle, CURLINFO_RESPONSE_CODE, &value);
    return value;
  }

  HttpBody body() const {
    if (status() != 206) {
      const int64_t size = number_info(CURLINFO_CONTENT_LENGTH_DOWNLOAD_T);
      return {0, size < 0 ? std::nullopt : std::optional(size)};
    }
    // "bytes FIRST-LAST/SIZE", where SIZE may be "*".
    const std::string_view text = content_range;
    const size_t first = text.find_first_of("0123456789"), dash = text.find('-'),
                 slash = text.find('/');
    if (first > dash || dash == text.npos || slash == text.npos) return {-1, std::nullopt};
    const auto size_end = text.find_last_of("0123456789*");
    return {core::number_of<int64_t>(text.substr(first, dash - first)).value_or(-1),
            core::number_of<int64_t>(text.substr(slash + 1, size_end - slash))};
  }

  bool take(std::string_view bytes) noexcept {
    try {
      if (!begun && !sink.begin(body())) return false;
      begun = true;
      return sink.append(bytes);
    } catch (...) {
      thrown = std::current_exception();
      return false;
    }
  }
};

size_t on_bytes(char* bytes, size_t size, size_t count, void* request) {
  return static_cast<Request*>(request)->take({bytes, size * count}) ? size * count : 0;
}

size_t on_header(char* bytes, size_t size, size_t count, void* request) {
  constexpr std::string_view kName = "content-range:";
  const std::string_view line(bytes, size * count);
  std::string& range = static_cast<Request*>(request)->content_range;
  if (line.starts_with("HTTP/")) range.clear();  // the answer after a redirection
  if (line.size() > kName.size() && ::strncasecmp(bytes, kName.data(), kName.size()) == 0)
    range = line.substr(kName.size());
  return size * count;
}

bool is_loss(CURLcode code) {
  switch (code) {
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

bool is_passing(long status) {
  return status == 408 || status == 429 || status >= 500;
}

}  // namespace

HttpReply http_get(const std::string& address, int64_t offset, int stall_seconds,
                   const HttpSink& sink) {
  const Curl& c = curl();
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(c.init(), c.cleanup);
  if (!handle) throw core::failure("libcurl does not start");
  CURL* const h = handle.get();
  Request request{.handle = h, .sink = sink};
  char explained[CURL_ERROR_SIZE] = {};
  c.setopt(h, CURLOPT_URL, address.c_str());
  c.setopt(h, CURLOPT_ERRORBUFFER, explained);
  c.setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
  c.setopt(h, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  c.setopt(h, CURLOPT_FOLLOWLOCATION, 1L);
  c.setopt(h, CURLOPT_MAXREDIRS, 5L);
  c.setopt(h, CURLOPT_FAILONERROR, 1L);
  c.setopt(h, CURLOPT_NOSIGNAL, 1L);
  c.setopt(h, CURLOPT_USERAGENT, "lowbit");
  c.setopt(h, CURLOPT_CONNECTTIMEOUT, static_cast<long>(stall_seconds));
  c.setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1024L);
  c.setopt(h, CURLOPT_LOW_SPEED_TIME, static_cast<long>(stall_seconds));
  c.setopt(h, CURLOPT_WRITEFUNCTION, &on_bytes);
  c.setopt(h, CURLOPT_WRITEDATA, &request);
  c.setopt(h, CURLOPT_HEADERFUNCTION, &on_header);
  c.setopt(h, CURLOPT_HEADERDATA, &request);
  // Not CURLOPT_RESUME_FROM, which takes the whole file from a server without ranges as an error.
  const std::string range = fmt::format("{}-", offset);
  if (offset > 0) c.setopt(h, CURLOPT_RANGE, range.c_str());

  const CURLcode code = c.perform(h);
  if (request.thrown) std::rethrow_exception(request.thrown);
  HttpReply reply;
  reply.status = request.status();
  if (code == CURLE_OK) return reply;
  reply.trouble = explained[0] ? explained : c.strerror(code);
  // A server that cannot be reached at all is not asked again: there are others.
  const bool connected = request.number_info(CURLINFO_PRETRANSFER_TIME_T) > 0;
  reply.may_retry = (connected && is_loss(code)) ||
                    (code == CURLE_HTTP_RETURNED_ERROR && is_passing(reply.status));
  return reply;
}

}  // namespace lowbit::data
