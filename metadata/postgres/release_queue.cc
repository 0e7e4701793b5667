#include "metadata/store/release_queue.h"

#include <algorithm>

#include "metadata/connection/pg_call.h"
#include "metadata/connection/pg_codec.h"
#include "metadata/connection/pg_fence.h"
#include "metadata/connection/pg_stores.h"
#include "metadata/postgres/second_look.h"

namespace rondel::metadata {
namespace {

using Element = PgArray::Element;

constexpr int64_t kCounted = 10'000;  // Rows of a queue; more are estimated.
constexpr size_t kChunkBytes = 4;

std::vector<uint32_t> read_chunks(std::string_view stored) {
  std::vector<uint32_t> chunks;
  for (size_t at = 0; at + kChunkBytes <= stored.size(); at += kChunkBytes) {
    chunks.push_back(load_be<uint32_t>(as_bytes(stored).data() + at));
  }
  return chunks;
}

std::string stored_chunks(const std::vector<uint32_t>& chunks) {
  std::string stored(chunks.size() * kChunkBytes, '\0');
  auto* at = reinterpret_cast<std::byte*>(stored.data());
  for (const uint32_t chunk : chunks) store_be(std::exchange(at, at + kChunkBytes), chunk);
  return stored;
}

class PostgresReleaseQueue final : public ReleaseQueue {
 public:
  PostgresReleaseQueue(PgWorkers& requests, PgWorkers& workers, PgWorkers& second_look,
                       PgWorkers& operators)
      : requests_(requests), workers_(workers), second_look_(second_look), operators_(operators) {}

  async::Task<Result<void>> release_streams(std::vector<Extent> streams,
                                            Deadline deadline) override {
    auto work = [streams = std::move(streams)](PgConnection& connection,
                                               Deadline until) -> Result<void> {
      PgArray ids(Element::kBytes, streams.size()), sizes(Element::kBigint, streams.size());
      for (const Extent& extent : streams) {
        ids.add_bytes(raw(extent.stream.view()));
        sizes.add(static_cast<int64_t>(extent.stream_size));
      }
      PgParameters parameters;
      std::move(ids).move_into(parameters);
      std::move(sizes).move_into(parameters);
      TRY(const PgResult done, connection.run("insert into released_streams (stream, size) select "
                                              "* from unnest($1::bytea[], $2::bigint[])",
                                              parameters, until));
      (void)done;
      return {};
    };
    co_return co_await run_single<void>(requests_, deadline, std::move(work));
  }

  async::Task<Result<CheckedReleases>> check_released(SystemTime before, size_t max,
                                                      uint64_t coordinator_token,
                                                      Deadline deadline) override {
    return run_single<CheckedReleases>(
        second_look_, deadline, [=](PgConnection& connection, Deadline until) {
          return metadata::check_released(connection, before, max, coordinator_token, until);
        });
  }

  async::Task<Result<std::vector<ReleasedStream>>> take_released(SystemTime before, size_t max,
                                                                 uint64_t coordinator_token,
                                                                 Deadline deadline) override {
    auto work = [=](PgConnection& connection,
                    Deadline until) -> Result<std::vector<ReleasedStream>> {
      PgParameters parameters;
      parameters.add(static_cast<int64_t>(coordinator_token));
      parameters.add(before.time_since_epoch().count());
      parameters.add(static_cast<int64_t>(max));
      TRY(const PgResult rows,
          connection.run(std::string("select id, stream, size, (extract(epoch from released_at) * "
                                     "1000000)::bigint, coalesce(rest, '') from released_streams"
                                     " where checked_at is not null and ") +
                             kFence +
                             " and released_at <= to_timestamp($2::bigint / 1000000.0)"
                             " and coalesce(not_before, checked_at) <= now()"
                             " order by coalesce(not_before, checked_at), id limit $3",
                         parameters, until));
      std::vector<ReleasedStream> released;
      for (size_t i = 0; i < rows.rows(); ++i) {
        released.push_back(
            {rows.bigint(i, 0),
             model::StreamId::from_bytes(as_bytes(rows.bytes(i, 1))).value_or(model::StreamId{}),
             static_cast<uint64_t>(rows.bigint(i, 2)), from_microseconds(rows.bigint(i, 3)),
             read_chunks(rows.bytes(i, 4))});
      }
      return released;
    };
    return run_single<std::vector<ReleasedStream>>(workers_, deadline, std::move(work));
  }

