// A database that is set back gives no number again that somebody compares with what he has seen.
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "metadata/connection/pg_connection.h"
#include "metadata/memory/memory_metadata.h"
#include "metadata/postgres/migrator.h"
#include "metadata/postgres/postgres_metadata.h"
#include "tests/contract/metadata_store/test_database.h"

namespace rondel::metadata {
namespace {

Deadline soon() { return deadline_in(std::chrono::seconds(60)); }

// A whole database that is backed up once, and set back to that whenever it is wanted.
class WholeDatabase {
 public:
  virtual ~WholeDatabase() = default;
  virtual const Stores& stores() = 0;
  virtual void back_up() = 0;
  virtual void set_back() = 0;
};

class WholeMemory final : public WholeDatabase {
 public:
  const Stores& stores() override { return gateway_->stores(); }

  void back_up() override { backup_ = state_.backup(); }

  void set_back() override {
    gateway_ = nullptr;
    state_.set_back(backup_);
    state_.end_sessions();
    gateway_ = std::make_unique<MemoryMetadata>(state_);
  }

 private:
  MemoryState state_;
  MemoryRows backup_;
  std::unique_ptr<MemoryMetadata> gateway_ = std::make_unique<MemoryMetadata>(state_);
};

// As by a dump: sequences are set back, too.
class WholePostgres final : public WholeDatabase {
 public:
  WholePostgres() {
    make_anew("numbers", "");
    const auto done = migrate(dsn(), load_schema(RONDEL_MIGRATIONS).value());
    if (!done) throw std::runtime_error(done.error().message);
  }

  ~WholePostgres() override {
    gateway_ = nullptr;
    server("drop database if exists numbers with (force)");
    server("drop database if exists numbers_kept with (force)");
  }

  const Stores& stores() override {
    if (!gateway_) gateway_ = PostgresMetadata::make_for_command(dsn(), test_master_key());
    return gateway_->stores();
  }

  void back_up() override {
    gateway_ = nullptr;
    make_anew("numbers_kept", " template numbers");
  }

  void set_back() override {
    gateway_ = nullptr;
    make_anew("numbers", " template numbers_kept");
  }

 private:
  static std::string dsn() { return postgres_dsn() + " dbname=numbers"; }

  static void server(const std::string& sql) {
    const auto connection = PgConnection::open(postgres_dsn(), soon()).value();
    const auto done = connection->script(sql, soon());
    if (!done) throw std::runtime_error(done.error().message);
  }

  static void make_anew(const std::string& name, const std::string& how) {
    server("drop database if exists " + name + " with (force)");
    // A session that was closed a moment ago may still be there.
    server(
        "do $$ begin while exists (select from pg_stat_activity where datname like 'numbers%')"
        " loop perform pg_sleep(0.01), pg_stat_clear_snapshot(); end loop; end $$");
    server("create database " + name + how);
  }

  std::unique_ptr<PostgresMetadata> gateway_;
};

class Numbers : public ::testing::TestWithParam<Implementation> {
 protected:
  using Act = std::function<std::string(Numbers&)>;

  struct Kind {
    const char* name;
    Act act;  // What is different each time.
  };

  void SetUp() override {
    if (GetParam() == Implementation::kMemory) {
      database_ = std::make_unique<WholeMemory>();
    } else {
      database_ = std::make_unique<WholePostgres>();
    }
    account_ =
        run(identities().create_account({.name = "a", .access_key = "AKEY"}, soon())).account.id;
    other_ = run(identities().create_account({.name = "b"}, soon())).account.id;
    run(identities().create_key(account_, "SECOND", "", soon()));
    kept_ = make_bucket("kept");
    run(stores().buckets.set_bucket_versioning(of_kept(), Versioning::kEnabled));
    run(stores().keys.create("key", "sealed", "master", soon()));
    run(stores().keys.set_grant("key", other_, 1, soon()));
    database_->back_up();
  }

  const Stores& stores() { return database_->stores(); }

  IdentityStore& identities() { return stores().identities; }

  template <class T>
  static T run(async::Task<Result<T>> task) {
    auto result = async::block_on(std::move(task));
    if (!result) throw std::runtime_error(to_string(result.error()));
    if constexpr (!std::is_void_v<T>) return std::move(*result);
  }

