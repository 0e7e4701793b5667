// What operators change leaves a row in the same transaction; programs know by the database whether
// they have the keys of its cluster.
#include <gtest/gtest.h>

#include <barrier>
#include <boost/json.hpp>
#include <set>
#include <thread>

#include "metadata/connection/pg_connection.h"
#include "metadata/operator/audit_log.h"
#include "metadata/operator/key_check.h"
#include "metadata/postgres/migrator.h"
#include "tests/contract/metadata_store/metadata_contract.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;

// A database of its own, migrated.
class Cluster {
 public:
  explicit Cluster(const std::string& name) : name_(name) {
    server("create database " + name_);
    EXPECT_TRUE(migrate(dsn(), load_schema(RONDEL_MIGRATIONS).value()));
    connection_ = PgConnection::open(dsn(), deadline_in(60s)).value();
  }

  ~Cluster() {
    connection_.reset();
    server("drop database " + name_ + " with (force)");
  }

  std::string dsn() const { return postgres_dsn() + " dbname=" + name_; }

  Result<void> script(const std::string& sql) { return connection_->script(sql, deadline_in(60s)); }

  std::set<std::string> texts(const std::string& sql) {
    const auto rows = connection_->run(sql, {}, deadline_in(60s));
    EXPECT_TRUE(rows) << rows.error().message;
    std::set<std::string> out;
    for (size_t i = 0; rows && i < rows->rows(); ++i) out.insert(rows->text(i, 0));
    return out;
  }

  std::vector<AuditRow> audit() { return read_audit(dsn(), 1000).value(); }

 private:
  static void server(const std::string& sql) {
    const auto connection = PgConnection::open(postgres_dsn(), deadline_in(60s)).value();
    const auto done = connection->script(sql, deadline_in(60s));
    ASSERT_TRUE(done) << done.error().message;
  }

  std::string name_;
  std::unique_ptr<PgConnection> connection_;
};

template <class T>
T wait_for(async::Task<Result<T>> task) {
  auto result = async::block_on(std::move(task));
  EXPECT_TRUE(result) << result.error().message;
  return std::move(*result);
}

void wait_for(async::Task<Result<void>> task) {
  const auto result = async::block_on(std::move(task));
  EXPECT_TRUE(result) << result.error().message;
}

Deadline soon() { return deadline_in(60s); }

// Every table is one that operators change, or one that data or the cluster itself moves.
const std::set<std::string> kAudited{
    "accounts",   "access_keys", "kms_keys", "kms_key_versions",   "kms_key_owners", "kms_grants",
    "key_checks", "ring_epochs", "cluster",  "garbage_collection", "nodes"};

TEST(Audit, EveryTableOfTheCatalogueIsAuditedOrNamedHere) {
  Cluster cluster("audit_tables");
  const std::set<std::string> not_audited = cluster.texts(
      "select relname from pg_class c where relkind in ('r', 'p') and not relispartition"
      " and relnamespace = current_schema()::regnamespace and not exists (select from pg_trigger t"
      "   join pg_proc p on p.oid = t.tgfoid where t.tgrelid = c.oid and p.proname = "
      "'write_audit')");
  const std::set<std::string> audited = cluster.texts(
      "select distinct tgrelid::regclass::text from pg_trigger t join pg_proc p on p.oid = t.tgfoid"
      " where p.proname = 'write_audit'");
  EXPECT_EQ(audited, kAudited);
  // Each of them: also whoever empties it.
  EXPECT_EQ(cluster.texts("select tgrelid::regclass::text from pg_trigger t join pg_proc p on p.oid"
                          " = t.tgfoid where p.proname = 'write_audit' and tgtype & 32 <> 0"),
            kAudited);
  for (const char* of_operators : {"account", "key", "kms", "setting", "grant"}) {
    for (const std::string& table : not_audited) {
      if (table == "kms_changes" || table == "public_keys") continue;  // A counter.
      EXPECT_FALSE(table.starts_with(of_operators)) << table << " is not audited";
    }
  }
}

// A function of the catalogue that writes one of these tables has its row by the table's trigger;
// there is none that puts triggers out of action.
TEST(Audit, NoFunctionOfTheCatalogueGoesAroundTriggers) {
  Cluster cluster("audit_functions");
  EXPECT_EQ(
      cluster.texts("select proname from pg_proc where pronamespace ="
                    " current_schema()::regnamespace and (prosrc ~* 'session_replication_role'"
                    " or prosrc ~* 'disable\\s+trigger')"),
      std::set<std::string>{});
  EXPECT_EQ(cluster.texts("select tgname from pg_trigger where tgenabled <> 'O'"),
            std::set<std::string>{});
}

