// The lifecycle job alone: what it asks, removes and remembers, with a store in memory.
#include "jobs/lifecycle/lifecycle_runner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "common/async/event_loop.h"
#include "tests/fakes/manual_clock.h"
#include "tests/unit/gateway/api/one_object_store.h"
#include "tests/unit/gateway/api/one_upload_store.h"

namespace rondel::lifecycle {
namespace {

using namespace std::chrono_literals;
using metadata::CommitStatus;
using metadata::DeleteObject;
using metadata::LifecyclePage;
using metadata::LifecycleQuery;
using metadata::LifecycleScan;
using metadata::LifecycleVersion;

constexpr SystemTime kChanged{};  // Since when a key is due that a client changed.

template <class T>
using Answer = async::Task<Result<T>>;

std::string place_of(const LifecycleVersion& version) {
  return std::string(reinterpret_cast<const char*>(version.version.bytes.data()),
                     model::VersionId::kBytes);
}

class MemoryRules final : public metadata::LifecycleStore,
                          public metadata::LifecycleCursors,
                          public metadata::LifecycleRechecks {
 public:
  Answer<std::vector<std::string>> accounts(std::string after, uint32_t max, Deadline) override {
    std::set<std::string> found;
    for (const auto& bucket : all_buckets) {
      if (bucket.owner_account > after) found.insert(bucket.owner_account);
    }
    std::vector<std::string> page(found.begin(), found.end());
    if (page.size() > max) page.resize(max);
    co_return page;
  }

  Answer<std::vector<metadata::LifecycleBucket>> buckets(std::string account, int64_t after_id,
                                                         uint32_t max, Deadline) override {
    std::vector<metadata::LifecycleBucket> page;
    for (const auto& bucket : all_buckets) {
      if (bucket.id > after_id && bucket.owner_account == account && page.size() < max) {
        page.push_back(bucket);
      }
    }
    co_return page;
  }

  Answer<std::string> cursor(int64_t bucket_id, LifecycleScan scan, std::string rule,
                             Deadline) override {
    co_return cursors[{bucket_id, scan, rule}];
  }

  Answer<void> move_cursor(int64_t bucket_id, LifecycleScan scan, std::string rule,
                           std::string position, Deadline) override {
    cursors[{bucket_id, scan, rule}] = position;
    co_return Result<void>{};
  }

  Answer<void> keep_cursors(int64_t bucket_id, std::vector<std::string> rules, Deadline) override {
    std::erase_if(cursors, [&](const auto& entry) {
      const auto& [bucket, scan, rule] = entry.first;
      return bucket == bucket_id && std::ranges::find(rules, rule) == rules.end();
    });
    co_return Result<void>{};
  }

  Answer<LifecyclePage> current_by_age(LifecycleQuery query) override {
    return page(
        std::move(query),
        [](const LifecycleVersion& version) { return version.current && !version.delete_marker; },
        &LifecycleVersion::created);
  }

  Answer<LifecyclePage> current_by_key(LifecycleQuery query, std::string prefix) override {
    LifecyclePage out{{}, query.position, false};
    for (const LifecycleVersion& version : of(query.bucket_id)) {
      if (!version.current || version.delete_marker || !version.key.starts_with(prefix) ||
          version.key <= query.position || version.created > query.until) {
        continue;
      }
      out.more = out.versions.size() == query.max;
      if (out.more) break;
      out.versions.push_back(version);
      out.position = version.key;
    }
    co_return out;
  }

  Answer<LifecyclePage> replaced(LifecycleQuery query) override {
    return page(
        std::move(query), [](const LifecycleVersion& version) { return !version.current; },
        &LifecycleVersion::replaced);
  }

  Answer<LifecyclePage> pushed_back(LifecycleQuery) override { co_return LifecyclePage{}; }

  Answer<LifecyclePage> lone_markers(LifecycleQuery query) override {
    return page(
        std::move(query), [](const LifecycleVersion& version) { return version.lone; },
        &LifecycleVersion::created);
  }

  Answer<std::vector<metadata::LifecycleUpload>> uploads(LifecycleQuery query) override {
    std::vector<metadata::LifecycleUpload> out;
    for (const auto& upload : open_uploads) {
      if (upload.initiated <= query.until && query.position.empty()) out.push_back(upload);
    }
    if (!out.empty()) out.back().position = "behind all";
    co_return out;
  }

  Answer<std::vector<std::string>> rechecks(int64_t, SystemTime now, uint32_t max,
                                            Deadline) override {
    std::vector<std::string> keys;
    for (const auto& [key, due] : queued) {
      if (due <= now && keys.size() < max) keys.push_back(key);
    }
    co_return keys;
  }

  Answer<void> forget_rechecks(int64_t, std::vector<std::string> keys, SystemTime now,
                               Deadline) override {
    for (const std::string& key : keys) {
      if (queued.contains(key) && queued[key] <= now) queued.erase(key);
    }
    co_return Result<void>{};
  }

  Answer<void> recheck_later(int64_t, std::vector<std::string> keys, SystemTime due,
                             Deadline) override {
    for (std::string& key : keys) {
      const auto found = queued.find(key);
      const bool sooner = found != queued.end() && found->second >= kChanged && found->second < due;
      if (!sooner) queued[std::move(key)] = due;
    }
    co_return Result<void>{};
  }

  Answer<std::vector<LifecycleVersion>> versions_of(int64_t bucket_id,
                                                    std::vector<std::string> keys, uint32_t max,
                                                    Deadline) override {
    if (rechecks_fail) co_return std::unexpected(*rechecks_fail);
    std::vector<LifecycleVersion> out;
    for (const LifecycleVersion& version : of(bucket_id)) {
      if (std::ranges::find(keys, version.key) != keys.end() && out.size() < max) {
        out.push_back(version);
      }
    }
    if (after_reading) std::exchange(after_reading, {})();
    co_return out;
  }

  Answer<std::vector<LifecycleVersion>> older_versions(int64_t bucket_id, std::string key,
                                                       model::VersionId before, uint32_t newer,
                                                       uint32_t max, Deadline) override {
    std::vector<LifecycleVersion> out;
    for (const LifecycleVersion& version : of(bucket_id)) {
      if (version.key != key || version.current || !(version.version < before) ||
          out.size() == max) {
        continue;
      }
      out.push_back(version);
      out.back().newer_noncurrent = newer++;
    }
    co_return out;
  }

  const std::vector<LifecycleVersion>& of(int64_t bucket_id) { return versions[bucket_id]; }

  std::vector<metadata::LifecycleBucket> all_buckets;
  // In order of keys, which is that of versions too.
  std::map<int64_t, std::vector<LifecycleVersion>> versions;
  std::vector<metadata::LifecycleUpload> open_uploads;
  std::map<std::string, SystemTime> queued;
  // What a client does when the versions of keys have been read, once.
  std::function<void()> after_reading;
  std::function<void(int64_t bucket)> on_page;  // Whenever one by age is read.
  std::optional<Error> rechecks_fail;
  std::map<std::tuple<int64_t, LifecycleScan, std::string>, std::string> cursors;

 private:
  template <class Wanted>
  Answer<LifecyclePage> page(LifecycleQuery query, Wanted wanted,
                             SystemTime LifecycleVersion::* time) {
    if (on_page) on_page(query.bucket_id);
    LifecyclePage out{{}, query.position, false};
    for (const LifecycleVersion& version : of(query.bucket_id)) {
      if (!wanted(version) || place_of(version) <= query.position || version.*time > query.until) {
        continue;
      }
      out.more = out.versions.size() == query.max;
      if (out.more) break;
      out.versions.push_back(version);
      out.position = place_of(version);
    }
    co_return out;
  }
};

// Removes from the rules' store what may be removed, and keeps what was asked.
class Objects final : public api::OneObjectStore {
 public:
  explicit Objects(MemoryRules& rules) : rules_(rules) {}

