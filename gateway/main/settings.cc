#include "gateway/main/settings.h"

#include "common/program/listen_address.h"

#include <fstream>
#include <sstream>

#include "common/base/encoding.h"
#include "common/base/numbers.h"
#include "common/crypto/certificate.h"
#include "gateway/main/key_services.h"

namespace rondel::gateway {
namespace {

using config::Key;
using config::Type;

Key text(std::string name, std::string value, std::string description) {
  return {std::move(name), Type::kString, std::move(value), std::move(description)};
}

Key number(std::string name, std::string value, int64_t min, int64_t max, std::string description) {
  Key key{std::move(name), Type::kInteger, std::move(value), std::move(description)};
  key.min = min;
  key.max = max;
  return key;
}

Key size(std::string name, std::string value, int64_t min, std::string description) {
  Key key{std::move(name), Type::kSize, std::move(value), std::move(description)};
  key.min = min;
  return key;
}

Key duration(std::string name, std::string value, std::string description) {
  return {std::move(name), Type::kDuration, std::move(value), std::move(description)};
}

// How long somebody may take: never nothing.
Key timeout(std::string name, std::string value, std::string description) {
  Key key = duration(std::move(name), std::move(value), std::move(description));
  key.min = 100;
  return key;
}

Key networks(std::string name, std::string description) {
  return {std::move(name), Type::kStringList, "", std::move(description)};
}

Key flag(std::string name, std::string value, std::string description) {
  return {std::move(name), Type::kBool, std::move(value), std::move(description)};
}

Key required(Key key) {
  key.required = true;
  return key;
}

Key boolean(std::string name, std::string value, std::string description) {
  return {std::move(name), Type::kBool, std::move(value), std::move(description)};
}

Key choice(std::string name, std::string value, std::vector<std::string> one_of,
           std::string description) {
  Key key = text(std::move(name), std::move(value), std::move(description));
  key.one_of = std::move(one_of);
  return key;
}

Key tls_certificates() {
  Key key{"gateway.tls_certificates", Type::kMapList, "",
          "Further certificates, chosen by the host that a client asks for (SNI)"};
  key.members = {required(text("certificate_file", "", "PEM chain")),
                 required(text("key_file", "", "PEM private key"))};
  return key;
}

std::vector<Key> keys() {
  return {
      text("gateway.listen", "0.0.0.0:9000", "Address of the S3 listener"),
      text("gateway.operations_listen", "127.0.0.1:9100",
           "Address of /metrics, /health and /admin"),
      number("gateway.threads", "0", 0, 256,
             "Threads that serve requests; 0 = one for two processors"),
      number("gateway.connections_max", "10000", 1, 1'000'000,
             "Open S3 connections; above it new ones are refused, above four fifths of it those of "
             "an address that has a twentieth"),
      number("gateway.requests_max", "2048", 1, 1'000'000,
             "Requests in flight; above it, and above the share of who asks, the answer is 503 "
             "SlowDown"),
      timeout("gateway.idle_timeout", "60s",
              "How long a connection may be silent between requests"),
      timeout("gateway.head_timeout", "30s",
              "How long PROXY header, TLS handshake, head of a request and fields of a form may "
              "take to come, together"),
      timeout("gateway.document_timeout", "60s",
              "How long a body that is a document may take to come"),
      size("gateway.rate_min", "4KiB", 1,
           "Bytes a second that a body must come with, and an answer must be taken with; 400 "
           "RequestTimeout below, or the connection is "
           "cut"),
      timeout("gateway.rate_window", "60s", "Over what time gateway.rate_min is measured"),
      duration("gateway.rate_grace", "30s",
               "At the beginning of a body or an answer, any rate will do"),
      networks("gateway.proxy_protocol_networks",
               "Networks (10.0.0.0/8, fd00::/8) whose connections begin with a header of PROXY "
               "protocol 2; they are refused without one"),
      networks("gateway.trusted_proxies",
               "Networks whose X-Forwarded-For and X-Forwarded-Proto are believed"),
      size("gateway.buffer_size", "384MiB", 64 << 20,
           "Body bytes held at once, reads and writes together; an eighth of it beside that for "
           "bodies that are documents"),
      text("gateway.tls_certificate_file", "",
           "PEM chain; with gateway.tls_key_file the S3 listener speaks HTTPS"),
      text("gateway.tls_key_file", "", "PEM private key"),
      tls_certificates(),
      text("gateway.zone", "", "Reads prefer disks of this zone; empty = none"),
      duration("gateway.lame_duck", "0s",
               "How long S3 is served on after SIGTERM while /health/serving says that the process "
               "ends: longer than balancers "
               "take to notice; a second SIGTERM cuts it short"),
      duration("gateway.shutdown_grace", "20s", "How long requests may take to end after that"),
      text("s3.region", "us-east-1", "The region that signatures must name"),
      text("s3.virtual_host_base", "",
           "Host suffix of virtual-host addressing, for example s3.example.test; empty = path "
           "style alone"),
      {"s3.signature_v2", Type::kBool, "false",
       "Also take the older signature version 2, in header and query"},
      choice("s3.default_object_ownership", "BucketOwnerEnforced",
             {"BucketOwnerEnforced", "ObjectWriter"},
             "Object ownership of new buckets that do not name one; ObjectWriter = with ACLs"),
      flag("s3.allow_sse_c_over_http", "false",
           "Take customer-provided keys (SSE-C) on connections without TLS"),
      choice("kms.provider", "ring", {"ring", "vault"},
             "Who keeps the keys of SSE-KMS: our own key ring in the database, or Vault's transit "
             "engine"),
      text("kms.default_key", "aws-s3",
           "The key of SSE-KMS requests that name none (alias/aws/s3); the key ring makes it when "
           "first used"),
      duration("kms.bucket_key_life", "5m", "How long a bucket key is kept unwrapped"),
      text("kms.vault_address", "", "http://host:port or https://host:port of Vault"),
      text("kms.vault_ca_file", "",
           "PEM: whom to believe that it is Vault; empty = whom the system believes"),
      flag("kms.vault_allow_http", "false",
           "Take an http:// address of Vault that leaves this machine: keys cross the network in "
           "plain text"),
      text("kms.vault_token_file", "", "File with Vault's token; read again when Vault refuses it"),
      text("kms.vault_mount", "transit", "Path of the transit engine"),
      text("kms.vault_namespace", "", "Vault namespace; empty = none"),
      duration("kms.timeout", "2s", "How long one call of Vault may take"),
      duration("s3.clock_skew_max", "15m",
               "Largest difference between a signature's time and ours"),
      required(text("metadata.dsn", "", "PostgreSQL connection string")),
      required(text("metadata.master_key_file", "",
                    "File with 64 hexadecimal digits: the key that seals secrets")),
      number("metadata.connections", "19", 15, 256,
             "PostgreSQL connections a gateway holds, all of them: 11 for background work, the "
             "rest for requests; of those a quarter is for listings, and one (two from 8 on) for "
             "what waits for a lock"),
      number("metadata.batch_max", "64", 1, 64, "Requests that share one round trip"),
      number("metadata.queue_max", "4096", 1, 1'000'000,
             "Requests waiting for PostgreSQL; above it 503 SlowDown"),
      size("metadata.database_size_max", "0", 0,
           "What the database may grow to: the disk of PostgreSQL, less what it keeps beside; for "
           "the alert on its space. 0 = not said"),
      duration("metadata.timeout", "5s", "How long a request waits for PostgreSQL"),
      text("cluster.listen", "127.0.0.1:9400", "Address where storage nodes join"),
      number("cluster.bootstrap_disks", "0", 0, 65'535,
             "Disks that must have joined before the first ring is built; 0 = never by itself"),
      text("rpc.tls_authority_file", "",
           "PEM: the authority of the certificates of gateways and nodes; with the next two, calls "
           "between them are mutual TLS"),
      text("rpc.tls_certificate_file", "",
           "PEM chain of this process, for DNS:rondel-gateway; read again at SIGHUP, as the other "
           "two are"),
      text("rpc.tls_key_file", "", "PEM private key"),
      boolean("rpc.allow_plaintext", "false",
              "Whether cluster.listen may be reachable from other machines without TLS"),
      number("replication.factor", "3", 1, 8, "Copies of each blob"),
      choice("replication.failure_domain", "zone", {"zone", "host", "disk"},
             "What copies of one blob must not share"),
      duration("gc.grace", "1h", "Between the release of bytes and their removal from the disks"),
      duration("gc.trash", "1d", "How long removed bytes can be restored"),
      duration("gc.orphan_age", "1d",
               "Age from which on bytes that nothing refers to count as left behind; one body "
               "takes at most half of it"),
      duration("gc.orphan_scan_pause", "6h",
               "Between passes that look for such bytes on the disks"),
      number("gc.orphan_scan_rate", "20000", 1, 10'000'000,
             "Blobs a second that such a pass looks at"),
      duration("lifecycle.day_length", "1d",
               "How long a day of a lifecycle rule lasts; shorter for tests alone"),
      choice("log.level", "info", {"debug", "info", "warn", "error", "off"},
             "Lowest level that is written"),
      text("log.modules", "", "Levels that differ, for example request=off,blobs=debug"),
      text("log.file", "", "File instead of standard error"),
  };
}

}  // namespace

const config::Schema& settings_schema() {
  static const config::Schema schema(keys());
  return schema;
}

Result<void> check_settings(const config::Settings& settings) {
  const bool certificate = !settings.text("gateway.tls_certificate_file").empty();
  if (certificate != !settings.text("gateway.tls_key_file").empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "gateway.tls_certificate_file and gateway.tls_key_file go together");
  }
  if (!certificate && !settings.maps("gateway.tls_certificates").empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "gateway.tls_certificates wants gateway.tls_certificate_file: the one for hosts "
                "that none of them is for");
  }
  if (settings.duration("lifecycle.day_length") < std::chrono::seconds(1)) {
    return fail(ErrorCode::kInvalidArgument, "lifecycle.day_length: at least 1s");
  }
  for (const char* key : {"gateway.listen", "gateway.operations_listen", "cluster.listen"}) {
    TRY(const program::ListenAddress address, program::listen_address(settings, key));
    (void)address;
  }
  for (const char* key : {"gateway.proxy_protocol_networks", "gateway.trusted_proxies"}) {
    TRY(const IpRangeSet networks, network_set(settings, key));
    (void)networks;
  }
  TRY_VOID(check_key_settings(settings));
  return rpc::check_plain_listener(settings.text("cluster.listen"), tls_files(settings),
                                   settings.flag("rpc.allow_plaintext"));
}

