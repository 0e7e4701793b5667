// What a commit carries and leaves beside its row: the record of changes of a bucket that is
// followed, how its bytes are laid out and how old they may be.
#include <functional>
#include <map>

#include "cluster/membership/age_clock.h"
#include "metadata/connection/pg_connection.h"
#include "metadata/model/change.h"
#include "tests/contract/metadata_store/store_fixture.h"
#include "tests/fakes/manual_clock.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;
using model::StreamId;

class Commits : public StoreContract<Commits> {
 public:
  static constexpr const char* kName = "commits";

 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    connection_ = PgConnection::open(postgres_dsn(), soon()).value();
  }

  void TearDown() override { set_orphan_age(0s); }

  static void set_orphan_age(std::chrono::seconds age) {
    run(stores().gc.set_garbage_ages(std::nullopt, std::nullopt, age, soon()));
  }

  PgResult sql(const std::string& text) { return sql(*connection_, text); }

  static PgResult sql(PgConnection& connection, const std::string& text) {
    auto result = connection.run(text, {}, soon());
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(*result);
  }

  // A connection that counts a bucket's usage in another row than `connection_` does, so that a
  // transaction left open on it is not waited for there. Usage has a row for each of 16 backends.
  std::unique_ptr<PgConnection> connection_with_its_own_usage_slot() {
    const auto slot = [](PgConnection& connection) {
      return sql(connection, "select pg_backend_pid() % 16").integer(0, 0);
    };
    for (;;) {
      auto other = PgConnection::open(postgres_dsn(), soon()).value();
      if (slot(*other) != slot(*connection_)) return other;
    }
  }

  // Requests, and how they end.
  CommitOutcome put(const std::string& key) { return put(put_request(key)); }

  static CommitOutcome put(PutObject request) {
    return run(stores().objects.put_object(std::move(request)));
  }

  CommitOutcome append(const std::string& key, uint64_t offset, CommitContext context) {
    AppendObject request{put_request(key), offset, offset == 0 ? "" : "e"};
    request.put.context = context;
    return run(stores().objects.append_object(request));
  }

  CommitOutcome copy(const std::string& from, const std::string& to, CommitContext context) {
    CopyObject request{put_request(to, 0), {bucket_.id, from, newest(from).version, "e"}};
    request.put.context = context;
    request.put.version.etag = "";
    return run(stores().objects.copy_object(request));
  }

  CommitOutcome rename(const std::string& from, const std::string& to) {
    RenameObject request;
    request.context = context();
    request.source_key = from;
    request.target_key = to;
    return run(stores().objects.rename_object(request));
  }

  DeleteObject delete_request(const std::string& key) {
    DeleteObject request;
    request.context = context();
    request.key = key;
    request.owner_account = owner();
    request.versioning = bucket_.versioning;
    return request;
  }

  CommitOutcome remove(const std::string& key) { return remove(delete_request(key)); }

  static CommitOutcome remove(DeleteObject request) {
    return run(stores().objects.delete_object(std::move(request)));
  }

  CommitOutcome remove(const std::string& key, const model::VersionId& version) {
    DeleteObject request = delete_request(key);
    request.version = version;
    return remove(std::move(request));
  }

  CommitOutcome tag(const std::string& key, std::optional<model::VersionId> version = {}) {
    UpdateVersion request;
    request.context = context();
    request.key = key;
    request.version = version;
    request.expected_etag = "e";
    request.tags = Tags{{"a", "b"}};
    return run(stores().objects.update_version(request));
  }

  model::UploadId begin(const std::string& key) {
    const Upload upload = upload_request(key);
    EXPECT_EQ(run(stores().uploads.create_upload(context(), upload)), CommitStatus::kCommitted);
    return upload.id;
  }

  CommitOutcome put_part(const model::UploadId& upload, const std::string& key, uint32_t number,
                         Extent extent, CommitContext context) {
    PutPart request{context, upload, key, {}, {}};
    request.part = {.number = number, .size = extent.length, .etag = "p"};
    request.extents = {extent};
    return run(stores().uploads.put_part(request));
  }

  CommitOutcome complete(const model::UploadId& upload, const std::string& key, uint32_t parts,
                         uint64_t size, CommitContext context) {
    CompleteUpload request{context, upload, key, {}, bucket_.versioning, {}, "e", {}, size, {}};
    for (uint32_t i = 1; i <= parts; ++i) request.parts.push_back({i, "p", {}});
    return run(stores().uploads.complete_upload(request));
  }

  ObjectVersion newest(const std::string& key) {
    return run(stores().objects.find_object({.bucket = bucket_.name,
                                             .key = key,
                                             .range = {ExtentRange::Kind::kAll},
                                             .deadline = soon()}))
        .object;
  }

  static Extent extent(uint64_t length = 1, Layout layout = Layout::kReplicated) {
    return {0, StreamId::random(), length, 0, length, layout};
  }

  CommitContext begun(SystemTime first_time) const {
    CommitContext out = context();
    out.first_time = first_time;
    return out;
  }

  std::unique_ptr<PgConnection> connection_;
};

