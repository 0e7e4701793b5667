// What the seams of metadata/store promise.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

#include "common/async/event_loop.h"
#include "common/async/task_group.h"
#include "metadata/cache/bucket_cache.h"
#include "metadata/cache/identity_cache.h"
#include "metadata/postgres/directory_feed.h"
#include "metadata/postgres/pg_connection.h"
#include "tests/contract/metadata_store/test_database.h"
#include "tests/fakes/manual_clock.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;

// Of the database that a test runs on.
const Credential& owner_in(TestDatabase& database) {
  static std::map<TestDatabase*, Credential> owners;
  const auto known = owners.find(&database);
  if (known != owners.end()) return known->second;
  const CreateAccount request{
      .name = "owner", .access_key = "OWNERKEY", .secret_key = "owner-secret"};
  return owners[&database] = async::block_on(database.stores().identities.create_account(
                                                 request, deadline_in(10s)))
                                 .value();
}

class MetadataStoreContract : public ::testing::TestWithParam<Implementation> {
 protected:
  static TestDatabase& database() { return test_database(GetParam()); }
  static const Stores& stores() { return database().stores(); }
  static const Credential& owner() { return owner_in(database()); }

  void SetUp() override {
    static int count = 0;
    bucket_ = make_bucket("contract-" + std::to_string(++count));
  }

  Bucket make_bucket(const std::string& name) {
    auto outcome = run(stores().buckets.create_bucket({.name = name, .owner_account = owner().account.id, .region = "us-east-1"}, soon()));
    EXPECT_EQ(outcome.status, BucketStatus::kOk);
    return outcome.bucket;
  }

  static Deadline soon() { return deadline_in(10s); }

  template <class T, class E>
  static T run(async::Task<std::expected<T, E>> task) {
    auto result = async::block_on(std::move(task));
    EXPECT_TRUE(result) << to_string(result.error());
    if (!result) throw std::runtime_error(to_string(result.error()));
    return std::move(*result);
  }

  CommitContext context() const { return {bucket_.id, bucket_.settings_version, 0, soon()}; }

  PutObject put_request(const std::string& key, uint64_t size, Versioning versioning = Versioning::kNever) const {
    PutObject put{context(), key, {}, versioning, {}};
    put.version.size = size;
    put.version.etag = "etag" + std::to_string(size);
    put.version.owner_account = owner().account.id;
    put.version.headers = {{"content-type", "text/plain"}, {"x-amz-meta-a", "b"}};
    put.version.checksum = model::Checksum{model::ChecksumAlgorithm::kCrc32, model::ChecksumType::kFullObject, "abcd"};
    if (size > 0) put.version.extents = {{0, model::StreamId::random(), size, 0, size}};
    return put;
  }

  CommitOutcome put(const std::string& key, uint64_t size, Versioning versioning = Versioning::kNever) {
    return run(stores().objects.put_object(put_request(key, size, versioning)));
  }

  ObjectLookup find(const std::string& key, ExtentRange range = {ExtentRange::Kind::kAll}) {
    return run(stores().objects.find_object({.bucket = bucket_.name, .key = key, .range = range, .deadline = soon()}));
  }

  ListPage list(ListQuery query) {
    query.bucket_id = bucket_.id;
    query.deadline = soon();
    return run(stores().listing.list(std::move(query)));
  }

  std::vector<std::string> keys_of(const ListPage& page) {
    std::vector<std::string> keys;
    for (const auto& entry : page.entries) keys.push_back(entry.key);
    return keys;
  }

  BucketUsage usage() { return run(stores().buckets.bucket_usage(bucket_.id, soon())); }

  Bucket bucket_;
};

INSTANTIATE_TEST_SUITE_P(Stores, MetadataStoreContract, all_implementations(), name_of_implementation);

TEST_P(MetadataStoreContract, PutIsFoundWithEverythingItWasGiven) {
  const auto request = put_request("a/b", 77);
  const auto outcome = run(stores().objects.put_object(request));
  ASSERT_EQ(outcome.status, CommitStatus::kCommitted);
  const auto found = find("a/b");
  ASSERT_EQ(found.status, LookupStatus::kFound);
  EXPECT_EQ(found.object.version, outcome.version);
  EXPECT_EQ(found.object.size, 77u);
  EXPECT_EQ(found.object.etag, "etag77");
  EXPECT_EQ(found.object.headers, request.version.headers);
  EXPECT_EQ(found.object.checksum, request.version.checksum);
  EXPECT_EQ(found.object.extents, request.version.extents);
  EXPECT_EQ(found.bucket_id, bucket_.id);
}

TEST_P(MetadataStoreContract, AbsentThingsAreNamed) {
  EXPECT_EQ(find("nothing").status, LookupStatus::kNoSuchKey);
  EXPECT_EQ(run(stores().objects.find_object({.bucket = "no-such-bucket", .key = "k", .deadline = soon()})).status, LookupStatus::kNoSuchBucket);
  EXPECT_EQ(run(stores().objects.find_object({.bucket = bucket_.name, .key = "k", .version = model::VersionId::random(), .deadline = soon()})).status,
            LookupStatus::kNoSuchVersion);
}

TEST_P(MetadataStoreContract, KeysAreOpaqueBytes) {
  for (const std::string key : {"a", "a/b", "a//../b/", "\xc3\xa9", "a\x01", "A"}) EXPECT_EQ(put(key, 1).status, CommitStatus::kCommitted);
  EXPECT_EQ(keys_of(list({})), (std::vector<std::string>{"A", "a", "a\x01", "a//../b/", "a/b", "\xc3\xa9"}));
}

TEST_P(MetadataStoreContract, ConcurrentPutsOfManyKeysAndOneKey) {
  async::EventLoop loop;
  int left = 200;
  for (int i = 0; i < 200; ++i) {
    const std::string key = i % 2 == 0 ? "same" : "key" + std::to_string(i);
    auto one = [](ObjectStore& target, PutObject request, int& remaining, async::EventLoop& runner) -> async::Task<void> {
      const auto outcome = co_await target.put_object(std::move(request));
      EXPECT_TRUE(outcome && outcome->status == CommitStatus::kCommitted);
      if (--remaining == 0) runner.stop();
    };
    async::spawn(loop, one(stores().objects, put_request(key, static_cast<uint64_t>(i + 1)), left, loop));
  }
  loop.run();
  EXPECT_EQ(list({}).entries.size(), 101u);
  EXPECT_EQ(usage().objects, 101u);
}

TEST_P(MetadataStoreContract, ConditionsAreDecidedOnTheCurrentVersion) {
  auto conditional = [&](std::vector<std::string> match, std::vector<std::string> none) {
    auto request = put_request("c", 5);
    request.conditions.if_match = std::move(match);
    request.conditions.if_none_match = std::move(none);
    return run(stores().objects.put_object(std::move(request))).status;
  };
  EXPECT_EQ(conditional({"x"}, {}), CommitStatus::kNoSuchKey);
  EXPECT_EQ(conditional({}, {"*"}), CommitStatus::kCommitted);
  EXPECT_EQ(conditional({}, {"*"}), CommitStatus::kPreconditionFailed);
  EXPECT_EQ(conditional({"wrong"}, {}), CommitStatus::kPreconditionFailed);
  EXPECT_EQ(conditional({"etag5"}, {}), CommitStatus::kCommitted);
}

