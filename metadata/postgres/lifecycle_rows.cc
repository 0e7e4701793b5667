#include "metadata/postgres/lifecycle_rows.h"

#include "metadata/connection/pg_codec.h"
#include "metadata/model/version_clock.h"

namespace rondel::metadata {

int64_t to_milliseconds(SystemTime time) { return *milliseconds(time); }

LifecycleVersion read_lifecycle_version(const PgResult& rows, size_t i) {
  LifecycleVersion version;
  version.key = rows.text(i, 0);
  version.version =
      model::VersionId::from_bytes(as_bytes(rows.bytes(i, 1))).value_or(model::VersionId{});
  version.created = time_of(version.version);
  version.size = static_cast<uint64_t>(rows.bigint(i, 2));
  version.tags = unpack_tags(rows.bytes(i, 3));
  version.current = rows.boolean(i, 4);
  version.delete_marker = rows.boolean(i, 5);
  version.lone = rows.boolean(i, 6);
  version.replaced = SystemTime(std::chrono::milliseconds(rows.bigint(i, 7)));
  version.newer_noncurrent = static_cast<uint32_t>(rows.bigint(i, 8));
  return version;
}

void add_keys(PgParameters& parameters, const std::vector<std::string>& keys) {
  PgArray array(PgArray::Element::kBytes, keys.size());
  for (const std::string& key : keys) array.add_bytes(key);
  std::move(array).move_into(parameters);
}

async::Task<Result<void>> run_change(PgWorkers& workers, std::string sql, PgParameters parameters,
                                     Deadline deadline) {
  auto work = [sql = std::move(sql), parameters = std::move(parameters)](
                  PgConnection& connection, Deadline until) -> Result<void> {
    TRY(const PgResult done, connection.run(sql, parameters, until));
    (void)done;
    return {};
  };
  return run_single<void>(workers, deadline, std::move(work));
}

}  // namespace rondel::metadata
