// What somebody else holds is waited for by who needs it, and by nobody else.
#include <fmt/format.h>

#include <atomic>
#include <functional>
#include <random>
#include <set>
#include <thread>

#include "metadata/connection/pg_connection.h"
#include "tests/contract/metadata_store/references.h"
#include "tests/contract/metadata_store/store_fixture.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;

// Who cannot wait for long: had he to wait for what is held, he would have no answer.
Deadline impatient() { return deadline_in(20s); }

class HeldLocks : public StoreFixture<HeldLocks> {
 public:
  static constexpr const char* kName = "held";

 protected:
  // A gateway of its own, with every lane.
  void SetUp() override {
    StoreFixture::SetUp();
    gateway_ = database().another();
  }

  // A transaction that took these locks, until it is let go.
  std::unique_ptr<PgConnection> holder(const std::string& sql) {
    auto connection = PgConnection::open(postgres_dsn(), soon()).value();
    const auto begun = connection->script("begin; " + sql, soon());
    EXPECT_TRUE(begun) << sql << ": " << begun.error().message;
    return connection;
  }

  static void let_go(PgConnection& holder) { EXPECT_TRUE(holder.script("rollback", soon())); }

  std::string where_key(const std::string& key) const {
    return fmt::format("where bucket_id = {} and key = '{}'", bucket_.id, key);
  }

  // One commit on a thread of its own.
  class Waiting {
   public:
    explicit Waiting(std::function<CommitResult()> commit)
        : thread_([this, commit = std::move(commit)] {
            outcome_ = commit();
            answered_ = true;
          }) {}

    ~Waiting() {
      if (thread_.joinable()) thread_.join();
    }

    bool answered() const { return answered_; }

    CommitResult outcome() {
      thread_.join();
      return outcome_;
    }

   private:
    CommitResult outcome_ = std::unexpected(CommitFailure::did_not_happen({}));
    std::atomic<bool> answered_{false};
    std::thread thread_;
  };

  // Puts of new keys of that bucket and of old ones, many at a time, and deletes: all answered
  // before anybody lets go.
  void expect_others_go_on(const Bucket& bucket, const std::string& what) {
    async::EventLoop loop;
    size_t left = 0;
    std::vector<std::string> failed;
    const auto run_one = [&](async::Task<CommitResult> task) -> async::Task<void> {
      const auto answer = co_await std::move(task);
      if (!answer) failed.push_back(answer.error().message);
      if (--left == 0) loop.stop();
    };
    for (int i = 0; i < 100; ++i) {
      PutObject request = put_request("other-" + std::to_string(i % 60));
      request.context = {bucket.id, bucket.settings_version, 0, impatient()};
      ++left;
      async::spawn(loop, run_one(gateway_->objects.put_object(std::move(request))));
    }
    for (int i = 0; i < 20; ++i) {
      DeleteObject request{.context = {bucket.id, bucket.settings_version, 0, impatient()},
                           .key = "gone-" + std::to_string(i),
                           .owner_account = owner()};
      ++left;
      async::spawn(loop, run_one(gateway_->objects.delete_object(std::move(request))));
    }
    loop.run();
    EXPECT_TRUE(failed.empty()) << what << ": " << failed.size()
                                << " of 120 failed: " << (failed.empty() ? "" : failed.front());
  }

  std::shared_ptr<const Stores> gateway_;
};

struct Hold {
  const char* what;
  std::string sql;
  bool of_the_bucket;  // Others are in another one.
};

