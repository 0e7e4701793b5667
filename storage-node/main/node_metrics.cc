#include "storage-node/main/node_metrics.h"

namespace rondel::node {

using engine::EngineStatus;
using metrics::Sample;
using metrics::Type;

namespace {

// A family with one sample a disk.
void per_disk(metrics::Registry& registry, const DiskSet& disks, Type type, std::string_view name,
              std::string_view help, uint64_t EngineStatus::* member) {
  registry.collector(type, name, help, [&disks, member] {
    std::vector<Sample> samples;
    for (const auto& disk : disks.identified()) {
      samples.push_back(
          {{{"disk", disk->disk_id().to_hex()}}, static_cast<double>(disk->status().*member)});
    }
    return samples;
  });
}

}  // namespace

void register_node_metrics(metrics::Registry& registry, const DiskSet& disks,
                           const RingContact& contact, const repair::Repairer& repairer,
                           const repair::PeerLag& peers,
                           const std::atomic<uint64_t>& outgoing_bytes) {
  per_disk(registry, disks, Type::kGauge, "rondel_node_capacity_bytes", "Bytes the disk may use.",
           &EngineStatus::capacity_bytes);
  per_disk(registry, disks, Type::kGauge, "rondel_node_live_bytes",
           "Bytes of blobs that are referred to.", &EngineStatus::live_bytes);
  per_disk(registry, disks, Type::kGauge, "rondel_node_dead_bytes",
           "Reclaimable bytes in segments not yet compacted.", &EngineStatus::dead_bytes);
  per_disk(registry, disks, Type::kGauge, "rondel_node_trash_bytes",
           "Bytes removed but still restorable.", &EngineStatus::trash_bytes);
  per_disk(registry, disks, Type::kGauge, "rondel_node_free_bytes", "Bytes of free segments.",
           &EngineStatus::free_bytes);
  per_disk(registry, disks, Type::kGauge, "rondel_node_blobs",
           "Blobs on the disk, without the trash.", &EngineStatus::blobs);
  per_disk(registry, disks, Type::kGauge, "rondel_node_handoff_blobs",
           "Blobs held for another disk.", &EngineStatus::handoff_blobs);
  per_disk(registry, disks, Type::kGauge, "rondel_node_handoff_bytes",
           "Bytes held for another disk.", &EngineStatus::handoff_bytes);
  per_disk(registry, disks, Type::kGauge, "rondel_node_queue_bytes", "Bytes waiting to be written.",
           &EngineStatus::queue_bytes);
  per_disk(registry, disks, Type::kCounter, "rondel_node_corrupt_reads_total",
           "Reads that found damaged bytes on the disk.", &EngineStatus::corrupt_reads);
  per_disk(registry, disks, Type::kGauge, "rondel_node_damaged_blobs",
           "Blobs found damaged on the disk and not replaced yet.", &EngineStatus::damaged_blobs);
  per_disk(registry, disks, Type::kCounter, "rondel_node_compactions_total", "Segments compacted.",
           &EngineStatus::compactions);
  per_disk(registry, disks, Type::kCounter, "rondel_node_compacted_bytes_total",
           "Bytes moved by compaction.", &EngineStatus::compacted_bytes);
  registry.collector(
      Type::kGauge, "rondel_node_disk_state", "1 for the state the disk is in.", [&disks] {
        std::vector<Sample> samples;
        for (const auto& disk : disks.identified()) {
          const engine::DiskState now = disk->status().state;
          for (const auto& [state, name] : {std::pair{engine::DiskState::kOnline, "online"},
                                            {engine::DiskState::kReadOnly, "read-only"},
                                            {engine::DiskState::kFull, "full"},
                                            {engine::DiskState::kFailed, "failed"}}) {
            samples.push_back(
                {{{"disk", disk->disk_id().to_hex()}, {"state", name}}, state == now ? 1.0 : 0.0});
          }
        }
        return samples;
      });

  // Own disks by what their peers tell, silent disks of others by what their journal here says.
  struct LagFamily {
    const char* name;
    const char* help;
    double (*value)(const model::ReplicationLag&);
  };

  const LagFamily families[] = {
      {"rondel_replication_lag_seconds",
       "Age of the oldest acknowledged blob that the disk should hold and lacks.",
       [](const model::ReplicationLag& lag) { return static_cast<double>(lag.age_us) / 1e6; }},
      {"rondel_replication_lag_bytes", "Bytes that the disk should hold and lacks.",
       [](const model::ReplicationLag& lag) { return static_cast<double>(lag.bytes); }},
      {"rondel_replication_lag_blobs", "Blobs that the disk should hold and lacks.",
       [](const model::ReplicationLag& lag) { return static_cast<double>(lag.blobs); }},
  };
  for (const LagFamily& family : families) {
    registry.collector(Type::kGauge, family.name, family.help, [&disks, &repairer, &peers, family] {
      std::vector<Sample> samples;
      for (const auto& disk : disks.identified()) {
        samples.push_back({{{"disk", disk->disk_id().to_hex()}, {"seen_by", "itself"}},
                           family.value(repairer.lag_of(disk->disk_id()))});
      }
      for (const auto& [disk, lag] : peers.lags()) {
        if (disks.find(disk) == nullptr) {
          samples.push_back({{{"disk", disk.to_hex()}, {"seen_by", "peer"}}, family.value(lag)});
        }
      }
      return samples;
    });
  }

  struct WantedFamily {
    const char* name;
    const char* help;
    double (*value)(const repair::WantedList::Counts&);
  };

  const WantedFamily wanted_families[] = {
      {"rondel_repair_wanted_blobs",
       "Blobs on the disk's list of what it lacks, those that may still be on their way among "
       "them.",
       [](const repair::WantedList::Counts& counts) { return static_cast<double>(counts.blobs); }},
      {"rondel_repair_unreadable_blobs",
       "Of them, blobs that no disk could give although all that may have them answered.",
       [](const repair::WantedList::Counts& counts) {
         return static_cast<double>(counts.unreadable);
       }},
      {"rondel_repair_wanted_full", "1 while the list is full: peers' journals wait.",
       [](const repair::WantedList::Counts& counts) { return counts.full ? 1.0 : 0.0; }},
  };
  for (const WantedFamily& family : wanted_families) {
    registry.collector(Type::kGauge, family.name, family.help, [&disks, &repairer, family] {
      std::vector<Sample> samples;
      for (const auto& disk : disks.identified()) {
        samples.push_back({{{"disk", disk->disk_id().to_hex()}},
                           family.value(repairer.wanted_of(disk->disk_id()))});
      }
      return samples;
    });
  }

  registry.collector(
      Type::kGauge, "rondel_repair_comparisons_due",
      "Disks whose blobs this disk must still compare with its own: what it lacks of them is not "
      "known and not in its lag.",
      [&disks, &repairer] {
        std::vector<Sample> samples;
        for (const auto& disk : disks) {
          samples.push_back({{{"disk", disk->disk_id().to_hex()}},
                             static_cast<double>(repairer.comparisons_due(disk->disk_id()))});
        }
        return samples;
      });

  registry.callback(
      Type::kGauge, "rondel_ring_epoch", "Newest ring epoch known here.", {}, [&contact] {
        const auto topology = contact.topology();
        return topology->current() == nullptr ? 0.0
                                              : static_cast<double>(topology->current()->epoch());
      });
  registry.callback(Type::kGauge, "rondel_node_ring_contact",
                    "1 while a gateway confirmed the epoch within 10 s.", {},
                    [&contact] { return contact.in_contact() ? 1.0 : 0.0; });
  registry.collector(
      Type::kGauge, "rondel_node_purging",
      "1 while what has left the trash of the disk is purged; 0: the database is not confirmed, "
      "garbage collection stands still, or a restore waits for the disk.",
      [&disks, &contact] {
        std::vector<Sample> samples;
        for (const auto& disk : disks.identified()) {
          const bool purges = contact.why_not_purging(disk->disk_id()).empty();
          samples.push_back({{{"disk", disk->disk_id().to_hex()}}, purges ? 1.0 : 0.0});
        }
        return samples;
      });
  registry.callback(Type::kGauge, "rondel_node_outgoing_bytes",
                    "Bytes of answers that wait for peers to take them.", {},
                    [&outgoing_bytes] { return static_cast<double>(outgoing_bytes.load()); });
  registry.callback(Type::kCounter, "rondel_repair_blobs_total",
                    "Blobs fetched from peers because they lacked here.", {},
                    [&repairer] { return static_cast<double>(repairer.status().blobs_pulled); });
  registry.callback(Type::kCounter, "rondel_repair_bytes_total",
                    "Bytes fetched from peers because they lacked here.", {},
                    [&repairer] { return static_cast<double>(repairer.status().bytes_pulled); });
  registry.callback(
      Type::kCounter, "rondel_repair_handoffs_total", "Hand-off copies given to their owner.", {},
      [&repairer] { return static_cast<double>(repairer.status().handoffs_returned); });
  registry.callback(Type::kCounter, "rondel_repair_errors_total",
                    "Copies that could not be fetched yet.", {},
                    [&repairer] { return static_cast<double>(repairer.status().errors); });
}

void register_memory_metrics(metrics::Registry& registry, const StreamBudget& memory) {
  registry.callback(Type::kGauge, "rondel_node_buffer_bytes",
                    "Bytes of node.buffer_size that streams of gateways and peers hold.", {},
                    [&memory] { return static_cast<double>(memory.in_use()); });
  registry.callback(Type::kGauge, "rondel_node_buffer_bytes_max", "node.buffer_size.", {},
                    [&memory] { return static_cast<double>(memory.capacity()); });
  registry.callback(Type::kCounter, "rondel_node_buffer_refused_total",
                    "Requests and streams refused because they found no room in memory.", {},
                    [&memory] { return static_cast<double>(memory.refused()); });
  registry.callback(Type::kGauge, "rondel_node_streams",
                    "Streams of gateways and peers that are open.", {},
                    [&memory] { return static_cast<double>(memory.streams()); });
  registry.callback(
      Type::kCounter, "rondel_node_streams_cut_total",
      "Streams ended while memory was short because their peer took nothing for a minute.", {},
      [&memory] { return static_cast<double>(memory.cut()); });
}

}  // namespace rondel::node
