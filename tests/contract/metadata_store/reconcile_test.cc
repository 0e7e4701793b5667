// What the scan for orphans asks of a database, and what it releases.
#include <algorithm>
#include <set>
#include <thread>

#include "metadata/connection/pg_connection.h"
#include "metadata/postgres/postgres_store.h"
#include "tests/contract/metadata_store/store_fixture.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;
using model::StreamId;

class Reconcile : public StoreContract<Reconcile> {
 public:
  static constexpr const char* kName = "reconcile";

 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    // Another test's store may have just ended.
    for (int i = 0; i < 6000 && token_ == 0; ++i) {
      token_ = run(stores().lease.claim_coordinator(soon())).value_or(0);
      if (token_ == 0) std::this_thread::sleep_for(10ms);
    }
    ASSERT_NE(token_, 0u);
  }

  void TearDown() override { stores().lease.resign_coordinator(); }

  CommitOutcome put(const std::string& key, const StreamId& stream) {
    return run(stores().objects.put_object(put_request(key, 1, stream)));
  }

  std::set<StreamId> unreferenced(const std::set<StreamId>& asked) {
    const auto answer =
        run(stores().orphans.unreferenced_streams({asked.begin(), asked.end()}, soon()));
    return {answer.begin(), answer.end()};
  }

  // All that waits, whatever its age, after a second look.
  std::vector<ReleasedStream> queued() {
    run(stores().releases.check_released(real_clock().now() + 1h, 1'000'000, token_, soon()));
    return run(stores().releases.take_released(real_clock().now() + 1h, 1'000'000, token_, soon()));
  }

  std::set<StreamId> released() {
    std::set<StreamId> out;
    for (const auto& row : queued()) out.insert(row.stream);
    return out;
  }

  uint64_t token_ = 0;
};

TEST_P(Reconcile, WhatAnythingRefersToIsNoOrphan) {
  std::vector<StreamId> s;
  for (int i = 0; i < 7; ++i) s.push_back(StreamId::random());
  put("replaced", s[0]);
  put("replaced", s[1]);  // s[0] is in the queue now.
  set_versioning(Versioning::kEnabled);
  put("replaced", s[2]);  // s[1] is in the history.
  put_open_part("parts", s[3]);
  EXPECT_EQ(unreferenced({s.begin(), s.end()}), std::set<StreamId>({s[4], s[5], s[6]}));
}

// After a commit whose answer was lost: the key's last extent says whether it happened.
TEST_P(Reconcile, ACommitIsSeenByTheStreamThatItsKeyEndsWith) {
  const auto last = [this](const std::string& key) -> std::optional<StreamId> {
    const ObjectLookup found =
        run(stores().objects.find_object({.bucket = bucket_.name,
                                          .key = key,
                                          .range = {ExtentRange::Kind::kSuffix, 1, 0},
                                          .deadline = soon()}));
    if (found.status != LookupStatus::kFound || found.object.extents.empty()) return std::nullopt;
    return found.object.extents.back().stream;
  };
  std::vector<StreamId> s;
  for (int i = 0; i < 7; ++i) s.push_back(StreamId::random());
  EXPECT_EQ(last("k"), std::nullopt) << "not yet";
  put("k", s[0]);
  EXPECT_EQ(last("k"), s[0]);
  put("k", s[1]);
  EXPECT_EQ(last("k"), s[1]) << "written over";
  for (int i = 2; i < 5; ++i) {
    const uint64_t offset = static_cast<uint64_t>(i) - 1;
    AppendObject request{put_request("k", 1, s[i]), offset, "e"};
    ASSERT_EQ(run(stores().objects.append_object(request)).status, CommitStatus::kCommitted);
    EXPECT_EQ(last("k"), s[i]) << "appended";
  }
  set_versioning(Versioning::kEnabled);
  put("k", s[5]);
  EXPECT_EQ(last("k"), s[5]) << "in a versioned bucket";
  PutObject refused = put_request("k", 1, s[6]);
  refused.conditions.if_none_match = {"*"};
  EXPECT_EQ(run(stores().objects.put_object(refused)).status, CommitStatus::kPreconditionFailed);
  EXPECT_EQ(last("k"), s[5]) << "refused";
  run(stores().objects.delete_object(
      {.context = context(), .key = "k", .versioning = Versioning::kEnabled}));
  EXPECT_EQ(last("k"), std::nullopt) << "a marker";
}

