// DiskStatus of proto/storage/v1 from an engine's status.
#pragma once

#include <array>
#include <string>

#include "storage-node/engine/engine.h"

namespace rondel::storage::v1 {
class DiskStatus;
}

namespace rondel::node {

// `lag`: microseconds, bytes, blobs.
void fill_disk_status(engine::Engine& engine, const std::array<uint64_t, 3>& lag,
                      storage::v1::DiskStatus& out);

}  // namespace rondel::node