// --- The record of changes ---

struct ChangeRow {
  std::string key;
  model::VersionId version;
  Change what = {};
  std::optional<std::string> old_key;
};

class Changes : public Commits {
 protected:
  void follow(bool wanted) {
    sql("select follow_changes(" + std::to_string(bucket_.id) + ", " + (wanted ? "true" : "false") +
        ")");
  }

  std::vector<ChangeRow> recorded() {
    const PgResult rows = sql("select key, version, what, old_key from changes where bucket_id = " +
                              std::to_string(bucket_.id) + " order by number");
    std::vector<ChangeRow> out;
    for (size_t i = 0; i < rows.rows(); ++i) {
      out.push_back({std::string(rows.bytes(i, 0)),
                     model::VersionId::from_bytes(as_bytes(rows.bytes(i, 1))).value(),
                     static_cast<Change>(rows.smallint(i, 2)), std::nullopt});
      if (!rows.is_null(i, 3)) out.back().old_key = std::string(rows.bytes(i, 3));
    }
    return out;
  }

  // Something that changes, or does not change, a version of "k" in a bucket.
  struct Place {
    const char* name;
    Versioning versioning;
    std::function<void(Changes&)> before;
    std::function<CommitOutcome(Changes&)> act;
    std::optional<Change> what;
    std::optional<std::string> old_key = std::nullopt;
  };

  static std::vector<Place> places();
  static std::vector<Place> refusals();

  // Ends with a bucket of its own in which the place was.
  CommitOutcome perform(const Place& place, bool followed) {
    bucket_ = make_bucket();
    if (place.versioning != Versioning::kNever) set_versioning(place.versioning);
    place.before(*this);
    follow(followed);
    return place.act(*this);
  }

  model::UploadId upload_;
  model::VersionId version_;
};