TEST_F(HeldLocks, OthersOfABatchDoNotWait) {
  const auto made = run(stores().objects.put_object(put_request("k", 10)));
  ASSERT_EQ(run(stores().objects.copy_object({.put = put_request("copy", 0),
                                              .source = {bucket_.id, "k", made.version, "e"}}))
                .status,
            CommitStatus::kCommitted);
  const Bucket other = make_bucket();
  const std::string insert = fmt::format(
      "insert into objects (bucket_id, key, version, is_null, delete_marker, size, etag, "
      "owner_account)"
      " values ({}, 'new', '\\x00', true, false, 0, '', '')",
      bucket_.id);
  const std::vector<Hold> holds = {
      {"a head", "select from objects " + where_key("k") + " for update", false},
      {"a head that is being changed", "update objects set etag = 'f' " + where_key("k"), false},
      {"a head that is being removed", "delete from objects " + where_key("k"), false},
      {"a key that is being inserted", insert, false},
      {"counts of streams", "select from shared_streams for update", false},
      {"a bucket", fmt::format("select from buckets where id = {} for update", bucket_.id), true},
      {"a bucket that is being changed",
       fmt::format("update buckets set name = name || 'x' where id = {}", bucket_.id), true},
  };
  for (const Hold& hold : holds) {
    SCOPED_TRACE(hold.what);
    const auto held = holder(hold.sql);
    const std::string key = hold.sql == insert ? "new" : "k";
    Waiting put(
        [&] { return async::block_on(gateway_->objects.put_object(put_request(key, 20))); });
    Waiting remove([&] {
      return async::block_on(gateway_->objects.delete_object(
          {.context = context(), .key = "copy", .owner_account = owner()}));
    });
    for (int i = 0; i < 3; ++i) {
      expect_others_go_on(hold.of_the_bucket ? other : bucket_, hold.what);
    }
    EXPECT_FALSE(put.answered());
    let_go(*held);
    const auto outcome = put.outcome();
    ASSERT_TRUE(outcome) << outcome.error().message;
    EXPECT_EQ(outcome->status, CommitStatus::kCommitted);
    ASSERT_TRUE(remove.outcome());
    // As it was, for the next one.
    const auto again = run(stores().objects.put_object(put_request("k", 10)));
    run(stores().objects.copy_object(
        {.put = put_request("copy", 0), .source = {bucket_.id, "k", again.version, "e"}}));
  }
}

TEST_F(HeldLocks, CountersAreCountedElsewhere) {
  for (int i = 0; i < 20; ++i) {
    run(gateway_->objects.put_object(put_request("k" + std::to_string(i))));
  }
  const auto held =
      holder(fmt::format("select from bucket_usage where bucket_id = {} for update", bucket_.id));
  expect_others_go_on(bucket_, "counters");
  let_go(*held);
  EXPECT_EQ(run(stores().buckets.bucket_usage(bucket_.id, soon())).objects, 80u);
}