struct Writer {
  const char* what;
  const char* action;
  const char* subject;
  std::function<void(const Stores&, const std::string& account)> write;
};

std::vector<Writer> writers() {
  const std::string material(60, 'm');
  return {
      {"create_account", "create", "account",
       [](const Stores& s, const std::string&) {
         wait_for(s.identities.create_account({.name = "made", .secret_key = "the-secret-of-it"},
                                              soon()));
       }},
      {"its key", "create", "access key",
       [](const Stores& s, const std::string&) {
         wait_for(s.identities.create_account({.name = "made2", .secret_key = "the-secret-of-it"},
                                              soon()));
       }},
      {"change_account", "change", "account",
       [](const Stores& s, const std::string& id) {
         wait_for(s.identities.change_account(id, {.enabled = false}, soon()));
       }},
      {"public access", "change", "account",
       [](const Stores& s, const std::string& id) {
         wait_for(s.identities.change_account(id, {.public_access_block = uint8_t{3}}, soon()));
       }},
      {"create_key", "create", "access key",
       [](const Stores& s, const std::string& id) {
         wait_for(s.identities.create_key(id, "SECOND", "the-secret-of-it", soon()));
       }},
      {"disable key", "change", "access key",
       [](const Stores& s, const std::string&) {
         wait_for(s.identities.set_key_enabled("SECOND", false, LastKey::kStays, soon()));
       }},
      {"delete key", "delete", "access key",
       [](const Stores& s, const std::string&) {
         wait_for(s.identities.delete_key("SECOND", LastKey::kStays, soon()));
       }},
      {"kms create", "create", "kms key",
       [=](const Stores& s, const std::string&) {
         wait_for(s.keys.create("k", material, "12345678", soon()));
       }},
      {"kms rotate", "create", "kms key version",
       [=](const Stores& s, const std::string&) {
         wait_for(s.keys.add_version("k", {2, material}, "12345678", soon()));
       }},
      {"kms disable", "change", "kms key",
       [](const Stores& s, const std::string&) {
         wait_for(s.keys.set_enabled("k", false, soon()));
       }},
      {"kms owner", "create", "kms key owner",
       [](const Stores& s, const std::string& id) { wait_for(s.keys.set_owner("k", id, soon())); }},
      {"kms grant", "create", "kms grant",
       [](const Stores& s, const std::string& id) {
         wait_for(s.keys.set_grant("k", id, 1, soon()));
       }},
      {"kms revoke", "delete", "kms grant",
       [](const Stores& s, const std::string& id) {
         wait_for(s.keys.set_grant("k", id, 0, soon()));
       }},
      {"gc set", "change", "gc",
       [](const Stores& s, const std::string&) {
         wait_for(s.gc.set_garbage_ages(77s, std::nullopt, std::nullopt, soon()));
       }},
      {"gc resume", "change", "gc",
       [](const Stores& s, const std::string&) { wait_for(s.gc.resume_garbage(5, soon())); }},
      {"gc confirm-clocks", "change", "gc",
       [](const Stores& s, const std::string&) { wait_for(s.gc.confirm_clocks(soon())); }},
      {"gc restore", "change", "gc",
       [](const Stores& s, const std::string&) { wait_for(s.restores.order_restore(soon())); }},
      {"a gateway's ages", "change", "gc",
       [](const Stores& s, const std::string&) {
         wait_for(s.gc.raise_garbage_ages({99s, 99s, 99s}, soon()));
       }},
  };
}

TEST(Audit, EveryWriterLeavesARowWithoutSecrets) {
  Cluster cluster("audit_writers");
  const auto metadata = PostgresMetadata::make_for_command(cluster.dsn(), test_master_key());
  const Stores& stores = metadata->stores();
  const std::string account = make_account(stores, "operated");
  for (const Writer& writer : writers()) {
    const size_t before = cluster.audit().size();
    writer.write(stores, account);
    const auto rows = cluster.audit();
    bool found = false;
    for (size_t i = before; i < rows.size(); ++i) {
      found = found || (rows[i].action == writer.action && rows[i].subject == writer.subject);
      EXPECT_FALSE(rows[i].role.empty());
      const std::string all = rows[i].before + rows[i].after;
      for (const char* secret : {"sealed", "material", "master_key_id", "the-secret"}) {
        EXPECT_FALSE(all.contains(secret)) << writer.what << ": " << all;
      }
    }
    EXPECT_TRUE(found) << writer.what;
  }
  // What changes nothing leaves nothing.
  const size_t before = cluster.audit().size();
  wait_for(stores.gc.raise_garbage_ages({1s, 1s, 1s}, soon()));
  EXPECT_EQ(cluster.audit().size(), before);
}

