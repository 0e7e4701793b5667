// What an operation gets and gives. One operation = one coroutine on the connection's loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/async/blocking_pool.h"
#include "common/http/message.h"
#include "common/http/server.h"
#include "gateway/admission/filling.h"
#include "gateway/admission/gate.h"
#include "gateway/blobs/blob_store.h"
#include "gateway/payload/payload_reader.h"
#include "gateway/request/cors_rules.h"
#include "gateway/request/lifecycle_rules.h"
#include "gateway/request/stream_releases.h"
#include "gateway/s3/error.h"
#include "gateway/s3/request.h"
#include "gateway/signature/authenticator.h"
#include "identity/access/access_settings.h"
#include "identity/access/authorization.h"
#include "identity/access/bucket_access.h"
#include "identity/policy/policy.h"
#include "identity/policy/principal.h"
#include "kms/envelope.h"
#include "kms/object_keys.h"
#include "metadata/cache/bucket_cache.h"
#include "metadata/cache/identity_cache.h"
#include "metadata/model/bucket.h"
#include "metadata/model/kms_key.h"
#include "metadata/model/object.h"
#include "metadata/store/availability.h"
#include "metadata/store/bucket_store.h"
#include "metadata/store/listing_store.h"
#include "metadata/store/object_store.h"
#include "metadata/store/upload_store.h"

namespace rondel::request {

struct Settings {
  std::string region = "us-east-1";
  s3::RouterOptions router;
  Duration metadata_timeout = std::chrono::seconds(5);
  Duration outcome_timeout = std::chrono::seconds(5);  // To ask what became of a commit.
  Duration write_timeout = std::chrono::hours(6);      // Of one body, in or out.
  uint64_t object_bytes_max = 5ull << 30;              // Of one PUT or part.
  access::Ownership default_ownership = access::Ownership::kBucketOwnerEnforced;  // Of new buckets.
  bool allow_sse_c_over_http = false;
};

// Lives longer than every request. Everything in it is safe for concurrent use.
struct Services {
  metadata::ObjectStore& objects;
  metadata::UploadStore& uploads;
  metadata::ListingStore& listing;
  metadata::BucketStore& buckets;
  const metadata::Availability& database;
  metadata::BucketCache& bucket_cache;
  metadata::IdentityCache& identities;
  blobs::BlobStore& blobs;
  StreamReleases& releases;
  signature::Authenticator& authenticator;
  kms::ObjectKeys& object_keys;
  const Clock& clock;
  Settings settings;
  // What is written down now and ends by age some day goes by this; null: `clock`.
  const Clock* stamps = nullptr;
  std::shared_ptr<access::BucketAccessCache> bucket_access =
      std::make_shared<access::BucketAccessCache>();
  std::shared_ptr<LifecycleRules> lifecycle_rules = std::make_shared<LifecycleRules>();
  std::shared_ptr<admission::Gate> admission = std::make_shared<admission::Gate>();
  std::shared_ptr<CorsRulesCache> cors_rules = std::make_shared<CorsRulesCache>();
  // Reads the large documents of clients (beside.h).
  std::shared_ptr<async::BlockingPool> documents =
      std::make_shared<async::BlockingPool>("documents", 1, 256);
};

// The answer: either a whole body, a head alone (HEAD, 204, 304), or a stream.
struct Response {
  http::ResponseHead head;
  std::string body;
  // For a HEAD answer: the length it would have had.
  std::optional<uint64_t> head_content_length;
  std::unique_ptr<blobs::StreamReader> stream;
  uint64_t stream_length = 0;
};

// What was decided about a request (authorization.h).
struct Access {
  std::shared_ptr<const access::BucketAccess> bucket;  // Null where the context has no bucket.
  policy::Caller caller;
  // Another account than the bucket's owner pays, and agreed to.
  bool requester_charged = false;
  // The object or the body decides, and has not been seen yet.
  bool undecided = false;
  // What the bucket's policy says about the request's own action, once that is settled.
  std::optional<policy::Effect> policy;
  // What decided: facts of the body, owner and attributes of the object.
  std::optional<metadata::Tags> request_tags;
  std::optional<metadata::Retention> retention;
  std::optional<bool> legal_hold;
  std::optional<metadata::ObjectVersion> object;
};

struct Context {
  Services& services;
  http::Exchange& exchange;
  const s3::Request& request;
  // As its credential was last read: a commit that finds it old has it read again
  // (permissions/admission.h).
  signature::Identity identity;
  // The bucket of the request; null above the bucket level and for CreateBucket.
  std::shared_ptr<const metadata::Bucket> bucket;
  std::string request_id;
  Access access = {};
  // The keys of others that it used, and for what: asked again before it commits.
  std::vector<std::pair<std::string, metadata::KmsOperation>> used_keys = {};
  // What the bucket's settings said about encryption when a new object's key was chosen
  // (object_encryption.h); null = none was.
  std::optional<kms::Envelope> chosen_encryption = {};
  // One of the requests in flight; null: not counted. And whom what the request holds counts to
  // (payer.h).
  admission::Pool::Hold* ticket = nullptr;
  admission::PartyRef payer = {};
  // Of the body, where it is read whole.
  admission::Filling document = {};

  // The caller's; kAnonymousAccount of an unsigned request.
  std::string account() const { return std::string(access.caller.account_id); }

  Deadline metadata_deadline() const { return deadline_in(services.settings.metadata_timeout); }

  const http::Fields& fields() const { return exchange.head().fields; }
};

using Handler = async::Task<s3::S3Result<Response>> (*)(Context&);

}  // namespace rondel::request
