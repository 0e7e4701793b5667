#include "metadata/store/orphan_store.h"

#include "metadata/connection/pg_call.h"
#include "metadata/connection/pg_codec.h"
#include "metadata/connection/pg_fence.h"
#include "metadata/connection/pg_references.h"
#include "metadata/connection/pg_stores.h"

namespace rondel::metadata {
namespace {

using Element = PgArray::Element;

class PostgresOrphanStore final : public OrphanStore {
 public:
  PostgresOrphanStore(PgWorkers& workers, PgWorkers& reconcile)
      : workers_(workers), reconcile_(reconcile) {}

  async::Task<Result<std::vector<model::StreamId>>> unreferenced_streams(
      std::vector<model::StreamId> streams, Deadline deadline) override {
    auto work = [streams = std::move(streams)](
                    PgConnection& connection,
                    Deadline until) -> Result<std::vector<model::StreamId>> {
      PgArray ids(Element::kBytes, streams.size());
      for (const model::StreamId& stream : streams) ids.add_bytes(raw(stream.view()));
      PgParameters parameters;
      std::move(ids).move_into(parameters);
      TRY(const PgResult rows,
          run_through_tables(
              connection,
              std::string("with asked as materialized (select s from unnest($1::bytea[]) s)"
                          " select s from asked except (") +
                  kInUse + kOrQueued + ")",
              parameters, until));
      std::vector<model::StreamId> unreferenced;
      for (size_t i = 0; i < rows.rows(); ++i) {
        if (const auto id = model::StreamId::from_bytes(as_bytes(rows.bytes(i, 0)))) {
          unreferenced.push_back(*id);
        }
      }
      return unreferenced;
    };
    return run_single<std::vector<model::StreamId>>(reconcile_, deadline, std::move(work));
  }

  async::Task<Result<void>> release_orphans(std::vector<ReleasedStream> orphans,
                                            OrphanCounts counts, uint64_t coordinator_token,
                                            Deadline deadline) override {
    auto work = [orphans = std::move(orphans), counts = std::move(counts), coordinator_token](
                    PgConnection& connection, Deadline until) -> Result<void> {
      PgArray ids(Element::kBytes, orphans.size()), sizes(Element::kBigint, orphans.size());
      for (const ReleasedStream& orphan : orphans) {
        ids.add_bytes(raw(orphan.stream.view()));
        sizes.add(static_cast<int64_t>(orphan.size));
      }
      PgParameters parameters;
      parameters.add(static_cast<int64_t>(coordinator_token));
      std::move(ids).move_into(parameters);
      std::move(sizes).move_into(parameters);
      PgArray disks(Element::kBytes, counts.size()), blobs(Element::kBigint, counts.size());
      for (const auto& [disk, count] : counts) {
        disks.add_bytes(raw(disk.view()));
        blobs.add(static_cast<int64_t>(count));
      }
      std::move(disks).move_into(parameters);
      std::move(blobs).move_into(parameters);
      TRY(const PgResult done,
          run_through_tables(
              connection,
              std::string("with counted as (insert into orphan_releases (disk, blobs)"
                          " select * from unnest($4::bytea[], $5::bigint[]) where ") +
                  kFence +
                  "), asked as materialized (select * from unnest($2::bytea[], $3::bigint[]) t (s, "
                  "size)),"
                  " orphans as (select s from asked except (" +
                  kInUse + kOrQueued +
                  ")) insert into released_streams (stream, size) select s, size from asked join "
                  "orphans using (s) where " +
                  kFence,
              parameters, until));
      (void)done;
      return {};
    };
    return run_single<void>(reconcile_, deadline, std::move(work));
  }

  async::Task<Result<OrphanCounts>> recent_orphans(std::chrono::seconds within,
                                                   Deadline deadline) override {
    return run_single<OrphanCounts>(
        workers_, deadline,
        [within](PgConnection& connection, Deadline until) -> Result<OrphanCounts> {
          PgParameters parameters;
          parameters.add(static_cast<int64_t>(within.count()));
          TRY(const PgResult rows,
              connection.run(
                  "select disk, sum(blobs)::bigint from orphan_releases"
                  " where released_at > now() - $1::bigint * interval '1 second' group by disk",
                  parameters, until));
          OrphanCounts counts;
          for (size_t i = 0; i < rows.rows(); ++i) {
            counts[model::DiskId::from_bytes(as_bytes(rows.bytes(i, 0)))
                       .value_or(model::DiskId{})] = static_cast<uint64_t>(rows.bigint(i, 1));
          }
          return counts;
        });
  }

  async::Task<Result<void>> end_garbage_pass(uint64_t coordinator_token,
                                             Deadline deadline) override {
    return run_single<void>(
        workers_, deadline, [=](PgConnection& connection, Deadline until) -> Result<void> {
          PgParameters parameters;
          parameters.add(static_cast<int64_t>(coordinator_token));
          TRY(const PgResult done,
              connection.run(
                  std::string("with forgotten as (delete from orphan_releases where released_at <"
                              " now() - (select orphan_age_s from garbage_collection) * interval "
                              "'1 second' and ") +
                      kFence +
                      ") update garbage_collection set allowance = 0 where allowance > 0 and " +
                      kFence,
                  parameters, until));
          (void)done;
          return {};
        });
  }

 private:
  PgWorkers& workers_;
  PgWorkers& reconcile_;
};

}  // namespace

std::unique_ptr<OrphanStore> make_orphan_store(PgWorkers& workers, PgWorkers& reconcile) {
  return std::make_unique<PostgresOrphanStore>(workers, reconcile);
}

}  // namespace rondel::metadata
