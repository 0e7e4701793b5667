// Two transactions on the streams of one object, every pair of what can refer to a stream or give
// one up: no stream is released that something refers to, and none is forgotten.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <random>
#include <thread>

#include "common/base/encoding.h"
#include "metadata/connection/pg_connection.h"
#include "tests/contract/metadata_store/references.h"
#include "tests/contract/metadata_store/store_fixture.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;
using model::StreamId;

constexpr int64_t kBytes = 6'000'000;  // A part may have no less.

template <class Id>
std::string literal(const Id& id) {
  return "'\\x" + to_hex(id.view()) + "'::bytea";
}

std::string literal(const std::string& text) { return "'" + text + "'::bytea"; }

// Where the version lies whose streams everybody works on, by the bucket's versioning.
enum class Place { kOnlyHead, kHead, kHistory, kNullInHistory };

// What it consists of, and whether a part of an open upload refers to the same streams.
struct Layout {
  bool several;
  bool shared;
};

// An object of its own with what the operations need beside it. Ids of versions are known, as each
// is later than all before.
struct Scene {
  int64_t bucket = 0;
  Place place{};
  Layout layout{};
  int16_t versioning = 0;
  std::string key, other, renamed;
  std::string version, head;   // The version, and the head of its key.
  std::string uploads[2];      // One of `key` with a part, one of `other` without.
  std::set<StreamId> streams;  // Brought in by commits.

  int64_t size() const { return layout.several ? 2 * kBytes : kBytes; }

  bool versioned() const { return place != Place::kOnlyHead; }

  StreamId stream() { return *streams.insert(StreamId::random()).first; }
};

std::string next_clock() {
  static std::atomic<uint64_t> clock{1ull << 40};
  return fmt::format("'\\x{:016x}{:016x}'::bytea", clock.fetch_add(1), 0);
}

std::string put_rows(const Scene& scene, const std::string& key, const std::string& clock,
                     const StreamId& stream, int versioning) {
  return fmt::format(
      "array[row({}, 0, 0, null, {}, {}, {}, {}, 'e', 'o', "
      "null, null, null, null, 0, {}, {}, null, null)::put_row]",
      scene.bucket, literal(key), clock, versioning, kBytes, literal(stream), kBytes);
}

std::string put(const Scene& scene, const std::string& key, const std::string& clock,
                const StreamId& stream, int versioning) {
  return "select status::integer from put_objects(" +
         put_rows(scene, key, clock, stream, versioning) + ")";
}

std::string begin_upload(const Scene& scene, const std::string& upload, const std::string& key) {
  return fmt::format(
      "select create_upload({}, 0, {}, {}, 'o', 'o', null, null, 0::smallint, null, 0)",
      scene.bucket, upload, literal(key));
}

std::string put_part(const Scene& scene, const std::string& upload, const std::string& key,
                     int number, const StreamId& stream, int64_t bytes) {
  return fmt::format(
      "select status::integer from put_part({}, 0, 0, null, {}, {}, {}, {}, 'e', null, null, "
      "0::smallint, {}, {})",
      scene.bucket, upload, literal(key), number, bytes, literal(stream), bytes);
}

// The version of the scene, as a copy has read it.
std::string source(const Scene& scene) {
  return fmt::format("row({}, 0, {}, {}, 'e', null)::copy_source", scene.bucket, literal(scene.key),
                     scene.version);
}

std::string put_copied(const Scene& scene, const std::string& key, const StreamId& stream) {
  return "select status::integer from put_copied(" + source(scene) + ", " +
         put_rows(scene, key, next_clock(), stream, scene.versioning) + ")";
}

std::string copy_part(const Scene& scene, const std::string& upload, const std::string& key) {
  return fmt::format(
      "select status::integer from copy_part({}, 0, {}, {}, 1, {}, 'e', null, null, {}, 0)",
      scene.bucket, upload, literal(key), scene.size(), source(scene));
}

std::string complete(const Scene& scene, const std::string& upload, const std::string& clock,
                     int versioning, const std::string& numbers, const std::string& etags,
                     int64_t size) {
  return fmt::format(
      "select status::integer from complete_upload({}, 0, {}, {}, {}, {}::smallint, '{}', '{}', "
      "'e', null, null, null, {}, null, null, null)",
      scene.bucket, upload, literal(scene.key), clock, versioning, numbers, etags, size);
}

