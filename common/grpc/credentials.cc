#include "common/grpc/credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>
#include <fstream>

#include "common/base/mutex.h"
#include "common/crypto/certificate.h"
#include "common/grpc/peer.hpp"

namespace rondel::rpc {
namespace {

constexpr size_t kFileMax = 1 << 20;

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path);
  std::string content(kFileMax, '\0');
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<size_t>(std::max<std::streamsize>(0, file.gcount())));
  if (content.find("-----BEGIN") == std::string::npos) {
    return fail(ErrorCode::kInvalidArgument, path + " cannot be read or is not in PEM form");
  }
  return content;
}

// Believes a server whose certificate names what was expected, whatever its address.
class Verifier final : public grpc::experimental::ExternalCertificateVerifier {
 public:
  explicit Verifier(ExpectedPeer expected) : expected_(std::move(expected)) {}

  bool Verify(grpc::experimental::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)>, grpc::Status* status) override {
    PeerNames names;
    for (const grpc::string_ref& name : request->dns_names()) {
      names.add_dns({name.data(), name.size()});
    }
    for (const grpc::string_ref& name : request->uri_names()) {
      names.add_uri({name.data(), name.size()});
    }
    if (!names.is(expected_)) {
      *status = {grpc::StatusCode::UNAUTHENTICATED,
                 "the server's certificate does not name " + describe(expected_)};
    }
    return true;
  }

  void Cancel(grpc::experimental::TlsCustomVerificationCheckRequest*) override {}

 private:
  const ExpectedPeer expected_;
};

}  // namespace

struct PeerCredentials::Current {
  Pem pem;
  uint64_t version = 1;
  std::vector<CertificateExpiry> expiries;
  std::shared_ptr<grpc::experimental::CertificateProviderInterface> provider;
};

struct PeerCredentials::Shared {
  mutable Mutex mutex;
  std::shared_ptr<const Current> current GUARDED_BY(mutex);  // Null: plain.

  std::shared_ptr<const Current> get() const {
    MutexLock lock(mutex);
    return current;
  }
};

namespace {

// Of one listener: gRPC asks it before each handshake. Never destroyed, since nobody says when a
// server has shaken its last hand; a process has few listeners.
template <class Shared>
struct Fetcher {
  explicit Fetcher(std::shared_ptr<Shared> of) : shared(std::move(of)) {}

  const std::shared_ptr<Shared> shared;
  Mutex mutex;
  uint64_t version GUARDED_BY(mutex) = 0;  // Handed out last.

  static grpc_ssl_certificate_config_reload_status fetch(
      void* self, grpc_ssl_server_certificate_config** config) {
    auto& fetcher = *static_cast<Fetcher*>(self);
    const auto current = fetcher.shared->get();
    MutexLock lock(fetcher.mutex);
    if (current->version == fetcher.version) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const grpc_ssl_pem_key_cert_pair pair{current->pem.key.c_str(),
                                          current->pem.certificate.c_str()};
    *config = grpc_ssl_server_certificate_config_create(current->pem.authority.c_str(), &pair, 1);
    fetcher.version = current->version;
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }
};

// Until the process ends.
template <class T>
T* keep(std::unique_ptr<T> one) {
  struct Kept {
    Mutex mutex;
    std::vector<std::unique_ptr<T>> all GUARDED_BY(mutex);
  };

  static auto* const kept = new Kept;
  MutexLock lock(kept->mutex);
  return kept->all.emplace_back(std::move(one)).get();
}

template <class Shared>
class ReloadingServerCredentials final : public grpc::ServerCredentials {
 public:
  explicit ReloadingServerCredentials(std::shared_ptr<Shared> shared)
      : shared_(std::move(shared)) {}

  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    Fetcher<Shared>* const fetcher = keep(std::make_unique<Fetcher<Shared>>(shared_));
    grpc_server_credentials* const credentials = grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, Fetcher<Shared>::fetch,
            fetcher));
    const int port = grpc_server_add_http2_port(server, address.c_str(), credentials);
    grpc_server_credentials_release(credentials);
    return port;
  }

  const std::shared_ptr<Shared> shared_;
};

}  // namespace

PeerCredentials::PeerCredentials(TlsFiles files, ExpectedPeer self)
    : files_(std::move(files)), self_(std::move(self)), shared_(std::make_shared<Shared>()) {}

std::shared_ptr<PeerCredentials> PeerCredentials::plain() {
  return std::shared_ptr<PeerCredentials>(new PeerCredentials({}, {}));
}

