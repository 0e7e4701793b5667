// A whole gateway in memory: S3Service over a database and disks that live in the test. Requests
// are signed, and what they leave lies in `state` and `cluster`.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/async/event_loop.h"
#include "common/base/encoding.h"
#include "common/crypto/digest.h"
#include "common/sigv4/sigv4.h"
#include "gateway/api/s3_service.h"
#include "gateway/blobs/replicated_blob_store.h"
#include "gateway/request/answers.h"
#include "gateway/request/stream_releases.h"
#include "kms/key_ring.h"
#include "metadata/memory/memory_directory_feed.h"
#include "metadata/memory/memory_metadata.h"
#include "tests/fakes/fixed_topology.h"
#include "tests/fakes/memory_exchange.h"
#include "transfer/memory/memory_blob_cluster.h"

namespace rondel::api {

// What a client got.
struct Answer {
  int status = 0;
  http::Fields fields;
  std::string body;
  int body_reads = 0;                           // Of the request.
  std::vector<http::BodyKind> body_kinds = {};  // That were expected, in turn.

  std::string field(std::string_view name) const {
    return std::string(fields.find(name).value_or(""));
  }

  // What stands in the first element of that name; empty: there is none.
  std::string element(const std::string& name) const {
    const size_t open = body.find("<" + name + ">");
    if (open == std::string::npos) return "";
    const size_t begin = open + name.size() + 2;
    return body.substr(begin, body.find("</" + name + ">", begin) - begin);
  }

  std::vector<std::string> elements(const std::string& name) const {
    std::vector<std::string> all;
    const std::string open = "<" + name + ">", close = "</" + name + ">";
    for (size_t at = body.find(open); at != std::string::npos; at = body.find(open, at)) {
      at += open.size();
      all.push_back(body.substr(at, body.find(close, at) - at));
    }
    return all;
  }
};

class MemoryGateway {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  MemoryGateway() {
    std::vector<ring::Disk> disks;
    for (const char* zone : {"a", "b", "c"}) {
      disks.push_back({model::DiskId::random(), model::NodeId::random(), zone, zone, 1ull << 40});
      cluster.add_disk({disks.back().node, disks.back().id});
    }
    const auto ring = ring::Ring::build(disks, {.replicas = 3, .power = 4}, 1);
    topology.set({std::make_shared<const ring::Ring>(ring.value())});
    const auto created = async::block_on(stores.identities.create_account(
        {.name = "owner", .access_key = keys.access_key, .secret_key = keys.secret_key}, soon()));
    EXPECT_TRUE(created);
  }

  // A signed request: "/box/key?acl".
  Answer ask(const std::string& method, const std::string& target, const std::string& body = "",
             const Headers& more = {}) {
    return send(signed_head(method, target, body, more, crypto::sha256_hex(body)), body);
  }

  // The same with `payload_hash` for x-amz-content-sha256, whatever the body is.
  Answer ask_with(const std::string& payload_hash, const std::string& method,
                  const std::string& target, const std::string& body, const Headers& more = {}) {
    return send(signed_head(method, target, body, more, payload_hash), body);
  }

  // A request as it is: nothing is signed or added.
  Answer send(http::RequestHead head, const std::string& body = "") {
    fakes::MemoryExchange exchange(std::move(head));
    exchange.set_body(body);
    exchange.before_body = std::exchange(meanwhile, {});
    async::block_on(handle(exchange));
    return {exchange.response.status, exchange.response.fields, exchange.response_body,
            exchange.reads, exchange.kinds};
  }

  // Of a URL that is good for ten minutes; host alone is signed beside.
  std::string presigned_query(const std::string& method, const std::string& path,
                              sigv4::NameValues query) const {
    return sigv4::presign({keys, "us-east-1", real_clock().now()},
                          {method, path, std::move(query), {{"host", "gateway.test"}}, {}}, 600);
  }

  // By a presigned URL with these parameters, decoded; the headers are not signed.
  Answer ask_presigned(const std::string& method, const std::string& path, sigv4::NameValues query,
                       const std::string& body = "", const Headers& more = {}) {
    http::RequestHead head;
    head.method = method;
    head.target = path + "?" + presigned_query(method, path, std::move(query));
    head.fields.add("host", "gateway.test");
    for (const auto& [name, value] : more) head.fields.add(name, value);
    if (method == "PUT" || method == "POST") head.content_length = body.size();
    return send(std::move(head), body);
  }

  // A named key of the first account.
  void make_kms_key(const std::string& name) {
    EXPECT_TRUE(async::block_on(ring_.create(name, soon())));
  }

