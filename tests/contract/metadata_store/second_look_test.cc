// What every ReleaseQueue answers to a second look at released streams: the one of PostgreSQL, and
// the one in memory that others are tested with.
#include <algorithm>
#include <functional>

#include "common/base/encoding.h"
#include "metadata/postgres/pg_connection.h"
#include "tests/contract/metadata_store/cluster_seams.h"
#include "tests/contract/metadata_store/store_fixture.h"
#include "tests/fakes/memory_cluster_store.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;
using model::StreamId;

// A store, and what commits do to it behind its back.
class Harness {
 public:
  virtual ~Harness() = default;
  virtual ClusterSeams seams() = 0;
  virtual void release(const StreamId& stream, SystemTime at) = 0;
  virtual void refer(const StreamId& stream, const std::string& table) = 0;
  virtual void drop_references() = 0;
  virtual uint64_t token() = 0;   // The highest.
};

class MemoryHarness final : public Harness {
 public:
  ClusterSeams seams() override { return ClusterSeams(store_); }
  void release(const StreamId& stream, SystemTime at) override {
    store_.release_unchecked({++last_, stream, 10, at});
  }
  void refer(const StreamId& stream, const std::string&) override {
    store_.referenced.insert(stream);
  }
  void drop_references() override { store_.referenced.clear(); }
  uint64_t token() override {
    return async::block_on(store_.claim_coordinator(deadline_in(1s))).value().value();
  }

 private:
  fakes::MemoryClusterStore store_;
  int64_t last_ = 0;
};

class PostgresHarness final : public Harness {
 public:
  PostgresHarness() { script("truncate released_streams, referenced_releases"); }
  ~PostgresHarness() override {
    drop_references();
    script("truncate released_streams, referenced_releases");
  }
  ClusterSeams seams() override { return ClusterSeams(metadata_->stores()); }
  void release(const StreamId& stream, SystemTime at) override {
    script("insert into released_streams (stream, size, released_at) values (" + literal(stream) +
           ", 10, to_timestamp(" + std::to_string(at.time_since_epoch().count()) +
           " / 1000000.0))");
  }
  void refer(const StreamId& stream, const std::string& table) override {
    const std::string id = literal(stream);
    if (table == "objects" || table == "versions") {
      script("insert into " + table +
             " (bucket_id, key, version, is_null, delete_marker, shared, size, etag, "
             "owner_account, part_count, extent_count, stream)"
             " values (-1, " +
             id + ", " + id + ", true, false, false, 10, '', '', 0, 1, " + id + ")");
    } else if (table == "object_extents") {
      script("insert into object_extents values (" + id + ", 0, " + id + ", 10, 0, 10)");
    } else {
      script(
          "insert into accounts (id, canonical_id, name, display_name) values ('999999999999', "
          "'second', 'second', '') on conflict do nothing;"
          "insert into buckets (name, owner_account, region) values ('second-look', "
          "'999999999999', '') on conflict do nothing;"
          "insert into uploads (id, bucket_id, key, initiator_account, owner_account, "
          "checksum_type) select " +
          id +
          ", id, 'second', '', '', 0 from buckets where name = 'second-look';"
          "insert into upload_extents values (" +
          id + ", 1, 0, " + id + ", 10, 0, 10)");
    }
  }
  void drop_references() override {
    script(
        "delete from objects where bucket_id = -1; delete from versions where bucket_id = -1; "
        "delete from object_extents where stream_size = 10;"
        "delete from uploads where key = 'second'; delete from buckets where name = 'second-look'; "
        "delete from accounts where name = 'second'");
  }
  // Whoever holds the lock may go on doing so: it is the number that counts.
  uint64_t token() override {
    return static_cast<uint64_t>(
        connection_->run("select token from coordinator", {}, deadline_in(30s))->bigint(0, 0));
  }

 private:
  static std::string literal(const StreamId& id) { return "'\\x" + to_hex(id.view()) + "'::bytea"; }
  void script(const std::string& sql) {
    const auto done = connection_->script(sql, deadline_in(30s));
    ASSERT_TRUE(done) << done.error().message;
  }

  const std::unique_ptr<PgConnection> connection_ =
      PgConnection::open(postgres_dsn(), deadline_in(30s)).value();
  const std::unique_ptr<PostgresMetadata> metadata_ = PostgresMetadata::make_for_command(postgres_dsn());
};