// More than a plan that compares each stream with each row can do in the time.
TEST_P(Reconcile, ManyStreamsAndManyRowsCostOneWayThroughTheTables) {
  constexpr int kStreams = 30'000;
  std::set<StreamId> kept;
  std::vector<Extent> streams;
  for (int i = 0; i < kStreams; ++i) streams.push_back({0, StreamId::random(), 1, 0, 1});
  for (const Extent& extent : streams) kept.insert(extent.stream);
  run(stores().releases.release_streams(std::move(streams), soon()));
  std::set<StreamId> asked = kept;
  const StreamId orphan = StreamId::random();
  asked.insert(orphan);
  EXPECT_EQ(unreferenced(asked), std::set<StreamId>{orphan});
  std::vector<ReleaseRow> rows;
  for (const auto& row : queued()) {
    if (kept.contains(row.stream)) rows.push_back(row.row());
  }
  EXPECT_EQ(rows.size(), kept.size());
  run(stores().releases.finish_released(std::move(rows), token_, soon()));
}

TEST_P(Reconcile, WhatIsReferredToByThenIsNotReleased) {
  const StreamId late = StreamId::random(), orphan = StreamId::random();
  ASSERT_EQ(unreferenced({late, orphan}), std::set<StreamId>({late, orphan}));
  put("late", late);
  run(stores().orphans.release_orphans({{0, late, 1, {}}, {0, orphan, 1, {}}}, {}, token_, soon()));
  EXPECT_TRUE(released().contains(orphan));
  EXPECT_FALSE(released().contains(late));
  run(stores().orphans.release_orphans({{0, orphan, 1, {}}}, {}, token_, soon()));
  run(stores().orphans.release_orphans({{0, StreamId::random(), 1, {}}}, {}, token_ - 1, soon()));
  EXPECT_EQ(std::ranges::count(queued(), orphan, &ReleasedStream::stream), 1);
}

TEST_P(Reconcile, WhatWasReleasedLatelyAddsUpUntilSomebodyHasLooked) {
  const auto one = model::DiskId::random(), other = model::DiskId::random();
  run(stores().gc.resume_garbage(0, soon()));
  const auto release = [&](OrphanCounts counts, uint64_t token) {
    run(stores().orphans.release_orphans({{0, StreamId::random(), 1, {}}}, std::move(counts), token,
                                         soon()));
  };
  release({{one, 3}, {other, 4}}, token_);
  release({{one, 5}}, token_);
  release({{one, 1000}}, token_ - 1);  // A former coordinator's.
  EXPECT_EQ(run(stores().orphans.recent_orphans(1h, soon())), (OrphanCounts{{one, 8}, {other, 4}}));
  EXPECT_TRUE(run(stores().orphans.recent_orphans(0s, soon())).empty());
  run(stores().gc.resume_garbage(0, soon()));
  EXPECT_TRUE(run(stores().orphans.recent_orphans(1h, soon())).empty());
}

