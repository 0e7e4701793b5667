#include "common/http/client.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <charconv>

#include "common/async/one_shot.h"
#include "common/base/ip_range.h"
#include "common/base/numbers.h"
#include "common/http/authorities.h"
#include "common/http/chunked_decoder.h"
#include "common/http/head_parser.h"
#include "common/http/head_writer.h"
#include "common/http/stream_impl.hpp"

namespace rondel::http {
namespace {

constexpr size_t kReadBytes = 64 * 1024;
constexpr size_t kHeadBytesMax = 64 * 1024;

struct Connect {
  Socket& socket;
  tcp::endpoint endpoint;
  ErrorCodeOf error = {};

  bool await_ready() const { return false; }

  void await_suspend(std::coroutine_handle<> handle) {
    socket.async_connect(endpoint, [this, handle](const ErrorCodeOf& outcome) {
      error = outcome;
      handle.resume();
    });
  }

  ErrorCodeOf await_resume() const { return error; }
};

struct ResponseLine {
  int status = 0;
  bool keep_alive = true;
};

std::optional<ResponseLine> parse_head(std::string_view text, ClientResponse& response) {
  if (!text.starts_with("HTTP/1.") || text.size() < 12) return std::nullopt;
  ResponseLine line;
  const auto status = std::from_chars(text.data() + 9, text.data() + 12, line.status);
  if (status.ec != std::errc() || status.ptr != text.data() + 12 || line.status < 100) {
    return std::nullopt;
  }
  response = ClientResponse{};
  response.status = line.status;
  size_t at = text.find("\r\n") + 2;
  while (at < text.size()) {
    const size_t end = text.find("\r\n", at);
    if (end == std::string_view::npos || end == at) break;
    const std::string_view field = text.substr(at, end - at);
    const size_t colon = field.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::string_view value = field.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    response.fields.add(std::string(field.substr(0, colon)), std::string(value));
    at = end + 2;
  }
  line.keep_alive = !has_token(response.fields, "Connection", "close") && text[7] == '1';
  return line;
}

using Resolver = asio::ip::basic_resolver<tcp, asio::io_context::executor_type>;

// In the order in which they are to be tried.
struct Resolved {
  ErrorCodeOf error;
  std::vector<tcp::endpoint> endpoints;
};

async::Task<Result<std::vector<tcp::endpoint>>> resolve(std::string host, uint16_t port,
                                                        Deadline deadline) {
  ErrorCodeOf no_address;
  const auto address = asio::ip::make_address(host, no_address);
  if (!no_address) co_return std::vector{tcp::endpoint(address, port)};
  // The look-up cannot be taken back; after the deadline its outcome is dropped.
  const auto slot = async::OneShot<Resolved>::make();
  const auto resolver = std::make_shared<Resolver>(async::EventLoop::current()->context());
  resolver->async_resolve(
      host, std::to_string(port),
      [slot, resolver](const ErrorCodeOf& error, const Resolver::results_type& found) {
        Resolved out{error, {}};
        for (const auto& entry : found) out.endpoints.push_back(entry.endpoint());
        slot->set(std::move(out));
      });
  CO_TRY(Resolved resolved, co_await slot->wait_until(deadline));
  if (resolved.error || resolved.endpoints.empty()) {
    co_return fail(ErrorCode::kUnavailable, host + ": " + resolved.error.message());
  }
  co_return std::move(resolved.endpoints);
}

class AsioConnection final : public ClientConnection {
 public:
  explicit AsioConnection(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}

  async::Task<Result<ClientResponse>> request(RequestHead head, std::span<const ByteView> body,
                                              Deadline deadline, Sink sink) override {
    const auto splits = [](const std::string& word) {
      return word.contains(' ') || !is_field_value(word);
    };
    if (splits(head.method) || splits(head.target)) {
      co_return fail(ErrorCode::kInvalidArgument,
                     "the request line would hold a blank or a control character");
    }
    late_ = false;
    deadline_ = deadline;
    const auto timer = async::EventLoop::current()->call_at(deadline, [this] {
      late_ = true;
      ErrorCodeOf ignored;
      if (connecting_ != nullptr) connecting_->close(ignored);
      if (stream_) stream_->close();
    });
    const bool reused = stream_ != nullptr;
    auto response = co_await attempt(head, body, sink);
    // A kept connection may have been closed by the server just then; nothing of an answer came, so
    // asking again is safe.
    if (!response && reused && !late_ && !answer_began_) {
      response = co_await attempt(head, body, sink);
    }
    if (!response) stream_.reset();
    if (!response && late_) {
      co_return fail(ErrorCode::kDeadlineExceeded, "no answer before the deadline");
    }
    co_return response;
  }

 private:
  async::Task<Result<ClientResponse>> attempt(const RequestHead& head,
                                              std::span<const ByteView> body, const Sink& sink) {
    answer_began_ = false;
    if (!stream_) CO_TRY_VOID(co_await connect());
    CO_TRY_VOID(co_await send(head, body));
    auto response = co_await receive(head.method == "HEAD", sink);
    if (!response) stream_.reset();
    co_return response;
  }

