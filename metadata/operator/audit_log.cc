#include "metadata/operator/audit_log.h"

#include <algorithm>

#include "metadata/connection/pg_codec.h"
#include "metadata/connection/pg_connection.h"

namespace rondel::metadata {

namespace {
constexpr auto kPatience = std::chrono::seconds(10);
}

Result<std::vector<AuditRow>> read_audit(const std::string& dsn, uint64_t limit) {
  const Deadline deadline = deadline_in(kPatience);
  TRY(const auto connection, PgConnection::open(dsn, deadline));
  PgParameters parameters;
  parameters.add(static_cast<int64_t>(std::min(limit, kAuditRowsMax)));
  TRY(const PgResult rows,
      connection->run("select * from (select id, (extract(epoch from at) * 1000000)::bigint, role,"
                      " program, client, action, subject, name, coalesce(before::text, ''),"
                      " coalesce(after::text, '') from audit order by id desc limit $1::bigint) n"
                      " order by id",
                      parameters, deadline));
  std::vector<AuditRow> all;
  for (size_t i = 0; i < rows.rows(); ++i) {
    AuditRow& row = all.emplace_back();
    row.id = static_cast<uint64_t>(rows.bigint(i, 0));
    row.at = from_microseconds(rows.bigint(i, 1));
    int column = 2;
    for (std::string* text : {&row.role, &row.program, &row.client, &row.action, &row.subject,
                              &row.name, &row.before, &row.after}) {
      *text = rows.text(i, column++);
    }
  }
  return all;
}

Result<void> add_audit(const std::string& dsn, const std::string& subject, const std::string& name,
                       const std::string& before, const std::string& after) {
  const Deadline deadline = deadline_in(kPatience);
  TRY(const auto connection, PgConnection::open(dsn, deadline));
  PgParameters parameters;
  for (const std::string* text : {&subject, &name, &before, &after}) parameters.add_text(*text);
  TRY_VOID(
      connection->run("select add_audit('change', $1::text, $2::text, $3::text::jsonb,"
                      " $4::text::jsonb)",
                      parameters, deadline));
  return {};
}

}  // namespace rondel::metadata
