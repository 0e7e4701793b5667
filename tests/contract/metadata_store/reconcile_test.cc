// The reconcile scan's questions to a real database.
#include <algorithm>
#include <set>

#include "metadata/store/postgres_cluster_store.h"
#include "tests/contract/metadata_store/store_fixture.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;
using model::StreamId;

class Reconcile : public StoreFixture<Reconcile> {
 public:
  static constexpr const char* kName = "reconcile";

 protected:
  static ClusterStore& cluster() {
    static auto made = make_postgres_cluster_store(postgres_dsn());
    return *made;
  }

  void SetUp() override {
    StoreFixture::SetUp();
    token_ = run(cluster().claim_coordinator(soon())).value();
  }

  CommitOutcome put(const std::string& key, const StreamId& stream) { return run(store().put_object(put_request(key, 1, stream))); }

  std::set<StreamId> unreferenced(const std::set<StreamId>& asked) {
    const auto answer = run(cluster().unreferenced_streams({asked.begin(), asked.end()}, soon()));
    return {answer.begin(), answer.end()};
  }

  std::set<StreamId> released() {
    std::set<StreamId> out;
    for (const auto& row : run(cluster().take_released(real_clock().now() + 1h, 1'000'000, token_, soon()))) out.insert(row.stream);
    return out;
  }

  uint64_t token_ = 0;
};

TEST_F(Reconcile, WhatAnythingRefersToIsNoOrphan) {
  std::vector<StreamId> s;
  for (int i = 0; i < 7; ++i) s.push_back(StreamId::random());
  put("replaced", s[0]);
  put("replaced", s[1]);   // s[0] is in the queue now.
  set_versioning(Versioning::kEnabled);
  put("replaced", s[2]);   // s[1] is in the history.
  const Upload upload = upload_request("parts");
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
