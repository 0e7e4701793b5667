#include "common/http/tls.h"

#include <sys/stat.h>

#include <boost/asio/ssl/context.hpp>

namespace rondel::http {
namespace {

namespace ssl = boost::asio::ssl;

int choose_http11(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
                  void*) {
  static constexpr unsigned char kOurs[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, out_size, kOurs, sizeof kOurs - 1, in, in_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

int64_t written_at(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return 0;
  return info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec + static_cast<int64_t>(info.st_ino);
}

}  // namespace

Result<std::shared_ptr<ssl::context>> make_server_context(const TlsOptions& options) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  boost::system::error_code error;
  context->set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 | ssl::context::no_sslv3 |
                       ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1 | ssl::context::single_dh_use);
  context->use_certificate_chain_file(options.certificate_file, error);
  if (error) return fail(ErrorCode::kInvalidArgument, "certificate " + options.certificate_file + ": " + error.message());
  context->use_private_key_file(options.key_file, ssl::context::pem, error);
  if (error) return fail(ErrorCode::kInvalidArgument, "key " + options.key_file + ": " + error.message());
  if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
    return fail(ErrorCode::kInvalidArgument, "certificate and key do not belong together");
  }
  SSL_CTX_set_alpn_select_cb(context->native_handle(), choose_http11, nullptr);
  return context;
}

int64_t tls_files_version(const TlsOptions& options) {
  const int64_t certificate = written_at(options.certificate_file);
  const int64_t key = written_at(options.key_file);
  return certificate == 0 || key == 0 ? 0 : certificate * 31 + key;
}

}  // namespace rondel::http