TEST_P(MetadataStoreContract, StaleSettingsDeletedBucketsAndFencedEpochsAreRefused) {
  auto request = put_request("k", 1);
  request.context.settings_version += 1;
  EXPECT_EQ(run(stores().objects.put_object(request)).status, CommitStatus::kSettingsChanged);
  request.context.bucket_id = 1 << 30;
  EXPECT_EQ(run(stores().objects.put_object(request)).status, CommitStatus::kNoSuchBucket);
}

TEST_P(MetadataStoreContract, OverwriteAndDeleteReleaseStreamsAndCountUsage) {
  put("k", 10);
  put("k", 20);
  EXPECT_EQ(usage().bytes, 20u);
  const auto outcome = run(stores().objects.delete_object({.context = context(), .key = "k"}));
  EXPECT_EQ(outcome.status, CommitStatus::kCommitted);
  EXPECT_EQ(find("k").status, LookupStatus::kNoSuchKey);
  EXPECT_EQ(usage().bytes, 0u);
  EXPECT_EQ(usage().objects, 0u);
  EXPECT_EQ(run(stores().objects.delete_object({.context = context(), .key = "k"})).status, CommitStatus::kCommitted);
}

TEST_P(MetadataStoreContract, VersionsStackAndDeleteMarkersHide) {
  const auto first = put("v", 1, Versioning::kEnabled);
  const auto second = put("v", 2, Versioning::kEnabled);
  EXPECT_LT(first.version, second.version);
  EXPECT_FALSE(second.is_null);
  const auto marker = run(stores().objects.delete_object({.context = context(), .key = "v", .versioning = Versioning::kEnabled}));
  EXPECT_TRUE(marker.delete_marker);
  EXPECT_TRUE(find("v").object.delete_marker);
  EXPECT_TRUE(list({}).entries.empty());
  const auto versions = list({.versions = true});
  ASSERT_EQ(versions.entries.size(), 3u);
  EXPECT_TRUE(versions.entries[0].object.delete_marker);
  EXPECT_TRUE(versions.entries[0].latest);
  EXPECT_EQ(versions.entries[2].object.version, first.version);
  EXPECT_EQ(run(stores().objects.delete_object({.context = context(), .key = "v", .version = marker.version})).status, CommitStatus::kCommitted);
  EXPECT_EQ(find("v").object.version, second.version);
  const auto old = run(stores().objects.find_object(
      {.bucket = bucket_.name, .key = "v", .version = first.version, .range = {ExtentRange::Kind::kAll}, .deadline = soon()}));
  EXPECT_EQ(old.object.size, 1u);
  EXPECT_EQ(old.object.extents.size(), 1u);
  EXPECT_EQ(usage().bytes, 3u);
}

TEST_P(MetadataStoreContract, SuspendedVersioningReplacesTheNullVersion) {
  put("s", 1, Versioning::kEnabled);
  put("s", 2, Versioning::kSuspended);
  put("s", 3, Versioning::kEnabled);
  put("s", 4, Versioning::kSuspended);
  const auto versions = list({.versions = true});
  ASSERT_EQ(versions.entries.size(), 3u);
  EXPECT_EQ(versions.entries[0].object.size, 4u);
  EXPECT_TRUE(versions.entries[0].object.is_null);
  EXPECT_EQ(versions.entries[1].object.size, 3u);
  EXPECT_EQ(run(stores().objects.delete_object({.context = context(), .key = "s", .null_version = true})).version, versions.entries[0].object.version);
  EXPECT_EQ(find("s").object.size, 3u);
  put("s", 5, Versioning::kSuspended);
  put("s", 6, Versioning::kEnabled);
  EXPECT_EQ(run(stores().objects.delete_object({.context = context(), .key = "s", .null_version = true})).status, CommitStatus::kCommitted);
  EXPECT_EQ(usage().bytes, 1u + 3u + 6u);
}

Attributes some_attributes() {
  Attributes attributes;
  attributes.acl = "acl-bytes";
  attributes.tags = {{"k", "v"}, {"empty", ""}};
  attributes.encryption = std::string("\0envelope", 9);
  return attributes;
}

template <class Time>
SystemTime in_milliseconds(Time time) {
  return std::chrono::floor<std::chrono::milliseconds>(time);
}

TEST_P(MetadataStoreContract, AttributesAreStoredCopiedAndChangedInPlace) {
  auto request = put_request("attributed", 3, Versioning::kEnabled);
  static_cast<Attributes&>(request.version) = some_attributes();
  request.version.legal_hold = true;
  request.version.retention = {Retention::Mode::kGovernance, in_milliseconds(std::chrono::system_clock::now() + 1h)};
  const auto first = run(stores().objects.put_object(request));
  auto found = find("attributed");
  EXPECT_EQ(static_cast<Attributes&>(found.object), static_cast<Attributes&>(request.version));

  CopyObject copy{put_request("copy", 0), bucket_.id, "attributed", first.version, "etag3"};
  copy.put.version.etag.clear();
  copy.put.version.tags = {{"only", "this"}};
  ASSERT_EQ(run(stores().objects.copy_object(copy)).status, CommitStatus::kCommitted);
  EXPECT_EQ(find("copy").object.tags, (Tags{{"only", "this"}}));
  EXPECT_TRUE(find("copy").object.acl.empty());

  put("attributed", 4, Versioning::kEnabled);
  EXPECT_EQ(static_cast<Attributes>(find("attributed").object), Attributes{});
  UpdateVersion update{.context = context(), .key = "attributed", .version = first.version, .expected_etag = "etag3"};
  update.tags = Tags{{"new", "tag"}};
  const auto outcome = run(stores().objects.update_version(update));
  EXPECT_EQ(outcome.status, CommitStatus::kCommitted);
  EXPECT_EQ(outcome.version, first.version);
  const auto old = run(stores().objects.find_object({.bucket = bucket_.name, .key = "attributed", .version = first.version, .deadline = soon()}));
  EXPECT_EQ(old.object.tags, (Tags{{"new", "tag"}}));
  EXPECT_EQ(old.object.acl, "acl-bytes");
  EXPECT_EQ(old.object.last_modified, found.object.last_modified);

  UpdateVersion current{.context = context(), .key = "attributed"};
  current.acl = "x";
  current.encryption = "y";
  EXPECT_EQ(run(stores().objects.update_version(current)).status, CommitStatus::kCommitted);
  EXPECT_EQ(find("attributed").object.acl, "x");
  EXPECT_EQ(find("attributed").object.encryption, "y");
  current.expected_etag = "other";
  EXPECT_EQ(run(stores().objects.update_version(current)).status, CommitStatus::kPreconditionFailed);
  current.context.settings_version += 1;
  EXPECT_EQ(run(stores().objects.update_version(current)).status, CommitStatus::kSettingsChanged);
  current = {.context = context(), .key = "absent"};
  EXPECT_EQ(run(stores().objects.update_version(current)).status, CommitStatus::kNoSuchKey);
  run(stores().objects.delete_object({.context = context(), .key = "attributed", .versioning = Versioning::kEnabled}));
  current.key = "attributed";
  const auto marker = run(stores().objects.update_version(current));
  EXPECT_EQ(marker.status, CommitStatus::kNoSuchKey);
  EXPECT_TRUE(marker.delete_marker);
}

