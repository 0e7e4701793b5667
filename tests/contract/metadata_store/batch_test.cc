// Puts that share a commit: each is decided as if it had come alone, and each gets its own answer.
#include <map>
#include <random>
#include <thread>

#include "metadata/connection/pg_connection.h"
#include "tests/contract/metadata_store/store_fixture.h"

namespace rondel::metadata {
namespace {

class Batch : public StoreContract<Batch> {
 public:
  static constexpr const char* kName = "batch";

 protected:
  // All at once, so that they wait together; answers in the order of requests.
  static std::vector<CommitOutcome> put_all(ObjectStore& target,
                                            const std::vector<PutObject>& requests) {
    std::vector<CommitOutcome> outcomes(requests.size());
    async::EventLoop loop;
    size_t left = requests.size();
    auto one = [](ObjectStore& to, PutObject request, CommitOutcome& outcome, size_t& remaining,
                  async::EventLoop& runner) -> async::Task<void> {
      auto answer = co_await to.put_object(std::move(request));
      EXPECT_TRUE(answer) << answer.error().message;
      if (answer) outcome = *std::move(answer);
      if (--remaining == 0) runner.stop();
    };
    for (size_t i = 0; i < requests.size(); ++i) {
      async::spawn(loop, one(target, requests[i], outcomes[i], left, loop));
    }
    loop.run();
    return outcomes;
  }

