// A database that a contract of the cluster's seams has for itself: its gateways, and what happens
// to it behind their backs.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "common/async/event_loop.h"
#include "common/base/encoding.h"
#include "metadata/connection/pg_connection.h"
#include "tests/contract/metadata_store/test_database.h"

namespace rondel::metadata {

class ClusterDatabase {
 public:
  virtual ~ClusterDatabase() = default;
  // As one gateway sees it; another one after set_back().
  virtual const Stores& stores() = 0;
  // Another gateway's, which ends when it is let go.
  virtual std::shared_ptr<const Stores> another() = 0;
  // The highest, whoever holds it.
  virtual uint64_t token() = 0;

  virtual void back_up() = 0;
  virtual void set_back() = 0;
  // The same under the feet of whoever is connected: the sessions go on, with what they hold.
  virtual void set_back_in_place() = 0;
  // As if the node had not been heard of for two hours.
  virtual void silence(const model::NodeId& node) = 0;
  virtual void forget_rings() = 0;

  // As commits do: a stream of 10 bytes is released, and a row of that table refers to one.
  virtual void release(const model::StreamId& stream, SystemTime at) = 0;
  virtual void refer(const model::StreamId& stream, const std::string& table) = 0;
  // What was deferred is due, and how long it had to wait, by stream.
  virtual std::map<model::StreamId, std::chrono::seconds> make_due() = 0;
  virtual void drop_references() = 0;
};

class MemoryClusterDatabase final : public ClusterDatabase {
 public:
  const Stores& stores() override { return gateway_->stores(); }

  std::shared_ptr<const Stores> another() override {
    const auto made = std::make_shared<MemoryMetadata>(state_);
    return {made, &made->stores()};
  }

  uint64_t token() override { return state_.cluster.token; }

  void back_up() override { backup_ = state_.backup(); }

  void set_back_in_place() override { state_.set_back(backup_); }

  void set_back() override {
    set_back_in_place();
    gateway_ = nullptr;
    gateway_ = std::make_unique<MemoryMetadata>(state_);
  }

  void silence(const model::NodeId& node) override {
    state_.cluster.nodes[node].record.last_seen -= std::chrono::hours(2);
  }

  void forget_rings() override {
    state_.cluster.live_rings.clear();
    state_.cluster.newest_epoch = 0;
    state_.min_epoch = 0;
  }

  void release(const model::StreamId& stream, SystemTime at) override {
    const int64_t id = ++state_.last_release_id;
    state_.released[id] = {{id, stream, 10, at}, std::nullopt};
  }

  void refer(const model::StreamId& stream, const std::string&) override {
    ++state_.references[stream];
  }

  std::map<model::StreamId, std::chrono::seconds> make_due() override {
    std::map<model::StreamId, std::chrono::seconds> waits;
    for (auto& [id, release] : state_.released) {
      if (!release.not_before) continue;
      waits[release.row.stream] =
          std::chrono::round<std::chrono::seconds>(*release.not_before - state_.clock.now());
      release.not_before = state_.clock.now();
    }
    return waits;
  }

  void drop_references() override { state_.references.clear(); }

 private:
  MemoryState state_;
  MemoryRows backup_;
  std::unique_ptr<MemoryMetadata> gateway_ = std::make_unique<MemoryMetadata>(state_);
};

// The program's, of which it empties the tables of the cluster.
class PostgresClusterDatabase final : public ClusterDatabase {
 public:
  PostgresClusterDatabase() { empty(); }

  ~PostgresClusterDatabase() override {
    drop_references();
    empty();
  }

  const Stores& stores() override { return gateway_->stores(); }

  std::shared_ptr<const Stores> another() override {
    const std::shared_ptr<PostgresMetadata> made =
        PostgresMetadata::make_for_command(postgres_dsn());
    return {made, &made->stores()};
  }

  uint64_t token() override {
    const auto row = connection().run("select token from coordinator", {}, deadline_in(kPatience));
    return static_cast<uint64_t>(row.value().bigint(0, 0));
  }

  void back_up() override {
    for (const std::string table : kTables) {
      script("drop table if exists kept_" + table + "; create table kept_" + table + " as table " +
             table);
    }
  }

  // As by a dump into the same server: the log goes on.
  void set_back_in_place() override {
    for (const std::string table : kTables) {
      script("delete from " + table + "; insert into " + table + " select * from kept_" + table);
    }
  }

  void set_back() override {
    set_back_in_place();
    gateway_ = PostgresMetadata::make_for_command(postgres_dsn());
  }

  void silence(const model::NodeId& node) override {
    script("update nodes set last_seen = now() - interval '2 hours' where id = " +
           literal(node.view()));
  }

