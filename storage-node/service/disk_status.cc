#include "storage-node/service/disk_status.h"

#include "proto/storage/v1/storage.pb.h"

namespace rondel::node {

void fill_disk_status(engine::Engine& engine, const model::ReplicationLag& lag,
                      storage::v1::DiskStatus& out) {
  const engine::EngineStatus status = engine.status();
  out.set_disk_id(std::string(as_text(engine.disk_id().view())));
  switch (status.state) {
    case engine::DiskState::kOnline: out.set_state(storage::v1::DiskStatus::ONLINE); break;
    case engine::DiskState::kReadOnly: out.set_state(storage::v1::DiskStatus::READ_ONLY); break;
    case engine::DiskState::kFull: out.set_state(storage::v1::DiskStatus::FULL); break;
    case engine::DiskState::kFailed: out.set_state(storage::v1::DiskStatus::FAILED); break;
  }
  out.set_capacity_bytes(status.capacity_bytes);
  out.set_live_bytes(status.live_bytes);
  out.set_dead_bytes(status.dead_bytes);
  out.set_trash_bytes(status.trash_bytes);
  out.set_free_bytes(status.free_bytes);
  out.set_blobs(status.blobs);
  out.set_replication_lag_us(lag.age_us);
  out.set_replication_lag_bytes(lag.bytes);
  out.set_replication_lag_blobs(lag.blobs);
  out.set_handoff_blobs(status.handoff_blobs);
  out.set_handoff_bytes(status.handoff_bytes);
  out.set_corrupt_reads_total(status.corrupt_reads);
  out.set_node_now_us(real_clock().now().time_since_epoch().count());
}

}  // namespace rondel::node