  async::Task<Result<void>> finish_released(std::vector<ReleaseRow> rows,
                                            uint64_t coordinator_token,
                                            Deadline deadline) override {
    auto work = [rows = std::move(rows), coordinator_token](PgConnection& connection,
                                                            Deadline until) -> Result<void> {
      PgParameters parameters;
      parameters.add(static_cast<int64_t>(coordinator_token));
      PgArray ids(Element::kBigint, rows.size()), streams(Element::kBytes, rows.size());
      for (const ReleaseRow& row : rows) {
        ids.add(row.id);
        streams.add_bytes(raw(row.stream.view()));
      }
      std::move(ids).move_into(parameters);
      std::move(streams).move_into(parameters);
      TRY(const PgResult done,
          connection.run(std::string("delete from released_streams r using unnest($2::bigint[], "
                                     "$3::bytea[]) d (id, stream) where ") +
                             kFence + " and r.id = d.id and r.stream = d.stream",
                         parameters, until));
      (void)done;
      return {};
    };
    return run_single<void>(workers_, deadline, std::move(work));
  }

  async::Task<Result<void>> defer_released(std::vector<DeferredStream> rows,
                                           uint64_t coordinator_token, Deadline deadline) override {
    auto work = [rows = std::move(rows), coordinator_token](PgConnection& connection,
                                                            Deadline until) -> Result<void> {
      PgParameters parameters;
      parameters.add(static_cast<int64_t>(coordinator_token));
      PgArray ids(Element::kBigint, rows.size()), rests(Element::kBytes, rows.size());
      PgArray streams(Element::kBytes, rows.size());
      for (const DeferredStream& deferred : rows) {
        ids.add(deferred.row.id);
        rests.add_bytes(stored_chunks(deferred.chunks));
        streams.add_bytes(raw(deferred.row.stream.view()));
      }
      std::move(ids).move_into(parameters);
      std::move(rests).move_into(parameters);
      parameters.add(int64_t{kDeferMin.count()});
      parameters.add(int64_t{kDeferMax.count()});
      std::move(streams).move_into(parameters);
      TRY(const PgResult done,
          connection.run(
              std::string(
                  "update released_streams r set rest = d.rest, tries = r.tries + 1, "
                  "not_before = now() + interval '1 second' * least($5::bigint, "
                  "$4::bigint * (1 << least(r.tries, 10)))"
                  " from unnest($2::bigint[], $3::bytea[], $6::bytea[]) d (id, rest, stream)"
                  " where ") +
                  kFence + " and r.id = d.id and r.stream = d.stream",
              parameters, until));
      (void)done;
      return {};
    };
    return run_single<void>(workers_, deadline, std::move(work));
  }

  async::Task<Result<QueueDepths>> queue_depths(Deadline deadline) override {
    return run_single<QueueDepths>(
        operators_, deadline, [](PgConnection& connection, Deadline until) -> Result<QueueDepths> {
          // A row has the lower number, the earlier it was released: its index finds the oldest.
          TRY(const PgResult row,
              connection.run(
                  "select (select count(*) from (select from released_streams limit 10000) few),"
                  " (select greatest(reltuples, 0)::bigint from pg_class where oid = "
                  "'released_streams'::regclass),"
                  " (select (extract(epoch from released_at) * 1000000)::bigint from "
                  "released_streams order by id limit 1),"
                  " (select count(*) from (select from uploads limit 10000) few),"
                  " (select greatest(reltuples, 0)::bigint from pg_class where oid = "
                  "'uploads'::regclass),"
                  " (select count(*) from (select from referenced_releases limit 10000) few),"
                  " (select count(*) from (select from released_streams where checked_at is not "
                  "null"
                  " and coalesce(not_before, checked_at) > now() limit 10000) few)",
                  {}, until));
          const auto depth = [&row](int counted) {
            const int64_t count = row.bigint(0, counted);
            return static_cast<uint64_t>(
                count < kCounted ? count : std::max(count, row.bigint(0, counted + 1)));
          };
          QueueDepths depths;
          depths.released = depth(0);
          depths.oldest_released = from_microseconds(row.bigint(0, 2));
          depths.uploads_open = depth(3);
          depths.referenced = static_cast<uint64_t>(row.bigint(0, 5));
          depths.deferred = static_cast<uint64_t>(row.bigint(0, 6));
          return depths;
        });
  }

 private:
  PgWorkers& requests_;  // As requests release, and never behind what the coordinator does.
  PgWorkers& workers_;
  PgWorkers& second_look_;
  PgWorkers& operators_;
};

}  // namespace

std::unique_ptr<ReleaseQueue> make_release_queue(PgWorkers& requests, PgWorkers& workers,
                                                 PgWorkers& second_look, PgWorkers& operators) {
  return std::make_unique<PostgresReleaseQueue>(requests, workers, second_look, operators);
}

}  // namespace rondel::metadata
