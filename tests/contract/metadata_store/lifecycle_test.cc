// What the seams of lifecycle answer, and what the runner removes by them.
#include <set>

#include "jobs/lifecycle/lifecycle_runner.h"
#include "tests/contract/metadata_store/store_fixture.h"
#include "tests/fakes/manual_clock.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kDay = 1h;

class Lifecycle : public StoreContract<Lifecycle> {
 public:
  static constexpr const char* kName = "lifecycle";

 protected:
  // Others' rules must not run in the next test.
  void TearDown() override {
    run(stores().buckets.set_bucket_setting({.bucket_id = bucket_.id, .deadline = soon()},
                                            SettingKind::kLifecycle, std::nullopt));
  }

  void set_rules(std::vector<lifecycle::Rule> wanted) {
    int number = 0;
    for (lifecycle::Rule& rule : wanted) rule.id = "rule" + std::to_string(++number);
    bucket_ = run(stores().buckets.set_bucket_setting({.bucket_id = bucket_.id, .deadline = soon()},
                                                      SettingKind::kLifecycle,
                                                      lifecycle::encode({std::move(wanted)})))
                  .bucket;
  }

  CommitOutcome put(const std::string& key, uint64_t size = 1, Tags tags = {},
                    Retention retention = {}) {
    PutObject request = put_request(key, size);
    request.version.tags = std::move(tags);
    request.version.retention = retention;
    return run(stores().objects.put_object(request));
  }

  void remove(const std::string& key) {
    run(stores().objects.delete_object({.context = context(),
                                        .key = key,
                                        .owner_account = owner(),
                                        .versioning = bucket_.versioning}));
  }

  // So many rule days from now.
  lifecycle::LifecycleStatus run_at(double days, bool fails = false) {
    clock_.set(real_clock().now() +
               std::chrono::duration_cast<std::chrono::microseconds>(kDay * days));
    lifecycle::LifecycleOptions options;
    options.calendar.day = kDay;
    options.page = 3;
    options.batch = 2;
    options.pages_per_rule = 5;
    options.rechecked_versions = 8;
    lifecycle::LifecycleRunner runner(
        {stores().lifecycle, stores().lifecycle_cursors, stores().lifecycle_rechecks,
         stores().objects, stores().uploads},
        options, clock_);
    const jobs::Term term(1, [] { return true; });
    EXPECT_EQ(async::block_on(runner.run_round(term)).has_value(), !fails);
    return runner.status();
  }

  std::multiset<std::string> keys(bool versions = false) {
    std::multiset<std::string> found;
    ListQuery query{.bucket_id = bucket_.id, .max = 1000, .versions = versions, .deadline = soon()};
    for (const ListedVersion& entry : run(stores().listing.list(query)).entries) {
      found.insert((entry.object.delete_marker ? "-" : "") + entry.key);
    }
    return found;
  }

  static lifecycle::Rule days(uint32_t count, std::optional<std::string> prefix = {}) {
    lifecycle::Rule rule;
    rule.days = count;
    rule.filter.prefix = std::move(prefix);
    return rule;
  }

  fakes::ManualClock clock_{real_clock().now()};
};

using Keys = std::multiset<std::string>;

TEST_P(Lifecycle, CurrentVersionsGoByAgeOnceAndEachIsLookedAtOnce) {
  for (int i = 0; i < 10; ++i) put("k" + std::to_string(i));
  set_rules({days(2)});
  EXPECT_EQ(run_at(1.9).expired_total, 0u);
  EXPECT_EQ(keys().size(), 10u);
  const auto status = run_at(2.1);
  EXPECT_EQ(status.expired_total, 10u);
  EXPECT_EQ(status.examined_total, 10u);
  EXPECT_TRUE(keys().empty());
  put("new");
  EXPECT_EQ(run_at(1.9).examined_total, 0u);
}

