// ClusterRows: what a database in memory knows of its cluster: nodes, rings, marks, tokens, and how
// garbage collection goes. A part of MemoryState, and under its lock.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/model/ids.h"
#include "common/model/metadata_generation.h"
#include "metadata/store/gc_control.h"
#include "metadata/store/node_store.h"
#include "metadata/store/ring_store.h"

namespace rondel::metadata {

struct StoredNode {
  NodeRecord record;  // Without what it remembers, of which the rest is kept.
  uint64_t beat = 0;
  model::Recognition recognition = model::Recognition::kHeld;
  uint64_t recognized_under = 0;  // The `accepted` of then.
  uint64_t seen_accepted = 0;
  uint64_t seen_mark = 0;
  uint64_t told_mark = 0;
};

struct StoredMark {
  uint64_t value = 0;
  SystemTime written_at;
};

// What a disk's trash was looked through for at last, and what that took out of it.
struct StoredRestore {
  uint64_t number = 0;
  uint64_t blobs = 0;
};

struct StoredOrphans {
  model::DiskId disk;
  uint64_t blobs = 0;
  SystemTime released_at;
};

struct StoredGarbage {
  std::string halted;  // Why; empty: it goes on.
  SystemTime halted_at;
  uint64_t allowance = 0;
  GarbageAges ages = {};
};

struct StoredClock {
  std::chrono::microseconds ahead{0};
  SystemTime told_at;
};

struct StoredAge {
  std::chrono::microseconds boot_time{0};
  metadata::ReachedTime reached;
  uint64_t accepted = 0;
  SystemTime told_at;
};

struct ClusterRows {
  uint64_t newest_mark() const { return marks.empty() ? 0 : marks.rbegin()->first; }

  bool holds(const model::MetadataMark& mark) const;
  model::MetadataGeneration generation(uint64_t system) const;
  void write_mark(SystemTime now);
  // Some of those that are older than trash and journal and that no node has; never the newest.
  void forget_marks(SystemTime now);
  uint64_t beats_of(const model::NodeId& node) const;
  // The highest order given, or that a node has told of.
  uint64_t latest_order() const;
  // A restore that was ordered has yet to look through the disk's trash.
  bool restore_waits(const model::DiskId& disk) const;

  model::ClusterId id = model::ClusterId::random();
  uint64_t accepted = 0;
  uint64_t clocks_accepted = 0;
  std::map<uint64_t, StoredMark> marks;  // By counter.
  std::map<model::NodeId, StoredNode> nodes;
  std::map<model::NodeId, StoredClock> gateway_clocks;
  std::map<std::string, StoredAge> ages_reached;  // By the run of the machine.
  uint64_t token = 0;                             // The highest that a coordinator was given.
  uint64_t order = 0;
  std::vector<RingEpoch> live_rings;  // Newest first.
  uint64_t newest_epoch = 0;
  StoredGarbage garbage;
  std::vector<StoredOrphans> orphans;  // Released lately.
  uint64_t restore_number = 0;
  std::map<model::DiskId, StoredRestore> restores;
};

}  // namespace rondel::metadata
