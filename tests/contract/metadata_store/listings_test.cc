// Listings on a real database: how many rows a page reads, and what becomes of one nobody waits
// for.
#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "metadata/connection/pg_connection.h"
#include "metadata/postgres/migrator.h"
#include "tests/contract/metadata_store/store_fixture.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;

// A database with a million keys, a million older versions of a hundred of them, and 300,000
// uploads, most of them of one key.
class MillionKeys : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    script(postgres_dsn(), "create database million");
    dsn_ = postgres_dsn() + " dbname=million";
    ASSERT_TRUE(migrate(dsn_, load_schema(RONDEL_MIGRATIONS).value()));
    script(dsn_, R"(
      set synchronous_commit = off;
      insert into accounts (id, canonical_id, name, display_name) values ('000000000001', 'c', 'n', 'd');
      insert into buckets (id, name, owner_account, region) values (1, 'b', '000000000001', 'r');
      insert into buckets (name, owner_account, region)
        select 'many-' || lpad(n::text, 5, '0'), '000000000001', 'r' from generate_series(1, 9000) n;
      insert into objects (bucket_id, key, version, is_null, delete_marker, size, etag, owner_account)
        select 1, convert_to('k/' || lpad(n::text, 7, '0') || '/x', 'UTF8'), decode(repeat('ff', 16), 'hex'),
          false, false, 1, 'e', 'o' from generate_series(1, 1000000) n;
      insert into versions (bucket_id, key, version, is_null, delete_marker, shared, size, etag, owner_account,
          part_count, extent_count, replaced_ms)
        select 1, convert_to('k/' || lpad((n / 10000)::text, 7, '0') || '/x', 'UTF8'),
          decode(lpad(to_hex(n), 32, '0'), 'hex'), false, false, false, 1, 'e', 'o', 0, 0, n
        from generate_series(10000, 1009999) n;
      insert into uploads (id, bucket_id, key, initiator_account, owner_account, checksum_type, initiated_at)
        select decode(lpad(to_hex(n), 32, '0'), 'hex'), 1,
          case when n <= 200000 then 'one' else convert_to('k/' || lpad(n::text, 7, '0') || '/x', 'UTF8') end,
          'o', 'o', 1, to_timestamp(n) from generate_series(1, 300000) n;
      insert into upload_parts (upload, number, size, etag)
        select decode(lpad('1', 32, '0'), 'hex'), n, 1, 'e' from generate_series(1, 10000) n;)");
  }

  static void TearDownTestSuite() { script(postgres_dsn(), "drop database million with (force)"); }

  static void script(const std::string& dsn, const std::string& sql) {
    const auto connection = PgConnection::open(dsn, deadline_in(60s), {.statement = 300s}).value();
    const auto done = connection->script(sql, deadline_in(300s));
    ASSERT_TRUE(done) << done.error().message;
  }

  static inline std::string dsn_;
};

struct Listing {
  const char* what;
  std::string sql;
  int64_t answered;  // Rows.
};

std::string page(const char* name, const std::string& prefix, const std::string& delimiter,
                 const std::string& lower = "", const std::string& after = "") {
  return fmt::format("select key from {}(1, '{}', '{}', '{}', {}, {}, 1001)", name, prefix,
                     delimiter, lower, !lower.empty(),
                     after.empty() ? "null" : "'\\x" + after + "'");
}