  async::Task<Result<void>> connect() {
    begin_ = end_ = 0;
    std::shared_ptr<asio::ssl::context> tls_context;
    if (endpoint_.tls) {
      CO_TRY(tls_context, co_await believed());
    }
    CO_TRY(const std::vector<tcp::endpoint> targets,
           co_await resolve(endpoint_.host, endpoint_.port, deadline_));
    asio::io_context& context = async::EventLoop::current()->context();
    Socket socket(context);
    ErrorCodeOf refused;
    for (const tcp::endpoint& target : targets) {
      socket = Socket(context);
      connecting_ = &socket;
      refused = co_await Connect{socket, target};
      connecting_ = nullptr;
      if (!refused || late_) break;
    }
    if (refused || late_) co_return fail(ErrorCode::kUnavailable, "connect: " + refused.message());
    ErrorCodeOf ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    if (!endpoint_.tls) {
      stream_ = std::make_unique<PlainStream>(std::move(socket));
      co_return Result<void>{};
    }
    auto tls =
        std::make_unique<TlsStream>(std::move(socket), *tls_context, TlsStream::Side::kClient);
    expect_host(tls->handle());
    stream_ = std::move(tls);
    const IoOutcome shaken = co_await stream_->handshake();
    if (shaken.failed) {
      stream_.reset();
      co_return fail(ErrorCode::kUnavailable, "TLS: " + shaken.message);
    }
    co_return Result<void>{};
  }

  async::Task<Result<std::shared_ptr<asio::ssl::context>>> believed() {
    if (!endpoint_.verify_peer) co_return make_client_context();
    co_return co_await Authorities::of(endpoint_.ca_file).context(deadline_);
  }

  // The certificate must be for the host; a name is also asked for (SNI).
  void expect_host(SSL* connection) const {
    const bool is_address = parse_ip(endpoint_.host).has_value();
    if (!is_address) SSL_set_tlsext_host_name(connection, endpoint_.host.c_str());
    if (!endpoint_.verify_peer) return;
    if (is_address) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), endpoint_.host.c_str());
    } else {
      SSL_set1_host(connection, endpoint_.host.c_str());
    }
  }

  async::Task<Result<void>> send(const RequestHead& head, std::span<const ByteView> body) {
    std::string text = head.method + " " + head.target + " HTTP/1.1\r\n";
    for (const auto& [name, value] : head.fields) append_field(text, name, value);
    uint64_t length = 0;
    for (ByteView view : body) length += view.size();
    if (length > 0 || head.method == "PUT" || head.method == "POST") {
      text += "Content-Length: " + std::to_string(length) + "\r\n";
    }
    text += "\r\n";
    std::array<ByteView, 4> views{as_bytes(text)};
    size_t used = 1;
    for (ByteView view : body) {
      views[used++] = view;
      if (used < views.size()) continue;
      CO_TRY_VOID(co_await write(std::span(views).first(used)));
      used = 0;
    }
    if (used > 0) CO_TRY_VOID(co_await write(std::span(views).first(used)));
    co_return Result<void>{};
  }

  async::Task<Result<void>> write(std::span<const ByteView> views) {
    const IoOutcome outcome = co_await stream_->write(views);
    if (outcome.failed) co_return fail(ErrorCode::kUnavailable, "send: " + outcome.message);
    co_return Result<void>{};
  }

  async::Task<Result<void>> fill() {
    if (begin_ == end_) begin_ = end_ = 0;
    if (buffer_.size() - end_ < kReadBytes / 2) buffer_.resize(end_ + kReadBytes);
    const std::span<char> room(buffer_.data() + end_, buffer_.size() - end_);
    const IoOutcome outcome = co_await stream_->read(std::as_writable_bytes(room));
    ended_ = outcome.end_of_stream;
    if (outcome.failed || outcome.count == 0) {
      co_return fail(ErrorCode::kUnavailable, outcome.end_of_stream
                                                  ? "the server closed the connection"
                                                  : "receive: " + outcome.message);
    }
    answer_began_ = true;
    end_ += outcome.count;
    co_return Result<void>{};
  }

  async::Task<Result<ClientResponse>> receive(bool is_head, const Sink& sink) {
    ClientResponse response;
    std::optional<ResponseLine> line;
    do {
      size_t end = std::string::npos;
      while ((end = view().find("\r\n\r\n")) == std::string_view::npos) {
        if (end_ - begin_ > kHeadBytesMax) {
          co_return fail(ErrorCode::kUnavailable, "the answer's head is too large");
        }
        CO_TRY_VOID(co_await fill());
      }
      line = parse_head(view().substr(0, end + 4), response);
      begin_ += end + 4;
      if (!line) co_return fail(ErrorCode::kUnavailable, "malformed answer");
    } while (line->status < 200);
    if (!is_head && line->status != 204 && line->status != 304) {
      CO_TRY_VOID(co_await receive_body(response, sink));
    }
    if (!line->keep_alive) stream_.reset();
    co_return response;
  }

  async::Task<Result<void>> receive_body(ClientResponse& response, const Sink& sink) {
    if (has_token(response.fields, "Transfer-Encoding", "chunked")) {
      ChunkedDecoder decoder;
      while (!decoder.done()) {
        if (begin_ == end_) CO_TRY_VOID(co_await fill());
        const auto step = decoder.feed(as_bytes(view()));
        begin_ += step.consumed;
        if (step.malformed) co_return fail(ErrorCode::kUnavailable, "malformed chunked answer");
        take(response, sink, step.body);
      }
      co_return Result<void>{};
    }
    const auto text = response.fields.find("Content-Length");
    if (!text) co_return co_await receive_to_the_end(response, sink);
    uint64_t left = 0;
    const auto parsed = std::from_chars(text->data(), text->data() + text->size(), left);
    if (parsed.ec != std::errc() || parsed.ptr != text->data() + text->size()) {
      co_return fail(ErrorCode::kUnavailable, "malformed answer");
    }
    while (left > 0) {
      if (begin_ == end_) CO_TRY_VOID(co_await fill());
      const auto count = static_cast<size_t>(std::min<uint64_t>(left, end_ - begin_));
      take(response, sink, as_bytes(view().substr(0, count)));
      begin_ += count;
      left -= count;
    }
    co_return Result<void>{};
  }

  // Neither length nor chunks: the body ends with the connection (RFC 9112, section 6.3).
  async::Task<Result<void>> receive_to_the_end(ClientResponse& response, const Sink& sink) {
    for (;;) {
      take(response, sink, as_bytes(view()));
      begin_ = end_;
      if (auto more = co_await fill(); !more) {
        if (!ended_) co_return more;
        stream_.reset();
        co_return Result<void>{};
      }
    }
  }

  static void take(ClientResponse& response, const Sink& sink, ByteView bytes) {
    response.body_bytes += bytes.size();
    if (sink) {
      sink(bytes);
    } else {
      response.body += as_text(bytes);
    }
  }

  std::string_view view() const { return {buffer_.data() + begin_, end_ - begin_}; }

  Endpoint endpoint_;
  Deadline deadline_ = Deadline::max();  // Of the request.
  Socket* connecting_ = nullptr;
  std::unique_ptr<Stream> stream_;
  std::vector<char> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  bool late_ = false;
  bool answer_began_ = false;
  bool ended_ = false;
};

}  // namespace

