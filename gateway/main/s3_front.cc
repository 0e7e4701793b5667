#include "gateway/main/s3_front.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "common/program/listen_address.h"
#include "gateway/main/settings.h"
#include "gateway/request/context.h"
#include "identity/access/access_settings.h"
#include "transfer/grpc/grpc_blob_transport.h"

namespace rondel::gateway {
namespace {

using namespace std::chrono_literals;

// What is younger than the orphan age is never taken for left behind: a body takes at most half of
// it.
Duration longest_body(const config::Settings& settings) {
  return settings.duration("gc.orphan_age") / 2;
}

http::Deadlines deadlines(const config::Settings& settings) {
  http::Deadlines deadlines;
  deadlines.idle = settings.duration("gateway.idle_timeout");
  deadlines.head = settings.duration("gateway.head_timeout");
  deadlines.document = settings.duration("gateway.document_timeout");
  deadlines.object = longest_body(settings);
  deadlines.floor = {settings.size("gateway.rate_min"), settings.duration("gateway.rate_grace"),
                     settings.duration("gateway.rate_window")};
  return deadlines;
}

std::optional<http::TlsOptions> server_tls(const config::Settings& settings) {
  if (settings.text("gateway.tls_certificate_file").empty()) return std::nullopt;
  http::TlsOptions tls{
      settings.text("gateway.tls_certificate_file"), settings.text("gateway.tls_key_file"), {}};
  for (const config::Settings& files : settings.maps("gateway.tls_certificates")) {
    tls.further.push_back({files.text("certificate_file"), files.text("key_file")});
  }
  return tls;
}

Result<http::ServerOptions> server_options(const config::Settings& settings) {
  TRY(const program::ListenAddress listen, program::listen_address(settings, "gateway.listen"));
  http::ServerOptions options;
  options.address = listen.host;
  options.port = listen.port;
  options.connections_max = static_cast<size_t>(settings.integer("gateway.connections_max"));
  options.refusal_body = api::S3Service::refusal_body;
  options.deadlines = deadlines(settings);
  // With the shortest of them, in which tests wait.
  options.check_period = std::clamp<Duration>(options.deadlines.head / 20, 20ms, 500ms);
  TRY(options.proxy_protocol, network_set(settings, "gateway.proxy_protocol_networks"));
  TRY(options.trusted_proxies, network_set(settings, "gateway.trusted_proxies"));
  options.tls = server_tls(settings);
  return options;
}

std::unique_ptr<transfer::BlobTransport> make_transport(
    membership::TopologyCache& topology, const std::shared_ptr<const rpc::PeerCredentials>& peers) {
  const auto address_of = [&topology](const model::NodeId& id) -> std::optional<rpc::NodeEndpoint> {
    const auto now = topology.topology();
    const auto* const node = now->find_node(id);
    if (node == nullptr) return std::nullopt;
    return rpc::NodeEndpoint(node->address, node->name);
  };
  return transfer::make_grpc_blob_transport({.address_of = address_of, .credentials = peers});
}

blobs::ReplicatedBlobStoreOptions blob_options(const config::Settings& settings,
                                               const Clock& database_clock) {
  blobs::ReplicatedBlobStoreOptions options;
  options.buffer_bytes = settings.size("gateway.buffer_size");
  options.clock = &database_clock;
  options.zone = settings.text("gateway.zone");
  return options;
}

request::Settings request_settings(const config::Settings& settings) {
  request::Settings made;
  made.region = settings.text("s3.region");
  made.router.virtual_host_base = settings.text("s3.virtual_host_base");
  made.default_ownership = *access::find_ownership(settings.text("s3.default_object_ownership"));
  made.allow_sse_c_over_http = settings.flag("s3.allow_sse_c_over_http");
  made.metadata_timeout = settings.duration("metadata.timeout");
  made.outcome_timeout = made.metadata_timeout;
  made.write_timeout = std::min<Duration>(made.write_timeout, longest_body(settings));
  return made;
}

admission::GateOptions gate_options(const config::Settings& settings) {
  return {.requests_max = static_cast<uint64_t>(settings.integer("gateway.requests_max")),
          .document_bytes = settings.size("gateway.buffer_size") / 8,
          .listings_max = metadata::PostgresMetadata::listing_connections(
              static_cast<size_t>(settings.integer("metadata.connections")))};
}

}  // namespace

Result<std::unique_ptr<S3Front>> S3Front::make(
    const config::Settings& settings, ClusterMetadata& metadata,
    membership::TopologyCache& topology, const std::shared_ptr<const rpc::PeerCredentials>& peers,
    const Clock& clock, metrics::Registry& registry) {
  TRY(KeyServices keys,
      make_key_services(settings, metadata.stores().keys, metadata.master_key(), clock, registry));
  return std::unique_ptr<S3Front>(
      new S3Front(settings, metadata, topology, peers, std::move(keys), clock, registry));
}

S3Front::S3Front(const config::Settings& settings, ClusterMetadata& metadata,
                 membership::TopologyCache& topology,
                 const std::shared_ptr<const rpc::PeerCredentials>& peers, KeyServices keys,
                 const Clock& clock, metrics::Registry& registry)
    : keys_(std::move(keys)),
      transport_(make_transport(topology, peers)),
      blobs_(std::make_unique<blobs::ReplicatedBlobStore>(
          *transport_, topology, blob_options(settings, metadata.ages().database()))),
      authenticator_(metadata.identities(),
                     {settings.text("s3.region"), settings.duration("s3.clock_skew_max"), &clock,
                      settings.flag("s3.signature_v2")}),
      releases_(metadata.stores().releases, metadata.stores().database),
      gate_(std::make_shared<admission::Gate>(gate_options(settings))),
      service_([&] {
        const metadata::Stores& stores = metadata.stores();
        request::Services services{stores.objects,
                                   stores.uploads,
                                   stores.listing,
                                   stores.buckets,
                                   stores.database,
                                   metadata.buckets(),
                                   metadata.identities(),
                                   *blobs_,
                                   releases_,
                                   authenticator_,
                                   *keys_.object_keys,
                                   clock,
                                   request_settings(settings),
                                   &metadata.ages().stamps()};
        services.admission = gate_;
        return std::make_unique<api::S3Service>(std::move(services), registry);
      }()) {}

Result<void> S3Front::listen(const config::Settings& settings,
                             const std::vector<async::EventLoop*>& loops) {
  TRY(http::ServerOptions options, server_options(settings));
  TRY(server_, http::Server::start(loops, std::move(options), [this](http::Exchange& exchange) {
        return service_->handle(exchange);
      }));
  return {};
}

}  // namespace rondel::gateway
