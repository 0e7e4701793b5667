#include "common/http/tls.h"

#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <boost/asio/ssl/context.hpp>
#include <cstring>

namespace rondel::http {
namespace {

namespace ssl = boost::asio::ssl;

// The first one shakes hands; the others lend it their certificate.
struct Contexts {
  ssl::context first{ssl::context::tls_server};
  std::vector<ssl::context> further;
};

int choose_http11(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                  unsigned in_size, void*) {
  static constexpr unsigned char kOurs[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, out_size, kOurs, sizeof kOurs - 1, in, in_size);
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

int choose_certificate(SSL* connection, int*, void* argument) {
  const char* name = SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_OK;
  for (ssl::context& candidate : static_cast<Contexts*>(argument)->further) {
    X509* certificate = SSL_CTX_get0_certificate(candidate.native_handle());
    if (X509_check_host(certificate, name, std::strlen(name), 0, nullptr) == 1) {
      SSL_set_SSL_CTX(connection, candidate.native_handle());
      return SSL_TLSEXT_ERR_OK;
    }
  }
  return SSL_TLSEXT_ERR_OK;
}

Result<void> fill(ssl::context& context, const std::string& certificate_file,
                  const std::string& key_file) {
  boost::system::error_code error;
  context.set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 |
                      ssl::context::no_sslv3 | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1 |
                      ssl::context::single_dh_use);
  context.use_certificate_chain_file(certificate_file, error);
  if (error) {
    return fail(ErrorCode::kInvalidArgument,
                "certificate " + certificate_file + ": " + error.message());
  }
  context.use_private_key_file(key_file, ssl::context::pem, error);
  if (error) return fail(ErrorCode::kInvalidArgument, "key " + key_file + ": " + error.message());
  if (SSL_CTX_check_private_key(context.native_handle()) != 1) {
    return fail(ErrorCode::kInvalidArgument, "certificate " + certificate_file + " and key " +
                                                 key_file + " do not belong together");
  }
  // Sessions are kept by clients, in tickets; and nobody shakes hands anew on a connection that
  // stands.
  SSL_CTX_set_session_cache_mode(context.native_handle(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context.native_handle(), SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_alpn_select_cb(context.native_handle(), choose_http11, nullptr);
  return {};
}

int64_t written_at(const std::string& path) {
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) return 0;
  return info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec +
         static_cast<int64_t>(info.st_ino);
}

}  // namespace

Result<std::shared_ptr<ssl::context>> make_server_context(const TlsOptions& options) {
  auto contexts = std::make_shared<Contexts>();
  TRY_VOID(fill(contexts->first, options.certificate_file, options.key_file));
  for (const TlsFiles& files : options.further) {
    contexts->further.emplace_back(ssl::context::tls_server);
    TRY_VOID(fill(contexts->further.back(), files.certificate_file, files.key_file));
  }
  SSL_CTX_set_tlsext_servername_callback(contexts->first.native_handle(), choose_certificate);
  SSL_CTX_set_tlsext_servername_arg(contexts->first.native_handle(), contexts.get());
  return std::shared_ptr<ssl::context>(contexts, &contexts->first);
}

int64_t tls_files_version(const TlsOptions& options) {
  uint64_t version = 0;
  const auto add = [&](const std::string& path) {
    const int64_t written = written_at(path);
    version = version * 31 + static_cast<uint64_t>(written);
    return written != 0;
  };
  bool readable = add(options.certificate_file) && add(options.key_file);
  for (const TlsFiles& files : options.further) {
    readable = readable && add(files.certificate_file) && add(files.key_file);
  }
  return readable ? static_cast<int64_t>(version) : 0;
}

}  // namespace rondel::http