std::vector<Changes::Place> Changes::places() {
  using enum Versioning;
  const auto nothing = [](Changes&) {};
  const auto one = [](Changes& t) { t.version_ = t.put("k").version; };
  const auto two = [](Changes& t) {
    t.version_ = t.put("k").version;
    t.put("k");
  };
  const auto marker_alone = [](Changes& t) {
    const auto version = t.put("k").version;
    t.version_ = t.remove("k").version;
    t.remove("k", version);
  };
  const auto uploaded = [](Changes& t) {
    t.upload_ = t.begin("k");
    t.put_part(t.upload_, "k", 1, extent(), t.context());
  };
  const auto guarded = [](DeleteObject::Guard guard) {
    return [guard](Changes& t) {
      DeleteObject request = t.delete_request("k");
      request.version = t.version_;
      request.guard = guard;
      return t.remove(std::move(request));
    };
  };
  const auto conditional = [](Changes& t) {
    PutObject request = t.put_request("k");
    request.conditions.if_match = {"e"};
    return t.put(std::move(request));
  };
  const auto put_one = [](Changes& t) { return t.put("k"); };
  const auto remove_one = [](Changes& t) { return t.remove("k"); };
  const auto remove_named = [](Changes& t) { return t.remove("k", t.version_); };
  const auto remove_null = [](Changes& t) {
    DeleteObject request = t.delete_request("k");
    request.null_version = true;
    return t.remove(std::move(request));
  };
  const auto copy_one = [](Changes& t) { return t.copy("from", "k", t.context()); };
  const auto from = [](Changes& t) { t.put("from"); };
  const auto from_and_one = [](Changes& t) {
    t.put("from");
    t.put("k");
  };
  const auto complete_one = [](Changes& t) {
    return t.complete(t.upload_, "k", 1, 1, t.context());
  };
  using Guard = DeleteObject::Guard;
  return {
      {"put of a new key", kNever, nothing, put_one, Change::kPut},
      {"put over an object", kNever, one, put_one, Change::kPut},
      {"put under a condition", kNever, one, conditional, Change::kPut},
      {"put of a version", kEnabled, one, put_one, Change::kPut},
      {"put over the null version", kSuspended, one, put_one, Change::kPut},
      {"copy", kNever, from, copy_one, Change::kCopy},
      {"copy over an object", kNever, from_and_one, copy_one, Change::kCopy},
      {"copy to a version", kEnabled, from_and_one, copy_one, Change::kCopy},
      {"append to nothing", kNever, nothing,
       [](Changes& t) { return t.append("k", 0, t.context()); }, Change::kAppend},
      {"append", kNever, one, [](Changes& t) { return t.append("k", 1, t.context()); },
       Change::kAppend},
      {"rename", kNever, from, [](Changes& t) { return t.rename("from", "k"); }, Change::kRename,
       "from"},
      {"rename over an object", kNever, from_and_one,
       [](Changes& t) { return t.rename("from", "k"); }, Change::kRename, "from"},
      {"tags", kNever, one, [](Changes& t) { return t.tag("k"); }, Change::kUpdate},
      {"tags of an older version", kEnabled, two, [](Changes& t) { return t.tag("k", t.version_); },
       Change::kUpdate},
      {"complete", kNever, uploaded, complete_one, Change::kComplete},
      {"complete to a version", kEnabled, uploaded, complete_one, Change::kComplete},
      {"delete", kNever, one, remove_one, Change::kDelete},
      {"delete behind a marker", kEnabled, one, remove_one, Change::kDeleteMarker},
      {"delete behind a null marker", kSuspended, one, remove_one, Change::kDeleteMarker},
      {"delete of nothing behind a marker", kEnabled, nothing, remove_one, Change::kDeleteMarker},
      {"delete of the newest version", kEnabled, one, remove_named, Change::kDeleteVersion},
      {"delete of an older version", kEnabled, two, remove_named, Change::kDeleteVersion},
      {"delete of the null version", kSuspended, one, remove_null, Change::kDeleteVersion},
      {"delete of a marker", kEnabled, marker_alone, remove_named, Change::kDeleteVersion},
      {"deletes", kNever, one,
       [](Changes& t) {
         return run(t.stores().objects.delete_objects({t.delete_request("k")})).front();
       },
       Change::kDelete},
      {"expiry", kNever, one, guarded(Guard::kCurrent), Change::kDelete},
      {"expiry behind a marker", kEnabled, one, guarded(Guard::kCurrent), Change::kDeleteMarker},
      {"expiry of a noncurrent version", kEnabled, two, guarded(Guard::kNoncurrent),
       Change::kDeleteVersion},
      {"expiry of a lone marker", kEnabled, marker_alone, guarded(Guard::kLoneMarker),
       Change::kDeleteVersion},
  };
}

INSTANTIATE_TEST_SUITE_P(Stores, Changes, ::testing::Values(Implementation::kPostgres),
                         name_of_implementation);

TEST_P(Changes, AreOneRowOfEachPlaceThatChangesAVersion) {
  for (const Place& place : places()) {
    SCOPED_TRACE(place.name);
    const CommitOutcome outcome = perform(place, true);
    ASSERT_EQ(outcome.status, CommitStatus::kCommitted);
    const auto rows = recorded();
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0].key, "k");
    EXPECT_EQ(rows[0].version, outcome.version);
    EXPECT_EQ(rows[0].what, *place.what);
    EXPECT_EQ(rows[0].old_key, place.old_key);
  }
}

TEST_P(Changes, AreNotRecordedWhereNobodyFollows) {
  for (const Place& place : places()) {
    SCOPED_TRACE(place.name);
    EXPECT_EQ(perform(place, false).status, CommitStatus::kCommitted);
    EXPECT_TRUE(recorded().empty());
  }
}