TEST_F(HeldLocks, DeletesOfManyKeysCommitWhatNobodyHoldsAndThenTheRest) {
  for (int i = 0; i < 10; ++i) {
    run(stores().objects.put_object(put_request("k" + std::to_string(i))));
  }
  const auto held = holder("select from objects " + where_key("k3") + " for update");
  std::vector<DeleteObject> requests;
  for (int i = 0; i < 10; ++i) {
    requests.push_back(
        {.context = context(), .key = "k" + std::to_string(i), .owner_account = owner()});
  }
  Committed<std::vector<CommitOutcome>> outcomes =
      std::unexpected(CommitFailure::did_not_happen({}));
  std::thread remove(
      [&] { outcomes = async::block_on(gateway_->objects.delete_objects(requests)); });
  const auto left = [&] {
    return run(stores().listing.list({.bucket_id = bucket_.id, .deadline = soon()})).entries.size();
  };
  for (const Deadline end = deadline_in(60s);
       left() > 1 && std::chrono::steady_clock::now() < end;) {
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_EQ(left(), 1u);
  let_go(*held);
  remove.join();
  ASSERT_TRUE(outcomes) << outcomes.error().message;
  for (const CommitOutcome& outcome : *outcomes) {
    EXPECT_EQ(outcome.status, CommitStatus::kCommitted);
  }
  EXPECT_EQ(left(), 0u);
}

// Commits that overlap, so that at every moment at least one of them has the bucket, until it goes.
// Each has one of the locks before the other lets go of his, or may not have it.
class Overlapping {
 public:
  Overlapping(const std::string& dsn, std::string commit) : commit_(std::move(commit)) {
    for (auto& one : connections_) one = PgConnection::open(dsn, deadline_in(60s)).value();
    begin(*connections_[0]);
    thread_ = std::thread([this] {
      for (size_t next = 1; !done_; next ^= 1) {
        begin(*connections_[next]);
        EXPECT_TRUE(connections_[next ^ 1]->script("rollback", deadline_in(60s)));
      }
    });
  }

  ~Overlapping() {
    done_ = true;
    thread_.join();
  }

 private:
  void begin(PgConnection& connection) {
    EXPECT_TRUE(connection.script("begin; set local lock_timeout = '5ms'", deadline_in(60s)));
    (void)connection.script(commit_, deadline_in(60s));
  }

  const std::string commit_;
  std::unique_ptr<PgConnection> connections_[2];
  std::atomic<bool> done_{false};
  std::thread thread_;
};

// However many commits come one behind another, a change of the bucket has its turn.
TEST_F(HeldLocks, ChangesOfABucketEndUnderCommitsThatOverlap) {
  const std::string b = std::to_string(bucket_.id);
  const std::vector<std::string> commits = {
      "select held_buckets(array[" + b + "])",  // Of several rows: it waits for nobody.
      "select check_context(" + b + ", 0, 0)",  // Of one.
      // A copy, from elsewhere and from here.
      "select check_contexts(" + b + ", 0, row(1, 0, '', '', '', null)::copy_source)",
      "select check_contexts(9223372036854775807, 0, row(" + b +
          ", 1, '', '', '', null)::copy_source)",
  };
  const std::vector<std::pair<const char*, std::string>> changes = {
      {"a setting", "select set_bucket_setting(" + b + ", 0, 2::smallint, 'x'::bytea)"},
      {"versioning", "select set_bucket_versioning(" + b + ", 0, 1::smallint)"},
      {"object lock", "select set_object_lock(" + b + ", 0, 'x'::bytea)"},
      {"the record of changes", "select follow_changes(" + b + ", true)"},
      {"the account's block",
       "update accounts set public_access_block = 7 - public_access_block where id = '" + owner() +
           "'"},
      {"the end", "select delete_bucket(" + b + ", 0)"},
  };
  for (const std::string& commit : commits) {
    for (const auto& [what, change] : changes) {
      SCOPED_TRACE(commit + ", " + what);
      const auto session = PgConnection::open(postgres_dsn(), soon()).value();
      ASSERT_TRUE(session->script("set lock_timeout = '60s'", soon()));
      const Overlapping overlapping(postgres_dsn(), commit);
      const auto done = session->script("begin; " + change + "; rollback", soon());
      EXPECT_TRUE(done) << done.error().message;
    }
  }
}

// What shares no statement takes no connection from others either while it waits.
TEST_F(HeldLocks, SinglesThatWaitLeaveTheirConnections) {
  const Bucket other = make_bucket();
  const auto held = holder(fmt::format("select from buckets where id = {} for update", bucket_.id));
  std::vector<std::thread> waiting;
  std::atomic<int> made{0};
  for (int i = 0; i < 16; ++i) {
    waiting.emplace_back([&, i] {
      const auto status = async::block_on(
          gateway_->uploads.create_upload(context(), upload_request("u" + std::to_string(i))));
      if (status && *status == CommitStatus::kCommitted) ++made;
    });
  }
  for (int i = 0; i < 30; ++i) {
    EXPECT_TRUE(async::block_on(gateway_->buckets.find_bucket(other.name, impatient())));
    Upload upload = upload_request("v" + std::to_string(i));
    upload.bucket_id = other.id;
    EXPECT_TRUE(async::block_on(gateway_->uploads.create_upload(
        {other.id, other.settings_version, 0, impatient()}, upload)));
  }
  EXPECT_EQ(made, 0);
  let_go(*held);
  for (std::thread& thread : waiting) thread.join();
  EXPECT_EQ(made, 16);
}

// A commit that found no time was not begun: its bytes are nobody's.
TEST_F(HeldLocks, WhatIsHeldToTheEndDidNotHappen) {
  run(stores().objects.put_object(put_request("k")));
  const auto held = holder("select from objects " + where_key("k") + " for update");
  PutObject request = put_request("k", 7);
  request.context.deadline = deadline_in(500ms);
  const auto outcome = async::block_on(gateway_->objects.put_object(request));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, CommitFailure::Kind::kDidNotHappen) << outcome.error().message;
  let_go(*held);
}

