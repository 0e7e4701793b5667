// A TCP relay that can go silent: as if every packet between its clients and the server were
// dropped.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace rondel::metadata {

class SilentRelay {
 public:
  // From 127.0.0.1, a free port, to a Unix socket of at most 107 bytes.
  explicit SilentRelay(const std::string& target)
      : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    target_.sun_family = AF_UNIX;
    target.copy(target_.sun_path, sizeof target_.sun_path - 1);
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof here;
    (void)::bind(listener_, reinterpret_cast<sockaddr*>(&here), length);
    (void)::listen(listener_, 64);
    (void)::getsockname(listener_, reinterpret_cast<sockaddr*>(&here), &length);
    port_ = ntohs(here.sin_port);
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

  ~SilentRelay() {
    thread_.request_stop();
    thread_.join();
    ::close(listener_);
    for (const auto& [from, to] : peers_) ::close(from);
  }

  int port() const { return port_; }

  // Nothing passes, in either direction, and the end of a connection is not told; until let go.
  void be_silent(bool silent) { silent_ = silent; }

 private:
  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      if (silent_) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        continue;
      }
      std::vector<pollfd> wanted{{listener_, POLLIN, 0}};
      for (const auto& [from, to] : peers_) wanted.push_back({from, POLLIN, 0});
      if (::poll(wanted.data(), wanted.size(), 5) <= 0) continue;
      if (wanted[0].revents != 0) accept();
      for (size_t i = 1; i < wanted.size(); ++i) {
        if (wanted[i].revents != 0 && peers_.contains(wanted[i].fd) && !pass(wanted[i].fd)) {
          hang_up(wanted[i].fd);
        }
      }
    }
  }

  void accept() {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const int server = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(server, reinterpret_cast<const sockaddr*>(&target_), sizeof target_) != 0) {
      ::close(client);
      ::close(server);
      return;
    }
    peers_[client] = server;
    peers_[server] = client;
  }

  bool pass(int from) {
    char bytes[65'536];
    const ssize_t got = ::recv(from, bytes, sizeof bytes, 0);
    for (ssize_t sent = 0; sent < got;) {
      const ssize_t now =
          ::send(peers_[from], bytes + sent, static_cast<size_t>(got - sent), MSG_NOSIGNAL);
      if (now <= 0) return false;
      sent += now;
    }
    return got > 0;
  }

  void hang_up(int one) {
    const int other = peers_[one];
    peers_.erase(one);
    peers_.erase(other);
    ::close(one);
    ::close(other);
  }

  sockaddr_un target_{};
  const int listener_;
  int port_ = 0;
  std::map<int, int> peers_;  // The relay's thread alone.
  std::atomic<bool> silent_{false};
  std::jthread thread_;
};

}  // namespace rondel::metadata