std::vector<Changes::Place> Changes::refusals() {
  using enum Versioning;
  const auto nothing = [](Changes&) {};
  const auto one = [](Changes& t) { t.version_ = t.put("k").version; };
  const auto under = [](CommitContext context) {
    return [context](Changes& t) {
      PutObject request = t.put_request("k");
      request.context.settings_version += context.settings_version;
      request.context.first_time = context.first_time;
      return t.put(std::move(request));
    };
  };
  CommitContext other_settings, long_ago;
  other_settings.settings_version = 1;
  long_ago.first_time = real_clock().now() - 24h;
  return {
      {"put under a condition that does not hold", kNever, one,
       [](Changes& t) {
         PutObject request = t.put_request("k");
         request.conditions.if_none_match = {"*"};
         return t.put(std::move(request));
       },
       std::nullopt},
      {"put under other settings", kNever, nothing, under(other_settings), std::nullopt},
      {"put of old bytes", kNever, nothing, under(long_ago), std::nullopt},
      {"delete of nothing", kNever, nothing, [](Changes& t) { return t.remove("k"); },
       std::nullopt},
      {"delete of a version that is not there", kEnabled, one,
       [](Changes& t) { return t.remove("k", model::VersionId::random()); }, std::nullopt},
      {"append elsewhere", kNever, one, [](Changes& t) { return t.append("k", 7, t.context()); },
       std::nullopt},
      {"rename of nothing", kNever, nothing, [](Changes& t) { return t.rename("no", "k"); },
       std::nullopt},
      {"rename to itself", kNever, one, [](Changes& t) { return t.rename("k", "k"); },
       std::nullopt},
      {"tags of nothing", kNever, nothing, [](Changes& t) { return t.tag("k"); }, std::nullopt},
      {"parts alone", kNever, nothing,
       [](Changes& t) {
         t.upload_ = t.begin("k");
         t.put_part(t.upload_, "k", 1, extent(), t.context());
         run(t.stores().uploads.abort_upload(t.context(), t.upload_, "k"));
         return CommitOutcome();
       },
       std::nullopt},
      {"complete again", kNever,
       [](Changes& t) {
         t.upload_ = t.begin("k");
         t.put_part(t.upload_, "k", 1, extent(), t.context());
         t.complete(t.upload_, "k", 1, 1, t.context());
       },
       [](Changes& t) { return t.complete(t.upload_, "k", 1, 1, t.context()); }, std::nullopt},
  };
}

TEST_P(Changes, AreNoneWhereNothingChanged) {
  set_orphan_age(24h);
  for (const Place& place : refusals()) {
    SCOPED_TRACE(place.name);
    perform(place, true);
    EXPECT_TRUE(recorded().empty());
  }
}

// A batch in which some keys are new, some are there and some are refused.
TEST_P(Changes, OfABatchAreThoseThatCommitted) {
  put("there");
  follow(true);
  const auto outcomes =
      sql("select status, version from put_objects((select array_agg(row(" +
          std::to_string(bucket_.id) +
          ", 0, 0, null, key, clock, 0, 1, 'e', 'o', null, null, null,"
          " null, 0, clock, 1, null, match)::put_row order by key) from (values"
          " ('a'::bytea, '1123456789abcdef'::bytea, null::bytea), ('b', '2123456789abcdef', null),"
          " ('refused', '3123456789abcdef', null), ('there', '4123456789abcdef', '*'),"
          " ('there-too', '5123456789abcdef', '*')) as v(key, clock, match)))");
  ASSERT_EQ(outcomes.rows(), 5u);
  EXPECT_EQ(outcomes.smallint(3, 0), static_cast<int16_t>(CommitStatus::kPreconditionFailed));
  std::multiset<std::string> keys;
  for (const ChangeRow& row : recorded()) keys.insert(row.key);
  EXPECT_EQ(keys, (std::multiset<std::string>{"a", "b", "refused", "there-too"}));
}