TEST_F(HeldLocks, ManyWritersOfAKeyThroughThreeGatewaysAllCommit) {
  constexpr int kWriters = 64;
  const std::vector<std::shared_ptr<const Stores>> gateways = {gateway_, database().another(),
                                                               database().another()};
  std::vector<std::thread> writers;
  std::atomic<int> committed{0};
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([&, i] {
      PutObject request = put_request("hot");
      request.context.deadline = deadline_in(60s);
      const auto outcome =
          async::block_on(gateways[i % gateways.size()]->objects.put_object(request));
      if (outcome && outcome->status == CommitStatus::kCommitted) ++committed;
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(committed, kWriters);
}

TEST_F(HeldLocks, RandomCommitsOfThreeGatewaysMeetNoDeadlock) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const auto watcher = PgConnection::open(postgres_dsn(), soon()).value();
  const auto deadlocks = [&] {
    return watcher
        ->run("select deadlocks from pg_stat_database where datname = current_database()", {},
              soon())
        ->bigint(0, 0);
  };
  const int64_t before = deadlocks();
  const std::vector<Bucket> buckets = {bucket_, make_bucket()};
  const std::vector<std::shared_ptr<const Stores>> gateways = {gateway_, database().another(),
                                                               database().another()};
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(seed + t);
      const auto below = [&](int n) { return static_cast<int>(random() % n); };
      const Stores& at = *gateways[t % gateways.size()];
      for (int i = 0; i < 120; ++i) {
        const Bucket& bucket = buckets[below(2)];
        const CommitContext in{bucket.id, bucket.settings_version, 0, soon()};
        const auto key = [&] { return "k" + std::to_string(below(6)); };
        PutObject put = put_request(key(), 5);
        put.context = in;
        bool answered = true;
        switch (below(6)) {
          case 0:
          case 1: answered = async::block_on(at.objects.put_object(put)).has_value(); break;
          case 2:
            answered = async::block_on(at.objects.delete_object(
                                           {.context = in, .key = key(), .owner_account = owner()}))
                           .has_value();
            break;
          case 3: {
            std::vector<DeleteObject> some;
            for (int n = 0; n < 4; ++n) {
              some.push_back({.context = in, .key = key(), .owner_account = owner()});
            }
            answered = async::block_on(at.objects.delete_objects(some)).has_value();
            break;
          }
          case 4: {
            const Bucket& from = buckets[below(2)];
            const std::string source = key();
            const auto found = run(
                at.objects.find_object({.bucket = from.name, .key = source, .deadline = soon()}));
            if (found.status != LookupStatus::kFound) break;
            put.version.extents.clear();
            answered = async::block_on(
                           at.objects.copy_object({.put = put,
                                                   .source = {from.id, source, found.object.version,
                                                              found.object.etag}}))
                           .has_value();
            break;
          }
          default:
            answered =
                async::block_on(at.objects.rename_object(
                                    {.context = in, .source_key = key(), .target_key = key()}))
                    .has_value();
        }
        if (!answered) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(deadlocks() - before, 0);
}

}  // namespace
}  // namespace rondel::metadata