TEST_P(Reconcile, QueuesAreCountedNoFurtherThanTenThousand) {
  const uint64_t before = run(stores().releases.queue_depths(soon())).released;
  run(stores().releases.release_streams({{0, StreamId::random(), 1, 0, 1}}, soon()));
  EXPECT_EQ(run(stores().releases.queue_depths(soon())).released, before + 1);
  std::vector<Extent> many;
  for (int i = 0; i < 12'000; ++i) many.push_back({0, StreamId::random(), 1, 0, 1});
  run(stores().releases.release_streams(std::move(many), soon()));
  const auto depths = run(stores().releases.queue_depths(soon()));
  // Further by the database's statistics, which come when they come.
  EXPECT_GE(depths.released, 10'000u);
  EXPECT_NE(depths.oldest_released, SystemTime{});
  std::vector<ReleaseRow> rows;
  for (const auto& row : queued()) rows.push_back(row.row());
  run(stores().releases.finish_released(std::move(rows), token_, soon()));
  EXPECT_EQ(run(stores().releases.queue_depths(soon())).released, 0u);
}

TEST_P(Reconcile, CompletedUploadsAreForgottenByTheirAge) {
  const Upload upload = upload_request("kept for a while");
  ASSERT_EQ(run(stores().uploads.create_upload(context(), upload)), CommitStatus::kCommitted);
  PutPart part{context(), upload.id, upload.key, {.number = 1, .size = 1, .etag = "e"}, {}};
  part.extents = {{0, StreamId::random(), 1, 0, 1}};
  ASSERT_EQ(run(stores().uploads.put_part(part)).status, CommitStatus::kCommitted);
  const CompleteUpload complete{.context = context(),
                                .upload = upload.id,
                                .key = upload.key,
                                .parts = {{1, "e", {}}},
                                .etag = "e-1",
                                .size = 1};
  ASSERT_EQ(run(stores().uploads.complete_upload(complete)).status, CommitStatus::kCommitted);
  run(stores().gc.forget_completed_uploads(real_clock().now() - 1h, soon()));
  EXPECT_EQ(run(stores().uploads.complete_upload(complete)).status, CommitStatus::kUploadCompleted);
  EXPECT_GE(run(stores().gc.forget_completed_uploads(real_clock().now() + 1h, soon())), 1u);
  EXPECT_EQ(run(stores().uploads.complete_upload(complete)).status, CommitStatus::kNoSuchUpload);
}

INSTANTIATE_TEST_SUITE_P(Stores, Reconcile, all_implementations(), name_of_implementation);

class LostAnswers : public StoreFixture<LostAnswers> {
 public:
  static constexpr const char* kName = "lost-answers";
};

// A commit without its row may have made an object: an answer of another kind would have its bytes
// removed.
TEST_F(LostAnswers, ACommitThatAnswersNothingIsOfUnknownOutcome) {
  auto connection = PgConnection::open(postgres_dsn(), soon());
  ASSERT_TRUE(connection);
  EXPECT_EQ(one_outcome((*connection)->run("select 1 where false", {}, soon())).error().code,
            ErrorCode::kOutcomeUnknown);
  const auto shadow = (*connection)
                          ->script(R"(
    do $$
    declare f regprocedure := 'put_objects'::regproc::oid::regprocedure;
      arguments text := pg_get_function_arguments('put_objects'::regproc); result text := pg_get_function_result('put_objects'::regproc);
      names text := (select string_agg('$' || i, ', ') from generate_series(1, (select pronargs from pg_proc where oid = f::oid)) i);
    begin
      alter function put_objects rename to put_objects_itself;
      execute format('create function put_objects(%s) returns %s language plpgsql as %L', arguments, result,
                     'begin perform put_objects_itself(' || names || '); return; end');
    end $$)",
                                   soon());
  ASSERT_TRUE(shadow) << shadow.error().message;
  const auto other = make_other();
  const auto answered = async::block_on(
      other->stores().objects.put_object(put_request("unanswered", 1, StreamId::random())));
  ASSERT_TRUE(
      (*connection)
          ->script(
              "drop function put_objects; alter function put_objects_itself rename to put_objects",
              soon()));
  ASSERT_FALSE(answered);
  EXPECT_EQ(answered.error().code, ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(run(stores().objects.find_object(
                    {.bucket = bucket_.name, .key = "unanswered", .deadline = soon()}))
                .status,
            LookupStatus::kFound);
}

}  // namespace
}  // namespace rondel::metadata