namespace {

Result<std::string> read_file(std::string_view key, const std::string& path) {
  std::ifstream file(path);
  std::stringstream content;
  content << file.rdbuf();
  if (!file) {
    return fail(ErrorCode::kInvalidArgument, std::string(key) + ": " + path + " cannot be read");
  }
  return content.str();
}

Result<void> check_pair(std::string_view key, const std::string& certificate,
                        const std::string& private_key) {
  TRY(const std::string chain, read_file(key, certificate));
  TRY(const std::string pem, read_file(key, private_key));
  auto fits = crypto::check_private_key(chain, pem);
  if (!fits) {
    return fail(ErrorCode::kInvalidArgument,
                std::string(key) + ": " + certificate + ": " + fits.error().message);
  }
  return {};
}

}  // namespace

Result<void> check_files(const config::Settings& settings) {
  TRY_VOID(read_master_key(settings));
  TRY_VOID(rpc::PeerCredentials::load(tls_files(settings), {rpc::PeerRole::kGateway}));
  if (settings.text("gateway.tls_certificate_file").empty()) return {};
  TRY_VOID(check_pair("gateway.tls_certificate_file", settings.text("gateway.tls_certificate_file"),
                      settings.text("gateway.tls_key_file")));
  for (const config::Settings& files : settings.maps("gateway.tls_certificates")) {
    TRY_VOID(check_pair("gateway.tls_certificates", files.text("certificate_file"),
                        files.text("key_file")));
  }
  return {};
}