  async::Task<metadata::Committed<std::vector<metadata::CommitOutcome>>> delete_objects(
      std::vector<DeleteObject> requests) override {
    std::vector<metadata::CommitOutcome> outcomes;
    ++commits;
    for (DeleteObject& request : requests) {
      metadata::CommitOutcome outcome;
      outcome.status =
          answers.contains(request.key) ? answers[request.key] : CommitStatus::kCommitted;
      if (outcome.status == CommitStatus::kCommitted) {
        std::erase_if(
            rules_.versions[request.context.bucket_id],
            [&](const LifecycleVersion& version) { return version.version == request.version; });
      }
      outcomes.push_back(outcome);
      asked.push_back(std::move(request));
    }
    if (after_removing) std::exchange(after_removing, {})();
    co_return outcomes;
  }

  std::map<std::string, CommitStatus> answers;
  std::function<void()> after_removing;  // What a client does when removals were answered, once.
  std::vector<DeleteObject> asked;
  int commits = 0;

 private:
  MemoryRules& rules_;
};

class Uploads final : public api::OneUploadStore {
 public:
  async::Task<metadata::Committed<CommitStatus>> abort_upload(metadata::CommitContext,
                                                              model::UploadId,
                                                              std::string key) override {
    aborted.insert(key);
    co_return CommitStatus::kCommitted;
  }

