// HTTP/1.1 client for our own needs: the load generator, the command line, Vault. Keep-alive, TLS, deadlines.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "common/async/task.h"
#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/http/message.h"

namespace rondel::http {

struct Endpoint {
  std::string host;
  uint16_t port = 80;
  bool tls = false;
  bool verify_peer = true;
  // "http://host:port", "https://..."; kInvalidArgument otherwise.
  static Result<Endpoint> parse(std::string_view url);
};

struct ClientResponse {
  int status = 0;
  Fields fields;
  std::string body;           // Unless a sink took it.
  uint64_t body_bytes = 0;
};

// One keep-alive connection; reconnects when the server closed it between requests. One request at a time, one loop.
class ClientConnection {
 public:
  static std::unique_ptr<ClientConnection> make(Endpoint endpoint);
  virtual ~ClientConnection() = default;

  using Sink = std::function<void(ByteView)>;

  // `head.fields` must hold everything but Content-Length, which follows `body`. With a sink the body goes there in
  // pieces. Fields that cannot stand in a head are left out (head_writer.h). kInvalidArgument: neither method nor target may hold a
  // blank or control character; nothing was sent. kUnavailable: no connection, or cut. kDeadlineExceeded.
  virtual async::Task<Result<ClientResponse>> request(RequestHead head, std::span<const ByteView> body, Deadline deadline,
                                                      Sink sink = nullptr) = 0;
};

}  // namespace rondel::http