std::string copy(const Scene& scene, const std::string& target) {
  return fmt::format(
      "select status::integer from copy_object({}, 0, {}, {}, {}::smallint, 'o', null, null, null, "
      "null, null, {}, null, null)",
      scene.bucket, literal(target), next_clock(), scene.versioning, source(scene));
}

std::string remove(const Scene& scene, int mode, const std::string& named, int guard) {
  return fmt::format(
      "select status::integer from delete_objects(array[row({}, 0, {}, {}, {}, {}, {}, 'o', null, "
      "null, null, null, null, false, {}, 0)::delete_row])",
      scene.bucket, literal(scene.key), next_clock(), scene.versioning, mode, named, guard);
}

std::string append(const Scene& scene, const StreamId& stream) {
  return fmt::format(
      "select status::integer from append_object({}, 0, 0, null, {}, {}, 0::smallint, {}, 'e', {}, "
      "'e', "
      "'o', null, null, null, null, 0::smallint, {}, {}, null, null)",
      scene.bucket, literal(scene.key), next_clock(), scene.size(), kBytes, literal(stream),
      kBytes);
}

std::string rename(const Scene& scene, const std::string& from, const std::string& to) {
  return fmt::format(
      "select status::integer from rename_object({}, 0, {}, {}, {}, null, null, null, null, null)",
      scene.bucket, literal(from), literal(to), next_clock());
}

// One side of a pair. `offered`: a stream of its own, which the commit brings in.
struct Operation {
  const char* name;
  bool unversioned_only;
  std::string (*statement)(const Scene& scene, const StreamId& offered);

  // When nobody else does anything.
  bool commits_at(Place place) const {
    return std::string_view(name) != "expiry of a noncurrent" || place == Place::kHistory ||
           place == Place::kNullInHistory;
  }
};

const std::vector<Operation>& operations() {
  static const std::vector<Operation> all = {
      {"part copy", false,
       [](const Scene& s, const StreamId&) { return copy_part(s, s.uploads[1], s.other); }},
      {"part copy over a part", false,
       [](const Scene& s, const StreamId&) { return copy_part(s, s.uploads[0], s.key); }},
      {"part over a part", false,
       [](const Scene& s, const StreamId& own) {
         return put_part(s, s.uploads[0], s.key, 1, own, s.size());
       }},
      {"part of copied bytes over a part", false,
       [](const Scene& s, const StreamId& own) {
         std::string part = put_part(s, s.uploads[0], s.key, 1, own, s.size());
         part.insert(part.size() - 1, ", " + source(s));
         return part;
       }},
      {"put of copied bytes", false,
       [](const Scene& s, const StreamId& own) { return put_copied(s, s.other, own); }},
      {"put of copied bytes onto its key", false,
       [](const Scene& s, const StreamId& own) { return put_copied(s, s.key, own); }},
      {"copy", false, [](const Scene& s, const StreamId&) { return copy(s, s.other); }},
      {"copy onto its key", false, [](const Scene& s, const StreamId&) { return copy(s, s.key); }},
      {"delete of the version", false,
       [](const Scene& s, const StreamId&) { return remove(s, 1, s.version, 0); }},
      {"delete of the head", false,
       [](const Scene& s, const StreamId&) { return remove(s, 1, s.head, 0); }},
      {"delete of the null version", false,
       [](const Scene& s, const StreamId&) { return remove(s, 2, "null::bytea", 0); }},
      {"delete", false,
       [](const Scene& s, const StreamId&) { return remove(s, 0, "null::bytea", 0); }},
      {"expiry of the current", false,
       [](const Scene& s, const StreamId&) { return remove(s, 0, s.head, 1); }},
      {"expiry of a noncurrent", false,
       [](const Scene& s, const StreamId&) { return remove(s, 1, s.version, 2); }},
      {"complete", false,
       [](const Scene& s, const StreamId&) {
         return complete(s, s.uploads[0], next_clock(), s.versioning, "{1}", "{e}", s.size());
       }},
      {"abort", false,
       [](const Scene& s, const StreamId&) {
         return fmt::format("select abort_upload({}, {}, {})::integer", s.bucket, s.uploads[0],
                            literal(s.key));
       }},
      {"overwrite by put", false,
       [](const Scene& s, const StreamId& own) {
         return put(s, s.key, next_clock(), own, s.versioning);
       }},
      {"append", true, [](const Scene& s, const StreamId& own) { return append(s, own); }},
      {"rename", true, [](const Scene& s, const StreamId&) { return rename(s, s.key, s.renamed); }},
      {"rename onto it", true,
       [](const Scene& s, const StreamId&) { return rename(s, s.renamed, s.key); }},
  };
  return all;
}

