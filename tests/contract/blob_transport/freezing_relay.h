// A TCP relay for one connection: as if the peer's machine had lost its power, once the test says
// so.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>

namespace rondel::transfer {

class FreezingRelay {
 public:
  // To 127.0.0.1:`target`.
  explicit FreezingRelay(int target)
      : target_(target), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    (void)::bind(listener_, reinterpret_cast<sockaddr*>(&address), length);
    (void)::listen(listener_, 1);
    (void)::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

  ~FreezingRelay() {
    thread_.request_stop();
    thread_.join();
    for (const int socket : {listener_, ends_[0], ends_[1]}) {
      if (socket >= 0) ::close(socket);
    }
  }

  int port() const { return port_; }

  // From now on nothing passes; the connections stay open.
  void freeze() { frozen_ = true; }

 private:
  static sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    return address;
  }

  static bool readable(int socket) {
    pollfd wanted{socket, POLLIN, 0};
    return ::poll(&wanted, 1, 5) == 1;
  }

  void run(const std::stop_token& stop) {
    while (!readable(listener_)) {
      if (stop.stop_requested()) return;
    }
    ends_[0] = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    ends_[1] = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(target_);
    if (::connect(ends_[1], reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      return;
    }
    while (!stop.stop_requested()) {
      for (size_t from = 0; from < 2 && !frozen_; ++from) {
        if (readable(ends_[from]) && !pass(ends_[from], ends_[1 - from])) return;
      }
      if (frozen_) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  static bool pass(int from, int to) {
    char bytes[65'536];
    const ssize_t got = ::recv(from, bytes, sizeof bytes, 0);
    for (ssize_t sent = 0; sent < got;) {
      const ssize_t now = ::send(to, bytes + sent, static_cast<size_t>(got - sent), MSG_NOSIGNAL);
      if (now <= 0) return false;
      sent += now;
    }
    return got > 0;
  }

  const int target_;
  const int listener_;
  int port_ = 0;
  std::array<int, 2> ends_{-1, -1};
  std::atomic<bool> frozen_{false};
  std::jthread thread_;
};

}  // namespace rondel::transfer
