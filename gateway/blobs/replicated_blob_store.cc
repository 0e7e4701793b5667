#include "gateway/blobs/replicated_blob_store.h"

#include <set>

#include "gateway/blobs/core.h"

namespace rondel::blobs {

ReplicatedBlobStore::ReplicatedBlobStore(transfer::BlobTransport& transport,
                                         const ring::TopologySource& topology,
                                         ReplicatedBlobStoreOptions options)
    : core_(std::make_shared<Core>(transport, topology, std::move(options))) {}

ReplicatedBlobStore::~ReplicatedBlobStore() { core_->draining = true; }

std::unique_ptr<StreamWriter> ReplicatedBlobStore::open_writer(std::optional<uint64_t> size_hint,
                                                               Deadline deadline,
                                                               admission::PartyRef payer) {
  return make_stream_writer(core_, size_hint, deadline, std::move(payer));
}

std::unique_ptr<StreamReader> ReplicatedBlobStore::open_reader(std::vector<StreamRange> ranges,
                                                               Deadline deadline,
                                                               admission::PartyRef payer) {
  return make_stream_reader(core_, std::move(ranges), deadline, std::move(payer));
}

bool ReplicatedBlobStore::quorum_possible() const {
  const auto topology = core_->topology.topology();
  const ring::Ring* ring = topology->current();
  if (ring == nullptr) return false;
  std::vector<ring::DiskIndex> chosen;
  for (ring::DiskIndex i = 0; i < ring->disks().size(); ++i) {
    if (ring->disks()[i].capacity_bytes == 0 || core_->breakers.avoided(ring->disks()[i].id)) {
      continue;
    }
    bool apart = true;
    for (const ring::DiskIndex other : chosen) apart = apart && !ring->share_domain(i, other);
    if (apart) chosen.push_back(i);
  }
  return chosen.size() >= std::min<size_t>(2, ring->replicas());
}

BlobHealth ReplicatedBlobStore::health() const {
  const Counters& c = core_->counters;
  BlobHealth health;
  health.chunks_written = c.chunks_written;
  health.bytes_written = c.bytes_written;
  health.copies_flushed = c.copies_flushed;
  health.handoff_copies = c.handoff_copies;
  health.copies_failed = c.copies_failed;
  health.copies_stalled = c.copies_stalled;
  health.copies_dropped = c.copies_dropped;
  health.full_failures = c.full_failures;
  health.quorum_failures = c.quorum_failures;
  health.bytes_read = c.bytes_read;
  health.read_failovers = c.read_failovers;
  health.corrupt_copies = c.corrupt_copies;
  health.missing_copies = c.missing_copies;
  health.repairs_done = c.repairs_done;
  health.repairs_failed = c.repairs_failed;
  health.repairs_skipped = c.repairs_skipped;
  health.repairs_joined = c.repairs_joined;
  health.repairs_without_buffer = c.repairs_without_buffer;
  health.probes = c.probes;
  for (const admission::Pool* budget : {&core_->write_budget, &core_->read_budget,
                                        &core_->small_write_budget, &core_->small_read_budget}) {
    health.budgets.push_back(budget->status());
    health.buffer_bytes_in_use += health.budgets.back().used;
    health.buffer_bytes_max += budget->capacity();
  }
  health.background_tasks = c.background;
  health.disks = core_->breakers.health();
  return health;
}

async::Task<bool> ReplicatedBlobStore::drain(Deadline deadline) {
  core_->draining = true;
  while (core_->counters.background.load() > 0) {
    if (std::chrono::steady_clock::now() >= deadline) co_return false;
    co_await async::sleep_for(std::chrono::milliseconds(5));
  }
  co_return true;
}

}  // namespace rondel::blobs