  std::set<std::string> aborted;
};

class LifecycleRunnerTest : public testing::Test {
 protected:
  static constexpr auto kDay = 1h;

  LifecycleRunnerTest() { add_bucket(1, expire_after_a_day()); }

  static lifecycle::Rule expire_after_a_day() {
    lifecycle::Rule rule;
    rule.id = "r";
    rule.days = 1;
    return rule;
  }

  void add_bucket(int64_t id, const lifecycle::Rule& rule,
                  const std::string& account = "111111111111") {
    metadata::LifecycleBucket bucket;
    bucket.id = id;
    bucket.settings_version = 7;
    bucket.versioning = metadata::Versioning::kEnabled;
    bucket.owner_account = account;
    bucket.document = lifecycle::encode(lifecycle::Configuration{{rule}});
    std::erase_if(rules_.all_buckets, [id](const auto& known) { return known.id == id; });
    rules_.all_buckets.push_back(bucket);
  }

  // As after a scan that has seen every version: what is queued alone is looked at.
  void expire_nothing_by_age() {
    const std::string rule =
        lifecycle::encode(lifecycle::decode(rules_.all_buckets.front().document)->rules.front());
    rules_.cursors[{1, LifecycleScan::kCurrent, rule}] =
        "a" + std::string(model::VersionId::kBytes, '\xff');
  }

  LifecycleVersion& add(const std::string& key, Duration age, int64_t bucket = 1) {
    LifecycleVersion version;
    version.key = key;
    std::array<std::byte, model::VersionId::kBytes> id{};
    id.back() = std::byte(++made_);
    version.version = model::VersionId::from_bytes(id).value();
    version.created = clock_.now() - std::chrono::duration_cast<std::chrono::microseconds>(age);
    return rules_.versions[bucket].emplace_back(std::move(version));
  }

  Result<void> run() { return run(runner_); }

  Result<void> run(LifecycleRunner& runner) {
    const jobs::Term term(1, [this] { return leader_; });
    return async::block_on(runner.run_round(term));
  }

  size_t left(int64_t bucket = 1) { return rules_.of(bucket).size(); }