class ReferenceRaces : public StoreFixture<ReferenceRaces> {
 public:
  static constexpr const char* kName = "reference-races";

 protected:
  struct Session {
    std::unique_ptr<PgConnection> connection = PgConnection::open(postgres_dsn(), soon()).value();
    int32_t pid = connection->run("select pg_backend_pid()", {}, soon())->integer(0, 0);

    Session() {
      script(
          "set synchronous_commit = off; set deadlock_timeout = '50ms'; set enable_seqscan = on; "
          "set enable_hashjoin = on");
    }

    void script(const std::string& sql) {
      const auto done = connection->script(sql, soon());
      ASSERT_TRUE(done) << sql << "\n" << done.error().message;
    }

    Result<int32_t> status(const std::string& sql) {
      TRY(const PgResult row, connection->run(sql, {}, soon()));
      return row.integer(0, 0);
    }
  };

  Scene scene(Place place, Layout layout) {
    static int count = 0;
    Scene scene;
    scene.bucket = bucket_.id;
    scene.place = place;
    scene.layout = layout;
    scene.versioning = place == Place::kOnlyHead ? 0 : place == Place::kNullInHistory ? 2 : 1;
    scene.key = fmt::format("key-{}", ++count);
    scene.other = scene.key + "-other";
    scene.renamed = scene.key + "-renamed";
    for (std::string& upload : scene.uploads) upload = literal(model::UploadId::random());
    scene.version = scene.head = next_clock();
    const int first_versioning = place == Place::kHead || place == Place::kHistory ? 1 : 0;
    std::string sql = "begin;";
    if (layout.several) {
      const std::string made_of = literal(model::UploadId::random());
      sql += begin_upload(scene, made_of, scene.key) + ";" +
             put_part(scene, made_of, scene.key, 1, scene.stream(), kBytes) + ";" +
             put_part(scene, made_of, scene.key, 2, scene.stream(), kBytes) + ";" +
             complete(scene, made_of, scene.version, first_versioning, "{1,2}", "{e,e}",
                      scene.size()) +
             ";";
    } else {
      sql += put(scene, scene.key, scene.version, scene.stream(), first_versioning) + ";";
    }
    if (place == Place::kHistory || place == Place::kNullInHistory) {
      scene.head = next_clock();
      sql += put(scene, scene.key, scene.head, scene.stream(), 1) + ";";
    }
    sql += put(scene, scene.renamed, next_clock(), scene.stream(), first_versioning) + ";";
    sql += begin_upload(scene, scene.uploads[0], scene.key) + ";" +
           begin_upload(scene, scene.uploads[1], scene.other) + ";";
    sql += layout.shared
               ? copy_part(scene, scene.uploads[0], scene.key)
               : put_part(scene, scene.uploads[0], scene.key, 1, scene.stream(), scene.size());
    observer_.script(sql + ";commit");
    return scene;
  }

  bool is_blocked(const Session& session) {
    PgParameters parameters;
    parameters.add_integer(session.pid);
    return observer_.connection->run("select cardinality(pg_blocking_pids($1))", parameters, soon())
               ->integer(0, 0) > 0;
  }

  // The first runs and holds its transaction; the second begins and ends or waits for it; then the
  // first commits.
  void run_pair(Scene scene, const Operation& first, const Operation& second) {
    const StreamId offered[2] = {StreamId::random(), StreamId::random()};
    const std::string statements[2] = {first.statement(scene, offered[0]),
                                       second.statement(scene, offered[1])};
    first_.script("begin");
    const auto held = first_.status(statements[0]);
    ASSERT_TRUE(held) << held.error().message;
    EXPECT_EQ(*held == 1, first.commits_at(scene.place)) << "status " << *held;
    std::atomic<bool> ended{false};
    Result<int32_t> late;
    std::thread thread([&] {
      late = second_.status(statements[1]);
      ended = true;
    });
    while (!ended && !is_blocked(second_)) std::this_thread::sleep_for(200us);
    first_.script("commit");
    thread.join();
    // Rolled back for a lock or a conflict: the store runs it again.
    for (int i = 0; i < 3 && !late && late.error().code == ErrorCode::kCancelled; ++i) {
      late = second_.status(statements[1]);
    }
    ASSERT_TRUE(late) << late.error().message;
    std::set<StreamId> refused;
    for (int i = 0; i < 2; ++i) {
      const bool brings = statements[i].find(to_hex(offered[i].view())) != std::string::npos;
      if (brings) ((i == 0 ? *held : *late) == 1 ? scene.streams : refused).insert(offered[i]);
    }
    EXPECT_EQ(broken_references(*observer_.connection, scene.streams, refused), "")
        << "statuses " << *held << ", " << *late;
  }