  void forget_rings() override {
    script("delete from ring_epochs; update ring_state set min_epoch = 0");
  }

  void release(const model::StreamId& stream, SystemTime at) override {
    script("insert into released_streams (stream, size, released_at) values (" +
           literal(stream.view()) + ", 10, to_timestamp(" +
           std::to_string(at.time_since_epoch().count()) + " / 1000000.0))");
  }

  void refer(const model::StreamId& stream, const std::string& table) override {
    const std::string id = literal(stream.view());
    if (table == "objects" || table == "versions") {
      script("insert into " + table +
             " (bucket_id, key, version, is_null, delete_marker, shared, size, etag, "
             "owner_account, part_count, extent_count, stream)"
             " values (-1, " +
             id + ", " + id + ", true, false, false, 10, '', '', 0, 1, " + id + ")");
    } else if (table == "object_extents") {
      script("insert into object_extents values (" + id + ", 0, " + id + ", 10, 0, 10)");
    } else {
      refer_from_part(id);
    }
  }

  std::map<model::StreamId, std::chrono::seconds> make_due() override {
    const auto rows = connection().run(
        "with late as (select id, not_before from released_streams where not_before is not null)"
        " update released_streams r set not_before = now() from late where r.id = late.id"
        " returning r.stream, extract(epoch from late.not_before - now())::bigint",
        {}, deadline_in(kPatience));
    std::map<model::StreamId, std::chrono::seconds> waits;
    for (size_t i = 0; i < rows.value().rows(); ++i) {
      waits[model::StreamId::from_bytes(as_bytes(rows->bytes(i, 0))).value()] =
          std::chrono::seconds(rows->bigint(i, 1));
    }
    return waits;
  }

  void drop_references() override {
    script(R"(
      delete from objects where bucket_id = -1;
      delete from versions where bucket_id = -1;
      delete from object_extents where manifest = stream;
      delete from uploads where key = 'second';
      delete from buckets where name = 'second-look';
      delete from accounts where name = 'second')");
  }

 private:
  static constexpr std::chrono::seconds kPatience{60};
  static constexpr const char* kTables[] = {"cluster_marks",  "nodes",
                                            "coordinator",    "removal_orders",
                                            "trash_restores", "garbage_collection"};

  static std::string literal(ByteView id) { return "'\\x" + to_hex(id) + "'::bytea"; }

  static PgConnection& connection() {
    static const auto opened = PgConnection::open(postgres_dsn(), deadline_in(kPatience)).value();
    return *opened;
  }

  static void script(const std::string& text) {
    const auto done = connection().script(text, deadline_in(kPatience));
    if (!done) throw std::runtime_error(done.error().message);
  }

  void empty() {
    script("truncate nodes, orphan_releases, released_streams, referenced_releases");
    script(
        "update garbage_collection set halted = '', halted_at = null, allowance = 0, grace_s = 0,"
        " trash_s = 0, orphan_age_s = 0");
    forget_rings();
  }

  static void refer_from_part(const std::string& id) {
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

  std::unique_ptr<PostgresMetadata> gateway_ = PostgresMetadata::make_for_command(postgres_dsn());
};

// Over every implementation, each test with a database of its own.
class ClusterContract : public ::testing::TestWithParam<Implementation> {
 protected:
  void SetUp() override {
    if (GetParam() == Implementation::kMemory) {
      database_ = std::make_unique<MemoryClusterDatabase>();
    } else {
      database_ = std::make_unique<PostgresClusterDatabase>();
    }
    lead();
  }

  void TearDown() override { stores().lease.resign_coordinator(); }

  static Deadline soon() { return deadline_in(std::chrono::seconds(60)); }

  // The value, or the end of the test.
  template <class T>
  static T run(async::Task<Result<T>> task) {
    auto result = async::block_on(std::move(task));
    if (!result) throw std::runtime_error(to_string(result.error()));
    if constexpr (!std::is_void_v<T>) return std::move(*result);
  }

  template <class T>
  static ErrorCode refusal(async::Task<Result<T>> task) {
    const auto result = async::block_on(std::move(task));
    if (result) throw std::runtime_error("it was not refused");
    return result.error().code;
  }

  const Stores& stores() { return database_->stores(); }

  void lead() { token_ = claim(stores()); }

  // A former holder of the lock may take a moment to end.
  static uint64_t claim(const Stores& gateway) {
    for (int i = 0; i < 6000; ++i) {
      if (const auto token = run(gateway.lease.claim_coordinator(soon()))) return *token;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    throw std::runtime_error("nobody gave the leadership up");
  }

  std::unique_ptr<ClusterDatabase> database_;
  uint64_t token_ = 0;
};

}  // namespace rondel::metadata
