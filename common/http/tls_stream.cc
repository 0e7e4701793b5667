#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <system_error>

#include "common/http/stream_impl.hpp"

namespace rondel::http {
namespace {

constexpr size_t kRecordBytes = 16 * 1024;

int descriptor_of(BIO* bio) {
  return static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio)));
}

bool is_temporary() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

// As OpenSSL's own for sockets, but a peer that is gone is an error and no signal.
int send_bytes(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t sent = ::send(descriptor_of(bio), data, static_cast<size_t>(size), MSG_NOSIGNAL);
  if (sent < 0 && is_temporary()) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int receive_bytes(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t got = ::recv(descriptor_of(bio), data, static_cast<size_t>(size), 0);
  if (got < 0 && is_temporary()) BIO_set_retry_read(bio);
  return static_cast<int>(got);
}

long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO* make_bio(int descriptor) {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    BIO_meth_set_write(made, send_bytes);
    BIO_meth_set_read(made, receive_bytes);
    BIO_meth_set_ctrl(made, control);
    return made;
  }();
  BIO* bio = BIO_new(method);
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(descriptor)));
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace

TlsStream::TlsStream(Socket socket, asio::ssl::context& context, Side side)
    : SocketStream(std::move(socket)), ssl_(SSL_new(context.native_handle())) {
  ErrorCodeOf ignored;
  socket_.native_non_blocking(true, ignored);
  BIO* const bio = make_bio(socket_.native_handle());
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_mode(ssl_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                         SSL_MODE_RELEASE_BUFFERS);
  SSL_set_read_ahead(ssl_, 1);
  side == Side::kServer ? SSL_set_accept_state(ssl_) : SSL_set_connect_state(ssl_);
}

TlsStream::~TlsStream() { SSL_free(ssl_); }

void TlsStream::start(IoOutcome& outcome, std::coroutine_handle<> resume, Step step) {
  outcome_ = &outcome;
  resume_ = resume;
  starting_ = true;
  if (socket_.is_open()) {
    (this->*step)();
  } else {
    // Its number may be another socket's by now.
    outcome.failed = true;
    outcome.message = "the connection is closed";
    finish();
  }
  starting_ = false;
}

void TlsStream::start_handshake(IoOutcome& outcome, std::coroutine_handle<> resume) {
  start(outcome, resume, &TlsStream::step_handshake);
}

void TlsStream::start_read(std::span<std::byte> into, IoOutcome& outcome,
                           std::coroutine_handle<> resume) {
  into_ = into;
  start(outcome, resume, &TlsStream::step_read);
}

void TlsStream::start_write(std::span<const ByteView> views, IoOutcome& outcome,
                            std::coroutine_handle<> resume) {
  views_.clear();
  for (const ByteView view : views) {
    if (!view.empty()) views_.push_back(view);
  }
  start(outcome, resume, &TlsStream::step_write);
}

void TlsStream::start_wait(IoOutcome& outcome, std::coroutine_handle<> resume) {
  if (SSL_has_pending(ssl_) == 0) return SocketStream::start_wait(outcome, resume);
  asio::post(socket_.get_executor(), [resume] { resume.resume(); });
}

size_t TlsStream::readable() {
  return static_cast<size_t>(SSL_pending(ssl_)) + SocketStream::readable();
}

void TlsStream::step_handshake() {
  errno = 0;
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  result == 1 ? finish() : go_on(result, &TlsStream::step_handshake);
}

void TlsStream::step_read() {
  while (outcome_->count < into_.size()) {
    errno = 0;
    ERR_clear_error();
    const std::span<std::byte> room = into_.subspan(outcome_->count);
    const int result =
        SSL_read(ssl_, room.data(), static_cast<int>(std::min(room.size(), size_t{1} << 30)));
    if (result > 0) {
      outcome_->count += static_cast<size_t>(result);
    } else if (outcome_->count == 0) {
      return go_on(result, &TlsStream::step_read);
    } else {
      break;  // What is wrong, if anything is, the next read hears.
    }
  }
  finish();
}

void TlsStream::step_write() {
  while (!views_.empty()) {
    errno = 0;
    ERR_clear_error();
    const ByteView piece = next_piece();
    const int result = SSL_write(ssl_, piece.data(), static_cast<int>(piece.size()));
    if (result <= 0) return go_on(result, &TlsStream::step_write);
    drop(static_cast<size_t>(result));
  }
  finish();
}

// A head and the first bytes of its body share a record.
ByteView TlsStream::next_piece() {
  if (views_.front().size() >= kRecordBytes || views_.size() == 1) {
    return views_.front().first(std::min(views_.front().size(), kRecordBytes));
  }
  thread_local std::array<std::byte, kRecordBytes> joint;
  size_t used = 0;
  for (const ByteView view : views_) {
    const size_t count = std::min(view.size(), joint.size() - used);
    std::copy_n(view.begin(), count, joint.begin() + static_cast<ptrdiff_t>(used));
    used += count;
  }
  return ByteView(joint).first(used);
}

void TlsStream::drop(size_t count) {
  written_ += count;
  outcome_->count += count;
  while (count > 0) {
    const size_t taken = std::min(count, views_.front().size());
    views_.front() = views_.front().subspan(taken);
    if (views_.front().empty()) views_.erase(views_.begin());
    count -= taken;
  }
}

void TlsStream::go_on(int result, Step step) {
  const int error = SSL_get_error(ssl_, result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    const auto what = error == SSL_ERROR_WANT_READ ? Socket::wait_read : Socket::wait_write;
    return socket_.async_wait(what, [this, step](const ErrorCodeOf& failed) {
      if (!failed) return (this->*step)();
      outcome_->failed = true;
      outcome_->message = failed.message();
      finish();
    });
  }
  outcome_->failed = true;
  const unsigned long code = ERR_peek_last_error();
  if (error == SSL_ERROR_ZERO_RETURN || (error == SSL_ERROR_SYSCALL && errno == 0) ||
      ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    outcome_->end_of_stream = true;
    outcome_->message = "end of stream";
  } else if (error == SSL_ERROR_SYSCALL) {
    outcome_->message = std::generic_category().message(errno);
  } else {
    const char* const reason = ERR_reason_error_string(code);
    outcome_->message = reason == nullptr ? "TLS failed" : reason;
  }
  finish();
}

void TlsStream::finish() {
  if (!starting_) return std::exchange(resume_, {}).resume();
  asio::post(socket_.get_executor(), [resume = std::exchange(resume_, {})] { resume.resume(); });
}

// "TLSv1.3"
std::string TlsStream::tls_version() { return std::string(SSL_get_version(ssl_)).substr(4); }

std::string TlsStream::tls_cipher() {
  const char* const name = SSL_get_cipher_name(ssl_);
  return name == nullptr ? std::string() : name;
}

std::string TlsStream::server_name() {
  const char* const name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? std::string() : name;
}

}  // namespace rondel::http