Result<Endpoint> Endpoint::parse(std::string_view url) {
  Endpoint endpoint;
  const std::string whole(url);
  if (url.starts_with("https://")) {
    endpoint.tls = true;
    endpoint.port = 443;
    url.remove_prefix(8);
  } else if (url.starts_with("http://")) {
    url.remove_prefix(7);
  } else {
    return fail(ErrorCode::kInvalidArgument, "'" + whole + "' is no http:// or https:// address");
  }
  if (url.ends_with('/')) url.remove_suffix(1);
  const bool bracketed = url.starts_with('[');
  const size_t host_end = bracketed ? url.find(']') : url.find(':');
  endpoint.host =
      std::string(bracketed && host_end != std::string_view::npos ? url.substr(1, host_end - 1)
                                                                  : url.substr(0, host_end));
  std::string_view rest = host_end == std::string_view::npos
                              ? std::string_view()
                              : url.substr(host_end + (bracketed ? 1 : 0));
  if (!rest.empty()) {
    const auto port = parse_port(rest);
    if (!port || *port == 0 || rest.rfind(':') != 0) {
      return fail(ErrorCode::kInvalidArgument, "'" + whole + "' has no usable port");
    }
    endpoint.port = *port;
  }
  const bool usable = bracketed ? endpoint.host.contains(':') && parse_ip(endpoint.host)
                                : !endpoint.host.empty() && !endpoint.host.contains('/');
  if (!usable) return fail(ErrorCode::kInvalidArgument, "'" + whole + "' has no usable host");
  return endpoint;
}

std::string Endpoint::authority() const {
  const bool is_v6 = host.contains(':');
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool Endpoint::is_loopback() const {
  if (iequals(host, "localhost")) return true;
  const auto address = parse_ip(host);
  if (!address) return false;
  constexpr size_t kFirstOfV4 = 12;
  return is_ipv4(*address) ? (*address)[kFirstOfV4] == 127 : to_string(*address) == "::1";
}

Result<void> check_ca_file(const std::string& path) { return Authorities::of(path).load(); }

std::unique_ptr<ClientConnection> ClientConnection::make(Endpoint endpoint) {
  return std::make_unique<AsioConnection>(std::move(endpoint));
}

}  // namespace rondel::http