TEST_P(MetadataStoreContract, ManyPutsWithAndWithoutAttributesShareABatch) {
  async::EventLoop loop;
  int left = 40;
  for (int i = 0; i < 40; ++i) {
    auto request = put_request("batched" + std::to_string(i), 1);
    if (i % 3 == 0) static_cast<Attributes&>(request.version) = some_attributes();
    auto one = [](ObjectStore& target, PutObject put, int& remaining, async::EventLoop& runner) -> async::Task<void> {
      const auto outcome = co_await target.put_object(std::move(put));
      EXPECT_TRUE(outcome && outcome->status == CommitStatus::kCommitted);
      if (--remaining == 0) runner.stop();
    };
    async::spawn(loop, one(stores().objects, std::move(request), left, loop));
  }
  loop.run();
  for (int i = 0; i < 40; ++i) {
    const auto object = find("batched" + std::to_string(i)).object;
    EXPECT_EQ(static_cast<const Attributes&>(object), i % 3 == 0 ? some_attributes() : Attributes{}) << i;
  }
}

class ObjectLock : public MetadataStoreContract {
 protected:
  CommitOutcome put_locked(const std::string& key, Retention retention, bool hold = false) {
    auto request = put_request(key, 1, Versioning::kEnabled);
    request.version.retention = retention;
    if (hold) request.version.legal_hold = true;
    return run(stores().objects.put_object(request));
  }

  CommitStatus remove(const std::string& key, const model::VersionId& version, bool bypass = false) {
    return run(stores().objects.delete_object({.context = context(), .key = key, .version = version, .versioning = Versioning::kEnabled,
                                      .bypass_governance = bypass})).status;
  }

  CommitStatus retain(const std::string& key, Retention retention, bool bypass = false) {
    UpdateVersion update{.context = context(), .key = key};
    update.retention = retention;
    update.bypass_governance = bypass;
    return run(stores().objects.update_version(update)).status;
  }

  CommitStatus hold(const std::string& key, const model::VersionId& version, bool on) {
    UpdateVersion update{.context = context(), .key = key, .version = version};
    update.legal_hold = on;
    return run(stores().objects.update_version(update)).status;
  }

  const SystemTime later_ = in_milliseconds(std::chrono::system_clock::now() + 1h);
  const Retention governance_{Retention::Mode::kGovernance, later_};
  const Retention compliance_{Retention::Mode::kCompliance, later_};
};

INSTANTIATE_TEST_SUITE_P(Stores, ObjectLock, all_implementations(), name_of_implementation);

TEST_P(ObjectLock, GovernanceYieldsToBypassAlone) {
  const auto version = put_locked("g", governance_).version;
  EXPECT_EQ(remove("g", version), CommitStatus::kObjectLocked);
  EXPECT_EQ(retain("g", {Retention::Mode::kGovernance, later_ - 1min}), CommitStatus::kObjectLocked);
  EXPECT_EQ(retain("g", {}), CommitStatus::kObjectLocked);
  EXPECT_EQ(retain("g", compliance_), CommitStatus::kObjectLocked);
  EXPECT_EQ(retain("g", {Retention::Mode::kGovernance, later_ + 1min}), CommitStatus::kCommitted);
  EXPECT_EQ(find("g").object.retention.until, later_ + 1min);
  EXPECT_EQ(retain("g", governance_, true), CommitStatus::kCommitted);
  EXPECT_EQ(remove("g", version, true), CommitStatus::kCommitted);
}

TEST_P(ObjectLock, ComplianceAndLegalHoldYieldToNobody) {
  const auto version = put_locked("c", compliance_).version;
  EXPECT_EQ(remove("c", version, true), CommitStatus::kObjectLocked);
  EXPECT_EQ(retain("c", {}, true), CommitStatus::kObjectLocked);
  EXPECT_EQ(retain("c", governance_, true), CommitStatus::kObjectLocked);
  EXPECT_EQ(retain("c", {Retention::Mode::kCompliance, later_ + 1min}), CommitStatus::kCommitted);
  const auto held = put_locked("h", {}, true).version;
  EXPECT_EQ(remove("h", held, true), CommitStatus::kObjectLocked);
  // A marker hides it, and it stays protected in the history.
  EXPECT_EQ(run(stores().objects.delete_object({.context = context(), .key = "h", .versioning = Versioning::kEnabled})).status, CommitStatus::kCommitted);
  EXPECT_EQ(remove("h", held), CommitStatus::kObjectLocked);
  EXPECT_EQ(hold("h", held, false), CommitStatus::kCommitted);
  EXPECT_EQ(remove("h", held), CommitStatus::kCommitted);
  const auto expired = put_locked("e", {Retention::Mode::kCompliance, in_milliseconds(std::chrono::system_clock::now() - 1s)}).version;
  EXPECT_EQ(remove("e", expired), CommitStatus::kCommitted);
}

// Whichever of the two clocks is ahead, the other one holds.
TEST_P(ObjectLock, ALockEndsWhenBothClocksSaySo) {
  using std::chrono::days;
  const SystemTime now = in_milliseconds(std::chrono::system_clock::now());
  fakes::ManualClock gateway(now);
  const auto other = database().another({.lock_clock = &gateway});
  const auto remove_by = [&](const std::string& key, const model::VersionId& version) {
    return run(other->objects.delete_object({.context = context(), .key = key, .version = version, .versioning = Versioning::kEnabled})).status;
  };
  const auto shorten_by = [&](const std::string& key) {
    UpdateVersion update{.context = context(), .key = key};
    update.retention = Retention{};
    return run(other->objects.update_version(update)).status;
  };
  // The database's clock alone says that it is over, as when that is ahead.
  const auto over = put_locked("over", {Retention::Mode::kCompliance, now - 1h}).version;
  // The gateway's alone does.
  const auto held = put_locked("held", compliance_).version;
  for (const auto by : {days(1), days(7)}) {
    gateway.set(now - by);
    EXPECT_EQ(remove_by("over", over), CommitStatus::kObjectLocked);
    EXPECT_EQ(shorten_by("over"), CommitStatus::kObjectLocked);
    gateway.set(now + by);
    EXPECT_EQ(remove_by("held", held), CommitStatus::kObjectLocked);
    EXPECT_EQ(shorten_by("held"), CommitStatus::kObjectLocked);
  }
  gateway.set(now);
  EXPECT_EQ(shorten_by("over"), CommitStatus::kCommitted);
  EXPECT_EQ(remove_by("over", over), CommitStatus::kCommitted);
  EXPECT_EQ(remove_by("held", held), CommitStatus::kObjectLocked);
}

