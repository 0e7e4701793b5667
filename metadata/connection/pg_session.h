// PgSession: a connection that is opened when it is needed, and again when it ended. One thread at
// a time. Internal to metadata/postgres.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "metadata/connection/pg_availability.h"
#include "metadata/connection/pg_connection.h"

namespace rondel::metadata {

// Of all sessions of a pool. Any thread.
struct PgSessionCounts {
  std::atomic<size_t> connected{0};
  std::atomic<uint64_t> lost{0};
};

class PgSession {
 public:
  // What it refers to outlives it.
  PgSession(const std::string& dsn, PgPatience patience, PgAvailability& availability,
            PgSessionCounts& counts)
      : dsn_(dsn), patience_(patience), availability_(availability), counts_(counts) {}

  ~PgSession() { close(); }

  PgSession(const PgSession&) = delete;
  PgSession& operator=(const PgSession&) = delete;

  // Tries at most every 200 ms, 3 s each time. nullptr: there is none, refused() says why.
  PgConnection* open();
  // Of no use any more: the next open() makes another one. Whether it was so.
  bool drop_if_broken();

  const std::string& refused() const { return refused_; }

 private:
  void close();

  const std::string dsn_;
  const PgPatience patience_;
  PgAvailability& availability_;
  PgSessionCounts& counts_;
  std::unique_ptr<PgConnection> connection_;
  SteadyTime retry_at_{};
  std::string refused_;  // What the last attempt was told, behind ": ".
};

}  // namespace rondel::metadata
