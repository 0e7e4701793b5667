// HTTP/1.1 server: Beast's parser fed by hand, hand-made response heads, gather writes, one
// coroutine a connection.
//
// Keep-alive, pipelining, Expect: 100-continue (sent at the first body read), chunked request
// bodies, HEAD, TLS 1.2+ with certificate reload. Connections stay on the loop that accepted them.
// Refused before a handler sees them, answered 400 (or as said) and closed: malformed heads, both
// Content-Length and Transfer-Encoding, differing or bad Content-Lengths, obsolete line folding,
// head above head_bytes_max (431), more fields than fields_max (431), unknown transfer codings
// (501), HTTP versions other than 1.0 and 1.1 (505). What is above a bound is refused, never cut.
// Bytes behind a refused or unread body are never read as a next request: the connection is closed
// (after draining up to drain_bytes_max so that the client sees the answer).
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/async/event_loop.h"
#include "common/base/bytes.h"
#include "common/base/ip_range.h"
#include "common/base/result.h"
#include "common/http/message.h"
#include "common/http/pace.h"

namespace rondel::http {

// Between the client and whoever spoke TLS with it: we, or a proxy that is believed
// (ServerOptions).
struct ConnectionInfo {
  std::string peer_address;  // Of the client, without port; IPv4 never in its IPv6 form.
  bool tls = false;
  std::string tls_version;  // "1.2", "1.3"; empty without TLS, or when a proxy does not say.
  std::string tls_cipher;   // As OpenSSL names it; empty as above.
  std::string server_name;  // TLS SNI; empty otherwise.
};

// What a body is, and with that how long it may take (Deadlines).
enum class BodyKind {
  kDocument,    // A small one, read whole: until expect_body() says otherwise.
  kFormFields,  // What stands before the file of a form: within the time of the head.
  kObject,      // Streamed.
};

// One request and the way to answer it. Used by one coroutine on the connection's loop.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const RequestHead& head() const = 0;
  // Of this request: requests on one connection from a trusted proxy are of different clients.
  virtual const ConnectionInfo& connection() const = 0;

  // From here on the body is of this kind, and its time begins anew.
  virtual void expect_body(BodyKind kind) = 0;

  // The next run of body bytes, at most 256 KiB, valid until the next call; empty = the body's end.
  // kCancelled: the client went away or sent less than announced. kDeadlineExceeded: it came too
  // slowly (Deadlines); an answer can still be sent. kInvalidArgument: malformed chunking. Any
  // error ends the connection after the answer.
  virtual async::Task<Result<ByteView>> read_body() = 0;

  // Bytes of the bodies that were really moved so far, without heads and framing.
  virtual uint64_t body_bytes_read() const = 0;
  virtual uint64_t body_bytes_written() const = 0;

  // Whole body known: head and body in one gather write. For HEAD answers pass the Content-Length
  // as `head_content_length` and no body.
  virtual async::Task<Result<void>> respond(ResponseHead head, std::string body) = 0;
  virtual async::Task<Result<void>> respond_head_only(ResponseHead head,
                                                      std::optional<uint64_t> content_length) = 0;

  // Streaming: exactly content_length bytes must follow by write_body(); when fewer do the
  // connection is cut, so that the client notices. The first write_body is sent in one gather write
  // with the head.
  virtual async::Task<Result<void>> start_response(ResponseHead head, uint64_t content_length) = 0;
  virtual async::Task<Result<void>> write_body(ByteSlice bytes) = 0;

  // True once a response head was written.
  virtual bool responded() const = 0;
  // Cuts the connection without (further) answer.
  virtual void abort() = 0;
};

using Handler = std::function<async::Task<void>(Exchange&)>;

struct TlsFiles {
  std::string certificate_file;  // PEM chain.
  std::string key_file;          // PEM.
};

struct TlsOptions {
  // For clients that name no host, or one that no other certificate is for.
  std::string certificate_file;
  std::string key_file;
  // Chosen by SNI: the first whose subject alternative names (also *.host) hold the name the client
  // asks for.
  std::vector<TlsFiles> further;
};

