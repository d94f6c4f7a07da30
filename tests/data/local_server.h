// A web server on this machine for the tests of downloads: it answers as each test says.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace lowbit::data {

// Answers one request on an open connection, which is closed afterwards.
using Answer = std::function<void(int connection, const std::string& request)>;

class LocalServer {
 public:
  // The answers to the requests in turn; the last one also to all that follow.
  explicit LocalServer(std::vector<Answer> answers);
  ~LocalServer();

  std::string address(const std::string& path = "/file") const;
  // The requests so far, each with its header.
  std::vector<std::string> requests() const;

 private:
  void serve();

  std::vector<Answer> answers_;
  int listener_;
  uint16_t port_ = 0;
  mutable std::mutex mutex_;  // of requests_
  std::vector<std::string> requests_;
  std::jthread thread_;
};

// Sends what `content` holds from the byte on that the request asks for, in all.
Answer serves(std::string content);
// As serves, but only the first `count` of those bytes: the connection then ends.
Answer cuts_after(std::string content, size_t count);
// As cuts_after, but then the connection stays silent until the other side ends it.
Answer stalls_after(std::string content, size_t count);
// As cuts_after, with all of `content` whatever range is asked for.
Answer ignores_range(std::string content, size_t count);
// An answer as it stands.
Answer sends(std::string whole);
Answer status(const std::string& line);

}  // namespace lowbit::data