  MemoryRules rules_;
  Objects objects_{rules_};
  Uploads uploads_;
  fakes::ManualClock clock_{SystemTime(std::chrono::hours(24 * 365 * 50))};
  bool leader_ = true;
  uint8_t made_ = 0;
  LifecycleRunner runner_{{rules_, rules_, rules_, objects_, uploads_},
                          {.calendar = {kDay}, .page = 2, .batch = 2, .rechecked_versions = 4},
                          clock_};
};

TEST_F(LifecycleRunnerTest, ExpiresWhatIsOldAndLooksAtItOnce) {
  for (const char* key : {"a", "b", "c", "d", "e"}) add(key, 2h);
  add("young", 30min);
  objects_.answers["c"] = CommitStatus::kPreconditionFailed;  // Written meanwhile.
  ASSERT_TRUE(run());
  EXPECT_EQ(left(), 2u);
  EXPECT_EQ(objects_.commits, 3) << "batches of two";
  ASSERT_EQ(objects_.asked.size(), 5u);
  for (const DeleteObject& request : objects_.asked) {
    EXPECT_EQ(request.guard, DeleteObject::Guard::kCurrent);
    EXPECT_TRUE(request.version);
    EXPECT_EQ(request.context.settings_version, 7);
    EXPECT_EQ(request.versioning, metadata::Versioning::kEnabled);
    EXPECT_EQ(request.owner_account, "111111111111");
    EXPECT_FALSE(request.bypass_governance);
  }
  EXPECT_EQ(runner_.status().expired_total, 4u);
  EXPECT_EQ(runner_.status().examined_total, 5u);
  ASSERT_TRUE(run());
  EXPECT_EQ(runner_.status().examined_total, 5u) << "it kept its place";
  clock_.advance(1h);
  ASSERT_TRUE(run());
  EXPECT_EQ(runner_.status().examined_total, 6u) << "what has come of age since";
  EXPECT_EQ(left(), 1u);
}

TEST_F(LifecycleRunnerTest, RulesOfVeryManyDaysRemoveNothing) {
  LifecycleRunner real({rules_, rules_, rules_, objects_, uploads_},
                       {.page = 2, .batch = 2, .rechecked_versions = 4}, clock_);
  for (const uint32_t days : {106'751u, 106'751'991u, 106'751'992u, 150'000'000u, 213'503'982u,
                              999'999'999u, uint32_t{INT32_MAX}, UINT32_MAX}) {
    lifecycle::Rule rule;
    rule.id = "never";
    rule.days = rule.noncurrent_days = rule.abort_days = days;
    rule.filter.prefix = days % 2 == 0 ? "" : "k";  // By age, and by key.
    add_bucket(1, rule);
    rules_.versions.clear();
    add("k", 100h);
    LifecycleVersion& old = add("k-old", 100h);
    old.current = false;
    old.replaced = old.created;
    LifecycleVersion& marker = add("k-marker", 100h);
    marker.delete_marker = marker.lone = true;
    rules_.queued = {{"k", kChanged}, {"k-old", kChanged}, {"k-marker", kChanged}};
    metadata::LifecycleUpload upload;
    upload.key = "k-upload";
    upload.initiated = clock_.now() - 100h;
    rules_.open_uploads = {upload};
    ASSERT_TRUE(run(real)) << days;
    EXPECT_EQ(left(), 3u) << days;
    EXPECT_TRUE(uploads_.aborted.empty()) << days;
  }
}

TEST_F(LifecycleRunnerTest, APassThatAFastClockBeganIsTakenOver) {
  lifecycle::Rule below = expire_after_a_day();
  below.filter.prefix = "logs/";
  add_bucket(1, below);
  for (int i = 0; i < 3; ++i) {
    LifecycleVersion& version = add("logs/" + std::to_string(i), 30min);
    // As real ones are: by the time they were made.
    const auto made =
        std::chrono::floor<std::chrono::milliseconds>(version.created).time_since_epoch().count();
    store_be(version.version.bytes.data(), static_cast<uint64_t>(made) << 16);
  }
  std::string ahead = "k";
  ahead.resize(9);
  store_be(reinterpret_cast<std::byte*>(ahead.data() + 1),
           static_cast<uint64_t>((clock_.now() + 240h).time_since_epoch().count()));
  rules_.cursors[{1, LifecycleScan::kCurrent, lifecycle::encode(below)}] = ahead;
  ASSERT_TRUE(run());
  EXPECT_EQ(left(), 3u) << "they are young";
  clock_.advance(1h);
  ASSERT_TRUE(run());
  EXPECT_EQ(left(), 0u) << "and come of age as any";
}

TEST_F(LifecycleRunnerTest, AChangedRuleBeginsAnew) {
  lifecycle::Rule tagged = expire_after_a_day();
  tagged.filter.tags = {{"gone", "yes"}};
  add_bucket(1, tagged);
  add("a", 2h);
  ASSERT_TRUE(run());
  EXPECT_EQ(left(), 1u);
  add_bucket(1, expire_after_a_day());
  ASSERT_TRUE(run());
  EXPECT_EQ(left(), 0u);
  EXPECT_EQ(rules_.cursors.size(), 1u) << "of the rule that is left";
}

TEST_F(LifecycleRunnerTest, WithAPrefixTheFirstPassGoesByKey) {
  lifecycle::Rule below = expire_after_a_day();
  below.filter.prefix = "logs/";
  add_bucket(1, below);
  add("data/1", 2h);
  for (int i = 0; i < 5; ++i) add("logs/" + std::to_string(i), 2h);
  ASSERT_TRUE(run());
  EXPECT_EQ(left(), 1u);
  EXPECT_EQ(runner_.status().examined_total, 5u) << "nothing beside the prefix";
  EXPECT_EQ(rules_.cursors.begin()->second.front(), 'a') << "from now on by age";
}

TEST_F(LifecycleRunnerTest, WhatALockKeepsIsAskedAgainADayLater) {
  add("locked", 2h);
  objects_.answers["locked"] = CommitStatus::kObjectLocked;
  ASSERT_TRUE(run());
  EXPECT_EQ(runner_.status().locked_total, 1u);
  EXPECT_EQ(rules_.queued.at("locked"), clock_.now() + kDay);
  objects_.answers.clear();
  ASSERT_TRUE(run());
  EXPECT_EQ(left(), 1u) << "not yet";
  clock_.advance(kDay);
  ASSERT_TRUE(run());
  EXPECT_EQ(left(), 0u);
  EXPECT_TRUE(rules_.queued.empty());
}

TEST_F(LifecycleRunnerTest, AChangeWhileItsKeyIsLookedAtAgainIsNotForgotten) {
  lifecycle::Rule tagged = expire_after_a_day();
  tagged.filter.tags = {{"gone", "yes"}};
  add_bucket(1, tagged);
  add("a", 2h);
  add("b", 2h);
  rules_.queued = {{"a", kChanged}};
  rules_.after_reading = [&] {
    rules_.versions[1].front().tags = tagged.filter.tags;
    rules_.queued["a"] = kChanged;
  };
  ASSERT_TRUE(run());
  EXPECT_EQ(left(), 2u);
  EXPECT_EQ(rules_.queued, (std::map<std::string, SystemTime>{{"a", kChanged}}));
  ASSERT_TRUE(run());
  EXPECT_EQ(left(), 1u);
  EXPECT_TRUE(rules_.queued.empty());
}

TEST_F(LifecycleRunnerTest, AChangeWhileALockIsFoundIsNotPutOffToTheNextDay) {
  add("a", 2h);
  add("a", 2h);
  expire_nothing_by_age();
  rules_.queued = {{"a", kChanged}};
  objects_.answers["a"] = CommitStatus::kObjectLocked;
  rules_.after_reading = [&] { rules_.queued["a"] = kChanged; };
  objects_.after_removing = [&] { objects_.answers.clear(); };
  ASSERT_TRUE(run());
  EXPECT_EQ(left(), 2u);
  EXPECT_EQ(rules_.queued, (std::map<std::string, SystemTime>{{"a", kChanged}}));
  ASSERT_TRUE(run());
  EXPECT_EQ(left(), 0u);
  EXPECT_TRUE(rules_.queued.empty());
}

TEST_F(LifecycleRunnerTest, OneRunLooksAtAllKeysThatAreQueued) {
  for (const char* key : {"a", "b", "c", "d", "e", "f", "g"}) rules_.queued[key] = kChanged;
  for (const char* key : {"a", "b", "b", "b", "c", "d", "e", "f", "f", "f", "g"}) add(key, 2h);
  expire_nothing_by_age();
  ASSERT_TRUE(run());
  EXPECT_EQ(left(), 0u);
  EXPECT_TRUE(rules_.queued.empty());
}

TEST_F(LifecycleRunnerTest, AKeyOfManyVersionsKeepsTheOthersQueued) {
  for (int i = 0; i < 4; ++i) add("many", 2h);
  add("next", 2h);
  rules_.queued = {{"many", kChanged}, {"next", kChanged}};
  expire_nothing_by_age();
  ASSERT_TRUE(run());
  EXPECT_EQ(left(), 0u);
  EXPECT_TRUE(rules_.queued.empty());
}

TEST_F(LifecycleRunnerTest, ChangedSettingsLeaveTheRestToTheNextRun) {
  for (const char* key : {"a", "b", "c", "d", "e"}) add(key, 2h);
  objects_.answers["b"] = CommitStatus::kSettingsChanged;
  ASSERT_TRUE(run());
  EXPECT_EQ(objects_.commits, 1);
  EXPECT_TRUE(rules_.cursors.empty() || rules_.cursors.begin()->second.empty())
      << "the page is looked at again";
  objects_.answers.clear();
  ASSERT_TRUE(run());
  EXPECT_EQ(left(), 0u);
}

TEST_F(LifecycleRunnerTest, ABucketThatFailsDoesNotStopTheOthers) {
  add_bucket(2, expire_after_a_day());
  rules_.all_buckets.front().document = "unreadable";
  add("a", 2h, 2);
  EXPECT_EQ(run().error().code, ErrorCode::kCorruption);
  EXPECT_EQ(left(2), 0u);
}

TEST_F(LifecycleRunnerTest, WhoDoesNotLeadRemovesNothing) {
  add("a", 2h);
  leader_ = false;
  ASSERT_TRUE(run());
  EXPECT_EQ(left(), 1u);
}

TEST_F(LifecycleRunnerTest, NoncurrentVersionsMarkersAndUploadsGoByTheirOwnAges) {
  lifecycle::Rule rule;
  rule.id = "r";
  rule.noncurrent_days = 1;
  rule.lone_markers = true;
  rule.abort_days = 1;
  add_bucket(1, rule);
  LifecycleVersion& old = add("a", 5h);
  old.current = false;
  old.replaced = clock_.now() - 2h;
  LifecycleVersion& late = add("b", 5h);
  late.current = false;
  late.replaced = clock_.now() - 30min;
  LifecycleVersion& marker = add("c", 5h);
  marker.delete_marker = marker.lone = true;
  add("d", 5h);
  rules_.open_uploads = {{model::UploadId::random(), "old upload", clock_.now() - 2h},
                         {model::UploadId::random(), "new upload", clock_.now()}};
  ASSERT_TRUE(run());
  std::map<std::string, DeleteObject::Guard> guards;
  for (const DeleteObject& request : objects_.asked) guards[request.key] = request.guard;
  EXPECT_EQ(guards,
            (std::map<std::string, DeleteObject::Guard>{{"a", DeleteObject::Guard::kNoncurrent},
                                                        {"c", DeleteObject::Guard::kLoneMarker}}));
  EXPECT_EQ(uploads_.aborted, std::set<std::string>{"old upload"});
  EXPECT_EQ(runner_.status().removed_total, 2u);
  EXPECT_EQ(runner_.status().aborted_total, 1u);
}

// Whichever clock is off, and by how much: what is young stays, and goes by its own age when all is
// right.
TEST_F(LifecycleRunnerTest, NoClockThatJumpsMakesAnythingOld) {
  using std::chrono::days;
  using std::chrono::microseconds;
  lifecycle::Rule rule;
  rule.id = "r";
  rule.days = 1;
  rule.noncurrent_days = 1;
  rule.abort_days = 1;
  add_bucket(1, rule);
  membership::AgeClock ages(clock_);
  LifecycleRunner runner({rules_, rules_, rules_, objects_, uploads_},
                         {.calendar = {24h}, .ages = &ages}, clock_);
  SystemTime right = clock_.now();
  ages.sample(right, clock_.steady_now());
  const auto pass = [&](microseconds time) {
    for (; time > microseconds(0); time -= 30s) {
      clock_.advance(30s);
      right += 30s;
      ages.sample(right, clock_.steady_now());
    }
  };
  for (const microseconds by : {microseconds(days(1)), microseconds(days(7)),
                                microseconds(-days(1)), microseconds(-days(7))}) {
    for (const bool gateway : {true, false}) {
      for (const bool database : {true, false}) {
        SCOPED_TRACE(std::to_string(by.count()) + (gateway ? " gateway" : "") +
                     (database ? " database" : ""));
        rules_.cursors.clear();
        rules_.versions.clear();
        objects_.asked.clear();
        uploads_.aborted.clear();
        add("current", 1h);
        LifecycleVersion& old = add("noncurrent", 1h);
        old.current = false;
        old.replaced = right - 1h;
        rules_.open_uploads = {{model::UploadId::random(), "upload", right - 1h}};
        clock_.set(right + (gateway ? by : microseconds(0)));
        ages.sample(right + (database ? by : microseconds(0)), clock_.steady_now());
        ASSERT_TRUE(run(runner));
        EXPECT_TRUE(objects_.asked.empty());
        EXPECT_TRUE(uploads_.aborted.empty());
        clock_.set(right);
        ages.sample(right, clock_.steady_now());
        ASSERT_TRUE(run(runner));
        EXPECT_TRUE(objects_.asked.empty());
        pass(days(2));
        ASSERT_TRUE(run(runner));
        EXPECT_EQ(objects_.asked.size(), 2u);
        EXPECT_EQ(uploads_.aborted, std::set<std::string>{"upload"});
      }
    }
  }
}

// Pages take 600 ms: a bucket has one in its slice, an account four in its turn.
TEST_F(LifecycleRunnerTest, AnAccountWithMuchToDoKeepsOthersWaitingForATurn) {
  const std::string busy = "111111111111", next = "222222222222";
  rules_.all_buckets.clear();
  const std::vector<int64_t> of_busy = {1, 2, 3, 4, 5, 6};
  for (const int64_t bucket : of_busy) {
    add_bucket(bucket, expire_after_a_day(), busy);
    for (int i = 0; i < 10; ++i) add("k" + std::to_string(i), 2h, bucket);
  }
  add_bucket(100, expire_after_a_day(), next);
  add("late", 2h, 100);
  rules_.on_page = [this](int64_t bucket) { clock_.advance(bucket == 100 ? 0ms : 600ms); };
  const auto left_of_busy = [&] {
    size_t all = 0;
    for (const int64_t bucket : of_busy) all += left(bucket);
    return all;
  };
  ASSERT_TRUE(run());
  EXPECT_EQ(left(100), 0u) << "the other account had its turn";
  EXPECT_GT(left_of_busy(), 40u) << "this one had no more than its own";
  for (const int64_t bucket : {1, 2, 3}) {
    EXPECT_LT(left(bucket), 10u) << "and each of its buckets has a part of it";
  }
  int rounds = 1;
  for (; left_of_busy() > 0 && rounds < 100; ++rounds) {
    add("another", 2h, 100);
    ASSERT_TRUE(run());
    EXPECT_EQ(left(100), 0u) << "in every round";
  }
  EXPECT_EQ(left_of_busy(), 0u) << "and goes on where it was";
  EXPECT_GT(rounds, 5);
}

TEST_F(LifecycleRunnerTest, AStepThatFailsKeepsNoneOfTheOthersFromBeingTaken) {
  lifecycle::Rule rule = expire_after_a_day();
  rule.abort_days = 1;
  add_bucket(1, rule);
  add("changed", 30min);
  LifecycleVersion& marker = add("marker", 2h);
  marker.delete_marker = marker.lone = true;
  rules_.queued = {{"changed", kChanged}};
  rules_.rechecks_fail = Error{ErrorCode::kInternal, "a plan that never ends"};
  metadata::LifecycleUpload upload;
  upload.key = "old upload";
  upload.initiated = clock_.now() - 2h;
  rules_.open_uploads = {upload};
  EXPECT_FALSE(run());
  EXPECT_EQ(left(), 1u) << "the marker went";
  EXPECT_EQ(uploads_.aborted.count("old upload"), 1u);
  // When the database is away nothing is tried on it.
  rules_.rechecks_fail = Error{ErrorCode::kUnavailable, "away"};
  uploads_.aborted.clear();
  EXPECT_FALSE(run());
  EXPECT_TRUE(uploads_.aborted.empty());
}

}  // namespace
}  // namespace rondel::lifecycle
