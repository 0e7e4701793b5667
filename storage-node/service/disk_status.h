// DiskStatus of proto/storage/v1 from an engine's status.
#pragma once

#include <string>

#include "common/model/replication_lag.h"
#include "storage-node/engine/engine.h"

namespace rondel::storage::v1 {
class DiskStatus;
}

namespace rondel::node {

void fill_disk_status(engine::Engine& engine, const model::ReplicationLag& lag,
                      storage::v1::DiskStatus& out);

}  // namespace rondel::node
