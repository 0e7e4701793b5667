// How long caches keep what they were told, and what makes them ask again.
#include <gtest/gtest.h>

#include <functional>

#include "common/async/event_loop.h"
#include "metadata/cache/bucket_cache.h"
#include "metadata/cache/identity_cache.h"
#include "tests/fakes/fixed_identities.h"
#include "tests/fakes/manual_clock.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;
using Kind = DirectoryChange::Kind;

// One bucket, "box", and how often it was asked for.
class CountedBuckets final : public BucketStore {
 public:
  using Answer = async::Task<Result<BucketOutcome>>;

  int asked = 0;
  int64_t settings_version = 1;
  std::optional<Error> broken;
  std::function<void()> before_answer;  // What happens while the database answers, once.

  Answer find_bucket(std::string name, Deadline) override {
    ++asked;
    if (broken) co_return std::unexpected(*broken);
    if (name != "box") co_return BucketOutcome{BucketStatus::kNoSuchBucket, {}};
    Bucket box;
    box.name = name;
    box.settings_version = settings_version;
    if (before_answer) std::exchange(before_answer, {})();
    co_return BucketOutcome{BucketStatus::kOk, box};
  }

  Answer create_bucket(CreateBucket, Deadline) override { return refuse(); }

  Answer delete_bucket(CommitContext) override { return refuse(); }

  async::Task<Result<StoredSetting>> find_setting(int64_t, SettingKind, Deadline) override {
    co_return StoredSetting();
  }

  Answer set_bucket_setting(CommitContext, SettingKind, std::optional<std::string>) override {
    return refuse();
  }

  Answer set_bucket_versioning(CommitContext, Versioning) override { return refuse(); }

  Answer set_object_lock(CommitContext, std::string) override { return refuse(); }

  async::Task<Result<BucketUsage>> bucket_usage(int64_t, Deadline) override {
    co_return BucketUsage();
  }

 private:
  Answer refuse() { co_return fail(ErrorCode::kUnimplemented, "nobody asks that"); }
};

class Caches : public ::testing::Test {
 protected:
  static Deadline soon() { return deadline_in(60s); }

  Result<std::shared_ptr<const Bucket>> find(const std::string& name = "box") {
    return async::block_on(buckets_.find_bucket(name, soon()));
  }

  std::shared_ptr<const Credential> find_key() {
    return async::block_on(identities_.find_credential("KEY", soon())).value();
  }

  // Whether it asks again for what it has.
  bool asks_for_bucket() {
    const int before = store_.asked;
    (void)find();
    return store_.asked > before;
  }

  bool asks_for_key() {
    const int before = accounts_.lookups();
    (void)find_key();
    return accounts_.lookups() > before;
  }

