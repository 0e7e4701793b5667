#include "metadata/operator/key_check.h"

#include "common/crypto/digest.h"
#include "metadata/connection/pg_codec.h"
#include "metadata/connection/pg_connection.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 10s;
constexpr size_t kMasterKeyIdBytes = 8;

// Empty: what there is was sealed by another one.
Result<std::string> confirm(PgConnection& connection, const std::string& name,
                            const std::string& mine, const std::string& sealed_by,
                            Deadline deadline) {
  PgParameters parameters;
  parameters.add_text(name);
  parameters.add_bytes(mine);
  sealed_by.empty() ? parameters.add_null() : parameters.add_bytes(sealed_by);
  TRY(const PgResult row, connection.run("select confirm_key_check($1::text, $2::bytea, $3::bytea)",
                                         parameters, deadline));
  return row.is_null(0, 0) ? std::string() : row.text(0, 0);
}

}  // namespace

std::string master_key_check(const std::string& cluster_id, const std::string& master_key) {
  return crypto::hmac_sha256(master_key, "rondel master key check 1" + cluster_id);
}

Result<void> check_master_key(const std::string& dsn, const std::string& master_key) {
  const Deadline deadline = deadline_in(kPatience);
  TRY(const auto connection, PgConnection::open(dsn, deadline));
  TRY(const PgResult cluster, connection->run("select id from cluster", {}, deadline));
  const std::string mine = master_key_check(cluster.text(0, 0), master_key);
  const std::string sealed_by = crypto::sha256(master_key).substr(0, kMasterKeyIdBytes);
  TRY(const std::string kept, confirm(*connection, "master", mine, sealed_by, deadline));
  if (kept == mine) return {};
  return fail(ErrorCode::kPrecondition,
              "this is not the master key of this cluster: its secrets are sealed by another one");
}

Result<std::string> settle_key_check(const std::string& dsn, const std::string& name,
                                     const std::string& mine) {
  const Deadline deadline = deadline_in(kPatience);
  TRY(const auto connection, PgConnection::open(dsn, deadline));
  return confirm(*connection, name, mine, "", deadline);
}

Result<std::string> find_key_check(const std::string& dsn, const std::string& name) {
  const Deadline deadline = deadline_in(kPatience);
  TRY(const auto connection, PgConnection::open(dsn, deadline));
  PgParameters parameters;
  parameters.add_text(name);
  TRY(const PgResult row,
      connection->run("select value from key_checks where name = $1", parameters, deadline));
  return row.rows() == 0 ? std::string() : row.text(0, 0);
}

}  // namespace rondel::metadata
