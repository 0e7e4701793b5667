// Requests through dispatch(): the real handlers over a store that changes nothing. Bucket "box" is
// what a test asks about; "open" can be read and "free" written by everybody.
#pragma once

#include <gtest/gtest.h>

#include <utility>

#include "common/async/event_loop.h"
#include "common/base/encoding.h"
#include "common/crypto/digest.h"
#include "gateway/api/dispatch.h"
#include "gateway/permissions/authorization.h"
#include "gateway/request/context.h"
#include "gateway/request/payer.h"
#include "gateway/request/stream_releases.h"
#include "gateway/s3/request.h"
#include "identity/access/acl.h"
#include "tests/fakes/fixed_identities.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/memory_exchange.h"
#include "tests/unit/gateway/api/one_object_store.h"
#include "tests/unit/gateway/api/one_upload_store.h"
#include "tests/unit/gateway/api/quiet_stores.h"

namespace rondel::api {

enum class Who : uint8_t { kOwner, kWriter, kOther, kNobody };

class NoBlobs final : public blobs::BlobStore {
 public:
  std::unique_ptr<blobs::StreamWriter> open_writer(std::optional<uint64_t>, Deadline,
                                                   admission::PartyRef) override {
    return std::make_unique<Writer>();
  }

  std::unique_ptr<blobs::StreamReader> open_reader(std::vector<blobs::StreamRange>, Deadline,
                                                   admission::PartyRef) override {
    return nullptr;
  }

 private:
  struct Writer final : blobs::StreamWriter {
    async::Task<Result<void>> write(ByteView) override { co_return Result<void>{}; }

    async::Task<Result<blobs::WrittenStream>> finish() override {
      co_return blobs::WrittenStream();
    }

    blobs::WrittenStream leftovers() const override { return {}; }
  };
};

class NoKeys final : public kms::KeyManagement {
 public:
  async::Task<Result<kms::DataKey>> generate_data_key(std::string, std::string, Deadline) override {
    return none<kms::DataKey>();
  }

  async::Task<Result<crypto::Secret>> unwrap(std::string, std::string, std::string,
                                             Deadline) override {
    return none<crypto::Secret>();
  }

  async::Task<Result<std::string>> rewrap(std::string, std::string, std::string,
                                          Deadline) override {
    return none<std::string>();
  }

  async::Task<Result<void>> check_usable(std::string, std::string, std::string, Deadline) override {
    return none<void>();
  }

  async::Task<Result<void>> create(std::string, Deadline) override { return none<void>(); }

  async::Task<Result<std::vector<kms::KeyDescription>>> list(Deadline) override {
    return none<std::vector<kms::KeyDescription>>();
  }

  async::Task<Result<kms::KeyDescription>> describe(std::string, Deadline) override {
    return none<kms::KeyDescription>();
  }

  async::Task<Result<void>> rotate(std::string, Deadline) override { return none<void>(); }

  async::Task<Result<void>> set_enabled(std::string, bool, Deadline) override {
    return none<void>();
  }

 private:
  template <class T>
  async::Task<Result<T>> none() {
    ++calls;
    co_return std::unexpected(error);
  }

 public:
  Error error{ErrorCode::kUnavailable, "no keys"};
  int calls = 0;
};

// One request: "PUT /box/k?acl", headers, body.
struct Asked {
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
};

struct Told {
  bool denied = false;
  int changes = 0;  // Asked of the store.
  bool bypassed_governance = false;
  std::string code;          // "OK" or the error's.
  bool retry_after = false;  // Has the header.
  int reads = 0;             // Of the body.
  std::string party;         // Whom it counted to.
};

struct AccessFixture {
  AccessFixture() {
    for (const auto& [id, name] :
         {std::pair("111111111111", "own"), std::pair("222222222222", "wri"),
          std::pair("333333333333", "oth")}) {
      metadata::Account account;
      account.id = id;
      account.canonical_id = name;
      account.name = name;
      accounts.accounts[id] = account;
    }
    box.id = 7;
    box.name = "box";
    box.owner_account = "111111111111";
    box.owner_canonical_id = "own";
    box.settings_version = 1;
    box.settings[metadata::SettingKind::kOwnership] = "ObjectWriter";
    metadata::Bucket open = box, free = box;
    open.id = 8;
    open.name = "open";
    free.id = 9;
    free.name = "free";
    free.settings[metadata::SettingKind::kAcl] = canned(access::CannedAcl::kPublicReadWrite);
    bucket_store.buckets["open"] = open;
    bucket_store.buckets["free"] = free;
    store.bucket_id = box.id;
    store.object.owner_account = box.owner_account;
    store.object.etag = "e";
    store.public_object = store.object;
    store.public_object.acl = canned(access::CannedAcl::kPublicRead);
    uploads.initiator_account = box.owner_account;
  }

  static std::string canned(access::CannedAcl acl) {
    return access::encode_acl(access::expand_canned(acl, "own", "own"), "own");
  }

  static std::string granted(policy::Permission permission, std::string id = "oth") {
    return access::encode_acl({{{access::Grantee::kCanonicalUser, std::move(id), permission}}},
                              "own");
  }

  void set_policy(std::string document) {
    box.settings[metadata::SettingKind::kPolicy] = std::move(document);
  }