  // Rows of past scenes only make the next checks slower.
  void forget_scenes() {
    observer_.script(fmt::format(
        "begin; delete from object_extents e using (select manifest from objects where bucket_id = "
        "{0} union select manifest from"
        " versions where bucket_id = {0}) m where e.manifest = m.manifest; delete from objects "
        "where bucket_id = {0};"
        " delete from versions where bucket_id = {0}; delete from uploads where bucket_id = {0};"
        " truncate released_streams, shared_streams; commit",
        bucket_.id));
  }

  Session observer_, first_, second_;
};

class ReferencePairs : public ReferenceRaces,
                       public ::testing::WithParamInterface<std::tuple<Place, bool, bool>> {};

TEST_P(ReferencePairs, NoPairReleasesAReferenceOrForgetsAStream) {
  const auto [place, several, shared] = GetParam();
  for (const Operation& first : operations()) {
    for (const Operation& second : operations()) {
      if (place != Place::kOnlyHead && (first.unversioned_only || second.unversioned_only)) {
        continue;
      }
      SCOPED_TRACE(std::string(first.name) + ", and then " + second.name);
      run_pair(scene(place, {several, shared}), first, second);
      if (HasFatalFailure()) return;
    }
    forget_scenes();
  }
}

std::string name_of_place(Place place) {
  constexpr const char* kPlaces[] = {"OnlyHead", "Head", "History", "NullInHistory"};
  return kPlaces[static_cast<int>(place)];
}

std::string name_of(const ::testing::TestParamInfo<std::tuple<Place, bool, bool>>& info) {
  const auto [place, several, shared] = info.param;
  return name_of_place(place) + (several ? "Several" : "One") + (shared ? "Shared" : "Alone");
}

INSTANTIATE_TEST_SUITE_P(All, ReferencePairs,
                         ::testing::Combine(::testing::Values(Place::kOnlyHead, Place::kHead,
                                                              Place::kHistory,
                                                              Place::kNullInHistory),
                                            ::testing::Bool(), ::testing::Bool()),
                         name_of);

// A setting holds from its answer on: what was decided under the one before has committed by then.
TEST_F(ReferenceRaces, AChangeOfSettingsWaitsForCommitsDecidedBefore) {
  const std::string setters[] = {
      fmt::format("select set_bucket_setting({}, 0, 3::smallint, 'x'::bytea)::integer", bucket_.id),
      fmt::format("select set_bucket_setting({}, 0, 3::smallint, null)::integer", bucket_.id),
      fmt::format("select set_bucket_versioning({}, 0, 1::smallint)::integer", bucket_.id),
      fmt::format("select set_object_lock({}, 0, 'x'::bytea)::integer", bucket_.id),
  };
  for (const std::string& setter : setters) {
    SCOPED_TRACE(setter);
    Scene scene;
    scene.bucket = bucket_.id;
    first_.script("begin");
    ASSERT_EQ(*first_.status(put(scene, "decided", next_clock(), StreamId::random(), 1)), 1);
    std::atomic<bool> ended{false}, waited{false};
    Result<int32_t> set;
    std::thread thread([&] {
      set = second_.status(setter);
      ended = true;
    });
    while (!ended && !(waited = is_blocked(second_))) std::this_thread::sleep_for(200us);
    first_.script("commit");
    thread.join();
    EXPECT_TRUE(waited);
    ASSERT_TRUE(set) << set.error().message;
    EXPECT_EQ(*set, 1);
  }
}

// A clock that runs behind gives the version after the head's, which another key may have too.
TEST_F(ReferenceRaces, ManifestsOfEqualVersionsAreTheirKeysOwn) {
  const std::string behind = next_clock(), clock = next_clock(), next = next_clock();
  std::vector<Scene> made;
  for (const auto& versions : {std::vector{clock, behind}, std::vector{next}}) {
    Scene& scene = made.emplace_back();
    scene.bucket = bucket_.id;
    scene.key = fmt::format("equal-{}", versions.size());
    for (const std::string& version : versions) {
      ASSERT_EQ(*first_.status(put(scene, scene.key, version, StreamId::random(), 0)), 1);
    }
  }
  const auto versions = first_.status(fmt::format(
      "select count(distinct version)::integer from objects where bucket_id = {} and key in "
      "('equal-1', 'equal-2')",
      bucket_.id));
  ASSERT_TRUE(versions) << versions.error().message;
  ASSERT_EQ(*versions, 1);
  for (const Scene& scene : made) {
    const auto status = first_.status(append(scene, StreamId::random()));
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_EQ(*status, 1);
  }
}

