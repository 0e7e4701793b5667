// What a peer's journal or list means for a disk: what it lacks goes on its list, removals and
// restores are taken over. These calls wait for the disk.
#pragma once

#include "common/ring/ring.h"
#include "storage-node/repair/peer_journal.h"
#include "storage-node/repair/wanted_list.h"

namespace rondel::repair {

struct IntakeOptions {
  // What lacks is tried after this: it may be on its way from the gateway.
  Duration settle;
  // The same of a copy that its holder is about to hand back.
  Duration hand_back = std::chrono::minutes(1);
  // A removal is restorable at least for so long.
  Duration trash;
};

// Is the disk an owner of the blob in any live epoch?
bool owns(const ring::Topology& topology, const model::DiskId& disk, const model::BlobId& blob);

// Of the journal of `peer`. Afterwards a token may pass over the entries. kResourceExhausted: the
// list is full. Taking them again is fine.
Result<void> take_entries(engine::Engine& disk, WantedList& wanted, const ring::Topology& topology,
                          const std::vector<engine::JournalEntry>& entries,
                          const model::DiskId& peer, const IntakeOptions& options);

// The same of what a peer holds, for a cursor.
Result<void> take_listed(engine::Engine& disk, WantedList& wanted, const ring::Topology& topology,
                         const std::vector<PeerBlob>& blobs, const model::DiskId& peer);

// Puts blobs that were found damaged on the list.
Result<void> take_damaged(engine::Engine& disk, WantedList& wanted, const ring::Topology& topology,
                          size_t max);

enum class Lack { kNone, kRemoved, kLacks };

// Does the disk still lack it? Reads the whole blob where it was damaged.
Result<Lack> look_again(engine::Engine& disk, const ring::Topology& topology, const Wanted& wanted);

// Waits until it is done.
Result<void> remove_now(engine::Engine& disk, std::vector<model::BlobId> ids,
                        engine::RemoveOptions options);

}  // namespace rondel::repair