  ObjectVersion current(const std::string& key) const {
    const auto found = run(stores().objects.find_object({.bucket = bucket_.name,
                                                         .key = key,
                                                         .range = {ExtentRange::Kind::kAll},
                                                         .deadline = soon()}));
    EXPECT_EQ(found.status, LookupStatus::kFound) << key;
    return found.object;
  }
};

INSTANTIATE_TEST_SUITE_P(Stores, Batch, all_implementations(), name_of_implementation);

std::string key_of(int n) { return "key-" + std::to_string(1000 + n); }

TEST_P(Batch, OfNewOldAndConditionalPutsIsDecidedRowByRow) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::map<std::string, ObjectVersion> model;
  uint64_t bytes = 0;
  for (int round = 0; round < 12; ++round) {
    std::vector<PutObject> requests;
    std::vector<CommitStatus> expected;
    for (int n = 0; n < 150; ++n) {
      // Mostly new keys in some rounds, mostly old ones in others.
      if (random() % 3 == 0) continue;
      PutObject request = put_request(key_of(n + 20 * round), random() % 5);
      request.version.etag = "e" + std::to_string(random() % 3);
      const auto old = model.find(request.key);
      const bool present = old != model.end();
      CommitStatus status = CommitStatus::kCommitted;
      switch (random() % 8) {
        case 0:
          request.conditions.if_none_match = {"*"};
          if (present) status = CommitStatus::kPreconditionFailed;
          break;
        case 1:
          request.conditions.if_match = {"e0"};
          if (!present) status = CommitStatus::kNoSuchKey;
          if (present && old->second.etag != "e0") status = CommitStatus::kPreconditionFailed;
          break;
        default: break;
      }
      if (status == CommitStatus::kCommitted) {
        bytes += request.version.size - (present ? old->second.size : 0);
        model[request.key] = request.version;
      }
      requests.push_back(std::move(request));
      expected.push_back(status);
    }
    const auto outcomes = put_all(stores().objects, requests);
    for (size_t i = 0; i < requests.size(); ++i) {
      ASSERT_EQ(outcomes[i].status, expected[i]) << requests[i].key;
      if (expected[i] != CommitStatus::kCommitted) continue;
      EXPECT_EQ(outcomes[i].etag, requests[i].version.etag);
      EXPECT_EQ(outcomes[i].size, requests[i].version.size);
      model[requests[i].key].version = outcomes[i].version;
    }
  }
  for (const auto& [key, version] : model) {
    const ObjectVersion found = current(key);
    EXPECT_EQ(found.version, version.version) << key;
    EXPECT_EQ(found.etag, version.etag) << key;
    EXPECT_EQ(found.extents, version.extents) << key;
  }
  const BucketUsage usage = run(stores().buckets.bucket_usage(bucket_.id, soon()));
  EXPECT_EQ(usage.objects, model.size());
  EXPECT_EQ(usage.versions, model.size());
  EXPECT_EQ(usage.bytes, bytes);
}

TEST_P(Batch, NewKeysOfAVersionedBucketGetIdsOfTheirOwn) {
  set_versioning(Versioning::kEnabled);
  std::vector<PutObject> requests;
  for (int n = 0; n < 100; ++n) requests.push_back(put_request(key_of(n)));
  const auto outcomes = put_all(stores().objects, requests);
  for (int n = 0; n < 100; ++n) {
    EXPECT_FALSE(outcomes[n].is_null) << n;
    EXPECT_EQ(current(key_of(n)).version, outcomes[n].version) << n;
  }
}

TEST_P(Batch, OfSeveralBucketsOneOfThemChangedRefusesThatOnesRowsAlone) {
  const Bucket other = make_bucket();
  const Bucket gone = make_bucket();
  ASSERT_EQ(run(stores().buckets.delete_bucket({.bucket_id = gone.id, .deadline = soon()})).status,
            BucketStatus::kOk);
  std::vector<PutObject> requests;
  for (int n = 0; n < 120; ++n) {
    requests.push_back(put_request(key_of(n)));
    CommitContext& context = requests.back().context;
    if (n % 4 == 1) context.settings_version = other.settings_version;
    if (n % 4 == 1) context.bucket_id = other.id;
    if (n % 4 == 2) context.bucket_id = gone.id;
    if (n % 4 == 3) context.settings_version += 1;
  }
  const auto outcomes = put_all(stores().objects, requests);
  constexpr CommitStatus kExpected[] = {CommitStatus::kCommitted, CommitStatus::kCommitted,
                                        CommitStatus::kNoSuchBucket,
                                        CommitStatus::kSettingsChanged};
  for (int n = 0; n < 120; ++n) EXPECT_EQ(outcomes[n].status, kExpected[n % 4]) << n;
  EXPECT_EQ(run(stores().buckets.bucket_usage(bucket_.id, soon())).objects, 30u);
  EXPECT_EQ(run(stores().buckets.bucket_usage(other.id, soon())).objects, 30u);
}

// The other one's rows lie behind those of the one that is gone, as its id is greater.
TEST_P(Batch, DeletesInABucketThatIsGoneLeaveThoseInOthersAlone) {
  const Bucket gone = make_bucket();
  bucket_ = make_bucket();
  ASSERT_EQ(run(stores().buckets.delete_bucket({.bucket_id = gone.id, .deadline = soon()})).status,
            BucketStatus::kOk);
  ASSERT_EQ(run(stores().objects.put_object(put_request("k"))).status, CommitStatus::kCommitted);
  DeleteObject of_gone{.context = context(), .key = "k"};
  of_gone.context.bucket_id = gone.id;
  const DeleteObject other{.context = context(), .key = "k"};
  const auto outcomes = run(stores().objects.delete_objects({of_gone, other}));
  ASSERT_EQ(outcomes.size(), 2u);
  EXPECT_EQ(outcomes[0].status, CommitStatus::kNoSuchBucket);
  EXPECT_EQ(outcomes[1].status, CommitStatus::kCommitted);
  EXPECT_EQ(run(stores().buckets.bucket_usage(bucket_.id, soon())).objects, 0u);
}

TEST_P(Batch, GatewaysThatCreateTheSameKeysAllSucceedAndTheNewestVersionStays) {
  const auto second = database().another();
  for (int round = 0; round < 10; ++round) {
    std::vector<PutObject> ours, theirs;
    for (int n = 0; n < 60; ++n) ours.push_back(put_request(key_of(1000 * round + n)));
    for (int n = 30; n < 90; ++n) theirs.push_back(put_request(key_of(1000 * round + n)));
    std::vector<CommitOutcome> of_theirs;
    std::thread other([&] { of_theirs = put_all(second->objects, theirs); });
    const auto of_ours = put_all(stores().objects, ours);
    other.join();
    std::map<std::string, model::VersionId> newest;
    const auto take = [&newest](const std::vector<PutObject>& requests,
                                const std::vector<CommitOutcome>& outcomes) {
      for (size_t i = 0; i < requests.size(); ++i) {
        ASSERT_EQ(outcomes[i].status, CommitStatus::kCommitted);
        auto& version = newest[requests[i].key];
        version = std::max(version, outcomes[i].version);
      }
    };
    take(ours, of_ours);
    take(theirs, of_theirs);
    for (const auto& [key, version] : newest) EXPECT_EQ(current(key).version, version) << key;
  }
  EXPECT_EQ(run(stores().buckets.bucket_usage(bucket_.id, soon())).objects, 900u);
}

// Of statements of PostgreSQL.
class BatchPlans : public Batch {};

INSTANTIATE_TEST_SUITE_P(Stores, BatchPlans, ::testing::Values(Implementation::kPostgres),
                         name_of_implementation);

TEST_P(BatchPlans, ReadTheRowsOfItsKeysAloneWithPlansMadeOnEmptyTables) {
  const auto connection = PgConnection::open(postgres_dsn(), soon()).value();
  const std::string bucket = std::to_string(bucket_.id);
  const auto rows_read = [&] {
    const auto result = connection->run(
        "select sum(idx_tup_fetch)::bigint::text from pg_stat_xact_user_tables where relname like "
        "'objects_%'",
        {}, soon());
    return std::stoll(std::string(result->text(0, 0)));
  };
  const auto put = [&](const std::string& first) {
    const auto outcomes = connection->run(
        "select status from put_objects((select array_agg(row(" + bucket +
            ", 0, 0, null, key, clock, 0, 0, 'a', 'o', null, null,"
            " null, null, 0, null, null, null, '*')::put_row order by clock) from (values ('" +
            first +
            "'::bytea,"
            " '0123456789abcde1'::bytea), ('key-70', '0123456789abcde2'), ('new', "
            "'0123456789abcde3')) as v(key, clock)))",
        {}, soon());
    ASSERT_TRUE(outcomes) << outcomes.error().message;
    EXPECT_EQ(outcomes->rows(), 3u);
  };
  ASSERT_TRUE(connection->script("begin; truncate objects", soon()));
  put("key-6");
  put("key-6");
  ASSERT_TRUE(
      connection->script("delete from objects; insert into objects (bucket_id, key, version, "
                         "is_null, delete_marker, size, etag, owner_account) select " +
                             bucket +
                             ", convert_to('key-' || n, 'UTF8'), "
                             "'\\x00000000000000000000000000000000', true, false, 0, '', ''"
                             " from generate_series(1, 20000) n",
                         soon()));
  const auto before = rows_read();
  put("key-7");
  EXPECT_LE(rows_read() - before, 10);
  ASSERT_TRUE(connection->script("rollback", soon()));
}

}  // namespace
}  // namespace rondel::metadata