// How long a peer may take. Only time in which we wait for the peer counts, but between requests.
// Who is too slow is answered kTooSlow where an answer can be sent, and cut otherwise.
struct Deadlines {
  Duration idle = std::chrono::seconds(60);  // Between requests.
  // From the first byte on, in total: PROXY header, TLS handshake, head, and the fields of a form.
  Duration head = std::chrono::seconds(30);
  Duration document = std::chrono::seconds(60);  // The body of BodyKind::kDocument, in total.
  // A body of BodyKind::kObject, in total and by the wall; an answer that its reader takes, in
  // total.
  Duration object = std::chrono::hours(12);
  RateFloor floor;  // Of both.
};

struct ServerOptions {
  // An IP address without brackets. "::" takes IPv4 too.
  std::string address = "0.0.0.0";
  uint16_t port = 0;  // 0 = any free one; see Server::port().
  std::optional<TlsOptions> tls;
  // Above it new ones are closed at once after a 503; above four fifths of it also those of an
  // address (IPv6: of 64 bits) that has a twentieth already, proxies apart.
  size_t connections_max = 10'000;
  // Peers in these networks send a header of PROXY protocol 2 first, and are refused without one.
  // From others such a header is a malformed request.
  IpRangeSet proxy_protocol;
  // Peers in these networks are believed what they say in X-Forwarded-For and X-Forwarded-Proto
  // (forwarded.h). A PROXY header goes before: who it names is the peer.
  IpRangeSet trusted_proxies;
  size_t head_bytes_max = 8 * 1024;  // Request line and fields, with all line ends.
  size_t fields_max = 200;
  // Of a body that a handler left unread, so that its sender sees the answer;
  uint64_t drain_bytes_max = 64 << 20;
  // and no longer than this, nor 5 s without a byte.
  Duration drain_timeout = std::chrono::seconds(30);
  Deadlines deadlines;
  // Deadlines are looked at this often.
  Duration check_period = std::chrono::milliseconds(500);
  // By which deadlines go.
  const Clock* clock = &real_clock();
  // The body of the answer to a request that is refused before a handler sees it; may add fields
  // and change the status. Empty = one line of text.
  std::function<std::string(const Refusal& refusal, ResponseHead& head)> refusal_body;
};

struct ServerStatus {
  uint64_t connections = 0;
  uint64_t accepted_total = 0;
  uint64_t refused_total = 0;
  uint64_t malformed_total = 0;
  uint64_t slow_total = 0;  // Peers that were too slow, connections that idled apart.
  // Of bodies, moved in either direction, also by exchanges that failed.
  uint64_t body_bytes_read_total = 0;
  uint64_t body_bytes_written_total = 0;
  // How often every loop has looked at the deadlines of all its connections.
  uint64_t deadline_rounds = 0;
};

// Listens on every loop given (SO_REUSEPORT or one acceptor that deals connections out). Safe for
// concurrent use.
class Server {
 public:
  // kAlreadyExists: the port is in use. kInvalidArgument: certificate, key or address unusable.
  static Result<std::unique_ptr<Server>> start(std::vector<async::EventLoop*> loops,
                                               ServerOptions options, Handler handler);
  // After stop() and wait_idle(), with the loops still alive.
  virtual ~Server() = default;

  virtual uint16_t port() const = 0;
  // Goes on accepting and serving, but every answer from here on ends its connection and says so:
  // clients come again elsewhere, and none loses a request that it sent on a connection that was
  // about to close. Safe from any thread.
  virtual void lame_duck() = 0;
  // Stops accepting; connections end after the request they are in. Safe from any thread.
  virtual void stop() = 0;
  // Returns when no connection is open or at the deadline (then cuts them). Awaited on any
  // EventLoop.
  virtual async::Task<void> wait_idle(Deadline deadline) = 0;
  // Reads certificates and keys again; the old ones stay when one does not fit. Also done by itself
  // every 10 s when the files change. Waits for files for 5 s at most (kDeadlineExceeded,
  // kResourceExhausted): not on a loop.
  virtual Result<void> reload_tls() = 0;
  virtual ServerStatus status() const = 0;
};

}  // namespace rondel::http
