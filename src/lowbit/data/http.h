// A file asked of a web server, from any of its bytes on.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace lowbit::data {

// What a server is about to send.
struct HttpBody {
  int64_t offset;  // place of its first byte in the file; 0 if the server knows no ranges
  std::optional<int64_t> size;  // of the whole file in bytes, where the server says it
};

struct HttpReply {
  std::string trouble;  // empty: all that the server announced has come
  long status = 0;      // of HTTP; 0: there was no answer
  // The connection was lost or too slow, or the server had trouble of its own: another attempt may
  // succeed.
  bool may_retry = false;
};

// Where a body goes; each returns whether to go on, and may throw.
struct HttpSink {
  std::function<bool(const HttpBody&)> begin;    // once, before the first byte
  std::function<bool(std::string_view)> append;  // the next bytes
};

// Asks for the bytes from `offset` on. `stall_seconds`: how long a server may be silent or send
// less than 1 KiB/s. An Error (failure) if this machine has no libcurl: it is loaded here, so that
// the program runs where it is missing; what the sink throws is passed on.
HttpReply http_get(const std::string& address, int64_t offset, int stall_seconds,
                   const HttpSink& sink);

}  // namespace lowbit::data