std::vector<Listing> listings() {
  const std::string late(32, 'f'), old = fmt::format("{:032x}", 505'500),
                                   upload = fmt::format("{:032x}", 199'500);
  return {
      {"keys of the whole bucket", page("list_heads", "", ""), 1001},
      {"keys of a prefix", page("list_heads", "k/05000", ""), 100},
      {"one key of a prefix", page("list_heads", "k/0500000/", ""), 1},
      {"no key of a prefix", page("list_heads", "nothing/", ""), 0},
      {"a prefix without one above it", page("list_heads", "\\xff", ""), 0},
      {"keys behind another", page("list_heads", "k/", "", "k/0999000/x"), 1000},
      {"common prefixes", page("list_heads", "k/", "/"), 1001},
      {"common prefixes behind a key", page("list_heads", "k/", "/", "k/0999990/x"), 10},
      {"a common prefix of all", page("list_heads", "", "/"), 1},
      {"versions of a prefix", page("list_versions", "k/0500000/", ""), 1},
      {"versions of the whole bucket", page("list_versions", "", ""), 1001},
      {"versions in the midst of a key",
       page("list_versions", "k/0000050/", "", "k/0000050/x", old), 1001},
      {"the last versions of a key",
       page("list_versions", "k/0000050/", "", "k/0000050/x", fmt::format("{:032x}", 500'010)), 10},
      {"versions behind a key", page("list_versions", "", "", "k/0000050/x"), 1001},
      {"common prefixes of versions", page("list_versions", "k/", "/"), 1001},
      {"uploads of a prefix", page("list_uploads", "k/0250000/", ""), 1},
      {"uploads of a key", page("list_uploads", "one", ""), 1001},
      {"the last uploads of a key", page("list_uploads", "one", "", "one", upload), 500},
      {"uploads behind one that is gone",
       page("list_uploads", "one", "", "one", fmt::format("{:012x}{:020x}", 199'900'000, 7)), 100},
      {"common prefixes of uploads", page("list_uploads", "k/", "/"), 1001},
      {"buckets of a prefix",
       "select name::text from buckets b where b.owner_account = '000000000001' and b.name > '' "
       "and b.name >= 'many-0500'"
       " and b.name < 'many-0500' || '~' order by b.name limit 1001",
       10},
      {"parts of an upload",
       fmt::format("select etag from upload_parts x where x.upload = '\\x{:032x}' and x.number > "
                   "9000 order by x.number limit 1001",
                   1),
       1000},
      {"keys that a rule walks through",
       "select o.key from objects o where o.bucket_id = 1 and not o.delete_marker and o.key >= "
       "greatest('k/0500000/x'::bytea,"
       " 'k/05'::bytea) and o.key <> 'k/0500000/x' and o.key < 'k/06'::bytea order by o.key limit "
       "1000",
       1000},
  };
}

class MillionKeysUnderPlans : public MillionKeys,
                              public ::testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(Plans, MillionKeysUnderPlans,
                         ::testing::Values("force_generic_plan", "force_custom_plan"),
                         [](const auto& info) { return std::string(info.param).substr(6); });

TEST_P(MillionKeysUnderPlans, APageReadsWhatItAnswers) {
  for (const Listing& listing : listings()) {
    const auto connection = PgConnection::open(dsn_, deadline_in(60s)).value();
    ASSERT_TRUE(
        connection->script(std::string("set plan_cache_mode = ") + GetParam(), deadline_in(60s)));
    const auto rows_read = [&] {
      const auto row = connection->run(
          "select (sum(coalesce(idx_tup_fetch, 0)) + sum(seq_tup_read))::bigint from "
          "pg_stat_xact_user_tables"
          " where relname ~ '^(objects|versions|upload|buckets)'",
          {}, deadline_in(60s));
      return row->bigint(0, 0);
    };
    ASSERT_TRUE(connection->script("begin", deadline_in(60s)));
    // Twice: the second one goes by a plan that is kept.
    for (int i = 0; i < 2; ++i) {
      const int64_t before = rows_read();
      const auto rows = connection->run(listing.sql, {}, deadline_in(60s));
      ASSERT_TRUE(rows) << listing.what << ": " << rows.error().message;
      EXPECT_EQ(static_cast<int64_t>(rows->rows()), listing.answered) << listing.what;
      // A portal reads ahead, by tens of rows for each common prefix.
      const bool folded = std::string(listing.what).contains("common prefix");
      EXPECT_LE(rows_read() - before, (folded ? 80 : 2) * (listing.answered + 40)) << listing.what;
    }
    ASSERT_TRUE(connection->script("rollback", deadline_in(60s)));
  }
}

TEST(PgConnectionCancel, AReadWithoutAnAnswerIsStoppedAndItsConnectionIsOfUse) {
  const auto connection = PgConnection::open(postgres_dsn(), deadline_in(60s)).value();
  for (int i = 0; i < 5; ++i) {
    const auto slow =
        connection->run("select pg_sleep(100)::text", {}, deadline_in(20ms), AtDeadline::kCancel);
    ASSERT_FALSE(slow);
    EXPECT_FALSE(connection->broken()) << slow.error().message;
    EXPECT_EQ(connection->run("select 7", {}, deadline_in(60s))->integer(0, 0), 7);
  }
  const auto left =
      connection->run("select pg_sleep(100)::text", {}, deadline_in(20ms), AtDeadline::kLeave);
  EXPECT_TRUE(connection->broken());
}

TEST(PgConnectionCancel, TheServerEndsWhatIsLeftBehind) {
  const std::string dsn = postgres_dsn() + " application_name=left-behind";
  const auto watcher = PgConnection::open(postgres_dsn(), deadline_in(60s)).value();
  {
    const auto connection = PgConnection::open(dsn, deadline_in(60s), {.statement = 200ms}).value();
    (void)connection->run("select pg_sleep(100)::text", {}, deadline_in(20ms));
  }
  for (;;) {  // Until the test's time-out.
    const auto row =
        watcher->run("select count(*) from pg_stat_activity where application_name = 'left-behind'",
                     {}, deadline_in(60s));
    if (row->bigint(0, 0) == 0) break;
    std::this_thread::sleep_for(5ms);
  }
}

class Crowd : public StoreFixture<Crowd> {
 public:
  static constexpr const char* kName = "crowd";
};

// Listings that nobody waits for any more run on nowhere, and keep no look-up waiting.
TEST_F(Crowd, OfSlowListingsHoldsNoMoreConnectionsThanItWasGiven) {
  const auto watcher = PgConnection::open(postgres_dsn(), soon()).value();
  const auto kept =
      watcher->run("select pg_get_functiondef('list_heads'::regproc)", {}, soon())->text(0, 0);
  ASSERT_TRUE(
      watcher->script("create or replace function list_heads(b bigint, prefix bytea, delimiter "
                      "bytea, lower bytea, exclusive boolean,"
                      " after bytea, max integer) returns setof listed_version language plpgsql as"
                      " $$ begin perform pg_sleep(100); end $$",
                      soon()));
  constexpr size_t kConnections = 16;
  {
    const auto metadata = PostgresMetadata::make({.dsn = postgres_dsn() + " application_name=crowd",
                                                  .master_key = test_master_key(),
                                                  .connections = kConnections,
                                                  .timeout = 500ms});
    const Stores& stores = metadata->stores();
    std::atomic<bool> done{false};
    std::vector<std::thread> listing;
    for (int i = 0; i < 20; ++i) {
      listing.emplace_back([&] {
        while (!done) {
          (void)async::block_on(
              stores.listing.list({.bucket_id = bucket_.id, .deadline = deadline_in(100ms)}));
        }
      });
    }
    int64_t most = 0;
    for (int i = 0; i < 60; ++i) {
      const auto found =
          async::block_on(stores.buckets.find_bucket(bucket_.name, deadline_in(60s)));
      EXPECT_TRUE(found) << found.error().message;
      Upload upload = upload_request("u" + std::to_string(i));
      const auto begun = async::block_on(stores.uploads.create_upload(
          {bucket_.id, bucket_.settings_version, 0, deadline_in(60s)}, upload));
      EXPECT_TRUE(begun) << begun.error().message;
      const auto row = watcher->run(
          "select count(*) from pg_stat_activity where application_name = 'crowd'", {}, soon());
      most = std::max(most, row->bigint(0, 0));
      std::this_thread::sleep_for(10ms);
    }
    EXPECT_LE(most, static_cast<int64_t>(kConnections));
    done = true;
    for (std::thread& thread : listing) thread.join();
    EXPECT_EQ(metadata->status().connections_lost, 0u)
        << "statements were stopped, not left behind";
  }
  ASSERT_TRUE(watcher->script(kept, soon()));
}

// Its bucket goes in one statement, and they by slices.
TEST_F(Crowd, OfUploadsGoesBySlicesBehindItsBucket) {
  const auto connection = PgConnection::open(postgres_dsn(), soon()).value();
  const auto count = [&](const std::string& what) {
    return connection->run("select count(*) from " + what, {}, soon())->bigint(0, 0);
  };
  const std::string of_bucket = fmt::format("uploads where bucket_id = {}", bucket_.id);
  const Upload parted = upload_request("parted");
  ASSERT_EQ(run(stores().uploads.create_upload(context(), parted)), CommitStatus::kCommitted);
  PgParameters parameters;
  parameters.add_bytes(as_text(parted.id.view()));
  ASSERT_TRUE(
      connection->run("insert into upload_extents (upload, number, start, stream, stream_size, "
                      "stream_offset, length)"
                      " select $1, n, 0, decode('ee' || lpad(to_hex(n), 22, '0'), 'hex'), 1, 0, 1 "
                      "from generate_series(1, 2500) n",
                      parameters, soon()));
  const auto filled =
      connection->script(fmt::format("insert into uploads (id, bucket_id, key, initiator_account, "
                                     "owner_account, checksum_type)"
                                     " select decode('dd' || lpad(to_hex(n), 30, '0'), 'hex'), {}, "
                                     "'one', 'o', 'o', 1 from generate_series(1, 3000) n",
                                     bucket_.id),
                         soon());
  ASSERT_TRUE(filled) << filled.error().message;
  const int64_t released = count("released_streams");
  ASSERT_EQ(
      run(stores().buckets.delete_bucket({.bucket_id = bucket_.id, .deadline = soon()})).status,
      BucketStatus::kOk);
  EXPECT_EQ(run(stores().buckets.find_bucket(bucket_.name, soon())).status,
            BucketStatus::kNoSuchBucket);
  EXPECT_GE(count(of_bucket), 2000) << "a slice at most goes with the bucket";
  int slices = 0;
  while (run(stores().gc.release_deleted_buckets(soon()))) ++slices;
  EXPECT_GE(slices, 4);
  EXPECT_EQ(count(of_bucket), 0);
  EXPECT_EQ(count("released_streams") - released, 2500);
  EXPECT_EQ(count("deleted_buckets"), 0);
}

}  // namespace
}  // namespace rondel::metadata
