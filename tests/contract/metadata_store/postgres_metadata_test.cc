// What PostgresMetadata alone has: connections that it was given, secrets sealed by a master key.
#include <gtest/gtest.h>

#include <thread>

#include "common/async/event_loop.h"
#include "metadata/connection/pg_connection.h"
#include "metadata/postgres/directory_feed.h"
#include "tests/contract/metadata_store/test_stores.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;

TEST(PostgresMetadataContract, SecretsAreOpenedByTheirMasterKeyAlone) {
  const auto soon = [] { return deadline_in(60s); };
  static int times = 0;  // Of this program: it may be repeated.
  const std::string name = "sealed-" + std::to_string(++times);
  const auto made =
      async::block_on(test_stores().identities.create_account({.name = name}, soon())).value();
  const auto wrong = PostgresMetadata::make_for_command(postgres_dsn(), std::string(32, 'x'));
  IdentityStore& identities = wrong->stores().identities;
  EXPECT_EQ(async::block_on(identities.list_keys(made.account.id, soon())).error().code,
            ErrorCode::kCorruption);
  EXPECT_EQ(async::block_on(identities.find_credential(made.key.access_key, soon())).error().code,
            ErrorCode::kCorruption);
}

// The setting metadata.connections counts on it.
TEST(PostgresMetadataContract, HoldsTheConnectionsThatItWasGivenAndNoMore) {
  const std::string dsn = postgres_dsn() + " application_name=counted";
  const auto watcher = PgConnection::open(postgres_dsn(), deadline_in(60s)).value();
  const auto held = [&] {
    const auto row =
        watcher->run("select count(*) from pg_stat_activity where application_name = 'counted'", {},
                     deadline_in(60s));
    return row ? row->bigint(0, 0) : -1;
  };
  constexpr int64_t kConnections = 15;
  {
    const auto metadata = PostgresMetadata::make(
        {.dsn = dsn, .master_key = test_master_key(), .connections = kConnections});
    const auto feed =
        make_postgres_directory_feed(dsn, real_clock(), [](const DirectoryChange&) {});
    const Stores& stores = metadata->stores();
    int64_t most = 0;
    for (const Deadline end = deadline_in(60s);
         most < kConnections && std::chrono::steady_clock::now() < end;) {
      most = std::max(most, held());
    }
    EXPECT_EQ(most, kConnections);
    EXPECT_TRUE(async::block_on(stores.ring.cluster_id(deadline_in(60s))));
    EXPECT_TRUE(async::block_on(stores.keys.load(0, deadline_in(60s))));
    EXPECT_TRUE(async::block_on(stores.lifecycle.accounts("", 1, deadline_in(60s))));
    EXPECT_TRUE(async::block_on(stores.releases.queue_depths(deadline_in(60s))));
    EXPECT_TRUE(async::block_on(stores.orphans.unreferenced_streams({}, deadline_in(60s))));
    EXPECT_EQ(held(), kConnections);
    EXPECT_EQ(metadata->status().connections, kConnections - PostgresMetadata::kOtherConnections);
  }
  for (const Deadline end = deadline_in(60s);
       held() > 0 && std::chrono::steady_clock::now() < end;) {
    std::this_thread::sleep_for(5ms);
  }
  const auto command = PostgresMetadata::make_for_command(dsn);
  EXPECT_TRUE(async::block_on(command->stores().gc.garbage_state(deadline_in(60s))));
  EXPECT_TRUE(async::block_on(command->stores().ring.cluster_id(deadline_in(60s))));
  EXPECT_EQ(held(), 1) << "a command needs one";
}

}  // namespace
}  // namespace rondel::metadata
