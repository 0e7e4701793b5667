#include "storage-node/repair/peer_lag.h"

#include <algorithm>

namespace rondel::repair {
namespace {

constexpr auto kSilentAfter = std::chrono::seconds(3);
constexpr size_t kEntriesPerCall = 4096;

bool should_hold(const ring::Ring& ring, ring::DiskIndex disk, const model::BlobId& blob) {
  return std::ranges::count(ring.owners(ring.arc_of(blob.ring_hash())), disk) > 0;
}

std::string setting_of(const model::DiskId& disk) { return "pulled/" + disk.to_hex(); }

}  // namespace

void PeerLag::on_pull(const model::DiskId& asking, const model::DiskId& serving, uint64_t token) {
  MutexLock lock(mutex_);
  views_[{asking, serving}] = {token, clock_.steady_now(), false, {}, 0, 0};
}

bool PeerLag::silent(const View& view) const {
  const SteadyTime since = std::max(view.asked_at, started_at_);
  return clock_.steady_now() - since > kSilentAfter;
}

void PeerLag::observe(engine::Engine& serving, const ring::Topology& topology) {
  const ring::Ring* ring = topology.current();
  if (ring == nullptr) return;
  for (size_t i = 0; i < ring->disks().size(); ++i) {
    const model::DiskId& disk = ring->disks()[i].id;
    if (disk == serving.disk_id()) continue;
    const Key key{disk, serving.disk_id()};
    View view;
    {
      MutexLock lock(mutex_);
      const auto found = views_.find(key);
      if (found == views_.end()) {
        // After a restart: from where the disk was known to be.
        const auto stored = serving.get_setting(setting_of(disk));
        view.cursor =
            stored && stored->size() == 8 ? load_be<uint64_t>(as_bytes(*stored).data()) : 0;
        views_[key] = view;
      } else {
        view = found->second;
      }
    }
    // Kept for a restart of ours while the disk is away: when it falls silent, and when it moved
    // far.
    const bool quiet = silent(view);
    const auto stored = serving.get_setting(setting_of(disk));
    const uint64_t known =
        stored && stored->size() == 8 ? load_be<uint64_t>(as_bytes(*stored).data()) : 0;
    if ((quiet && !view.kept && view.cursor > known) ||
        (!quiet && engine::is_far_behind(known, view.cursor))) {
      std::string raw(8, '\0');
      store_be(reinterpret_cast<std::byte*>(raw.data()), view.cursor);
      (void)serving.note_setting(setting_of(disk), raw);
    }
    if (!quiet) continue;
    const auto page = serving.journal_after(view.cursor, kEntriesPerCall);
    if (!page) continue;
    View now = view;
    now.kept = true;
    now.cursor = page->next;
    for (const engine::JournalEntry& entry : page->entries) {
      if (entry.operation != engine::JournalEntry::Operation::kPut ||
          !entry.blob.handoff_for.is_zero()) {
        continue;
      }
      if (!should_hold(*ring, static_cast<ring::DiskIndex>(i), entry.blob.id)) continue;
      if (now.oldest == SystemTime{}) now.oldest = entry.flushed_at;
      now.bytes += entry.blob.length;
      ++now.blobs;
    }
    MutexLock lock(mutex_);
    View& current = views_[key];
    if (current.cursor == view.cursor && current.asked_at == view.asked_at) current = now;
  }
}

std::map<model::DiskId, model::ReplicationLag> PeerLag::lags() const {
  const SystemTime now = clock_.now();
  std::map<model::DiskId, model::ReplicationLag> lags;
  MutexLock lock(mutex_);
  for (const auto& [key, view] : views_) {
    model::ReplicationLag& lag = lags[key.first];
    if (!silent(view) || view.oldest == SystemTime{}) continue;
    const int64_t age = std::max<int64_t>(0, (now - view.oldest).count());
    lag.age_us = std::max(lag.age_us, static_cast<uint64_t>(age));
    lag.bytes += view.bytes;
    lag.blobs += view.blobs;
  }
  return lags;
}

}  // namespace rondel::repair
