#include "cluster/membership/disk_report.h"

#include <algorithm>

#include "proto/storage/v1/storage.pb.h"

namespace rondel::membership {
namespace {

constexpr int64_t kTimeMax = int64_t{1} << 53;

std::string state_name(storage::v1::DiskStatus::State state) {
  switch (state) {
    case storage::v1::DiskStatus::ONLINE: return "online";
    case storage::v1::DiskStatus::READ_ONLY: return "read-only";
    case storage::v1::DiskStatus::FULL: return "full";
    case storage::v1::DiskStatus::FAILED: return "failed";
    default: return "unknown";
  }
}

}  // namespace

DiskReport decode_disk_report(const std::string& status) {
  storage::v1::DiskStatus message;
  if (!message.ParseFromString(status)) return {};
  DiskReport report;
  report.state = state_name(message.state());
  report.live_bytes = message.live_bytes();
  report.dead_bytes = message.dead_bytes();
  report.trash_bytes = message.trash_bytes();
  report.free_bytes = message.free_bytes();
  report.blobs = message.blobs();
  report.replication_lag_seconds = static_cast<double>(message.replication_lag_us()) / 1e6;
  report.replication_lag_bytes = message.replication_lag_bytes();
  report.handoff_blobs = message.handoff_blobs();
  report.corrupt_reads_total = message.corrupt_reads_total();
  if (message.node_now_us() != 0) {
    // A clock may show anything; differences of what it shows must not overflow.
    const int64_t told = std::clamp(message.node_now_us(), -kTimeMax, kTimeMax);
    report.node_now = SystemTime(std::chrono::microseconds(told));
  }
  return report;
}

}  // namespace rondel::membership