Result<IpRangeSet> network_set(const config::Settings& settings, std::string_view key) {
  IpRangeSet set;
  for (const std::string& text : settings.list(key)) {
    const auto range = parse_ip_range(text);
    if (!range) {
      return fail(ErrorCode::kInvalidArgument,
                  std::string(key) + ": '" + text + "' is no network like 10.0.0.0/8 or fd00::/8");
    }
    set.add(*range);
  }
  set.seal();
  return set;
}

rpc::TlsFiles tls_files(const config::Settings& settings) {
  return {settings.text("rpc.tls_authority_file"), settings.text("rpc.tls_certificate_file"),
          settings.text("rpc.tls_key_file")};
}

Result<std::string> read_master_key(const config::Settings& settings) {
  const std::string& path = settings.text("metadata.master_key_file");
  std::ifstream file(path);
  std::string text;
  file >> text;
  auto key = from_hex(text);
  if (!key || key->size() != 32) {
    return fail(ErrorCode::kInvalidArgument,
                "metadata.master_key_file: " + path + " must hold 64 hexadecimal digits");
  }
  return *std::move(key);
}

ring::FailureDomain failure_domain(const config::Settings& settings) {
  const std::string& name = settings.text("replication.failure_domain");
  if (name == "host") return ring::FailureDomain::kHost;
  return name == "disk" ? ring::FailureDomain::kDisk : ring::FailureDomain::kZone;
}

}  // namespace rondel::gateway