  fakes::ManualClock clock_{SystemTime(1'700'000'000s)};
  CountedBuckets store_;
  fakes::FixedIdentities accounts_;
  BucketCache buckets_{store_, clock_};
  IdentityCache identities_{accounts_, clock_};
};

TEST_F(Caches, EntriesLiveASecondWhileNobodyTellsOfChanges) {
  EXPECT_TRUE(asks_for_bucket());
  EXPECT_FALSE(asks_for_bucket());
  clock_.advance(1s);
  EXPECT_FALSE(asks_for_bucket());
  clock_.advance(1ms);
  EXPECT_TRUE(asks_for_bucket());
  buckets_.hear({Kind::kHeard});
  EXPECT_TRUE(asks_for_bucket()) << "what was stored before may be older than what was not told";
  clock_.advance(59s);
  EXPECT_FALSE(asks_for_bucket());
  buckets_.hear({Kind::kNotHeard});
  EXPECT_TRUE(asks_for_bucket());
  clock_.advance(1001ms);
  EXPECT_TRUE(asks_for_bucket());
}

TEST_F(Caches, WhatIsNotThereIsKeptAndWhatFailsIsNot) {
  EXPECT_EQ(find("absent").value(), nullptr);
  EXPECT_EQ(find("absent").value(), nullptr);
  EXPECT_EQ(store_.asked, 1);
  EXPECT_EQ(find_key(), nullptr);
  EXPECT_FALSE(asks_for_key());
  store_.broken = Error{ErrorCode::kUnavailable, "no database"};
  EXPECT_EQ(find().error().code, ErrorCode::kUnavailable);
  store_.broken.reset();
  EXPECT_TRUE(find());
}

TEST_F(Caches, ForgetWhatAChangeTouchesAlone) {
  struct Row {
    DirectoryChange change;
    bool bucket, key;  // Asked for again.
  };

  const Row rows[] = {
      {{Kind::kBucket, "box"}, true, false},    {{Kind::kBucket, "other"}, false, false},
      {{Kind::kAccessKey, "KEY"}, false, true}, {{Kind::kAccessKey, "OTHER"}, false, false},
      {{Kind::kAccount}, true, true},           {{Kind::kHeard}, true, true},
      {{Kind::kNotHeard}, true, true},
  };
  for (const Row& row : rows) {
    (void)find();
    (void)find_key();
    buckets_.hear(row.change);
    identities_.hear(row.change);
    EXPECT_EQ(asks_for_bucket(), row.bucket)
        << static_cast<int>(row.change.kind) << row.change.name;
    EXPECT_EQ(asks_for_key(), row.key) << static_cast<int>(row.change.kind) << row.change.name;
  }
}

TEST_F(Caches, AnAnswerThatAChangeOvertookIsNotKept) {
  buckets_.hear({Kind::kHeard});
  store_.before_answer = [this] {
    store_.settings_version = 2;
    buckets_.hear({Kind::kBucket, "box"});
  };
  EXPECT_EQ(find().value()->settings_version, 1) << "asked before the change";
  EXPECT_EQ(find().value()->settings_version, 2);
}

// Who changes his own bucket without end keeps nobody else's from being kept.
TEST_F(Caches, AnAnswerIsKeptWhateverBecomesOfOthers) {
  buckets_.hear({Kind::kHeard});
  store_.before_answer = [this] {
    for (int i = 0; i < 20; ++i) buckets_.forget_bucket("other-" + std::to_string(i));
  };
  (void)find();
  EXPECT_FALSE(asks_for_bucket());
}

TEST_F(Caches, ABucketIsDoubtedOnceAMillisecond) {
  EXPECT_FALSE(buckets_.doubt_bucket("box")) << "it is not cached";
  (void)find();
  EXPECT_FALSE(buckets_.doubt_bucket("box"));
  clock_.advance(2ms);
  EXPECT_TRUE(buckets_.doubt_bucket("box"));
  EXPECT_FALSE(buckets_.doubt_bucket("box"));
  EXPECT_TRUE(asks_for_bucket());
}

TEST_F(Caches, AnAccountIsKeptByTheNameItWasAskedBy) {
  metadata::Account account;
  account.id = "111111111111";
  account.name = "one";
  accounts_.accounts[account.id] = account;
  using Name = AccountName::Kind;
  const auto found = [&](Name kind, const std::string& name) {
    return async::block_on(identities_.find_account({kind, name}, soon())).value() != nullptr;
  };
  EXPECT_TRUE(found(Name::kId, account.id));
  EXPECT_FALSE(found(Name::kCanonicalId, account.id));
  EXPECT_TRUE(found(Name::kAny, "one"));
  accounts_.accounts.clear();
  EXPECT_TRUE(found(Name::kId, account.id));
  identities_.hear({Kind::kAccount});
  EXPECT_FALSE(found(Name::kId, account.id));
}

// Names that a stranger makes up.
TEST_F(Caches, WhatCannotBeANameIsAskedNobody) {
  const std::string long_name(30'000, 'a');
  for (const std::string& name :
       {std::string(), std::string("ab"), std::string(64, 'a'), long_name, std::string("Upper"),
        std::string("a_b"), std::string("a\0b", 3), std::string("\xff\xfe\xfd")}) {
    EXPECT_EQ(find(name).value(), nullptr) << name.size();
    EXPECT_EQ(buckets_.bytes(), 0u);
  }
  EXPECT_EQ(store_.asked, 0);
  const auto key = [&](const std::string& id) {
    return async::block_on(identities_.find_credential(id, soon())).value();
  };
  for (const std::string& id :
       {std::string("AB"), std::string(129, 'A'), long_name, std::string("A B"), std::string("a/b"),
        std::string("A\0B", 3), std::string("\xff\xff\xff")}) {
    EXPECT_EQ(key(id), nullptr) << id.size();
  }
  for (const auto kind : {AccountName::Kind::kId, AccountName::Kind::kCanonicalId,
                          AccountName::Kind::kEmail, AccountName::Kind::kAny}) {
    for (const std::string& name : {std::string(), std::string(257, 'a'), long_name,
                                    std::string("a\0b", 3), std::string("\xff")}) {
      EXPECT_EQ(async::block_on(identities_.find_account({kind, name}, soon())).value(), nullptr);
    }
  }
  EXPECT_EQ(accounts_.lookups(), 0);
  EXPECT_EQ(identities_.bytes(), 0u);
}

TEST_F(Caches, HoldTheirBytesAndAGuesserDrivesOutNobody) {
  EXPECT_NE(find(), nullptr);
  const size_t one = buckets_.bytes();
  for (int i = 0; i < 60'000; ++i) {
    EXPECT_EQ(find("made-up-" + std::to_string(i) + std::string(40, 'a')).value(), nullptr);
  }
  EXPECT_LE(buckets_.bytes(), one + BucketCache::kBytesMax / 8);
  EXPECT_GT(buckets_.bytes(), BucketCache::kBytesMax / 16);
  EXPECT_FALSE(asks_for_bucket()) << "the one that exists is still there";
  for (int i = 0; i < 20'000; ++i) {
    (void)async::block_on(
        identities_.find_credential(std::to_string(i) + std::string(120, 'A'), soon()));
  }
  EXPECT_LE(identities_.bytes(), IdentityCache::kBytesMax / 8);
}

}  // namespace
}  // namespace rondel::metadata
