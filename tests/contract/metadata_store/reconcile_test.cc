// The reconcile scan's questions to a real database.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "common/async/event_loop.h"
#include "metadata/store/account_store.h"
#include "metadata/store/postgres_cluster_store.h"
#include "metadata/store/postgres_store.h"
#include "tests/contract/metadata_store/postgres_server.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;
using model::StreamId;

class Reconcile : public ::testing::Test {
 protected:
  static MetadataStore& store() {
    static auto made = PostgresMetadataStore::make({.dsn = postgres_dsn(), .master_key = test_master_key()});
    return *made;
  }
  static ClusterStore& cluster() {
    static auto made = make_postgres_cluster_store(postgres_dsn());
    return *made;
  }
  static const std::string& owner() {
    static const std::string id = AccountStore::open(postgres_dsn(), test_master_key()).value()->create_account({.name = "reconcile"})->account.id;
    return id;
  }

  template <class T>
  static T run(async::Task<Result<T>> task) {
    auto result = async::block_on(std::move(task));
    if (!result) throw std::runtime_error(to_string(result.error()));
    if constexpr (!std::is_void_v<T>) return std::move(*result);
  }
  static Deadline soon() { return deadline_in(120s); }

  void SetUp() override {
    static int count = 0;
    bucket_ = run(store().create_bucket({.name = "reconcile-" + std::to_string(++count), .owner_account = owner()}, soon())).bucket;
    token_ = run(cluster().claim_coordinator(soon())).value();
  }

  CommitContext context() const { return {bucket_.id, bucket_.settings_version, 0, soon()}; }

  CommitOutcome put(const std::string& key, const StreamId& stream) {
    PutObject request{context(), key, {}, bucket_.versioning, {}};
    request.version.size = 1;
    request.version.etag = "e";
    request.version.owner_account = owner();
    request.version.extents = {{0, stream, 1, 0, 1}};
    return run(store().put_object(request));
  }

  std::set<StreamId> unreferenced(const std::set<StreamId>& asked) {
    const auto answer = run(cluster().unreferenced_streams({asked.begin(), asked.end()}, soon()));
    return {answer.begin(), answer.end()};
  }

  std::set<StreamId> released() {
    std::set<StreamId> out;
    for (const auto& row : run(cluster().take_released(real_clock().now() + 1h, 1'000'000, token_, soon()))) out.insert(row.stream);
    return out;
  }

  Bucket bucket_;
  uint64_t token_ = 0;
};

TEST_F(Reconcile, WhatAnythingRefersToIsNoOrphan) {
  std::vector<StreamId> s;
  for (int i = 0; i < 7; ++i) s.push_back(StreamId::random());
  put("replaced", s[0]);
  put("replaced", s[1]);   // s[0] is in the queue now.
  bucket_ = run(store().set_bucket_versioning(bucket_.id, Versioning::kEnabled, soon())).bucket;
  put("replaced", s[2]);   // s[1] is in the history.
  Upload upload;
  upload.id = model::UploadId::random();
  upload.bucket_id = bucket_.id;
  upload.key = "parts";
  upload.initiator_account = upload.owner_account = owner();
  ASSERT_EQ(run(store().create_upload(context(), upload)), CommitStatus::kCommitted);
  PutPart part;
  part.context = context();
  part.upload = upload.id;
  part.key = upload.key;
  part.part = {.number = 1, .size = 1, .etag = "e"};
  part.extents = {{0, s[3], 1, 0, 1}};
  ASSERT_EQ(run(store().put_part(part)).status, CommitStatus::kCommitted);
  EXPECT_EQ(unreferenced({s.begin(), s.end()}), std::set<StreamId>({s[4], s[5], s[6]}));
}

// More than a plan that compares each stream with each row can do in the time.
TEST_F(Reconcile, ManyStreamsAndManyRowsCostOneWayThroughTheTables) {
  constexpr int kStreams = 30'000;
  std::set<StreamId> kept;
  std::vector<Extent> streams;
  for (int i = 0; i < kStreams; ++i) streams.push_back({0, StreamId::random(), 1, 0, 1});
  for (const Extent& extent : streams) kept.insert(extent.stream);
  run(store().release_streams(std::move(streams), soon()));
  std::set<StreamId> asked = kept;
  const StreamId orphan = StreamId::random();
  asked.insert(orphan);
  EXPECT_EQ(unreferenced(asked), std::set<StreamId>{orphan});
  std::vector<int64_t> rows;
  for (const auto& row : run(cluster().take_released(real_clock().now() + 1h, 1'000'000, token_, soon()))) {
    if (kept.contains(row.stream)) rows.push_back(row.id);
  }
  EXPECT_EQ(rows.size(), kept.size());
  run(cluster().finish_released(std::move(rows), token_, soon()));
}

TEST_F(Reconcile, WhatIsReferredToByThenIsNotReleased) {
  const StreamId late = StreamId::random(), orphan = StreamId::random();
  ASSERT_EQ(unreferenced({late, orphan}), std::set<StreamId>({late, orphan}));
  put("late", late);
  run(cluster().release_orphans({{0, late, 1, {}}, {0, orphan, 1, {}}}, token_, soon()));
  EXPECT_TRUE(released().contains(orphan));
  EXPECT_FALSE(released().contains(late));
  run(cluster().release_orphans({{0, orphan, 1, {}}}, token_, soon()));
  run(cluster().release_orphans({{0, StreamId::random(), 1, {}}}, token_ - 1, soon()));
  EXPECT_EQ(std::ranges::count(run(cluster().take_released(real_clock().now() + 1h, 1'000'000, token_, soon())), orphan, &ReleasedStream::stream), 1);
}

TEST_F(Reconcile, TheDatabaseTellsItsTime) {
  const auto state = run(cluster().garbage_state(soon()));
  EXPECT_NE(state.now, SystemTime::max());
  EXPECT_GT(state.now, SystemTime{});
}

}  // namespace
}  // namespace rondel::metadata