TEST_P(ObjectLock, BucketStaysVersioned) {
  EXPECT_EQ(run(stores().buckets.set_object_lock(bucket_.id, "doc", soon())).status, BucketStatus::kWrongState);
  const auto enabled = run(stores().buckets.set_bucket_versioning(bucket_.id, Versioning::kEnabled, soon()));
  EXPECT_EQ(enabled.bucket.versioning, Versioning::kEnabled);
  EXPECT_EQ(enabled.bucket.settings_version, bucket_.settings_version + 1);
  EXPECT_EQ(run(stores().buckets.set_bucket_versioning(bucket_.id, Versioning::kSuspended, soon())).bucket.versioning, Versioning::kSuspended);
  run(stores().buckets.set_bucket_versioning(bucket_.id, Versioning::kEnabled, soon()));
  const auto locked = run(stores().buckets.set_object_lock(bucket_.id, "doc", soon()));
  EXPECT_TRUE(locked.bucket.object_lock);
  EXPECT_EQ(locked.bucket.settings.at(SettingKind::kObjectLock), "doc");
  EXPECT_EQ(run(stores().buckets.set_bucket_versioning(bucket_.id, Versioning::kSuspended, soon())).status, BucketStatus::kWrongState);
  EXPECT_EQ(run(stores().buckets.set_bucket_versioning(1 << 30, Versioning::kEnabled, soon())).status, BucketStatus::kNoSuchBucket);
}

TEST_P(MetadataStoreContract, ConditionsOfANamedVersionAreItsOwn) {
  const auto old = put("n", 1, Versioning::kEnabled);
  put("n", 2, Versioning::kEnabled);
  DeleteObject request{.context = context(), .key = "n", .version = old.version, .versioning = Versioning::kEnabled};
  request.conditions.if_match = {"etag2"};
  EXPECT_EQ(run(stores().objects.delete_object(request)).status, CommitStatus::kPreconditionFailed);
  request.conditions.if_match_size = 1;
  request.conditions.if_match = {"etag1"};
  EXPECT_EQ(run(stores().objects.delete_object(request)).status, CommitStatus::kCommitted);
  EXPECT_EQ(run(stores().objects.delete_object(request)).status, CommitStatus::kCommitted);
}

TEST_P(MetadataStoreContract, ConditionalDeletesMakeNothingWhereNothingIs) {
  DeleteObject request{.context = context(), .key = "nowhere", .versioning = Versioning::kEnabled};
  request.conditions.if_match = {"*"};
  EXPECT_EQ(run(stores().objects.delete_object(request)).status, CommitStatus::kCommitted);
  EXPECT_TRUE(list({.versions = true}).entries.empty());
  // A marker is there, without ETag and bytes.
  run(stores().objects.delete_object({.context = context(), .key = "nowhere", .versioning = Versioning::kEnabled}));
  EXPECT_EQ(run(stores().objects.delete_object(request)).status, CommitStatus::kCommitted);
  request.conditions.if_match = {"e"};
  EXPECT_EQ(run(stores().objects.delete_object(request)).status, CommitStatus::kPreconditionFailed);
  request.conditions.if_match.clear();
  request.conditions.if_match_size = 1;
  EXPECT_EQ(run(stores().objects.delete_object(request)).status, CommitStatus::kPreconditionFailed);
}

TEST_P(MetadataStoreContract, OnlyTheCurrentVersionNamedIsRemoved) {
  const auto old = put("x", 1);
  const auto current = put("x", 2);
  using Guard = DeleteObject::Guard;
  DeleteObject request{.context = context(), .key = "x", .version = old.version};
  request.guard = Guard::kCurrent;
  EXPECT_EQ(run(stores().objects.delete_object(request)).status, CommitStatus::kPreconditionFailed);
  request.version = current.version;
  EXPECT_EQ(run(stores().objects.delete_object(request)).status, CommitStatus::kCommitted);
  EXPECT_EQ(run(stores().objects.delete_object(request)).status, CommitStatus::kPreconditionFailed);
}

TEST_P(MetadataStoreContract, GuardsTellHistoryAndLoneMarkersApart) {
  using Guard = DeleteObject::Guard;
  const auto old = put("g", 1, Versioning::kEnabled);
  const auto current = put("g", 2, Versioning::kEnabled);
  const auto attempt = [&](const model::VersionId& version, Guard guard) {
    DeleteObject request{.context = context(), .key = "g", .version = version, .versioning = Versioning::kEnabled};
    request.guard = guard;
    return run(stores().objects.delete_object(request)).status;
  };
  EXPECT_EQ(attempt(current.version, Guard::kNoncurrent), CommitStatus::kPreconditionFailed);
  const auto marker = run(stores().objects.delete_object({.context = context(), .key = "g", .versioning = Versioning::kEnabled}));
  EXPECT_EQ(attempt(marker.version, Guard::kLoneMarker), CommitStatus::kPreconditionFailed);
  EXPECT_EQ(attempt(marker.version, Guard::kCurrent), CommitStatus::kPreconditionFailed);
  EXPECT_EQ(attempt(old.version, Guard::kNoncurrent), CommitStatus::kCommitted);
  EXPECT_EQ(attempt(marker.version, Guard::kLoneMarker), CommitStatus::kPreconditionFailed);
  EXPECT_EQ(attempt(current.version, Guard::kNoncurrent), CommitStatus::kCommitted);
  EXPECT_EQ(attempt(marker.version, Guard::kLoneMarker), CommitStatus::kCommitted);
  EXPECT_TRUE(list({.versions = true}).entries.empty());
  EXPECT_EQ(usage().versions, 0u);
  EXPECT_EQ(usage().bytes, 0u);
}