TEST_P(Lifecycle, FiltersSpareTheRestAndAPrefixIsReadAlone) {
  for (int i = 0; i < 7; ++i) put("a/" + std::to_string(i));
  for (int i = 0; i < 9; ++i) put("b/" + std::to_string(i));
  set_rules({days(1, "a/")});
  const auto status = run_at(1);
  EXPECT_EQ(status.expired_total, 7u);
  EXPECT_EQ(status.examined_total, 7u);
  EXPECT_EQ(keys().size(), 9u);
  // What is put later comes by age.
  put("a/later");
  put("b/later");
  EXPECT_EQ(run_at(1.5).expired_total, 1u);
  EXPECT_EQ(keys().count("b/later"), 1u);
  lifecycle::Rule sized = days(1);
  sized.filter.size_greater_than = 5;
  sized.filter.tags = {{"t", "1"}};
  put("big", 6, {{"t", "1"}});
  put("small", 5, {{"t", "1"}});
  put("untagged", 6);
  set_rules({sized});
  EXPECT_EQ(run_at(3).expired_total, 1u);
  EXPECT_EQ(keys().count("big"), 0u);
  EXPECT_EQ(keys().count("untagged"), 1u);
}

TEST_P(Lifecycle, DatesReachWhatIsPutLater) {
  lifecycle::Rule dated;
  dated.date = std::chrono::floor<std::chrono::days>(real_clock().now());
  put("before");
  set_rules({dated});
  EXPECT_EQ(run_at(1).expired_total, 1u);
  put("after");
  EXPECT_EQ(run_at(1).expired_total, 1u);
  dated.date = std::chrono::floor<std::chrono::days>(real_clock().now()) + std::chrono::days(30);
  set_rules({dated});
  put("kept");
  EXPECT_EQ(run_at(1).expired_total, 0u);
}

TEST_P(Lifecycle, AVersionedBucketGetsMarkersThatGoWhenAlone) {
  set_versioning(Versioning::kEnabled);
  put("v");
  lifecycle::Rule rule = days(1);
  rule.noncurrent_days = 2;
  set_rules({rule});
  EXPECT_EQ(run_at(1.5).expired_total, 1u);
  EXPECT_EQ(keys(true), (Keys{"v", "-v"}));
  // The object was replaced now, the marker is lone after its history went and is itself a day old
  // by then.
  EXPECT_EQ(run_at(1.9).removed_total, 0u);
  EXPECT_EQ(run_at(2.5).removed_total, 2u);
  EXPECT_TRUE(keys(true).empty());
}

TEST_P(Lifecycle, LoneMarkersGoByTheirOwnAction) {
  set_versioning(Versioning::kEnabled);
  put("a");
  remove("a");
  remove("b");
  lifecycle::Rule rule;
  rule.lone_markers = true;
  set_rules({rule});
  EXPECT_EQ(run_at(0.1).removed_total, 1u);
  EXPECT_EQ(keys(true), (Keys{"a", "-a"}));
}

TEST_P(Lifecycle, NewerNoncurrentVersionsAreKept) {
  set_versioning(Versioning::kEnabled);
  lifecycle::Rule rule;
  rule.noncurrent_days = 1;
  rule.newer_noncurrent = 2;
  for (int i = 0; i < 6; ++i) put("n", static_cast<uint64_t>(i + 1));
  set_rules({rule});
  EXPECT_EQ(run_at(0.5).removed_total, 0u);
  EXPECT_EQ(run_at(1.5).removed_total, 3u);
  EXPECT_EQ(keys(true).size(), 3u);
  // Two more push two out, which are old enough already.
  put("n", 7);
  put("n", 8);
  EXPECT_EQ(run_at(1.6).removed_total, 2u);
  ListQuery query{.bucket_id = bucket_.id, .versions = true, .deadline = soon()};
  const auto left = run(stores().listing.list(query)).entries;
  ASSERT_EQ(left.size(), 3u);
  EXPECT_EQ(left[0].object.size, 8u);
  EXPECT_EQ(left[2].object.size, 6u);
}

TEST_P(Lifecycle, LocksKeepAndAreAskedAgain) {
  set_versioning(Versioning::kEnabled);
  bucket_ =
      run(stores().buckets.set_object_lock({.bucket_id = bucket_.id, .deadline = soon()}, "doc"))
          .bucket;
  const Retention retention{Retention::Mode::kCompliance,
                            std::chrono::floor<std::chrono::milliseconds>(real_clock().now() + 1h)};
  const auto version = put("l", 1, {}, retention).version;
  put("l", 2);
  lifecycle::Rule rule;
  rule.noncurrent_days = 1;
  set_rules({rule});
  const auto kept = run_at(1.5);
  EXPECT_EQ(kept.locked_total, 1u);
  EXPECT_EQ(kept.removed_total, 0u);
  EXPECT_EQ(run_at(1.6).examined_total, 0u);
  EXPECT_EQ(run_at(2.6).locked_total, 1u);
  EXPECT_EQ(keys(true).size(), 2u);
  (void)version;
}

