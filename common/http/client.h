// HTTP/1.1 client for our own needs: the load generator, the command line, Vault. Keep-alive, TLS,
// deadlines.
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
  std::string host;  // A name or an IP address, without brackets.
  uint16_t port = 80;
  bool tls = false;
  bool verify_peer = true;
  // PEM: whom to believe; empty = whom the system believes. Read again when it was written anew.
  std::string ca_file;
  // "http://host:port", "https://...", "http://[::1]:80"; kInvalidArgument otherwise.
  static Result<Endpoint> parse(std::string_view url);
  // "host:port", as a Host field and a URL have it.
  std::string authority() const;
  // What is sent there never leaves this machine: an address of 127.0.0.0/8 or ::1, or "localhost".
  bool is_loopback() const;
};

// Reads the file, on this thread: connections that believe it need not wait for it any more, and go
// by what it said should it not be read again. kInvalidArgument: `path` has no PEM certificate in
// it that can be read.
Result<void> check_ca_file(const std::string& path);

struct ClientResponse {
  int status = 0;
  Fields fields;
  std::string body;  // Unless a sink took it.
  uint64_t body_bytes = 0;
};

// One keep-alive connection; reconnects when the server closed it between requests. One request at
// a time, one loop. Nothing of it blocks the loop: names are looked up and files read on threads of
// their own, and the deadline holds for that, for connecting and for shaking hands as for the rest.
class ClientConnection {
 public:
  static std::unique_ptr<ClientConnection> make(Endpoint endpoint);
  virtual ~ClientConnection() = default;

  using Sink = std::function<void(ByteView)>;

  // `head.fields` must hold everything but Content-Length, which follows `body`. With a sink the
  // body goes there in pieces. Fields that cannot stand in a head are left out (head_writer.h).
  // kInvalidArgument: neither method nor target may hold a blank or control character; nothing was
  // sent. kUnavailable: no connection, or cut. kDeadlineExceeded.
  virtual async::Task<Result<ClientResponse>> request(RequestHead head,
                                                      std::span<const ByteView> body,
                                                      Deadline deadline, Sink sink = nullptr) = 0;
};

}  // namespace rondel::http
