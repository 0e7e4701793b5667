// What a storage node last reported of one of its disks, decoded from the heartbeat's DiskStatus.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/clock.h"

namespace rondel::membership {

struct DiskReport {
  std::string state = "unknown";  // "online", "read-only", "full", "failed"
  uint64_t live_bytes = 0;
  uint64_t dead_bytes = 0;
  uint64_t trash_bytes = 0;
  uint64_t free_bytes = 0;
  uint64_t blobs = 0;
  double replication_lag_seconds = 0;
  uint64_t replication_lag_bytes = 0;
  uint64_t handoff_blobs = 0;
  uint64_t corrupt_reads_total = 0;
  std::optional<SystemTime> node_now;  // The node's clock at the report.
};

// Of metadata::NodeRecord::Disk::status. A report that cannot be read is all zeros and "unknown".
DiskReport decode_disk_report(const std::string& status);

}  // namespace rondel::membership
