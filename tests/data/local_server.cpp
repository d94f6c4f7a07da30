#include "local_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace lowbit::data {
namespace {

void send_all(int connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

std::string receive_request(int connection) {
  std::string request;
  char bytes[4096];
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t count = ::recv(connection, bytes, sizeof bytes, 0);
    if (count <= 0) break;
    request.append(bytes, static_cast<size_t>(count));
  }
  return request;
}

// 0 if the request asks for no range.
size_t first_byte(const std::string& request) {
  constexpr std::string_view kRange = "Range: bytes=";
  const size_t place = request.find(kRange);
  return place == std::string::npos ? 0 : std::stoul(request.substr(place + kRange.size()));
}

std::string header(const std::string& content, size_t first) {
  if (first == 0)
    return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", content.size());
  return fmt::format(
      "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {}-{}/{}\r\n\r\n",
      content.size() - first, first, content.size() - 1, content.size());
}

void send_part(int connection, const std::string& content, size_t first, size_t count) {
  send_all(connection, header(content, first) + content.substr(first, count));
}

}  // namespace

LocalServer::LocalServer(std::vector<Answer> answers)
    : answers_(std::move(answers)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in name = {};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof name;
  auto* const any = reinterpret_cast<sockaddr*>(&name);
  EXPECT_EQ(::bind(listener_, any, size), 0);
  EXPECT_EQ(::listen(listener_, 16), 0);
  EXPECT_EQ(::getsockname(listener_, any, &size), 0);
  port_ = ntohs(name.sin_port);
  thread_ = std::jthread([this] { serve(); });
}

LocalServer::~LocalServer() {
  ::shutdown(listener_, SHUT_RDWR);  // accept returns
  thread_.join();
  ::close(listener_);
}

std::string LocalServer::address(const std::string& path) const {
  return fmt::format("http://127.0.0.1:{}{}", port_, path);
}

std::vector<std::string> LocalServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void LocalServer::serve() {
  for (size_t i = 0;; ++i) {
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    const std::string request = receive_request(connection);
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    answers_[std::min(i, answers_.size() - 1)](connection, request);
    ::close(connection);
  }
}

Answer serves(std::string content) {
  return cuts_after(std::move(content), std::string::npos);
}

Answer cuts_after(std::string content, size_t count) {
  return [content = std::move(content), count](int connection, const std::string& request) {
    send_part(connection, content, first_byte(request), count);
  };
}

Answer stalls_after(std::string content, size_t count) {
  return [content = std::move(content), count](int connection, const std::string& request) {
    send_part(connection, content, first_byte(request), count);
    char byte;
    while (::recv(connection, &byte, 1, 0) > 0) {
    }
  };
}

Answer ignores_range(std::string content, size_t count) {
  return [content = std::move(content), count](int connection, const std::string&) {
    send_part(connection, content, 0, count);
  };
}

Answer sends(std::string whole) {
  return [whole = std::move(whole)](int connection, const std::string&) {
    send_all(connection, whole);
  };
}

Answer status(const std::string& line) {
  return sends(fmt::format("HTTP/1.1 {}\r\nContent-Length: 5\r\n\r\nsorry", line));
}

}  // namespace lowbit::data