TEST(Audit, SaysWhatWasAndWhatIsAndIsRolledBackWithIt) {
  Cluster cluster("audit_values");
  const auto metadata = PostgresMetadata::make_for_command(cluster.dsn(), test_master_key());
  const std::string account = make_account(metadata->stores(), "operated");
  wait_for(metadata->stores().identities.change_account(account, {.enabled = false}, soon()));
  const auto rows = cluster.audit();
  ASSERT_FALSE(rows.empty());
  EXPECT_EQ(boost::json::parse(rows.back().before), boost::json::parse(R"({"enabled":true})"));
  EXPECT_EQ(boost::json::parse(rows.back().after), boost::json::parse(R"({"enabled":false})"));
  EXPECT_EQ(rows.back().name, account + " operated");

  ASSERT_TRUE(cluster.script("begin; update accounts set enabled = true; rollback"));
  EXPECT_EQ(cluster.audit().size(), rows.size());
  ASSERT_TRUE(cluster.script("update accounts set name = 'by hand'"));
  EXPECT_EQ(cluster.audit().size(), rows.size() + 1) << "whoever writes it";
  for (const char* sql : {"update audit set name = ''", "delete from audit", "truncate audit"}) {
    EXPECT_FALSE(cluster.script(sql)) << sql;
  }
  ASSERT_TRUE(add_audit(cluster.dsn(), "settings", "/data", R"({"a":"1"})", R"({"a":"2"})"));
  EXPECT_EQ(cluster.audit().back().subject, "settings");
}

TEST(MasterKey, TheFirstCountsAndAnotherIsToldInOneLine) {
  Cluster cluster("master_key");
  const std::string other(32, 'x');
  ASSERT_TRUE(check_master_key(cluster.dsn(), test_master_key()));
  ASSERT_TRUE(check_master_key(cluster.dsn(), test_master_key()));
  const auto wrong = check_master_key(cluster.dsn(), other);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::kPrecondition);
  EXPECT_TRUE(wrong.error().message.contains("not the master key of this cluster"));
  EXPECT_FALSE(wrong.error().message.contains('\n'));
}

// A cluster that was there before anything was kept to know its key by.
TEST(MasterKey, SecretsThatAreThereSayWhichItIs) {
  const std::string other(32, 'x');
  for (const bool by_account : {true, false}) {
    Cluster cluster(by_account ? "older_accounts" : "older_keys");
    const auto metadata = PostgresMetadata::make_for_command(cluster.dsn(), test_master_key());
    if (by_account) {
      make_account(metadata->stores(), "older");
    } else {
      wait_for(metadata->stores().keys.create(
          "k", "material", crypto::sha256(test_master_key()).substr(0, 8), soon()));
    }
    EXPECT_FALSE(check_master_key(cluster.dsn(), other));
    EXPECT_TRUE(check_master_key(cluster.dsn(), test_master_key()));
    EXPECT_FALSE(check_master_key(cluster.dsn(), other));
  }
}

TEST(MasterKey, OfManyAtOnceOneWins) {
  Cluster cluster("many_keys");
  constexpr int kMany = 8;
  std::barrier together(kMany);
  std::array<bool, kMany> right{};
  std::vector<std::thread> threads;
  for (int i = 0; i < kMany; ++i) {
    threads.emplace_back([&, i] {
      const std::string key(32, static_cast<char>('a' + i));
      together.arrive_and_wait();
      right[static_cast<size_t>(i)] = check_master_key(cluster.dsn(), key).has_value();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::ranges::count(right, true), 1);
  for (int i = 0; i < kMany; ++i) {
    const std::string key(32, static_cast<char>('a' + i));
    EXPECT_EQ(check_master_key(cluster.dsn(), key).has_value(), right[static_cast<size_t>(i)]);
  }
}

TEST(MasterKey, WhatIsKeptElsewhereHasItsCheckToo) {
  Cluster cluster("vault_check");
  const auto metadata = PostgresMetadata::make_for_command(cluster.dsn(), test_master_key());
  make_account(metadata->stores(), "older");
  EXPECT_EQ(find_key_check(cluster.dsn(), "vault").value(), "");
  EXPECT_EQ(settle_key_check(cluster.dsn(), "vault", "mine").value(), "mine");
  EXPECT_EQ(settle_key_check(cluster.dsn(), "vault", "another").value(), "mine");
  EXPECT_EQ(find_key_check(cluster.dsn(), "vault").value(), "mine");
}

}  // namespace
}  // namespace rondel::metadata
