// Metrics of a node: docs/metrics.md.
#pragma once

#include <atomic>

#include "common/metrics/metrics.h"
#include "storage-node/repair/peer_lag.h"
#include "storage-node/repair/repairer.h"
#include "storage-node/service/disk_set.h"
#include "storage-node/service/ring_contact.h"
#include "storage-node/service/stream_budget.h"

namespace rondel::node {

// Everything given outlives the registry's last expose().
void register_node_metrics(metrics::Registry& registry, const DiskSet& disks,
                           const RingContact& contact, const repair::Repairer& repairer,
                           const repair::PeerLag& peers,
                           const std::atomic<uint64_t>& outgoing_bytes);

// What streams of gateways and peers hold in the node's memory. So too.
void register_memory_metrics(metrics::Registry& registry, const StreamBudget& memory);

}  // namespace rondel::node
