// PostgresMetadata: every seam of metadata/store over PostgreSQL 15. The functions of migrations/
// decide every commit, one statement a request, waiting requests of a kind in one statement. Why
// libpq and batches: docs/adr/0003-metadata-hot-path.md.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "metadata/operator/server_health.h"
#include "metadata/store/stores.h"

namespace rondel::metadata {

struct PostgresOptions {
  std::string dsn;
  std::string master_key = {};  // 32 bytes: seals access keys' secrets.
  // All that a gateway holds, its directory feed's (directory_feed.h) too: kOtherConnections, and
  // the rest is for requests: of these a quarter for listings, and one or two for what waits for
  // somebody else's lock.
  size_t connections = 19;
  // How long a request waits: the server ends a statement of one then.
  Duration timeout = std::chrono::seconds(5);
  size_t batch_max = 64;
  size_t queue_max = 4096;  // Requests that wait, per lane.
  uint16_t site = 1;
  // What versions and uploads are stamped by, if it is later than the database's.
  const Clock* clock = &real_clock();
  // What object locks end by, if it is earlier than the database's.
  const Clock* lock_clock = &real_clock();
  // Called on a database thread with the size of every batch; "put", "delete", "find", "single",
  // "list", "held".
  std::function<void(std::string_view lane, size_t size)> on_batch = {};
};

// Of the connections for requests.
struct PostgresStatus {
  size_t connections = 0;
  size_t busy = 0;
  size_t queued = 0;
  uint64_t connections_lost = 0;
  bool connected = false;
};

// Safe for concurrent use. Destroyed, it fails what waits and ends what runs.
class PostgresMetadata {
 public:
  // Beside those for requests: one for what heartbeats look at, two for what is written of nodes
  // and rings, one each for the lease, operators, the second look, the scan for orphans, lifecycle
  // and keys, one that asks whether the server is there, and the directory feed's.
  static constexpr size_t kOtherConnections = 11;
  static constexpr size_t kConnectionsMin = kOtherConnections + 4;
  // How many of `connections` in all are for listings: so many of them run at a time.
  static size_t listing_connections(size_t connections);

  // Connects lazily: an unreachable server makes calls fail, not this. REQUIRES:
  // options.connections >= kConnectionsMin.
  static std::unique_ptr<PostgresMetadata> make(PostgresOptions options);
  // For a command: every seam shares one connection, so one call runs at a time. `master_key`: as
  // in the options; empty where neither secrets nor keys are asked for.
  static std::unique_ptr<PostgresMetadata> make_for_command(std::string dsn,
                                                            std::string master_key = {});
  virtual ~PostgresMetadata() = default;

  virtual const Stores& stores() const = 0;
  virtual PostgresStatus status() const = 0;
  // What the server says of itself. Errors as commit_context.h says of every seam.
  virtual async::Task<Result<ServerHealth>> ask_server(Deadline deadline) const = 0;
  // As find_key_check() (key_check.h).
  virtual async::Task<Result<std::string>> key_check(std::string name, Deadline deadline) const = 0;
};

}  // namespace rondel::metadata