class SecondLookContract : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (GetParam() == std::string("memory"))
      harness_ = std::make_unique<MemoryHarness>();
    else
      harness_ = std::make_unique<PostgresHarness>();
    token_ = harness_->token();
  }

  template <class T>
  static T run(async::Task<Result<T>> task) {
    auto result = async::block_on(std::move(task));
    if (!result) throw std::runtime_error(to_string(result.error()));
    return std::move(*result);
  }
  static Deadline soon() { return deadline_in(60s); }

  StreamId release(Duration age) {
    const auto stream = StreamId::random();
    harness_->release(stream, now_ - std::chrono::duration_cast<std::chrono::microseconds>(age));
    return stream;
  }
  CheckedReleases look(Duration grace, size_t max = 1000) {
    return run(harness_->seams().releases.check_released(
        now_ - std::chrono::duration_cast<std::chrono::microseconds>(grace), max, token_, soon()));
  }
  std::vector<StreamId> taken(Duration grace = 0s) {
    std::vector<StreamId> out;
    const SystemTime before = now_ - std::chrono::duration_cast<std::chrono::microseconds>(grace);
    for (const auto& row : run(harness_->seams().releases.take_released(before, 1000, token_, soon())))
      out.push_back(row.stream);
    return out;
  }

  const SystemTime now_ = real_clock().now();
  std::unique_ptr<Harness> harness_;
  uint64_t token_ = 0;
};

TEST_P(SecondLookContract, OnlyWhatWasLookedAtIsHandedOut) {
  const auto first = release(3h), second = release(2h), young = release(1min);
  EXPECT_TRUE(taken().empty());
  EXPECT_EQ(look(1h, 1).checked, 1u);
  EXPECT_EQ(taken(), (std::vector<StreamId>{first}));
  EXPECT_EQ(look(1h).checked, 1u)
      << "the other; what was looked at is not looked at again, and a young one not yet";
  EXPECT_EQ(taken(), (std::vector<StreamId>{first, second}));
  EXPECT_EQ(look(1h).checked, 0u);
  EXPECT_EQ(look(0s).checked, 1u);
  EXPECT_EQ(taken(1h), (std::vector<StreamId>{first, second}))
      << "a grace that became longer counts";
  EXPECT_EQ(taken(), (std::vector<StreamId>{first, second, young}));
}

TEST_P(SecondLookContract, WhatAnythingRefersToIsKeptAndNeverHandedOut) {
  std::vector<StreamId> kept;
  for (const std::string table : {"objects", "versions", "object_extents", "upload_extents"}) {
    harness_->refer(kept.emplace_back(release(2h)), table);
  }
  const auto free = release(2h);
  harness_->release(kept.front(), now_ - 2h);   // Twice.
  const CheckedReleases looked = look(1h);
  EXPECT_EQ(looked.checked, 1u);
  EXPECT_EQ(looked.referenced, 5u);
  for (const StreamId& stream : kept)
    EXPECT_NE(looked.examples.find(stream.to_hex()), std::string::npos);
  EXPECT_EQ(taken(), (std::vector<StreamId>{free}));
  const auto depths = run(harness_->seams().releases.queue_depths(soon()));
  EXPECT_EQ(depths.released, 1u);
  EXPECT_EQ(depths.referenced, 5u);

  // Given up properly at last, it goes as any other.
  harness_->drop_references();
  harness_->release(kept.front(), now_ - 2h);
  EXPECT_EQ(look(1h).checked, 1u);
  EXPECT_EQ(taken(), (std::vector<StreamId>{free, kept.front()}));
}

TEST_P(SecondLookContract, WhatIsReferredToAfterARefusalToLookIsNotMarked) {
  const auto stream = release(2h);
  const auto late =
      async::block_on(harness_->seams().releases.check_released(now_, 1000, token_ - 1, soon()));
  EXPECT_TRUE(!late || late->checked + late->referenced == 0) << "a former coordinator's look";
  EXPECT_TRUE(taken().empty());
  EXPECT_EQ(look(1h).checked, 1u);
  EXPECT_EQ(taken(), (std::vector<StreamId>{stream}));
}

INSTANTIATE_TEST_SUITE_P(Stores, SecondLookContract, ::testing::Values("memory", "postgres"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace rondel::metadata