Result<std::shared_ptr<PeerCredentials>> PeerCredentials::load(const TlsFiles& files,
                                                               ExpectedPeer self) {
  if (!files.given()) return plain();
  if (files.authority.empty() || files.certificate.empty() || files.key.empty()) {
    return fail(
        ErrorCode::kInvalidArgument,
        "rpc.tls_authority_file, rpc.tls_certificate_file and rpc.tls_key_file go together");
  }
  std::shared_ptr<PeerCredentials> made(new PeerCredentials(files, std::move(self)));
  TRY(std::shared_ptr<const Current> first, made->read());
  MutexLock lock(made->shared_->mutex);
  made->shared_->current = std::move(first);
  return made;
}

Result<std::shared_ptr<const PeerCredentials::Current>> PeerCredentials::read() const {
  auto next = std::make_shared<Current>();
  TRY(next->pem.authority, read_file(files_.authority));
  TRY(next->pem.certificate, read_file(files_.certificate));
  TRY(next->pem.key, read_file(files_.key));
  const auto parsed = crypto::parse_certificate(next->pem.certificate);
  const auto authority = crypto::parse_certificate(next->pem.authority);
  if (!parsed) {
    return fail(ErrorCode::kInvalidArgument, files_.certificate + ": " + parsed.error().message);
  }
  if (!authority) {
    return fail(ErrorCode::kInvalidArgument, files_.authority + ": " + authority.error().message);
  }
  if (auto fits = crypto::check_private_key(next->pem.certificate, next->pem.key); !fits) {
    return fail(ErrorCode::kInvalidArgument, files_.key + ": " + fits.error().message);
  }
  PeerNames names;
  for (const std::string& name : parsed->dns_names) names.add_dns(name);
  for (const std::string& uri : parsed->uris) names.add_uri(uri);
  if (!names.is(self_)) {
    return fail(ErrorCode::kInvalidArgument,
                files_.certificate + " does not name " + describe(self_));
  }
  next->expiries = {{files_.authority, authority->not_after},
                    {files_.certificate, parsed->not_after}};
  next->provider = std::make_shared<grpc::experimental::StaticDataCertificateProvider>(
      next->pem.authority,
      std::vector<grpc::experimental::IdentityKeyCertPair>{{next->pem.key, next->pem.certificate}});
  return next;
}

Result<bool> PeerCredentials::reload() {
  if (!tls()) return false;
  TRY(const std::shared_ptr<const Current> read_now, read());
  MutexLock lock(shared_->mutex);
  if (read_now->pem == shared_->current->pem) return false;
  auto next = std::make_shared<Current>(*read_now);
  next->version = shared_->current->version + 1;
  shared_->current = std::move(next);
  return true;
}

uint64_t PeerCredentials::version() const {
  const auto now = shared_->get();
  return now ? now->version : 0;
}

std::shared_ptr<grpc::ServerCredentials> PeerCredentials::server() {
  if (!tls()) return grpc::InsecureServerCredentials();
  return std::make_shared<ReloadingServerCredentials<Shared>>(shared_);
}

std::shared_ptr<grpc::ChannelCredentials> PeerCredentials::channel(const ExpectedPeer& peer) const {
  const auto now = shared_->get();
  if (!now) return grpc::InsecureChannelCredentials();
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(now->provider);
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_certificate_verifier(
      grpc::experimental::ExternalCertificateVerifier::Create<Verifier>(peer));
  options.set_check_call_host(false);
  return grpc::experimental::TlsCredentials(options);
}

std::vector<CertificateExpiry> PeerCredentials::expiries() const {
  const auto now = shared_->get();
  return now ? now->expiries : std::vector<CertificateExpiry>{};
}

Result<void> check_plain_listener(const std::string& address, const TlsFiles& files,
                                  bool plain_allowed) {
  const std::string_view host = std::string_view(address).substr(0, address.rfind(':'));
  const bool local = address.starts_with("unix:") || host.starts_with("127.") ||
                     host == "localhost" || host == "[::1]";
  if (files.given() || plain_allowed || local) return {};
  return fail(ErrorCode::kInvalidArgument,
              address +
                  " is reachable from other machines: give rpc.tls_authority_file, "
                  "rpc.tls_certificate_file and "
                  "rpc.tls_key_file, or set rpc.allow_plaintext=true on a network of its own");
}

}  // namespace rondel::rpc
