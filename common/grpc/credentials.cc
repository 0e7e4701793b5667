#include "common/grpc/credentials.h"

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "common/grpc/peer_role.hpp"

namespace rondel::rpc {
namespace {

std::string_view dns_name(PeerRole role) { return role == PeerRole::kGateway ? "rondel-gateway" : "rondel-node"; }

Result<std::string> read_pem(const std::string& path) {
  std::ifstream file(path);
  std::stringstream content;
  content << file.rdbuf();
  if (!file || content.view().find("-----BEGIN") == std::string_view::npos) {
    return fail(ErrorCode::kInvalidArgument, path + " cannot be read or is not in PEM form");
  }
  return std::move(content).str();
}

}  // namespace

Result<PeerCredentials> load_credentials(const TlsFiles& files) {
  if (!files.given()) return PeerCredentials{grpc::InsecureServerCredentials(), grpc::InsecureChannelCredentials()};
  if (files.authority.empty() || files.certificate.empty() || files.key.empty()) {
    return fail(ErrorCode::kInvalidArgument, "rpc.tls_authority_file, rpc.tls_certificate_file and rpc.tls_key_file go together");
  }
  TRY(const std::string authority, read_pem(files.authority));
  TRY(const std::string certificate, read_pem(files.certificate));
  TRY(const std::string key, read_pem(files.key));
  grpc::SslServerCredentialsOptions server(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  server.pem_root_certs = authority;
  server.pem_key_cert_pairs = {{key, certificate}};
  grpc::SslCredentialsOptions channel;
  channel.pem_root_certs = authority;
  channel.pem_private_key = key;
  channel.pem_cert_chain = certificate;
  return PeerCredentials{grpc::SslServerCredentials(server), grpc::SslCredentials(channel)};
}

Result<void> check_plain_listener(const std::string& address, const TlsFiles& files, bool plain_allowed) {
  const std::string_view host = std::string_view(address).substr(0, address.rfind(':'));
  const bool local = address.starts_with("unix:") || host.starts_with("127.") || host == "localhost" || host == "[::1]";
  if (files.given() || plain_allowed || local) return {};
  return fail(ErrorCode::kInvalidArgument, address + " is reachable from other machines: give rpc.tls_authority_file, rpc.tls_certificate_file and "
                                                     "rpc.tls_key_file, or set rpc.allow_plaintext=true on a network of its own");
}

void expect_server(grpc::ChannelArguments& arguments, PeerRole role) { arguments.SetSslTargetNameOverride(std::string(dns_name(role))); }

grpc::Status check_peer(const grpc::ServerContextBase& context, std::initializer_list<PeerRole> allowed) {
  const auto peer = context.auth_context();
  if (peer == nullptr || !peer->IsPeerAuthenticated()) return grpc::Status::OK;
  const auto names = peer->FindPropertyValues("x509_subject_alternative_name");
  const auto holds = [&names](PeerRole role) {
    return std::ranges::any_of(names, [role](const grpc::string_ref& name) { return std::string_view(name.data(), name.size()) == dns_name(role); });
  };
  if (std::ranges::any_of(allowed, holds)) return grpc::Status::OK;
  return {grpc::StatusCode::PERMISSION_DENIED, "the certificate does not name a caller of this method"};
}

}  // namespace rondel::rpc