TEST_P(MetadataStoreContract, ConcurrentRemovalsOfVersionsAllHappen) {
  for (int round = 0; round < 5; ++round) {
    std::vector<model::VersionId> versions;
    for (int i = 0; i < 8; ++i) versions.push_back(put("many", 1, Versioning::kEnabled).version);
    std::vector<std::thread> threads;
    for (const model::VersionId& version : versions) {
      threads.emplace_back([&, version] {
        // Alone in its transaction: the batcher would put them in one.
        run(stores().objects.delete_objects({{.context = context(), .key = "many", .version = version, .versioning = Versioning::kEnabled}}));
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(list({.versions = true}).entries.empty());
  }
  EXPECT_EQ(usage().versions, 0u);
}

TEST_P(MetadataStoreContract, DeleteObjectsAnswersInOrder) {
  put("d1", 1);
  put("d3", 1);
  std::vector<DeleteObject> requests;
  for (const std::string key : {"d3", "d2", "d1"}) requests.push_back({.context = context(), .key = key});
  requests[0].conditions.if_match = {"nope"};
  const auto outcomes = run(stores().objects.delete_objects(requests));
  ASSERT_EQ(outcomes.size(), 3u);
  EXPECT_EQ(outcomes[0].status, CommitStatus::kPreconditionFailed);
  EXPECT_EQ(outcomes[1].status, CommitStatus::kCommitted);
  EXPECT_EQ(outcomes[2].status, CommitStatus::kCommitted);
  EXPECT_EQ(keys_of(list({})), std::vector<std::string>{"d3"});
}

TEST_P(MetadataStoreContract, CopySharesStreamsUntilTheLastReferenceGoes) {
  const auto source = put("source", 9);
  CopyObject copy{put_request("copy", 0), bucket_.id, "source", source.version, "etag9"};
  copy.put.version.etag.clear();
  const auto outcome = run(stores().objects.copy_object(copy));
  ASSERT_EQ(outcome.status, CommitStatus::kCommitted);
  EXPECT_EQ(outcome.etag, "etag9");
  EXPECT_EQ(find("copy").object.extents, find("source").object.extents);
  copy.source_etag = "other";
  EXPECT_EQ(run(stores().objects.copy_object(copy)).status, CommitStatus::kSourceChanged);
  const uint64_t before = run(stores().releases.queue_depths(soon())).released;
  run(stores().objects.delete_object({.context = context(), .key = "source"}));
  EXPECT_EQ(run(stores().releases.queue_depths(soon())).released, before);
  run(stores().objects.delete_object({.context = context(), .key = "copy"}));
  EXPECT_EQ(run(stores().releases.queue_depths(soon())).released, before + 1);
}

TEST_P(MetadataStoreContract, AppendGrowsAndChecksTheOffset) {
  AppendObject append{put_request("log", 4), 0, ""};
  ASSERT_EQ(run(stores().objects.append_object(append)).status, CommitStatus::kCommitted);
  AppendObject more{put_request("log", 6), 4, "etag4"};
  more.put.version.etag = "etag10";
  ASSERT_EQ(run(stores().objects.append_object(more)).size, 10u);
  EXPECT_EQ(run(stores().objects.append_object(more)).status, CommitStatus::kOffsetMismatch);
  const auto found = find("log");
  ASSERT_EQ(found.object.extents.size(), 2u);
  EXPECT_EQ(found.object.extents[1].start, 4u);
  EXPECT_EQ(find("log", {ExtentRange::Kind::kOffsets, 5, 6}).object.extents.size(), 1u);
  EXPECT_EQ(find("log", {ExtentRange::Kind::kSuffix, 1, 0}).object.extents[0].start, 4u);
  run(stores().objects.delete_object({.context = context(), .key = "log"}));
}

TEST_P(MetadataStoreContract, RenameMovesAndReplaces) {
  put("from", 3);
  put("to", 4);
  EXPECT_EQ(run(stores().objects.rename_object({.context = context(), .source_key = "from", .target_key = "to"})).status, CommitStatus::kCommitted);
  EXPECT_EQ(find("from").status, LookupStatus::kNoSuchKey);
  EXPECT_EQ(find("to").object.size, 3u);
  EXPECT_EQ(run(stores().objects.rename_object({.context = context(), .source_key = "from", .target_key = "to"})).status, CommitStatus::kNoSuchKey);
  EXPECT_EQ(usage().objects, 1u);
}

TEST_P(MetadataStoreContract, AnEncryptedObjectIsRenamedWithAnEnvelopeOfItsNewKey) {
  PutObject encrypted = put_request("secret", 3);
  encrypted.version.encryption = "for secret";
  run(stores().objects.put_object(encrypted));
  const auto version = find("secret").object.version;
  RenameObject rename{.context = context(), .source_key = "secret", .target_key = "moved"};
  EXPECT_EQ(run(stores().objects.rename_object(rename)).status, CommitStatus::kEncrypted);
  rename.encryption = "for moved";
  EXPECT_EQ(run(stores().objects.rename_object(rename)).status, CommitStatus::kEncrypted);   // Of no version.
  rename.source_version = version;
  EXPECT_EQ(run(stores().objects.rename_object(rename)).status, CommitStatus::kCommitted);
  EXPECT_EQ(find("moved").object.encryption, "for moved");
  // A plain one never gets an envelope.
  put("plain", 1);
  rename.source_key = "plain";
  EXPECT_EQ(run(stores().objects.rename_object(rename)).status, CommitStatus::kCommitted);
  EXPECT_EQ(find("moved").object.encryption, "");
}

TEST_P(MetadataStoreContract, ListingFoldsPagesAndResumes) {
  for (const std::string key : {"a", "b/1", "b/2", "b/3", "c", "d/x/1", "d/y", "e"}) put(key, 1);
  auto page = list({.delimiter = "/", .max = 2});
  EXPECT_EQ(keys_of(page), std::vector<std::string>{"a"});
  EXPECT_EQ(page.common_prefixes, std::vector<std::string>{"b/"});
  ASSERT_TRUE(page.truncated);
  EXPECT_EQ(page.next_prefix, "b/");
  page = list({.delimiter = "/", .after_prefix = "b/", .max = 10});
  EXPECT_EQ(keys_of(page), (std::vector<std::string>{"c", "e"}));
  EXPECT_EQ(page.common_prefixes, std::vector<std::string>{"d/"});
  EXPECT_FALSE(page.truncated);
  EXPECT_EQ(keys_of(list({.prefix = "b/", .after_key = "b/1"})), (std::vector<std::string>{"b/2", "b/3"}));
  EXPECT_EQ(list({.prefix = "d/", .delimiter = "/"}).common_prefixes, std::vector<std::string>{"d/x/"});
  EXPECT_TRUE(list({.prefix = "zzz"}).entries.empty());
  EXPECT_EQ(keys_of(list({.after_key = "c", .max = 1})), std::vector<std::string>{"d/x/1"});
}

class Multipart : public MetadataStoreContract {
 protected:
  model::UploadId create(const std::string& key) {
    Upload upload;
    upload.id = model::UploadId::random();
    upload.key = key;
    upload.initiator_account = upload.owner_account = owner().account.id;
    upload.headers = {{"content-type", "x/y"}};
    upload.checksum_algorithm = model::ChecksumAlgorithm::kCrc32c;
    static_cast<Attributes&>(upload) = some_attributes();
    EXPECT_EQ(run(stores().uploads.create_upload(context(), upload)), CommitStatus::kCommitted);
    return upload.id;
  }

  CommitOutcome put_part(const model::UploadId& upload, const std::string& key, uint32_t number, uint64_t size) {
    PutPart put{context(), upload, key, {}, {}};
    put.part = {number, size, "p" + std::to_string(number), {{model::ChecksumAlgorithm::kCrc32c, {}, "wxyz"}}, {}};
    put.extents = {{0, model::StreamId::random(), size, 0, size}};
    return run(stores().uploads.put_part(put));
  }

  CompleteUpload complete_request(const model::UploadId& upload, const std::string& key, std::vector<uint32_t> numbers, uint64_t size) {
    CompleteUpload complete{context(), upload, key, {}, {}, {}, "whole-2", {}, size, {}};
    for (const uint32_t number : numbers) complete.parts.push_back({number, "p" + std::to_string(number), {}});
    return complete;
  }

  static constexpr uint64_t kPart = 5 << 20;
};

INSTANTIATE_TEST_SUITE_P(Stores, Multipart, all_implementations(), name_of_implementation);

// An upload begins by the later clock, or one that was begun by a clock a week behind would be aborted when it is set right.
TEST_P(Multipart, AnUploadBegunByAClockThatIsBehindIsNotOld) {
  const SystemTime now = real_clock().now();
  fakes::ManualClock gateway(now);
  const auto other = database().another({.clock = &gateway});
  const auto begun = [&](Duration by) {
    gateway.set(now + std::chrono::duration_cast<std::chrono::microseconds>(by));
    Upload upload;
    upload.id = model::UploadId::random();
    upload.key = "begun/" + std::to_string(by.count());
    upload.initiator_account = upload.owner_account = owner().account.id;
    EXPECT_EQ(run(other->uploads.create_upload(context(), upload)), CommitStatus::kCommitted);
    for (const Upload& listed : run(stores().listing.list_uploads({.bucket_id = bucket_.id, .deadline = soon()})).uploads) {
      if (listed.id == upload.id) return listed.initiated_at;
    }
    return SystemTime::min();
  };
  EXPECT_GE(begun(-std::chrono::days(7)), now - 5s);
  EXPECT_GE(begun(std::chrono::days(1)), now + std::chrono::days(1) - 5s);
}

TEST_P(Multipart, PartsBecomeAnObject) {
  const auto upload = create("m");
  EXPECT_EQ(put_part(upload, "m", 1, kPart).status, CommitStatus::kCommitted);
  EXPECT_EQ(put_part(upload, "m", 3, 100).status, CommitStatus::kCommitted);
  EXPECT_EQ(put_part(upload, "m", 2, 50).status, CommitStatus::kCommitted);
  EXPECT_EQ(put_part(upload, "m", 3, 200).status, CommitStatus::kCommitted);
  const auto listed = run(stores().uploads.find_upload({bucket_.id, upload, "m", 0, 2, soon()}));
  EXPECT_EQ(listed.parts.size(), 2u);
  EXPECT_EQ(static_cast<const Attributes&>(listed.upload), some_attributes());
  EXPECT_TRUE(listed.truncated);
  EXPECT_EQ(run(stores().uploads.complete_upload(complete_request(upload, "m", {3, 1}, kPart + 200))).status, CommitStatus::kInvalidPartOrder);
  EXPECT_EQ(run(stores().uploads.complete_upload(complete_request(upload, "m", {1, 4}, kPart))).status, CommitStatus::kInvalidPart);
  EXPECT_EQ(run(stores().uploads.complete_upload(complete_request(upload, "m", {2, 3}, 250))).status, CommitStatus::kEntityTooSmall);
  const auto done = run(stores().uploads.complete_upload(complete_request(upload, "m", {1, 3}, kPart + 200)));
  ASSERT_EQ(done.status, CommitStatus::kCommitted);
  const auto again = run(stores().uploads.complete_upload(complete_request(upload, "m", {1, 3}, kPart + 200)));
  EXPECT_EQ(again.status, CommitStatus::kUploadCompleted);
  EXPECT_EQ(again.version, done.version);

  const auto found = find("m");
  EXPECT_EQ(found.object.part_count, 2u);
  EXPECT_EQ(found.object.size, kPart + 200);
  EXPECT_EQ(found.object.extents.size(), 2u);
  EXPECT_EQ(found.object.headers, (Headers{{"content-type", "x/y"}}));
  EXPECT_EQ(static_cast<const Attributes&>(found.object), some_attributes());
  const auto part = find("m", {ExtentRange::Kind::kPart, 3, 0});
  ASSERT_TRUE(part.part);
  EXPECT_EQ(part.part->size, 200u);
  EXPECT_EQ(part.part_start, kPart);
  ASSERT_EQ(part.object.extents.size(), 1u);
  EXPECT_EQ(part.object.extents[0].start, kPart);
  const auto attributes = run(stores().objects.find_object(
      {.bucket = bucket_.name, .key = "m", .with_parts = true, .parts_max = 1, .deadline = soon()}));
  ASSERT_EQ(attributes.object.parts.size(), 1u);
  EXPECT_TRUE(attributes.parts_truncated);
  EXPECT_EQ(attributes.object.parts[0].checksums[0].value, "wxyz");
  EXPECT_EQ(put_part(upload, "m", 1, 1).status, CommitStatus::kNoSuchUpload);
  EXPECT_EQ(run(stores().objects.delete_object({.context = context(), .key = "m"})).status, CommitStatus::kCommitted);
}

TEST_P(Multipart, OnePartCompleteAndCopiedPart) {
  const auto source = put("src", 1000);
  const auto upload = create("n");
  CopyPart copy{{context(), upload, "n", {1, 400, "p1", {}, {}}, {}}, bucket_.id, "src", source.version, "etag1000", 100};
  ASSERT_EQ(run(stores().uploads.copy_part(copy)).status, CommitStatus::kCommitted);
  ASSERT_EQ(run(stores().uploads.complete_upload(complete_request(upload, "n", {1}, 400))).status, CommitStatus::kCommitted);
  const auto found = find("n");
  ASSERT_EQ(found.object.extents.size(), 1u);
  EXPECT_EQ(found.object.extents[0].offset, 100u);
  EXPECT_EQ(found.object.extents[0].stream, find("src").object.extents[0].stream);
}

TEST_P(Multipart, AbortReleasesAndUploadsAreListed) {
  const auto first = create("x/1");
  const auto second = create("x/1");
  create("y");
  put_part(first, "x/1", 1, 10);
  ListUploadsQuery query{.bucket_id = bucket_.id, .max = 10, .deadline = soon()};
  auto page = run(stores().listing.list_uploads(query));
  ASSERT_EQ(page.uploads.size(), 3u);
  EXPECT_EQ(page.uploads[0].id, first);
  query.delimiter = "/";
  page = run(stores().listing.list_uploads(query));
  EXPECT_EQ(page.common_prefixes, std::vector<std::string>{"x/"});
  EXPECT_EQ(page.uploads.size(), 1u);
  query = {.bucket_id = bucket_.id, .after_key = "x/1", .after_upload = first, .max = 1, .deadline = soon()};
  page = run(stores().listing.list_uploads(query));
  ASSERT_EQ(page.uploads.size(), 1u);
  EXPECT_EQ(page.uploads[0].id, second);
  EXPECT_TRUE(page.truncated);
  EXPECT_EQ(run(stores().uploads.abort_upload(context(), first, "x/1")), CommitStatus::kCommitted);
  EXPECT_EQ(run(stores().uploads.abort_upload(context(), first, "x/1")), CommitStatus::kNoSuchUpload);
}

TEST_P(MetadataStoreContract, BucketsHaveOneOwnerAndMustBeEmptyToGo) {
  EXPECT_EQ(run(stores().buckets.create_bucket({.name = bucket_.name, .owner_account = owner().account.id}, soon())).status,
            BucketStatus::kAlreadyOwnedByYou);
  put("k", 1);
  EXPECT_EQ(run(stores().buckets.delete_bucket(bucket_.id, soon())).status, BucketStatus::kNotEmpty);
  run(stores().objects.delete_object({.context = context(), .key = "k"}));
  EXPECT_EQ(run(stores().buckets.delete_bucket(bucket_.id, soon())).status, BucketStatus::kOk);
  EXPECT_EQ(run(stores().buckets.find_bucket(bucket_.name, soon())).status, BucketStatus::kNoSuchBucket);
  EXPECT_EQ(run(stores().objects.put_object(put_request("k", 1))).status, CommitStatus::kNoSuchBucket);
}

TEST_P(MetadataStoreContract, SettingsRaiseTheSettingsVersion) {
  const auto changed = run(stores().buckets.set_bucket_setting(bucket_.id, SettingKind::kTagging, "<doc/>", soon()));
  EXPECT_EQ(changed.bucket.settings_version, bucket_.settings_version + 1);
  const auto seen = run(stores().buckets.find_bucket(bucket_.name, soon())).bucket;
  EXPECT_EQ(seen.settings.at(SettingKind::kTagging), "<doc/>");
  run(stores().buckets.set_bucket_setting(bucket_.id, SettingKind::kTagging, std::nullopt, soon()));
  EXPECT_TRUE(run(stores().buckets.find_bucket(bucket_.name, soon())).bucket.settings.empty());
}

// What a gateway caches, kept fresh by what it hears.
struct Caches {
  Caches(TestDatabase& database, const Clock& clock)
      : buckets(database.stores().buckets, clock),
        identities(database.stores().identities, clock),
        feed(database.follow([this](const DirectoryChange& change) {
          buckets.hear(change);
          identities.hear(change);
        })) {}

  BucketCache buckets;
  IdentityCache identities;
  const std::shared_ptr<void> feed;
};

TEST_P(MetadataStoreContract, CredentialsAreOpenedAndCachesHearOfChanges) {
  owner();
  Caches caches(database(), real_clock());
  const auto seen = run(caches.identities.find_credential("OWNERKEY", soon()));
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->key.secret_key, "owner-secret");
  EXPECT_FALSE(run(caches.identities.find_credential("UNKNOWN", soon())));
  EXPECT_FALSE(run(caches.buckets.find_bucket("appears-later", soon())));
  make_bucket("appears-later");
  ASSERT_TRUE(run(stores().identities.set_key_enabled("OWNERKEY", false, soon())));
  const Deadline end = deadline_in(5s);
  bool heard = false;
  while (!heard && std::chrono::steady_clock::now() < end) {
    heard = !run(caches.identities.find_credential("OWNERKEY", soon()))->key.enabled && run(caches.buckets.find_bucket("appears-later", soon()));
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_TRUE(heard);
  ASSERT_TRUE(run(stores().identities.set_key_enabled("OWNERKEY", true, soon())));
}

TEST_P(MetadataStoreContract, WhatWasCachedForAMomentCanBeDoubtedOnce) {
  fakes::ManualClock clock{SystemTime(1'700'000'000s)};
  BucketCache buckets(stores().buckets, clock);
  EXPECT_FALSE(buckets.doubt_bucket(bucket_.name)) << "it is not cached";
  ASSERT_TRUE(run(buckets.find_bucket(bucket_.name, soon())));
  EXPECT_FALSE(buckets.doubt_bucket(bucket_.name));
  clock.advance(2ms);
  EXPECT_TRUE(buckets.doubt_bucket(bucket_.name));
  EXPECT_FALSE(buckets.doubt_bucket(bucket_.name));
}

TEST_P(MetadataStoreContract, AccountsAreFoundByEachOfTheirNames) {
  Caches caches(database(), real_clock());
  using Kind = AccountName::Kind;
  EXPECT_FALSE(run(caches.identities.find_account({Kind::kCanonicalId, "canon"}, soon())));
  const CreateAccount request{.name = "named", .email = "named@example.test", .canonical_id = "canon"};
  const std::string id = run(stores().identities.create_account(request, soon())).account.id;
  for (const AccountName& name : {AccountName{Kind::kId, id}, AccountName{Kind::kCanonicalId, "canon"}, AccountName{Kind::kEmail, "named@example.test"},
                                  AccountName{Kind::kAny, "named"}, AccountName{Kind::kAny, id}, AccountName{Kind::kAny, "canon"}}) {
    const auto found = run(stores().identities.find_account(name, soon()));
    ASSERT_TRUE(found) << name.value;
    EXPECT_EQ(found->id, id);
    EXPECT_EQ(found->name, "named");
  }
  for (const AccountName& name : {AccountName{Kind::kEmail, ""}, AccountName{Kind::kId, "canon"}, AccountName{Kind::kEmail, std::string("a\0b", 3)},
                                  AccountName{Kind::kEmail, "\xff"}, AccountName{Kind::kAny, ""}, AccountName{Kind::kAny, "named@example.test"}}) {
    EXPECT_FALSE(run(stores().identities.find_account(name, soon())));
  }
  // The cache hears of it although it had looked before.
  const Deadline end = deadline_in(5s);
  while (!run(caches.identities.find_account({Kind::kCanonicalId, "canon"}, soon())) && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(20ms);
  EXPECT_TRUE(run(caches.identities.find_account({Kind::kCanonicalId, "canon"}, soon())));
}

TEST_P(MetadataStoreContract, TheAccountsPublicAccessBlockComesWithItsBuckets) {
  IdentityStore& identities = stores().identities;
  const std::string& id = owner().account.id;
  EXPECT_EQ(bucket_.owner_public_access_block, 0);
  EXPECT_TRUE(run(identities.change_account(id, {.public_access_block = 9}, soon())));
  EXPECT_EQ(run(stores().buckets.find_bucket(bucket_.name, soon())).bucket.owner_public_access_block, 9);
  EXPECT_TRUE(run(identities.change_account(id, {.enabled = false}, soon())));
  const auto disabled = run(identities.find_account({AccountName::Kind::kId, id}, soon()));
  EXPECT_EQ(disabled->public_access_block, 9) << "what is not named stays";
  EXPECT_FALSE(disabled->enabled);
  EXPECT_TRUE(run(identities.change_account(id, {.enabled = true, .public_access_block = 0}, soon())));
  EXPECT_EQ(run(stores().buckets.find_bucket(bucket_.name, soon())).bucket.owner_public_access_block, 0);
  EXPECT_FALSE(run(identities.change_account("000000000000", {.public_access_block = 1}, soon())));
}

class IdentityStoreContract : public MetadataStoreContract {};

INSTANTIATE_TEST_SUITE_P(Stores, IdentityStoreContract, all_implementations(),
                         name_of_implementation);

TEST_P(IdentityStoreContract, NamesKeysAndMailAreUnique) {
  IdentityStore& identities = stores().identities;
  const auto create = [&](CreateAccount request) { return async::block_on(identities.create_account(std::move(request), soon())); };
  const auto made = create({.name = "second", .email = "a@b.c"});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->account.canonical_id.size(), 64u);
  EXPECT_EQ(create({.name = "second"}).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(create({.name = "third", .email = "a@b.c"}).error().message, "this e-mail address is taken: a@b.c");
  EXPECT_EQ(create({.name = "third", .access_key = "OWNERKEY"}).error().message, "this access key is taken: OWNERKEY");
  EXPECT_EQ(create({.name = "fourth", .access_key = "bad/key"}).error().code, ErrorCode::kInvalidArgument);
  for (const char* bad : {"a\rb", "a\nb", "a\tb", "a\x01z", "a\x7fz", "\xff"}) {
    EXPECT_EQ(create({.name = bad}).error().code, ErrorCode::kInvalidArgument);
    for (const auto member : {&CreateAccount::display_name, &CreateAccount::email, &CreateAccount::canonical_id}) {
      CreateAccount request{.name = "fifth"};
      request.*member = bad;
      EXPECT_EQ(create(request).error().code, ErrorCode::kInvalidArgument);
    }
  }
  for (const char* absent : {"third", "fourth", "fifth"}) {
    EXPECT_FALSE(async::block_on(identities.find_account({AccountName::Kind::kAny, absent}, soon())).value()) << absent;
  }
}

TEST_P(IdentityStoreContract, KeysOfAnAccountComeAndGo) {
  IdentityStore& identities = stores().identities;
  const auto made = async::block_on(identities.create_account({.name = "keys"}, soon())).value();
  const std::string& id = made.account.id;
  const auto further = async::block_on(identities.create_key(id, "FURTHER", "further-secret", soon()));
  ASSERT_TRUE(further) << further.error().message;
  EXPECT_EQ(async::block_on(identities.create_key(id, "FURTHER", "", soon())).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(async::block_on(identities.create_key("000000000000", "", "", soon())).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(async::block_on(identities.create_key(id, "a b", "", soon())).error().code, ErrorCode::kInvalidArgument);
  const auto keys = async::block_on(identities.list_keys(id, soon())).value();
  ASSERT_EQ(keys.size(), 2u);
  EXPECT_EQ(keys[0].secret_key, made.key.secret_key);
  EXPECT_TRUE(keys[0].is_root);
  EXPECT_EQ(keys[1].secret_key, "further-secret");
  EXPECT_FALSE(keys[1].is_root);
  EXPECT_NE(keys[1].created_at, SystemTime{});
  const auto credential = async::block_on(identities.find_credential("FURTHER", soon())).value();
  ASSERT_TRUE(credential);
  EXPECT_EQ(credential->account.id, id);
  EXPECT_EQ(credential->key.account_id, id);
  EXPECT_EQ(credential->key.secret_key, "further-secret");
  EXPECT_TRUE(async::block_on(identities.delete_key("FURTHER", soon())).value());
  EXPECT_FALSE(async::block_on(identities.delete_key("FURTHER", soon())).value());
  EXPECT_FALSE(async::block_on(identities.set_key_enabled("FURTHER", true, soon())).value());
  EXPECT_FALSE(async::block_on(identities.find_credential("FURTHER", soon())).value());
}

TEST(PostgresMetadataContract, SecretsAreOpenedByTheirMasterKeyAlone) {
  const auto soon = [] { return deadline_in(10s); };
  const auto made = async::block_on(
      test_stores().identities.create_account({.name = "sealed"}, soon())).value();
  const auto wrong = PostgresMetadata::make_for_command(postgres_dsn(), std::string(32, 'x'));
  IdentityStore& identities = wrong->stores().identities;
  EXPECT_EQ(async::block_on(identities.list_keys(made.account.id, soon())).error().code,
            ErrorCode::kCorruption);
  EXPECT_EQ(async::block_on(identities.find_credential(made.key.access_key, soon())).error().code,
            ErrorCode::kCorruption);
}

// The setting metadata.connections counts on it.
TEST(PostgresMetadataContract, HoldsTheConnectionsThatItWasGivenAndNoMore) {
  const std::string dsn = postgres_dsn() + " application_name=counted";
  const auto watcher = PgConnection::open(postgres_dsn(), deadline_in(10s)).value();
  const auto held = [&] {
    const auto row = watcher->run("select count(*) from pg_stat_activity where application_name = 'counted'", {}, deadline_in(10s));
    return row ? row->bigint(0, 0) : -1;
  };
  constexpr int64_t kConnections = 15;
  {
    const auto metadata = PostgresMetadata::make({.dsn = dsn, .master_key = test_master_key(), .connections = kConnections});
    const auto feed = make_postgres_directory_feed(dsn, real_clock(), [](const DirectoryChange&) {});
    const Stores& stores = metadata->stores();
    int64_t most = 0;
    for (const Deadline end = deadline_in(10s); most < kConnections && std::chrono::steady_clock::now() < end;) most = std::max(most, held());
    EXPECT_EQ(most, kConnections);
    EXPECT_TRUE(async::block_on(stores.ring.cluster_id(deadline_in(10s))));
    EXPECT_TRUE(async::block_on(stores.keys.load(0, deadline_in(10s))));
    EXPECT_TRUE(async::block_on(stores.lifecycle.buckets(0, 1, deadline_in(10s))));
    EXPECT_TRUE(async::block_on(stores.releases.queue_depths(deadline_in(10s))));
    EXPECT_TRUE(async::block_on(stores.orphans.unreferenced_streams({}, deadline_in(10s))));
    EXPECT_EQ(held(), kConnections);
    EXPECT_EQ(metadata->status().connections, kConnections - PostgresMetadata::kOtherConnections);
  }
  for (const Deadline end = deadline_in(10s); held() > 0 && std::chrono::steady_clock::now() < end;) std::this_thread::sleep_for(5ms);
  const auto command = PostgresMetadata::make_for_command(dsn);
  EXPECT_TRUE(async::block_on(command->stores().gc.garbage_state(deadline_in(10s))));
  EXPECT_TRUE(async::block_on(command->stores().ring.cluster_id(deadline_in(10s))));
  EXPECT_EQ(held(), 1) << "a command needs one";
}

}  // namespace
}  // namespace rondel::metadata
