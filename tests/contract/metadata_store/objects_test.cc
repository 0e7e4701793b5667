// ObjectStore: what commits decide and look-ups find.
#include <thread>

#include "common/async/task_group.h"

#include "tests/contract/metadata_store/metadata_contract.h"

namespace rondel::metadata {
namespace {

class ObjectStoreContract : public MetadataContract {};

INSTANTIATE_TEST_SUITE_P(Stores, ObjectStoreContract, all_implementations(),
                         name_of_implementation);

TEST_P(ObjectStoreContract, PutIsFoundWithEverythingItWasGiven) {
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

TEST_P(ObjectStoreContract, AbsentThingsAreNamed) {
  EXPECT_EQ(find("nothing").status, LookupStatus::kNoSuchKey);
  EXPECT_EQ(run(stores().objects.find_object(
                    {.bucket = "no-such-bucket", .key = "k", .deadline = soon()}))
                .status,
            LookupStatus::kNoSuchBucket);
  EXPECT_EQ(run(stores().objects.find_object({.bucket = bucket_.name,
                                              .key = "k",
                                              .version = model::VersionId::random(),
                                              .deadline = soon()}))
                .status,
            LookupStatus::kNoSuchVersion);
}

TEST_P(ObjectStoreContract, KeysAreOpaqueBytes) {
  for (const std::string key : {"a", "a/b", "a//../b/", "\xc3\xa9", "a\x01", "A"}) {
    EXPECT_EQ(put(key, 1).status, CommitStatus::kCommitted);
  }
  EXPECT_EQ(keys_of(list({})),
            (std::vector<std::string>{"A", "a", "a\x01", "a//../b/", "a/b", "\xc3\xa9"}));
}

TEST_P(ObjectStoreContract, ConcurrentPutsOfManyKeysAndOneKey) {
  async::EventLoop loop;
  int left = 200;
  for (int i = 0; i < 200; ++i) {
    const std::string key = i % 2 == 0 ? "same" : "key" + std::to_string(i);
    auto one = [](ObjectStore& target, PutObject request, int& remaining,
                  async::EventLoop& runner) -> async::Task<void> {
      const auto outcome = co_await target.put_object(std::move(request));
      EXPECT_TRUE(outcome && outcome->status == CommitStatus::kCommitted);
      if (--remaining == 0) runner.stop();
    };
    async::spawn(loop,
                 one(stores().objects, put_request(key, static_cast<uint64_t>(i + 1)), left, loop));
  }
  loop.run();
  EXPECT_EQ(list({}).entries.size(), 101u);
  EXPECT_EQ(usage().objects, 101u);
}

TEST_P(ObjectStoreContract, ConditionsAreDecidedOnTheCurrentVersion) {
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

TEST_P(ObjectStoreContract, StaleSettingsDeletedBucketsAndFencedEpochsAreRefused) {
  auto request = put_request("k", 1);
  request.context.settings_version += 1;
  EXPECT_EQ(run(stores().objects.put_object(request)).status, CommitStatus::kSettingsChanged);
  request.context.bucket_id = 1 << 30;
  EXPECT_EQ(run(stores().objects.put_object(request)).status, CommitStatus::kNoSuchBucket);
}

TEST_P(ObjectStoreContract, OverwriteAndDeleteReleaseStreamsAndCountUsage) {
  put("k", 10);
  put("k", 20);
  EXPECT_EQ(usage().bytes, 20u);
  const auto outcome = run(stores().objects.delete_object({.context = context(), .key = "k"}));
  EXPECT_EQ(outcome.status, CommitStatus::kCommitted);
  EXPECT_EQ(find("k").status, LookupStatus::kNoSuchKey);
  EXPECT_EQ(usage().bytes, 0u);
  EXPECT_EQ(usage().objects, 0u);
  EXPECT_EQ(run(stores().objects.delete_object({.context = context(), .key = "k"})).status,
            CommitStatus::kCommitted);
}

TEST_P(ObjectStoreContract, VersionsStackAndDeleteMarkersHide) {
  const auto first = put("v", 1, Versioning::kEnabled);
  const auto second = put("v", 2, Versioning::kEnabled);
  EXPECT_LT(first.version, second.version);
  EXPECT_FALSE(second.is_null);
  const auto marker = run(stores().objects.delete_object(
      {.context = context(), .key = "v", .versioning = Versioning::kEnabled}));
  EXPECT_TRUE(marker.delete_marker);
  EXPECT_TRUE(find("v").object.delete_marker);
  EXPECT_TRUE(list({}).entries.empty());
  const auto versions = list({.versions = true});
  ASSERT_EQ(versions.entries.size(), 3u);
  EXPECT_TRUE(versions.entries[0].object.delete_marker);
  EXPECT_TRUE(versions.entries[0].latest);
  EXPECT_EQ(versions.entries[2].object.version, first.version);
  EXPECT_EQ(run(stores().objects.delete_object(
                    {.context = context(), .key = "v", .version = marker.version}))
                .status,
            CommitStatus::kCommitted);
  EXPECT_EQ(find("v").object.version, second.version);
  const auto old = run(stores().objects.find_object({.bucket = bucket_.name,
                                                     .key = "v",
                                                     .version = first.version,
                                                     .range = {ExtentRange::Kind::kAll},
                                                     .deadline = soon()}));
  EXPECT_EQ(old.object.size, 1u);
  EXPECT_EQ(old.object.extents.size(), 1u);
  EXPECT_EQ(usage().bytes, 3u);
}

TEST_P(ObjectStoreContract, SuspendedVersioningReplacesTheNullVersion) {
  put("s", 1, Versioning::kEnabled);
  put("s", 2, Versioning::kSuspended);
  put("s", 3, Versioning::kEnabled);
  put("s", 4, Versioning::kSuspended);
  const auto versions = list({.versions = true});
  ASSERT_EQ(versions.entries.size(), 3u);
  EXPECT_EQ(versions.entries[0].object.size, 4u);
  EXPECT_TRUE(versions.entries[0].object.is_null);
  EXPECT_EQ(versions.entries[1].object.size, 3u);
  EXPECT_EQ(
      run(stores().objects.delete_object({.context = context(), .key = "s", .null_version = true}))
          .version,
      versions.entries[0].object.version);
  EXPECT_EQ(find("s").object.size, 3u);
  put("s", 5, Versioning::kSuspended);
  put("s", 6, Versioning::kEnabled);
  EXPECT_EQ(
      run(stores().objects.delete_object({.context = context(), .key = "s", .null_version = true}))
          .status,
      CommitStatus::kCommitted);
  EXPECT_EQ(usage().bytes, 1u + 3u + 6u);
}

TEST_P(ObjectStoreContract, AttributesAreStoredCopiedAndChangedInPlace) {
  auto request = put_request("attributed", 3, Versioning::kEnabled);
  static_cast<Attributes&>(request.version) = some_attributes();
  request.version.legal_hold = true;
  request.version.retention = {Retention::Mode::kGovernance,
                               in_milliseconds(std::chrono::system_clock::now() + 1h)};
  const auto first = run(stores().objects.put_object(request));
  auto found = find("attributed");
  EXPECT_EQ(static_cast<Attributes&>(found.object), static_cast<Attributes&>(request.version));

  CopyObject copy{put_request("copy", 0), {bucket_.id, "attributed", first.version, "etag3"}};
  copy.put.version.etag.clear();
  copy.put.version.tags = {{"only", "this"}};
  ASSERT_EQ(run(stores().objects.copy_object(copy)).status, CommitStatus::kCommitted);
  EXPECT_EQ(find("copy").object.tags, (Tags{{"only", "this"}}));
  EXPECT_TRUE(find("copy").object.acl.empty());

  put("attributed", 4, Versioning::kEnabled);
  EXPECT_EQ(static_cast<Attributes>(find("attributed").object), Attributes{});
  UpdateVersion update{.context = context(),
                       .key = "attributed",
                       .version = first.version,
                       .expected_etag = "etag3"};
  update.tags = Tags{{"new", "tag"}};
  const auto outcome = run(stores().objects.update_version(update));
  EXPECT_EQ(outcome.status, CommitStatus::kCommitted);
  EXPECT_EQ(outcome.version, first.version);
  const auto old = run(stores().objects.find_object(
      {.bucket = bucket_.name, .key = "attributed", .version = first.version, .deadline = soon()}));
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
  EXPECT_EQ(run(stores().objects.update_version(current)).status,
            CommitStatus::kPreconditionFailed);
  current.context.settings_version += 1;
  EXPECT_EQ(run(stores().objects.update_version(current)).status, CommitStatus::kSettingsChanged);
  current = {.context = context(), .key = "absent"};
  EXPECT_EQ(run(stores().objects.update_version(current)).status, CommitStatus::kNoSuchKey);
  run(stores().objects.delete_object(
      {.context = context(), .key = "attributed", .versioning = Versioning::kEnabled}));
  current.key = "attributed";
  const auto marker = run(stores().objects.update_version(current));
  EXPECT_EQ(marker.status, CommitStatus::kNoSuchKey);
  EXPECT_TRUE(marker.delete_marker);
}

TEST_P(ObjectStoreContract, ManyPutsWithAndWithoutAttributesShareABatch) {
  async::EventLoop loop;
  int left = 40;
  for (int i = 0; i < 40; ++i) {
    auto request = put_request("batched" + std::to_string(i), 1);
    if (i % 3 == 0) static_cast<Attributes&>(request.version) = some_attributes();
    auto one = [](ObjectStore& target, PutObject put, int& remaining,
                  async::EventLoop& runner) -> async::Task<void> {
      const auto outcome = co_await target.put_object(std::move(put));
      EXPECT_TRUE(outcome && outcome->status == CommitStatus::kCommitted);
      if (--remaining == 0) runner.stop();
    };
    async::spawn(loop, one(stores().objects, std::move(request), left, loop));
  }
  loop.run();
  for (int i = 0; i < 40; ++i) {
    const auto object = find("batched" + std::to_string(i)).object;
    EXPECT_EQ(static_cast<const Attributes&>(object), i % 3 == 0 ? some_attributes() : Attributes{})
        << i;
  }
}

TEST_P(ObjectStoreContract, ConditionsOfANamedVersionAreItsOwn) {
  const auto old = put("n", 1, Versioning::kEnabled);
  put("n", 2, Versioning::kEnabled);
  DeleteObject request{
      .context = context(), .key = "n", .version = old.version, .versioning = Versioning::kEnabled};
  request.conditions.if_match = {"etag2"};
  EXPECT_EQ(run(stores().objects.delete_object(request)).status, CommitStatus::kPreconditionFailed);
  request.conditions.if_match_size = 1;
  request.conditions.if_match = {"etag1"};
  EXPECT_EQ(run(stores().objects.delete_object(request)).status, CommitStatus::kCommitted);
  EXPECT_EQ(run(stores().objects.delete_object(request)).status, CommitStatus::kCommitted);
}

TEST_P(ObjectStoreContract, ConditionalDeletesMakeNothingWhereNothingIs) {
  DeleteObject request{.context = context(), .key = "nowhere", .versioning = Versioning::kEnabled};
  request.conditions.if_match = {"*"};
  EXPECT_EQ(run(stores().objects.delete_object(request)).status, CommitStatus::kCommitted);
  EXPECT_TRUE(list({.versions = true}).entries.empty());
  // A marker is there, without ETag and bytes.
  run(stores().objects.delete_object(
      {.context = context(), .key = "nowhere", .versioning = Versioning::kEnabled}));
  EXPECT_EQ(run(stores().objects.delete_object(request)).status, CommitStatus::kCommitted);
  request.conditions.if_match = {"e"};
  EXPECT_EQ(run(stores().objects.delete_object(request)).status, CommitStatus::kPreconditionFailed);
  request.conditions.if_match.clear();
  request.conditions.if_match_size = 1;
  EXPECT_EQ(run(stores().objects.delete_object(request)).status, CommitStatus::kPreconditionFailed);
}

TEST_P(ObjectStoreContract, OnlyTheCurrentVersionNamedIsRemoved) {
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

TEST_P(ObjectStoreContract, GuardsTellHistoryAndLoneMarkersApart) {
  using Guard = DeleteObject::Guard;
  const auto old = put("g", 1, Versioning::kEnabled);
  const auto current = put("g", 2, Versioning::kEnabled);
  const auto attempt = [&](const model::VersionId& version, Guard guard) {
    DeleteObject request{
        .context = context(), .key = "g", .version = version, .versioning = Versioning::kEnabled};
    request.guard = guard;
    return run(stores().objects.delete_object(request)).status;
  };
  EXPECT_EQ(attempt(current.version, Guard::kNoncurrent), CommitStatus::kPreconditionFailed);
  const auto marker = run(stores().objects.delete_object(
      {.context = context(), .key = "g", .versioning = Versioning::kEnabled}));
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

TEST_P(ObjectStoreContract, ConcurrentRemovalsOfVersionsAllHappen) {
  for (int round = 0; round < 5; ++round) {
    std::vector<model::VersionId> versions;
    for (int i = 0; i < 8; ++i) versions.push_back(put("many", 1, Versioning::kEnabled).version);
    std::vector<std::thread> threads;
    for (const model::VersionId& version : versions) {
      threads.emplace_back([&, version] {
        // Alone in its transaction: the batcher would put them in one.
        run(stores().objects.delete_objects({{.context = context(),
                                              .key = "many",
                                              .version = version,
                                              .versioning = Versioning::kEnabled}}));
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(list({.versions = true}).entries.empty());
  }
  EXPECT_EQ(usage().versions, 0u);
}

TEST_P(ObjectStoreContract, DeleteObjectsAnswersInOrder) {
  put("d1", 1);
  put("d3", 1);
  std::vector<DeleteObject> requests;
  for (const std::string key : {"d3", "d2", "d1"}) {
    requests.push_back({.context = context(), .key = key});
  }
  requests[0].conditions.if_match = {"nope"};
  const auto outcomes = run(stores().objects.delete_objects(requests));
  ASSERT_EQ(outcomes.size(), 3u);
  EXPECT_EQ(outcomes[0].status, CommitStatus::kPreconditionFailed);
  EXPECT_EQ(outcomes[1].status, CommitStatus::kCommitted);
  EXPECT_EQ(outcomes[2].status, CommitStatus::kCommitted);
  EXPECT_EQ(keys_of(list({})), std::vector<std::string>{"d3"});
}

TEST_P(ObjectStoreContract, CopySharesStreamsUntilTheLastReferenceGoes) {
  const auto source = put("source", 9);
  CopyObject copy{put_request("copy", 0), {bucket_.id, "source", source.version, "etag9"}};
  copy.put.version.etag.clear();
  const auto outcome = run(stores().objects.copy_object(copy));
  ASSERT_EQ(outcome.status, CommitStatus::kCommitted);
  EXPECT_EQ(outcome.etag, "etag9");
  EXPECT_EQ(find("copy").object.extents, find("source").object.extents);
  copy.source.etag = "other";
  EXPECT_EQ(run(stores().objects.copy_object(copy)).status, CommitStatus::kSourceChanged);
  const uint64_t before = run(stores().releases.queue_depths(soon())).released;
  run(stores().objects.delete_object({.context = context(), .key = "source"}));
  EXPECT_EQ(run(stores().releases.queue_depths(soon())).released, before);
  run(stores().objects.delete_object({.context = context(), .key = "copy"}));
  EXPECT_EQ(run(stores().releases.queue_depths(soon())).released, before + 1);
}

TEST_P(ObjectStoreContract, AppendGrowsAndChecksTheOffset) {
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
  // It has no parts, so it is one.
  EXPECT_EQ(find("log", {ExtentRange::Kind::kPart, 1, 0}).object.extents.size(), 2u);
  EXPECT_EQ(find("log", {ExtentRange::Kind::kSuffix, 1, 0}).object.extents[0].start, 4u);
  run(stores().objects.delete_object({.context = context(), .key = "log"}));
}

// Whoever appends chose the key by what was there: the same bytes may be there under another by
// now.
TEST_P(ObjectStoreContract, AppendedBytesAreEncryptedAsWhatIsThere) {
  const struct {
    const char* there;
    const char* appended;
  } others[] = {{"", "one"}, {"one", ""}, {"one", "two"}};

  for (const auto& [there, appended] : others) {
    SCOPED_TRACE(std::string("'") + there + "' and '" + appended + "'");
    PutObject whole = put_request("log", 4);
    whole.version.encryption = there;
    ASSERT_EQ(run(stores().objects.put_object(whole)).status, CommitStatus::kCommitted);
    AppendObject more{put_request("log", 6), 4, "etag4"};
    more.put.version.encryption = appended;
    EXPECT_EQ(run(stores().objects.append_object(more)).status, CommitStatus::kOffsetMismatch);
    EXPECT_EQ(find("log").object.extents.size(), 1u);
    more.put.version.encryption = there;
    EXPECT_EQ(run(stores().objects.append_object(more)).status, CommitStatus::kCommitted);
    EXPECT_EQ(find("log").object.encryption, there);
  }
  run(stores().objects.delete_object({.context = context(), .key = "log"}));
}

TEST_P(ObjectStoreContract, RenameMovesAndReplaces) {
  put("from", 3);
  put("to", 4);
  EXPECT_EQ(run(stores().objects.rename_object(
                    {.context = context(), .source_key = "from", .target_key = "to"}))
                .status,
            CommitStatus::kCommitted);
  EXPECT_EQ(find("from").status, LookupStatus::kNoSuchKey);
  EXPECT_EQ(find("to").object.size, 3u);
  EXPECT_EQ(run(stores().objects.rename_object(
                    {.context = context(), .source_key = "from", .target_key = "to"}))
                .status,
            CommitStatus::kNoSuchKey);
  EXPECT_EQ(usage().objects, 1u);
}

TEST_P(ObjectStoreContract, AnEncryptedObjectIsRenamedWithAnEnvelopeOfItsNewKey) {
  PutObject encrypted = put_request("secret", 3);
  encrypted.version.encryption = "for secret";
  run(stores().objects.put_object(encrypted));
  RenameObject rename{.context = context(), .source_key = "secret", .target_key = "moved"};
  EXPECT_EQ(run(stores().objects.rename_object(rename)).status, CommitStatus::kEncrypted);
  rename.encryption = "for moved";
  // Made from none.
  EXPECT_EQ(run(stores().objects.rename_object(rename)).status, CommitStatus::kEncrypted);
  rename.source_encryption = "for secret";
  // Another key was given to the object meanwhile: that stays.
  UpdateVersion update;
  update.context = context();
  update.key = "secret";
  update.expected_etag = "etag3";
  update.encryption = "for secret, anew";
  ASSERT_EQ(run(stores().objects.update_version(update)).status, CommitStatus::kCommitted);
  EXPECT_EQ(run(stores().objects.rename_object(rename)).status, CommitStatus::kEncrypted);
  rename.source_encryption = "for secret, anew";
  EXPECT_EQ(run(stores().objects.rename_object(rename)).status, CommitStatus::kCommitted);
  EXPECT_EQ(find("moved").object.encryption, "for moved");
  // A plain one never gets an envelope.
  put("plain", 1);
  rename.source_key = "plain";
  EXPECT_EQ(run(stores().objects.rename_object(rename)).status, CommitStatus::kCommitted);
  EXPECT_EQ(find("moved").object.encryption, "");
}

}  // namespace
}  // namespace rondel::metadata
