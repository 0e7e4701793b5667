// What operators changed: rows that triggers write in the transaction of each change
// (migrations/functions/audit.sql). Blocking: for commands.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace rondel::metadata {

struct AuditRow {
  uint64_t id = 0;
  SystemTime at;
  std::string role;     // Of the database.
  std::string program;  // What the session says it is.
  std::string client;   // Its address; "local": a unix socket.
  std::string action;   // create, change, delete, truncate.
  std::string subject;  // "account", "access key", ...
  std::string name;
  std::string before;  // JSON; empty: there was nothing.
  std::string after;
};

inline constexpr uint64_t kAuditRowsMax = 100'000;

// The newest `limit` rows (at most kAuditRowsMax), the oldest of them first.
Result<std::vector<AuditRow>> read_audit(const std::string& dsn, uint64_t limit);

// Writes down a change of what is not in the database. `before` and `after`: JSON.
Result<void> add_audit(const std::string& dsn, const std::string& subject, const std::string& name,
                       const std::string& before, const std::string& after);

}  // namespace rondel::metadata