TEST_P(Lifecycle, AChangeOfTagsLetsARuleReachWhatItHadPassed) {
  lifecycle::Rule rule = days(1);
  rule.filter.tags = {{"go", "1"}};
  put("t");
  set_rules({rule});
  EXPECT_EQ(run_at(1.5).expired_total, 0u);
  UpdateVersion update{.context = context(), .key = "t"};
  update.tags = Tags{{"go", "1"}};
  ASSERT_EQ(run(stores().objects.update_version(update)).status, CommitStatus::kCommitted);
  EXPECT_EQ(run_at(0.5).expired_total, 0u);
  // Too young then: by age it comes again only when it changes again.
  ASSERT_EQ(run(stores().objects.update_version(update)).status, CommitStatus::kCommitted);
  EXPECT_EQ(run_at(1.6).expired_total, 1u);
}

TEST_P(Lifecycle, UploadsAreAbortedByPrefix) {
  for (const char* key : {"u/1", "u/2", "u/3", "u/4", "w/1"}) {
    run(stores().uploads.create_upload(context(), upload_request(key)));
  }
  lifecycle::Rule rule;
  rule.abort_days = 1;
  rule.filter.prefix = "u/";
  set_rules({rule});
  EXPECT_EQ(run_at(0.5).aborted_total, 0u);
  EXPECT_EQ(run_at(1.5).aborted_total, 4u);
  EXPECT_EQ(run(stores().listing.list_uploads({.bucket_id = bucket_.id, .deadline = soon()}))
                .uploads.size(),
            1u);
}

// Two of three on a page stay: whoever begins anew after each that goes never comes to the end.
TEST_P(Lifecycle, UploadsThatStayAreLookedAtOnce) {
  for (int i = 0; i < 5; ++i) {
    for (const char* prefix : {"w/1-", "w/2-", "u/"}) {
      run(stores().uploads.create_upload(context(), upload_request(prefix + std::to_string(i))));
    }
  }
  lifecycle::Rule rule;
  rule.abort_days = 1;
  rule.filter.prefix = "u/";
  set_rules({rule});
  EXPECT_EQ(run_at(1.5).aborted_total, 5u);
}

TEST_P(Lifecycle, ABucketThatFailsDoesNotKeepTheOthersWaiting) {
  const Bucket broken = make_bucket();
  run(stores().buckets.set_bucket_setting({.bucket_id = broken.id, .deadline = soon()},
                                          SettingKind::kLifecycle, "lifecycle of tomorrow\n"));
  bucket_ = make_bucket();
  put("behind");
  set_rules({days(1)});
  EXPECT_EQ(run_at(1.5, true).expired_total, 1u);
  run(stores().buckets.set_bucket_setting({.bucket_id = broken.id, .deadline = soon()},
                                          SettingKind::kLifecycle, std::nullopt));
}

TEST_P(Lifecycle, KeysLookedAtAgainAreLookedAtWhole) {
  set_versioning(Versioning::kEnabled);
  lifecycle::Rule rule;
  rule.noncurrent_days = 1;
  rule.filter.tags = {{"go", "1"}};
  for (int i = 0; i < 4; ++i) {
    for (const char* key : {"a", "b", "c"}) put(key);
  }
  set_rules({rule});
  EXPECT_EQ(run_at(1.5).removed_total, 0u);
  // All twelve versions get the tag; eight are looked at in one statement.
  ListQuery query{.bucket_id = bucket_.id, .versions = true, .deadline = soon()};
  for (const ListedVersion& entry : run(stores().listing.list(query)).entries) {
    UpdateVersion update{.context = context(), .key = entry.key, .version = entry.object.version};
    update.tags = Tags{{"go", "1"}};
    ASSERT_EQ(run(stores().objects.update_version(update)).status, CommitStatus::kCommitted);
  }
  EXPECT_EQ(run_at(1.6).removed_total, 9u);
}

