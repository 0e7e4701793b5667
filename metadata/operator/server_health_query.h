// Asks for a ServerHealth. Internal to metadata/postgres.
#pragma once

#include "common/async/task.h"
#include "common/base/result.h"
#include "metadata/connection/pg_workers.h"
#include "metadata/operator/server_health.h"

namespace rondel::metadata {

async::Task<Result<ServerHealth>> ask_server_health(PgWorkers& workers, Deadline deadline);

}  // namespace rondel::metadata