// What a reader does: it takes a horizon, waits until it is past, and reads up to it by number.
TEST_P(Changes, AreReadUpToAHorizonInTheOrderOfTheirCommits) {
  follow(true);
  const std::string put_of = "select status from put_objects(array[row(" +
                             std::to_string(bucket_.id) +
                             ", 0, 0, null, '{}', '{}', 0, 1, 'e', 'o', null, null, null, null, 0,"
                             " null, null, null, null)::put_row])";
  const auto statement = [&](const std::string& key, const std::string& clock) {
    std::string text = put_of;
    text.replace(text.find("{}"), 2, key);
    return text.replace(text.find("{}"), 2, clock);
  };
  const auto slow = connection_with_its_own_usage_slot();
  const auto take = [&] {
    const PgResult row = sql("select number, below from change_horizon()");
    return std::pair(row.bigint(0, 0), std::string(row.text(0, 1)));
  };
  const auto past = [&](const std::string& below) {
    return sql("select is_past('" + below + "')").boolean(0, 0);
  };
  const auto keys_up_to = [&](int64_t number) {
    const PgResult rows =
        sql("select key from changes where bucket_id = " + std::to_string(bucket_.id) +
            " and number <= " + std::to_string(number) + " order by number");
    std::string out;
    for (size_t i = 0; i < rows.rows(); ++i) out += rows.bytes(i, 0);
    return out;
  };

  // "a" has drawn its number first, and commits after "b".
  ASSERT_TRUE(slow->script("begin", soon()));
  sql(*slow, statement("a", "0123456789abcde1"));
  sql(statement("b", "0123456789abcde2"));
  const auto [number, below] = take();
  EXPECT_EQ(keys_up_to(number), "b");
  EXPECT_FALSE(past(below)) << "a reader that went on by what it sees would never see a";
  // What comes later does not move a horizon.
  sql(statement("c", "0123456789abcde3"));
  EXPECT_FALSE(past(below));
  ASSERT_TRUE(slow->script("commit", soon()));
  EXPECT_TRUE(past(below));
  EXPECT_EQ(keys_up_to(number), "ab");

  const auto [next, next_below] = take();
  EXPECT_TRUE(past(next_below));
  EXPECT_EQ(keys_up_to(next), "abc");
}