  Bucket make_bucket(const std::string& name) {
    return run(stores().buckets.create_bucket({.name = name, .owner_account = account_}, soon()))
        .bucket;
  }

  CommitContext of_kept() const { return {.bucket_id = kept_.id, .deadline = soon()}; }

  int64_t settings_of_kept() {
    return run(stores().buckets.find_bucket("kept", soon())).bucket.settings_version;
  }

  int64_t epoch() { return run(identities().find_credential("AKEY", soon()))->epoch; }

  int64_t kms_change() { return static_cast<int64_t>(run(stores().keys.load(0, soon())).change); }

  static std::vector<Kind> kinds();

  std::unique_ptr<WholeDatabase> database_;
  std::string account_, other_;
  Bucket kept_;
};

INSTANTIATE_TEST_SUITE_P(Stores, Numbers, all_implementations(), name_of_implementation);

std::vector<Numbers::Kind> Numbers::kinds() {
  // By how much the number rises.
  const auto rise_of = [](int64_t (Numbers::*number)()) {
    return [number](std::function<void(Numbers&)> change) {
      return [number, change](Numbers& t) {
        const int64_t before = (t.*number)();
        change(t);
        return std::to_string((t.*number)() - before);
      };
    };
  };
  const auto settings = rise_of(&Numbers::settings_of_kept);
  const auto epoch = rise_of(&Numbers::epoch);
  const auto kms = rise_of(&Numbers::kms_change);
  const auto mark_of = [](Numbers& t) {
    const uint64_t token = run(t.stores().lease.claim_coordinator(soon())).value();
    return run(t.stores().lease.write_mark({}, token, soon())).database.mark;
  };
  return {
      {"the id of a bucket", [](Numbers& t) { return std::to_string(t.make_bucket("new").id); }},
      {"the settings of a new bucket",
       [](Numbers& t) { return std::to_string(t.make_bucket("new").settings_version); }},
      {"a setting", settings([](Numbers& t) {
         run(t.stores().buckets.set_bucket_setting(t.of_kept(), SettingKind::kPolicy, "x"));
       })},
      {"a setting that is removed", settings([](Numbers& t) {
         run(t.stores().buckets.set_bucket_setting(t.of_kept(), SettingKind::kPolicy, {}));
       })},
      {"versioning", settings([](Numbers& t) {
         run(t.stores().buckets.set_bucket_versioning(t.of_kept(), Versioning::kEnabled));
       })},
      {"object lock",
       settings([](Numbers& t) { run(t.stores().buckets.set_object_lock(t.of_kept(), "doc")); })},
      {"the block of an account", settings([](Numbers& t) {
         run(t.identities().change_account(t.account_, {.public_access_block = 1}, soon()));
       })},
      {"the epoch by a block", epoch([](Numbers& t) {
         run(t.identities().change_account(t.account_, {.public_access_block = 2}, soon()));
       })},
      {"the epoch by a key that is disabled", epoch([](Numbers& t) {
         run(t.identities().set_key_enabled("SECOND", false, LastKey::kMayGo, soon()));
       })},
      {"the epoch by a key that is removed", epoch([](Numbers& t) {
         run(t.identities().delete_key("SECOND", LastKey::kMayGo, soon()));
       })},
      {"the epoch by an account that is disabled", epoch([](Numbers& t) {
         run(t.identities().change_account(t.other_, {.enabled = false}, soon()));
       })},
      {"the epoch by a grant",
       epoch([](Numbers& t) { run(t.stores().keys.set_grant("key", t.other_, 0, soon())); })},
      {"the epoch by an owner",
       epoch([](Numbers& t) { run(t.stores().keys.set_owner("key", t.other_, soon())); })},
      {"a key that is made",
       kms([](Numbers& t) { run(t.stores().keys.create("new", "sealed", "master", soon())); })},
      {"a key that is rotated", kms([](Numbers& t) {
         run(t.stores().keys.add_version("key", {2, "sealed"}, "master", soon()));
       })},
      {"a key that is switched off",
       kms([](Numbers& t) { run(t.stores().keys.set_enabled("key", false, soon())); })},
      {"the id of an account",
       [](Numbers& t) {
         return run(t.identities().create_account({.name = "new"}, soon())).account.id;
       }},
      {"an access key",
       [](Numbers& t) {
         return run(t.identities().create_key(t.account_, "", "", soon())).access_key;
       }},
      {"the token of who coordinates",
       [](Numbers& t) {
         return std::to_string(run(t.stores().lease.claim_coordinator(soon())).value());
       }},
      {"a mark", [mark_of](Numbers& t) { return std::to_string(mark_of(t).value); }},
  };
}

TEST_P(Numbers, AreNotGivenAgainByADatabaseThatWasSetBack) {
  std::map<std::string, std::set<std::string>> given;
  constexpr size_t kTimes = 3;
  for (size_t i = 0; i < kTimes; ++i) {
    for (const Kind& kind : kinds()) given[kind.name].insert(kind.act(*this));
    database_->set_back();
  }
  for (const auto& [name, numbers] : given) EXPECT_EQ(numbers.size(), kTimes) << name;
}

// A bucket that a gateway still knows, of which the database knows nothing any more, and another
// one that was made since.
TEST_P(Numbers, WhatIsMeantForABucketThatIsForgottenGoesIntoNoOther) {
  const Bucket forgotten = make_bucket("forgotten");
  database_->set_back();
  const Bucket made = make_bucket("made-since");
  PutObject put{
      {forgotten.id, forgotten.settings_version, 0, soon()}, "k", {}, Versioning::kNever, {}};
  put.version.size = 0;
  put.version.etag = "e";
  put.version.owner_account = account_;
  const auto status = async::block_on(stores().objects.put_object(put)).value().status;
  EXPECT_EQ(status, CommitStatus::kNoSuchBucket);
  put.context.settings_version = 0;
  EXPECT_EQ(async::block_on(stores().objects.put_object(put)).value().status,
            CommitStatus::kNoSuchBucket)
      << "decided under none";
  const ListQuery query{.bucket_id = made.id, .deadline = soon()};
  EXPECT_TRUE(run(stores().listing.list(query)).entries.empty());
}

// Rows of the queue have numbers in the order of their release, and are meant by their stream too.
TEST_P(Numbers, WhatIsMeantForAReleaseThatIsForgottenIsNoOthers) {
  const uint64_t token = run(stores().lease.claim_coordinator(soon())).value();
  database_->back_up();
  const auto release = [&] {
    const auto stream = model::StreamId::random();
    run(stores().releases.release_streams({{0, stream, 1, 0, 1}}, soon()));
    const SystemTime end = real_clock().now() + std::chrono::hours(1);
    run(stores().releases.check_released(end, 100, token, soon()));
    return run(stores().releases.take_released(end, 100, token, soon()));
  };
  const ReleaseRow forgotten = release().front().row();
  database_->set_back();
  const auto since = release();
  ASSERT_EQ(since.size(), 1u);
  EXPECT_EQ(since.front().id, forgotten.id) << "the number is given again";
  run(stores().releases.defer_released({{forgotten, {7}}}, token, soon()));
  run(stores().releases.finish_released({forgotten}, token, soon()));
  const SystemTime end = real_clock().now() + std::chrono::hours(1);
  const auto now = run(stores().releases.take_released(end, 100, token, soon()));
  ASSERT_EQ(now.size(), 1u);
  EXPECT_EQ(now.front().row(), since.front().row());
  EXPECT_TRUE(now.front().chunks.empty());
}

// Numbers rise all the same: who has seen one knows an older one.
TEST_P(Numbers, RiseWithEachChange) {
  int64_t settings = settings_of_kept(), change = kms_change(), credentials = epoch();
  const auto rises = [](int64_t& last, int64_t now) {
    EXPECT_GT(now, last);
    last = now;
  };
  for (int i = 0; i < 3; ++i) {
    run(stores().buckets.set_bucket_setting(of_kept(), SettingKind::kPolicy, std::to_string(i)));
    rises(settings, settings_of_kept());
    run(stores().keys.set_enabled("key", i % 2 == 0, soon()));
    rises(change, kms_change());
    const AccessKey made = run(identities().create_key(account_, "", "", soon()));
    run(identities().delete_key(made.access_key, LastKey::kMayGo, soon()));
    rises(credentials, epoch());
  }
}

}  // namespace
}  // namespace rondel::metadata