// A part that was left out gives up a stream that the object of the key refers to as well: who
// removes that one holds its row before the stream's.
TEST_F(ReferenceRaces, CompleteTakesTheHeadBeforeItGivesUpParts) {
  Scene s = scene(Place::kOnlyHead, {false, true});
  const StreamId own = s.stream();
  observer_.script(put_part(s, s.uploads[0], s.key, 2, own, kBytes));
  first_.script("begin");
  ASSERT_EQ(*first_.status(
                fmt::format("select 1 from objects where bucket_id = {} and key = {} for update",
                            s.bucket, literal(s.key))),
            1);
  std::atomic<bool> ended{false};
  Result<int32_t> late;
  std::thread thread([&] {
    late =
        second_.status(complete(s, s.uploads[0], next_clock(), s.versioning, "{2}", "{e}", kBytes));
    ended = true;
  });
  while (!ended && !is_blocked(second_)) std::this_thread::sleep_for(200us);
  const auto removed = first_.status(remove(s, 1, s.version, 0));
  first_.script("commit");
  thread.join();
  ASSERT_TRUE(removed) << removed.error().message;
  ASSERT_TRUE(late) << late.error().message;
  EXPECT_EQ(*removed, 1);
  EXPECT_EQ(*late, 1);
  EXPECT_EQ(broken_references(*observer_.connection, s.streams), "");
}

// One takes a source and a target that is not there; the target comes, and another goes the other
// way before the first gets to it.
TEST_F(ReferenceRaces, WhoTakesTwoKeysWaitsForWhoTookOneOfThemFirst) {
  using Statement = std::string (*)(const Scene& from, const std::string& to);
  const std::pair<const char*, Statement> operations[] = {
      {"copy", [](const Scene& from, const std::string& to) { return copy(from, to); }},
      {"put of copied bytes",
       [](const Scene& from, const std::string& to) {
         return put_copied(from, to, StreamId::random());
       }},
      {"rename",
       [](const Scene& from, const std::string& to) { return rename(from, from.key, to); }},
  };
  for (const auto& [name, operation] : operations) {
    SCOPED_TRACE(name);
    const std::string source = fmt::format("two-keys-{}-b", name);
    Scene target;
    target.bucket = bucket_.id;
    target.key = fmt::format("two-keys-{}-a", name);  // Before the source: it is locked first.
    target.version = next_clock();
    ASSERT_EQ(*observer_.status(put(target, source, next_clock(), StreamId::random(), 0)), 1);
    const auto row_of = [&](const std::string& key) {
      return fmt::format("select 1 from objects where bucket_id = {} and key = {} for update",
                         bucket_.id, literal(key));
    };
    first_.script("begin");
    first_.script(fmt::format("select lock_pair({0}, {1}, {0}, {2})", bucket_.id, literal(source),
                              literal(target.key)));
    ASSERT_EQ(*observer_.status(put(target, target.key, target.version, StreamId::random(), 0)), 1);

    std::atomic<bool> ended{false};
    Result<int32_t> late;
    std::thread thread([&] {
      late = second_.status(operation(target, source));
      ended = true;
    });
    while (!ended && !is_blocked(second_)) std::this_thread::sleep_for(200us);
    const auto held = first_.status(row_of(target.key));
    first_.script("commit");
    thread.join();
    EXPECT_TRUE(held) << held.error().message;
    ASSERT_TRUE(late) << late.error().message;
    EXPECT_EQ(*late, 1);
  }
}