// Commits of one key wait for each other, so their numbers do, whichever transaction is older.
TEST_P(Changes, OfOneKeyAreInTheOrderOfItsVersions) {
  follow(true);
  constexpr int kWriters = 4, kCommits = 30;
  std::vector<std::unique_ptr<PostgresMetadata>> gateways;
  for (int i = 0; i < kWriters; ++i) gateways.push_back(make_other());
  std::vector<std::thread> writers;
  for (const auto& gateway : gateways) {
    writers.emplace_back([&, objects = &gateway->stores().objects] {
      for (int i = 0; i < kCommits; ++i) {
        run(objects->put_object(put_request("k" + std::to_string(i % 3))));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  std::map<std::string, model::VersionId> last;
  const auto rows = recorded();
  EXPECT_EQ(rows.size(), size_t{kWriters} * kCommits);
  for (const ChangeRow& row : rows) {
    EXPECT_LT(last[row.key], row.version) << row.key;
    last[row.key] = row.version;
  }
}

// --- Layouts ---

constexpr auto kOther = static_cast<Layout>(7);
constexpr auto kThird = static_cast<Layout>(300 % 256);

class Layouts : public Commits {
 protected:
  std::vector<Layout> of(const std::string& key) {
    std::vector<Layout> out;
    for (const Extent& extent : newest(key).extents) out.push_back(extent.layout);
    return out;
  }

  PutObject request_of(const std::string& key, Extent extent) {
    PutObject request = put_request(key, extent.length);
    request.version.extents = {extent};
    return request;
  }
};

INSTANTIATE_TEST_SUITE_P(Stores, Layouts, all_implementations(), name_of_implementation);

// Wherever an extent lies and whatever it goes through.
TEST_P(Layouts, AreKeptWithEachExtent) {
  using Some = std::vector<Layout>;
  constexpr uint64_t kPart = 5 << 20;
  put(request_of("one", extent(3, kOther)));
  EXPECT_EQ(of("one"), Some{kOther});
  put(request_of("one", extent(3, kThird)));
  EXPECT_EQ(of("one"), Some{kThird}) << "over an object";
  copy("one", "copy", context());
  EXPECT_EQ(of("copy"), Some{kThird});
  AppendObject append{request_of("one", extent(2, kOther)), 3, "e"};
  EXPECT_EQ(run(stores().objects.append_object(append)).status, CommitStatus::kCommitted);
  EXPECT_EQ(of("one"), (Some{kThird, kOther}));
  append = {request_of("one", extent(2, Layout::kReplicated)), 5, "e"};
  EXPECT_EQ(run(stores().objects.append_object(append)).status, CommitStatus::kCommitted);
  EXPECT_EQ(of("one"), (Some{kThird, kOther, Layout::kReplicated}));
  copy("one", "copy", context());
  EXPECT_EQ(of("copy"), (Some{kThird, kOther, Layout::kReplicated}));
  append = {request_of("first", extent(2, kOther)), 0, ""};
  EXPECT_EQ(run(stores().objects.append_object(append)).status, CommitStatus::kCommitted);
  EXPECT_EQ(of("first"), Some{kOther});

  const auto alone = begin("alone");
  put_part(alone, "alone", 1, extent(1, kOther), context());
  EXPECT_EQ(complete(alone, "alone", 1, 1, context()).status, CommitStatus::kCommitted);
  EXPECT_EQ(of("alone"), Some{kOther});
  const auto both = begin("both");
  put_part(both, "both", 1, extent(kPart, kOther), context());
  put_part(both, "both", 2, extent(1, kThird), context());
  EXPECT_EQ(complete(both, "both", 2, kPart + 1, context()).status, CommitStatus::kCommitted);
  EXPECT_EQ(of("both"), (Some{kOther, kThird}));

  // Parts over the extents of versions with one and with several.
  const auto copied = begin("copied");
  uint32_t number = 0;
  for (const char* source : {"both", "alone"}) {
    const ObjectVersion from = newest(source);
    CopyPart part{{context(), copied, "copied", {}, {}}, {bucket_.id, source, from.version, "e"}};
    part.put.part = {.number = ++number, .size = from.size, .etag = "p"};
    EXPECT_EQ(run(stores().uploads.copy_part(part)).status, CommitStatus::kCommitted);
  }
  EXPECT_EQ(complete(copied, "copied", 2, kPart + 2, context()).status, CommitStatus::kCommitted);
  EXPECT_EQ(of("copied"), (Some{kOther, kThird, kOther}));

  set_versioning(Versioning::kEnabled);
  const auto version = newest("alone").version;
  put("alone");
  const auto older = run(stores().objects.find_object({.bucket = bucket_.name,
                                                       .key = "alone",
                                                       .version = version,
                                                       .range = {ExtentRange::Kind::kAll},
                                                       .deadline = soon()}));
  EXPECT_EQ(older.object.extents.at(0).layout, kOther) << "in the history";
}

// --- How old bytes may be ---

class FirstTime : public Commits {
 protected:
  static constexpr auto kAge = 24h;

  void SetUp() override {
    Commits::SetUp();
    set_orphan_age(kAge);
  }

  struct Write {
    const char* name;
    std::function<CommitOutcome(FirstTime&, const CommitContext&)> act;
  };

  // What brings in bytes that no row refers to yet.
  static std::vector<Write> writes() {
    return {
        {"put",
         [](FirstTime& t, const CommitContext& context) {
           PutObject request = t.put_request("put");
           request.context = context;
           return t.put(std::move(request));
         }},
        {"put over an object",
         [](FirstTime& t, const CommitContext& context) {
           PutObject request = t.put_request("there");
           request.context = context;
           request.conditions.if_match = {"e"};
           return t.put(std::move(request));
         }},
        {"append to nothing",
         [](FirstTime& t, const CommitContext& context) { return t.append("new", 0, context); }},
        {"append",
         [](FirstTime& t, const CommitContext& context) {
           return t.append("there", t.newest("there").size, context);
         }},
        {"part",
         [](FirstTime& t, const CommitContext& context) {
           return t.put_part(t.begin("part"), "part", 1, extent(), context);
         }},
    };
  }
};

INSTANTIATE_TEST_SUITE_P(Stores, FirstTime, all_implementations(), name_of_implementation);

TEST_P(FirstTime, OlderThanHalfOfTheOrphanAgeIsRefused) {
  put("there");
  for (const Write& write : writes()) {
    SCOPED_TRACE(write.name);
    const SystemTime now = real_clock().now();
    EXPECT_EQ(write.act(*this, begun(now - kAge / 2 - 5min)).status, CommitStatus::kStreamTooOld);
    EXPECT_EQ(write.act(*this, begun(now - kAge / 2 + 5min)).status, CommitStatus::kCommitted);
    EXPECT_EQ(write.act(*this, context()).status,
              std::string_view(write.name) == "append to nothing" ? CommitStatus::kOffsetMismatch
                                                                  : CommitStatus::kCommitted)
        << "without new bytes";
  }
}

class FirstTimeInSql : public FirstTime {};

INSTANTIATE_TEST_SUITE_P(Stores, FirstTimeInSql, ::testing::Values(Implementation::kPostgres),
                         name_of_implementation);

// Of a batch those alone that are too old, in whatever place, and nothing of them stays.
TEST_P(FirstTimeInSql, RefusesRowsOfABatchAndNotTheOthers) {
  for (size_t old = 0; old < 4; ++old) {
    bucket_ = make_bucket();
    std::string rows;
    for (size_t i = 0; i < 4; ++i) {
      const int hours = i == old || i == 3 ? 13 : 1;
      rows += (rows.empty() ? "row(" : ", row(") + std::to_string(bucket_.id) +
              ", 0, 0, now_ms() - " + std::to_string(hours) + " * 3600000, 'k" + std::to_string(i) +
              "', '012345678" + std::to_string(i) +
              "abcdef', 0, 1, 'e', 'o', null, null, null, null, 0, '012345678901', 1, null,"
              " null)::put_row";
    }
    const PgResult outcomes = sql("select status from put_objects(array[" + rows + "])");
    ASSERT_EQ(outcomes.rows(), 4u);
    for (size_t i = 0; i < 4; ++i) {
      const auto wanted =
          i == old || i == 3 ? CommitStatus::kStreamTooOld : CommitStatus::kCommitted;
      EXPECT_EQ(outcomes.smallint(i, 0), static_cast<int16_t>(wanted)) << i << ", old " << old;
      EXPECT_EQ(newest("k" + std::to_string(i)).etag.empty(), wanted != CommitStatus::kCommitted);
    }
  }
}

// Rows refer to them already, however old they are.
TEST_P(FirstTime, OfBytesThatRowsReferToIsNotAsked) {
  const SystemTime month_ago = real_clock().now() - std::chrono::days(30);
  put("old");
  const auto upload = begin("parts");
  put_part(upload, "parts", 1, extent(), context());
  EXPECT_EQ(complete(upload, "parts", 1, 1, begun(month_ago)).status, CommitStatus::kCommitted);
  EXPECT_EQ(copy("old", "copy", begun(month_ago)).status, CommitStatus::kCommitted);
  const auto other = begin("copied");
  CopyPart part{{begun(month_ago), other, "copied", {}, {}},
                {bucket_.id, "old", newest("old").version, "e"}};
  part.put.part = {.number = 1, .size = 1, .etag = "p"};
  EXPECT_EQ(run(stores().uploads.copy_part(part)).status, CommitStatus::kCommitted);
}

// Whatever a gateway's own clock shows: bytes are as old as the database's clock says.
TEST_P(FirstTime, OfAGatewayWhoseClockIsOffIsTheDatabases) {
  using std::chrono::days;
  put("there");
  for (const std::chrono::microseconds off :
       {std::chrono::microseconds(days(1)), std::chrono::microseconds(-days(1)),
        std::chrono::microseconds(-days(30))}) {
    fakes::ManualClock clock(real_clock().now() + off);
    membership::AgeClock ages(clock);
    ages.sample(run(stores().gc.garbage_state(soon())).now, clock.boot_now());
    for (const Write& write : writes()) {
      SCOPED_TRACE(write.name);
      if (std::string_view(write.name) == "append to nothing") remove("new");
      EXPECT_EQ(write.act(*this, begun(ages.database().now())).status, CommitStatus::kCommitted);
      // Bytes that were begun half a day ago and more.
      clock.sleep(-13h);
      EXPECT_EQ(write.act(*this, begun(ages.database().now())).status, CommitStatus::kStreamTooOld);
      clock.sleep(13h);
    }
  }
}

// It goes by the greatest age of all gateways, which is what the scan goes by at least; before any
// has said one there is no scan.
TEST_P(FirstTime, IsMeasuredByTheAgeOfTheCluster) {
  const CommitContext days_ago = begun(real_clock().now() - std::chrono::days(3));
  const Write put = writes().front();
  EXPECT_EQ(put.act(*this, days_ago).status, CommitStatus::kStreamTooOld);
  set_orphan_age(std::chrono::days(7));
  EXPECT_EQ(put.act(*this, days_ago).status, CommitStatus::kCommitted);
  set_orphan_age(0s);
  EXPECT_EQ(put.act(*this, begun(SystemTime(1s))).status, CommitStatus::kCommitted);
}

}  // namespace
}  // namespace rondel::metadata
