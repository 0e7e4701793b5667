// One keep-alive connection on non-blocking sockets: one request at a time. Reconnects after
// errors.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "s3_client/answer_parser.h"

namespace rondel::s3_client {

// Bytes of bodies that moved, either direction.
struct Traffic {
  uint64_t sent = 0;
  uint64_t received = 0;
};

class Connection {
 public:
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  ~Connection() { close(); }

  // Opens the socket when it is not open and adds it to the epoll set, edge-triggered, with `token`
  // as its data.
  Result<void> open(const sockaddr_in& address, int epoll, uint64_t token);
  void close();

  bool is_open() const { return socket_ >= 0; }

  // REQUIRES: is_open(). Sends what fits; the rest when the socket is writable.
  void start(std::string head, ByteView body, bool is_head, Traffic& traffic);

  enum class Progress { kPending, kAnswered, kBroken };
  // After the socket became readable or writable. `scratch` is overwritten.
  Progress advance(std::span<std::byte> scratch, Traffic& traffic);

  const AnswerParser& answer() const { return parser_; }

 private:
  bool send_more(Traffic& traffic);

  int socket_ = -1;
  std::string head_;
  ByteView body_;
  size_t sent_ = 0;  // Of head and body together.
  AnswerParser parser_;
};

}  // namespace rondel::s3_client
