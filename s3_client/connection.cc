#include "s3_client/connection.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace rondel::s3_client {
namespace {

std::unexpected<Error> failed(const char* what) {
  return fail(ErrorCode::kUnavailable,
              std::string(what) + ": " + std::generic_category().message(errno));
}

}  // namespace

// The connect blocks: it is loopback or a near network, and only the first request of a connection
// waits for it.
Result<void> Connection::open(const sockaddr_in& address, int epoll, uint64_t token) {
  if (socket_ >= 0) return {};
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return failed("socket");
  const int yes = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  const timeval limit{5, 0};
  setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const auto error = failed("connect");
    close();
    return error;
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = token;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, socket_, &event) == 0) return {};
  const auto error = failed("epoll_ctl");
  close();
  return error;
}

void Connection::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

void Connection::start(std::string head, ByteView body, bool is_head, Traffic& traffic) {
  head_ = std::move(head);
  body_ = body;
  sent_ = 0;
  parser_.begin(is_head);
  // An error shows again when the socket is read.
  (void)send_more(traffic);
}

bool Connection::send_more(Traffic& traffic) {
  const size_t whole = head_.size() + body_.size();
  while (sent_ < whole) {
    std::array<iovec, 2> parts;
    size_t used = 0;
    const size_t in_body = sent_ > head_.size() ? sent_ - head_.size() : 0;
    if (sent_ < head_.size()) parts[used++] = {head_.data() + sent_, head_.size() - sent_};
    if (!body_.empty()) {
      const ByteView rest = body_.subspan(in_body);
      parts[used++] = {const_cast<std::byte*>(rest.data()), rest.size()};
    }
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = used;
    const ssize_t count = ::sendmsg(socket_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN;
    sent_ += static_cast<size_t>(count);
    const size_t now_in_body = sent_ > head_.size() ? sent_ - head_.size() : 0;
    traffic.sent += now_in_body - in_body;
  }
  return true;
}

Connection::Progress Connection::advance(std::span<std::byte> scratch, Traffic& traffic) {
  const bool sending = send_more(traffic);
  for (;;) {
    const ssize_t count = ::recv(socket_, scratch.data(), scratch.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return sending ? Progress::kPending : Progress::kBroken;
    if (count <= 0) return Progress::kBroken;
    const uint64_t before = parser_.body_bytes();
    const bool good = parser_.feed(scratch.first(static_cast<size_t>(count)));
    traffic.received += parser_.body_bytes() - before;
    if (!good) return Progress::kBroken;
    if (parser_.done()) return Progress::kAnswered;
  }
}

}  // namespace rondel::s3_client