// Eight versions are read at a time, of a key that has 21 and of another behind it.
TEST_P(Lifecycle, AKeyOfManyVersionsIsLookedAtToTheEnd) {
  set_versioning(Versioning::kEnabled);
  lifecycle::Rule rule;
  rule.noncurrent_days = 1;
  rule.newer_noncurrent = 10;
  rule.filter.tags = {{"go", "1"}};
  for (int i = 0; i < 21; ++i) put("many");
  for (int i = 0; i < 12; ++i) put("next");
  set_rules({rule});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(run_at(1.5).removed_total, 0u) << "fifteen a run go by age";
  ListQuery query{.bucket_id = bucket_.id, .versions = true, .deadline = soon()};
  for (const ListedVersion& entry : run(stores().listing.list(query)).entries) {
    UpdateVersion update{.context = context(), .key = entry.key, .version = entry.object.version};
    update.tags = Tags{{"go", "1"}};
    ASSERT_EQ(run(stores().objects.update_version(update)).status, CommitStatus::kCommitted);
  }
  EXPECT_EQ(run_at(1.6).removed_total, 11u);
  EXPECT_EQ(keys(true).count("many"), 11u);
  EXPECT_EQ(keys(true).count("next"), 11u);
  EXPECT_EQ(run_at(1.6).examined_total, 0u);
}

TEST_P(Lifecycle, ARenamedObjectComesUnderTheRulesOfItsNewKey) {
  put("kept/x");
  set_rules({days(1, "gone/")});
  EXPECT_EQ(run_at(1.5).expired_total, 0u);
  ASSERT_EQ(run(stores().objects.rename_object(
                    {.context = context(), .source_key = "kept/x", .target_key = "gone/x"}))
                .status,
            CommitStatus::kCommitted);
  EXPECT_EQ(run_at(1.6).expired_total, 1u);
}

TEST_P(Lifecycle, WhatIsQueuedForSoonerStaysSoAndGivesWayToAMarkAlone) {
  constexpr SystemTime kMark{-1ms}, kSoon{1s}, kLater{2s};
  const auto queue = [&](SystemTime due) {
    run(stores().lifecycle_rechecks.recheck_later(bucket_.id, {"k"}, due, soon()));
  };
  const auto due_until = [&](SystemTime now) {
    return run(stores().lifecycle_rechecks.rechecks(bucket_.id, now, 10, soon())).size() == 1;
  };
  queue(kLater);
  EXPECT_FALSE(due_until(kSoon));
  queue(kSoon);
  queue(kLater);
  EXPECT_TRUE(due_until(kSoon));
  queue(kMark);
  EXPECT_TRUE(due_until(kMark));
  queue(kLater);
  EXPECT_FALSE(due_until(kSoon));
  run(stores().lifecycle_rechecks.forget_rechecks(bucket_.id, {"k"}, kLater, soon()));
}

TEST_P(Lifecycle, DisabledRulesDoNothingAndCursorsOfOldRulesGo) {
  put("x");
  lifecycle::Rule rule = days(1);
  set_rules({rule});
  EXPECT_EQ(run_at(0.5).examined_total, 0u);
  rule.enabled = false;
  set_rules({rule});
  EXPECT_EQ(run_at(5).expired_total, 0u);
  EXPECT_EQ(keys(), Keys{"x"});
  const std::string line = "some rule";
  run(stores().lifecycle_cursors.move_cursor(bucket_.id, LifecycleScan::kCurrent, line, "here",
                                             soon()));
  EXPECT_EQ(
      run(stores().lifecycle_cursors.cursor(bucket_.id, LifecycleScan::kCurrent, line, soon())),
      "here");
  EXPECT_EQ(
      run(stores().lifecycle_cursors.cursor(bucket_.id, LifecycleScan::kReplaced, line, soon())),
      "");
  run_at(5);
  EXPECT_EQ(
      run(stores().lifecycle_cursors.cursor(bucket_.id, LifecycleScan::kCurrent, line, soon())),
      "");
}

INSTANTIATE_TEST_SUITE_P(Stores, Lifecycle, all_implementations(), name_of_implementation);

}  // namespace
}  // namespace rondel::metadata