  // Streams that something refers to have all their chunks on disks, and nothing else has any but
  // what waits for its removal.
  void expect_nothing_stray() {
    while (async::block_on(releases.hand_over(soon()))) {
    }
    std::set<model::StreamId> queued;
    for (const auto& [id, release] : state.released) queued.insert(release.row.stream);
    std::set<model::StreamId> on_disks;
    for (const model::BlobId& blob : cluster.blobs()) on_disks.insert(blob.stream);
    for (const auto& [stream, count] : state.references) {
      EXPECT_TRUE(on_disks.contains(stream)) << stream.to_hex();
      EXPECT_FALSE(queued.contains(stream)) << stream.to_hex();
    }
    for (const model::StreamId& stream : on_disks) {
      EXPECT_TRUE(state.is_referenced(stream) || queued.contains(stream)) << stream.to_hex();
    }
  }

  // Whose requests are signed.
  sigv4::Credentials keys{"OWNERKEY", "owner-secret"};
  // Happens while the body of the next request is on its way.
  std::function<void()> meanwhile;
  metadata::MemoryState state;
  metadata::MemoryMetadata metadata{state};
  const metadata::Stores& stores = metadata.stores();
  transfer::MemoryBlobCluster cluster;
  fakes::FixedTopology topology;

 private:
  static Deadline soon() { return deadline_in(std::chrono::seconds(60)); }

  http::RequestHead signed_head(const std::string& method, const std::string& target,
                                const std::string& body, const Headers& more,
                                const std::string& payload_hash) const {
    http::RequestHead head;
    head.method = method;
    head.target = target;
    if (!body.empty() || method == "PUT" || method == "POST") {
      head.content_length = body.size();
      head.fields.add("Content-Length", std::to_string(body.size()));
    }
    sigv4::NameValues headers{{"host", "gateway.test"}};
    head.fields.add("host", "gateway.test");
    // Lines of one name are signed as one.
    for (const auto& [name, value] : more) {
      head.fields.add(name, value);
      const auto same = std::ranges::find_if(
          headers, [&](const auto& header) { return http::iequals(header.first, name); });
      if (same == headers.end()) {
        std::string lower = name;
        for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        headers.emplace_back(std::move(lower), value);
      } else {
        same->second += "," + value;
      }
    }
    for (auto& [name, value] :
         sigv4::sign({keys, "us-east-1", real_clock().now()},
                     {method, head.path(), decoded(head.query()), headers, payload_hash})) {
      head.fields.add(name, value);
    }
    return head;
  }

  static sigv4::NameValues decoded(std::string_view query) {
    sigv4::NameValues all;
    while (!query.empty()) {
      const std::string_view one = query.substr(0, query.find('&'));
      query.remove_prefix(std::min(query.size(), one.size() + 1));
      const size_t equals = std::min(one.find('='), one.size());
      const size_t value = std::min(equals + 1, one.size());
      all.emplace_back(percent_decode(one.substr(0, equals)).value(),
                       percent_decode(one.substr(value)).value());
    }
    return all;
  }

  // Third copies that are on their way end on the loop that they began on.
  async::Task<void> handle(http::Exchange& exchange) {
    co_await service.handle(exchange);
    while (blobs_.health().background_tasks > 0) co_await async::yield();
  }

  static kms::KeyRingOptions ring_options() {
    kms::KeyRingOptions options;
    options.master_key = crypto::Secret(std::string(32, 'm'));
    options.self_made = {std::string(kms::kSseS3Key), "aws-s3"};
    return options;
  }

  metadata::BucketCache bucket_cache_{stores.buckets, real_clock()};
  metadata::IdentityCache identities_{stores.identities, real_clock()};
  metadata::MemoryDirectoryFeed feed_{state, [this](const metadata::DirectoryChange& change) {
                                        bucket_cache_.hear(change);
                                        identities_.hear(change);
                                      }};
  signature::Authenticator authenticator_{identities_, {}};
  kms::KeyRing ring_{stores.keys, ring_options()};
  kms::ObjectKeys object_keys_{ring_, ring_, {}};
  blobs::ReplicatedBlobStore blobs_{cluster, topology, {}};
  metrics::Registry registry_;

 public:
  request::StreamReleases releases{stores.releases, stores.database};
  S3Service service{{.objects = stores.objects,
                     .uploads = stores.uploads,
                     .listing = stores.listing,
                     .buckets = stores.buckets,
                     .database = stores.database,
                     .bucket_cache = bucket_cache_,
                     .identities = identities_,
                     .blobs = blobs_,
                     .releases = releases,
                     .authenticator = authenticator_,
                     .object_keys = object_keys_,
                     .clock = real_clock(),
                     .settings = {}},
                    registry_};
};

}  // namespace rondel::api
