// A blocking socket that says exactly what a test wants said, and a listening one that hands them
// out.
#pragma once

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string>
#include <utility>

namespace rondel::http {

class RawSocket {
 public:
  explicit RawSocket(int fd) : fd_(fd) {
    const timeval limit{120, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }

  RawSocket(RawSocket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), held_(std::move(other.held_)) {}

  RawSocket& operator=(RawSocket&&) = delete;

  ~RawSocket() {
    if (fd_ >= 0) ::close(fd_);
  }

  // From 127.0.0.`last`.
  static RawSocket connect(uint16_t port, uint8_t last = 1) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + last);
    (void)::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
    return RawSocket(fd);
  }

  static RawSocket connect_v6(uint16_t port) {
    const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    address.sin6_addr = in6addr_loopback;
    (void)::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
    return RawSocket(fd);
  }

  // False: the other side is gone.
  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }

  int descriptor() const { return fd_; }

  void end_sending() { ::shutdown(fd_, SHUT_WR); }

  // With a reset instead of an orderly end.
  void cut() {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    ::close(std::exchange(fd_, -1));
  }

  // Everything until the other side ends.
  std::string read_all() {
    while (receive()) {
    }
    return std::exchange(held_, {});
  }

  // At most that many bytes, and at least one unless the other side ends.
  std::string read_some(size_t most) {
    if (held_.empty()) receive(most);
    std::string text = held_.substr(0, most);
    held_.erase(0, text.size());
    return text;
  }

  bool ended() { return held_.empty() && !receive(); }

  // One answer: head, and as many bytes as its Content-Length says unless it is to a HEAD. Empty:
  // none came.
  std::string read_response(bool is_head = false) {
    size_t end = std::string::npos;
    while ((end = held_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive()) return std::exchange(held_, {});
    }
    end += 4;
    size_t length = 0;
    const size_t field = held_.substr(0, end).find("Content-Length: ");
    if (field != std::string::npos && !is_head) {
      std::from_chars(held_.data() + field + 16, held_.data() + end, length);
    }
    while (held_.size() < end + length && receive()) {
    }
    std::string response = held_.substr(0, end + length);
    held_.erase(0, end + length);
    return response;
  }

  // What has been received up to and with `mark`.
  std::string read_until(std::string_view mark) {
    while (held_.find(mark) == std::string::npos && receive()) {
    }
    const size_t at = held_.find(mark);
    const size_t count = at == std::string::npos ? held_.size() : at + mark.size();
    std::string text = held_.substr(0, count);
    held_.erase(0, count);
    return text;
  }

 private:
  bool receive(size_t most = 65536) {
    char buffer[65536];
    const ssize_t n = ::recv(fd_, buffer, std::min(most, sizeof buffer), 0);
    if (n <= 0) return false;
    held_.append(buffer, static_cast<size_t>(n));
    return true;
  }

  int fd_;
  std::string held_;
};

class RawListener {
 public:
  RawListener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    (void)::bind(fd_, reinterpret_cast<sockaddr*>(&address), length);
    (void)::listen(fd_, 16);
    (void)::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
  }

  ~RawListener() { ::close(fd_); }

  uint16_t port() const { return port_; }

  RawSocket accept() { return RawSocket(::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC)); }

 private:
  const int fd_;
  uint16_t port_ = 0;
};

}  // namespace rondel::http