// Each gives up what the other copies.
TEST_F(ReferenceRaces, PartCopiesOverOneAnothersStreamsDoNotWaitForEachOther) {
  Scene low = scene(Place::kOnlyHead, {false, true}), high = scene(Place::kOnlyHead, {false, true});
  const auto stream_of = [&](const Scene& s) {
    return fmt::format("(select stream from objects where bucket_id = {} and key = {})", s.bucket,
                       literal(s.key));
  };
  const auto over = [](const Scene& part_of, const Scene& source) {
    return fmt::format(
        "select status::integer from copy_part({}, 0, {}, {}, 1, {}, 'e', null, null, {}, 0)",
        part_of.bucket, part_of.uploads[0], literal(part_of.key), source.size(),
        metadata::source(source));
  };
  const auto ordered =
      observer_.status("select (" + stream_of(low) + " < " + stream_of(high) + ")::integer");
  if (*ordered == 0) std::swap(low, high);
  observer_.script("begin; select 1 from shared_streams where stream = " + stream_of(high) +
                   " for update");
  Result<int32_t> gives_up_high, gives_up_low;
  std::atomic<int> ended{0};
  std::thread one([&] {
    gives_up_high = first_.status(over(high, low));
    ++ended;
  });
  while (ended == 0 && !is_blocked(first_)) std::this_thread::sleep_for(200us);
  std::thread two([&] {
    gives_up_low = second_.status(over(low, high));
    ++ended;
  });
  while (ended == 0 && !is_blocked(second_)) std::this_thread::sleep_for(200us);
  observer_.script("commit");
  one.join();
  two.join();
  ASSERT_TRUE(gives_up_high) << gives_up_high.error().message;
  ASSERT_TRUE(gives_up_low) << gives_up_low.error().message;
  low.streams.merge(high.streams);
  EXPECT_EQ(broken_references(*observer_.connection, low.streams), "");
}

class ReferencesAtOnce : public ReferenceRaces, public ::testing::WithParamInterface<Place> {
 protected:
  static constexpr size_t kThreads = 4;

  // Objects of every layout, which are copied and renamed over one another too.
  std::vector<Scene> scenes() {
    std::vector<Scene> made;
    for (const bool several : {false, true}) {
      for (const bool shared : {false, true}) made.push_back(scene(GetParam(), {several, shared}));
    }
    for (size_t i = 0; i < made.size(); ++i) made[i].other = made[(i + 1) % made.size()].key;
    return made;
  }

  void run_one(Session& session, const Scene& scene, const Operation& operation) {
    const StreamId own = StreamId::random();
    const std::string statement = operation.statement(scene, own);
    auto status = session.status(statement);
    for (int n = 0; n < 20 && !status && status.error().code == ErrorCode::kCancelled; ++n) {
      if (status.error().message.find("deadlock") != std::string::npos) {
        std::lock_guard lock(mutex_);
        deadlocks_.push_back(fmt::format("{}: {}", operation.name, status.error().message));
      }
      status = session.status(statement);
    }
    std::lock_guard lock(mutex_);
    EXPECT_TRUE(status) << operation.name << ": " << status.error().message;
    if (status && *status == 1) ++committed_;
    if (statement.find(to_hex(own.view())) != std::string::npos) {
      (status && *status == 1 ? streams_ : refused_).insert(own);
    }
  }

  Session sessions_[kThreads];
  std::mutex mutex_;
  std::vector<std::string> deadlocks_;  // Guarded by mutex_, as the next three.
  int committed_ = 0;
  std::set<StreamId> streams_, refused_;
};

// Many at once on few keys: what pairs one after the other cannot show, deadlocks among it.
TEST_P(ReferencesAtOnce, NothingIsForgottenOrReleased) {
  constexpr int kRounds = 60, kEach = 8;
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  for (int round = 0; round < kRounds; ++round) {
    const std::vector<Scene> made = scenes();
    for (const Scene& one : made) streams_.insert(one.streams.begin(), one.streams.end());
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937 random(seed + static_cast<unsigned>(round) * kThreads + t);
        for (int i = 0; i < kEach; ++i) {
          const Scene& on = made[random() % made.size()];
          const Operation& operation = operations()[random() % operations().size()];
          if (!on.versioned() || !operation.unversioned_only) run_one(sessions_[t], on, operation);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(broken_references(*observer_.connection, streams_, refused_), "");
  EXPECT_TRUE(deadlocks_.empty()) << fmt::format("{}", fmt::join(deadlocks_, "\n"));
  EXPECT_GT(committed_, kRounds * kEach);
  forget_scenes();
}

INSTANTIATE_TEST_SUITE_P(All, ReferencesAtOnce,
                         ::testing::Values(Place::kOnlyHead, Place::kHead, Place::kHistory,
                                           Place::kNullInHistory),
                         [](const auto& info) { return name_of_place(info.param); });

}  // namespace
}  // namespace rondel::metadata