  // By a key that is there to be looked at again.
  signature::Identity identity(Who who) {
    signature::Identity identity;
    if (who == Who::kNobody) return identity;
    auto credential = std::make_shared<metadata::Credential>();
    credential->account = accounts.accounts.at(who == Who::kOwner    ? "111111111111"
                                               : who == Who::kWriter ? "222222222222"
                                                                     : "333333333333");
    credential->key = {.access_key = credential->account.id,
                       .secret_key = "secret",
                       .account_id = credential->account.id};
    credential->epoch = credential_epoch;
    credential->kms.others = true;
    accounts.add(*credential);
    identity.credential = credential;
    return identity;
  }

  // Through the router, the decision and the handler.
  Told ask(Who who, std::string_view method, const Asked& asked,
           std::optional<s3::Operation> operation = std::nullopt) {
    bucket_store.buckets["box"] = box;
    bucket_cache.forget_bucket("box");
    if (changed) cache_before(*std::exchange(changed, std::nullopt));
    store.changes = uploads.refused = bucket_store.refused = 0;
    store.bypassed_governance = false;
    http::RequestHead head;
    head.method = method;
    head.target = asked.target;
    head.content_length = asked.body.size();
    head.fields.add("Content-Length", std::to_string(asked.body.size()));
    head.fields.add("Content-MD5", to_base64(as_bytes(crypto::md5(asked.body))));
    for (const auto& [name, value] : asked.headers) head.fields.add(name, value);
    auto request = s3::route(head, {});
    if (!request) return {false, 0, false, "unroutable"};
    if (operation) request->operation = *operation;
    fakes::MemoryExchange exchange(head);
    exchange.set_body(asked.body);
    const signature::Identity identity = this->identity(who);
    request::Services services{store,        uploads,    listing, bucket_store, database,
                               bucket_cache, identities, blobs,   releases,     authenticator,
                               object_keys,  clock,      {}};
    services.admission = gate;
    request::Context context{services, exchange, *request, identity, nullptr, "1"};
    if (request->operation != s3::Operation::kCreateBucket) {
      context.bucket = known_bucket(request->bucket);
    }
    admission::Pool::Hold ticket =
        services.admission->requests.try_take(services.admission->parties.address("127.0.0.1"), 1);
    context.ticket = &ticket;
    context.payer = ticket.party();
    context.access.caller = permissions::caller_of(identity);
    if (who != Who::kNobody) EXPECT_TRUE(request::try_charge(context));
    auto response = async::block_on(dispatch(context));
    Told told{false, store.changes + uploads.refused + bucket_store.refused,
              store.bypassed_governance,
              response ? "OK" : std::string(s3::name(response.error().code))};
    told.reads = exchange.reads;
    told.party = ticket.party()->id();
    using Headers = std::vector<std::pair<std::string, std::string>>;
    told.retry_after = !response && response.error().headers == Headers{{"Retry-After", "1"}};
    told.denied = told.code == "AccessDenied" || told.code == "MethodNotAllowed" ||
                  (response && response->body.contains("<Code>AccessDenied</Code>"));
    return told;
  }

  // Whatever it looks up in its caches fails, as nothing is in them yet.
  void break_lookups(const Error& error) {
    bucket_store.lookup_fault = {error};
    accounts.break_with(error);
  }

  int failed_lookups() const { return bucket_store.lookup_fault.met + accounts.failed(); }

  // And what it asks of the stores themselves.
  void break_stores(const Error& error) {
    store.fault = uploads.fault = listing.fault = bucket_store.fault = {error};
  }

  int failed_calls() const {
    return store.fault.met + uploads.fault.met + listing.fault.met + bucket_store.fault.met;
  }

  // As the gateway knows it; null: it does not.
  std::shared_ptr<const metadata::Bucket> known_bucket(const std::string& name) const {
    if (name == "box") return std::make_shared<const metadata::Bucket>(box);
    const auto found = bucket_store.buckets.find(name);
    return found == bucket_store.buckets.end()
               ? nullptr
               : std::make_shared<const metadata::Bucket>(found->second);
  }

  // The gateway has cached the bucket as it was before.
  void cache_before(metadata::Bucket now) {
    (void)async::block_on(bucket_cache.find_bucket("box", deadline_in(std::chrono::seconds(60))));
    clock.advance(std::chrono::milliseconds(2));
    bucket_store.buckets["box"] = std::move(now);
  }

  std::shared_ptr<admission::Gate> gate = std::make_shared<admission::Gate>();
  fakes::ManualClock clock{SystemTime(std::chrono::seconds(1'700'000'000))};
  FixedBuckets bucket_store;
  metadata::BucketCache bucket_cache{bucket_store, clock};
  fakes::FixedIdentities accounts;
  metadata::IdentityCache identities{accounts, clock};
  OneObjectStore store;
  OneUploadStore uploads;
  EmptyListing listing;
  KeptReleases queue;
  Database database;
  NoBlobs blobs;
  request::StreamReleases releases{queue, database};
  NoKeys keys;
  signature::Authenticator authenticator{identities, {.clock = &clock, .signature_v2 = true}};
  kms::ObjectKeys object_keys{keys, keys, {.clock = &clock}};
  metadata::Bucket box;
  int64_t credential_epoch = 0;
  // What another gateway made of the box a moment before the next request.
  std::optional<metadata::Bucket> changed;
};

}  // namespace rondel::api
