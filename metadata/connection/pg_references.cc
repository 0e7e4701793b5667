#include "metadata/connection/pg_references.h"

#include <algorithm>

namespace rondel::metadata {

Result<PgResult> run_through_tables(PgConnection& connection, const std::string& sql,
                                    const PgParameters& parameters, Deadline until) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                        until - std::chrono::steady_clock::now())
                        .count();
  TRY_VOID(
      connection.script("begin; set local enable_seqscan = on; set local enable_hashjoin = on; set "
                        "local statement_timeout = " +
                            std::to_string(std::max<int64_t>(left, 1)),
                        until));
  auto result = connection.run(sql, parameters, until);
  auto ended = connection.script(result ? "commit" : "rollback", until);
  if (result && !ended) return std::unexpected(ended.error());
  return result;
}

}  // namespace rondel::metadata
