#include "storage-node/repair/intake.h"

#include <algorithm>
#include <map>

#include "storage-node/engine/await_callback.h"

namespace rondel::repair {
namespace {

using engine::BlobEntry;
using engine::JournalEntry;

// What a page asks of the disk.
struct Taken {
  std::vector<Wanted> lacks;
  std::vector<Wanted> handed_back;                          // Lacks; its holder brings it.
  std::map<uint64_t, std::vector<model::BlobId>> restores;  // By order.
  std::map<std::pair<uint64_t, Duration>, std::vector<model::BlobId>> removals;  // And trash.
};

uint64_t micros(SystemTime time) { return static_cast<uint64_t>(time.time_since_epoch().count()); }

// Found or not; other errors are errors.
template <class T>
Result<std::optional<T>> maybe(Result<T> result) {
  if (result) return std::optional<T>(*std::move(result));
  if (result.error().code == ErrorCode::kNotFound) return std::optional<T>();
  return std::unexpected(result.error());
}

// A removal that holds against a copy of this order?
Result<bool> is_removed(engine::Engine& disk, const model::BlobId& id, uint64_t order) {
  TRY(const auto removal, maybe(disk.removal_of(id)));
  return removal && *removal >= order;
}

Result<void> look_at_removal(engine::Engine& disk, bool owned, const JournalEntry& entry,
                             Duration trash_min, Taken& taken) {
  const BlobEntry& blob = entry.blob;
  TRY(const auto here, maybe(disk.stat(blob.id)));
  if (!here) {
    if (!owned) return {};
    TRY(const bool known, is_removed(disk, blob.id, blob.order));
    if (known) return {};
  } else {
    const bool removed = here->trashed && !here->dropped;
    if (here->order > blob.order || (removed && here->order == blob.order)) return {};
  }
  // As long as where it was removed, counted from now: this disk may have been away.
  const Duration trash = std::max<Duration>(blob.purge_at - entry.flushed_at, trash_min);
  taken.removals[{blob.order, trash}].push_back(blob.id);
  return {};
}

Result<void> look_at_copy(engine::Engine& disk, const JournalEntry& entry,
                          const model::DiskId& peer, Taken& taken) {
  const BlobEntry& blob = entry.blob;
  TRY(const bool has, disk.has(blob.id));
  if (has && blob.order == 0) return {};
  if (has) {
    TRY(const auto here, maybe(disk.stat(blob.id)));
    if (here && here->order < blob.order) taken.restores[blob.order].push_back(blob.id);
    if (here && !here->dropped) return {};
  }
  TRY(const bool removed, is_removed(disk, blob.id, blob.order));
  if (removed) return {};
  const Wanted wanted{blob.id, blob.length, micros(blob.created_at), blob.order, 0,
                      0,       0,           Wanted::Why::kJournal,   peer};
  (blob.handoff_for == disk.disk_id() ? taken.handed_back : taken.lacks).push_back(wanted);
  return {};
}

Result<void> list_all(WantedList& wanted, std::span<const Wanted> found, Duration patience) {
  if (!wanted.add(found, patience)) {
    return fail(ErrorCode::kResourceExhausted, "the list of wanted blobs is full");
  }
  return {};
}

}  // namespace

bool owns(const ring::Topology& topology, const model::DiskId& disk, const model::BlobId& blob) {
  for (const auto& ring : topology.rings) {
    const auto index = ring->find(disk);
    if (index && std::ranges::count(ring->owners(ring->arc_of(blob.ring_hash())), *index) > 0) {
      return true;
    }
  }
  return false;
}

Result<void> remove_now(engine::Engine& disk, std::vector<model::BlobId> ids,
                        engine::RemoveOptions options) {
  TRY_VOID(engine::await_callback<uint64_t>(
      [&](auto done) { disk.remove_async(std::move(ids), options, std::move(done)); }));
  return {};
}

Result<void> take_entries(engine::Engine& disk, WantedList& wanted, const ring::Topology& topology,
                          const std::vector<JournalEntry>& entries, const model::DiskId& peer,
                          const IntakeOptions& options) {
  Taken taken;
  for (const JournalEntry& entry : entries) {
    const bool owned = owns(topology, disk.disk_id(), entry.blob.id);
    if (entry.operation == JournalEntry::Operation::kDelete) {
      TRY_VOID(look_at_removal(disk, owned, entry, options.trash, taken));
    } else if (owned) {
      TRY_VOID(look_at_copy(disk, entry, peer, taken));
    }
  }
  for (auto& [by, ids] : taken.removals) {
    TRY_VOID(remove_now(disk, std::move(ids), {by.first, by.second, true}));
  }
  for (auto& [order, ids] : taken.restores) TRY_VOID(disk.restore(std::move(ids), order));
  TRY_VOID(list_all(wanted, taken.lacks, options.settle));
  TRY_VOID(list_all(wanted, taken.handed_back, options.hand_back));
  return wanted.persist();
}

Result<void> take_listed(engine::Engine& disk, WantedList& wanted, const ring::Topology& topology,
                         const std::vector<PeerBlob>& blobs, const model::DiskId& peer) {
  Taken taken;
  for (const PeerBlob& blob : blobs) {
    if (!owns(topology, disk.disk_id(), blob.id)) continue;
    JournalEntry entry;
    entry.blob.id = blob.id;
    entry.blob.length = blob.length;
    entry.blob.created_at = SystemTime(std::chrono::microseconds(blob.created_us));
    entry.blob.order = blob.order;
    TRY_VOID(look_at_copy(disk, entry, peer, taken));
  }
  for (auto& [order, ids] : taken.restores) TRY_VOID(disk.restore(std::move(ids), order));
  for (Wanted& one : taken.lacks) one.why = Wanted::Why::kCompared;
  TRY_VOID(list_all(wanted, taken.lacks, Duration::zero()));
  return wanted.persist();
}

Result<void> take_damaged(engine::Engine& disk, WantedList& wanted, const ring::Topology& topology,
                          size_t max) {
  std::vector<Wanted> damaged;
  for (const BlobEntry& blob : disk.list_damaged(max)) {
    if (blob.trashed || !owns(topology, disk.disk_id(), blob.id)) continue;
    damaged.push_back({blob.id,
                       blob.length,
                       micros(blob.created_at),
                       blob.order,
                       0,
                       0,
                       0,
                       Wanted::Why::kDamaged,
                       {}});
  }
  TRY_VOID(list_all(wanted, damaged, Duration::zero()));
  return wanted.persist();
}

Result<Lack> look_again(engine::Engine& disk, const ring::Topology& topology,
                        const Wanted& wanted) {
  if (!owns(topology, disk.disk_id(), wanted.id)) return Lack::kNone;
  TRY(const bool removed, is_removed(disk, wanted.id, wanted.order));
  if (removed) return Lack::kRemoved;
  TRY(const bool has, disk.has(wanted.id));
  if (!has) return Lack::kLacks;
  if (wanted.why != Wanted::Why::kDamaged) return Lack::kNone;
  // The engine remembers damage that a read has met.
  for (uint64_t at = 0; at < wanted.length; at += model::kPieceBytes) {
    const auto read =
        disk.read(wanted.id, at, std::min<uint64_t>(model::kPieceBytes, wanted.length - at));
    if (!read && read.error().code == ErrorCode::kCorruption) return Lack::kLacks;
    if (!read) return std::unexpected(read.error());
  }
  return Lack::kNone;
}

}  // namespace rondel::repair
