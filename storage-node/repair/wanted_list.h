// WantedList: what one disk should hold and lacks, or holds damaged. Kept in the disk's index, so
// that journals and comparisons may go on behind a blob that cannot be had now. Whoever finds a
// blob to lack adds it: catch-up, comparisons, reads that met damage.
//
// Calls never wait for the disk but for load() and persist(), which block. Safe for concurrent use.
#pragma once

#include <map>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <vector>

#include "common/base/mutex.h"
#include "common/model/replication_lag.h"
#include "storage-node/engine/engine.h"

namespace rondel::repair {

using engine::Wanted;

struct WantedOptions {
  // Over it nothing is added: whoever reads a journal waits at its place.
  size_t entries_max = 65'536;
  // Between tries of one blob, doubled each time and spread by a quarter.
  Duration backoff_min = std::chrono::seconds(1);
  Duration backoff_max = std::chrono::hours(1);
  // While a source that may have it does not answer.
  Duration backoff_away_max = std::chrono::minutes(1);
};

class WantedList {
 public:
  // kUnreachable: a disk that may have it was not asked or did not answer. Of the others all disks
  // answered: kAbsent = none has it, kDamaged = what is there cannot be read.
  enum class Outcome { kUnreachable, kAbsent, kDamaged };

  struct Counts {
    uint64_t blobs = 0;
    uint64_t unreadable = 0;  // All disks that may have them answered, and none could give them.
    bool full = false;        // Something waits to be added.
  };

  // `disk` outlives it.
  WantedList(engine::WantedRecords& disk, WantedOptions options, const Clock& clock)
      : disk_(disk), options_(options), clock_(clock) {}

  // What was kept before a restart. Once, before anything else.
  Result<void> load();

  // Each is tried `patience` from now: it may be on its way. Those listed already take the higher
  // order. False: they would not fit, and none was added.
  bool add(std::span<const Wanted> found, Duration patience);

  // Makes durable what changed since. A token may pass over what was added once this has returned.
  Result<void> persist() EXCLUDES(persist_mutex_);

  // The one that waits longest of those that are due; it is under way until one of the next three.
  std::optional<Wanted> take_due();
  // Not when a higher order came meanwhile: then it is due at once.
  void forget(const Wanted& done);
  void failed(const model::BlobId& id, Outcome outcome);
  // It was not tried.
  void put_back(const model::BlobId& id, Duration pause = std::chrono::seconds(1));

  // Microseconds since the oldest was made, bytes and blobs of those whose patience is over.
  model::ReplicationLag lag() const;
  Counts counts() const;

 private:
  struct Item {
    Wanted wanted;
    SteadyTime due;
    bool missed = false;  // Its patience was over once.
    bool under_way = false;
    bool unreadable = false;
  };

  void schedule(Item& item, Duration in) REQUIRES(mutex_);
  Duration pause_after(uint32_t tries, Outcome outcome) REQUIRES(mutex_);

  engine::WantedRecords& disk_;
  const WantedOptions options_;
  const Clock& clock_;
  Mutex persist_mutex_;  // One at a time, so that the newest is what stays.
  mutable Mutex mutex_;
  std::map<model::BlobId, Item> items_ GUARDED_BY(mutex_);
  // Of those that are not under way.
  std::set<std::pair<SteadyTime, model::BlobId>> due_ GUARDED_BY(mutex_);
  std::set<model::BlobId> changed_ GUARDED_BY(mutex_);  // Behind in the index.
  bool full_ GUARDED_BY(mutex_) = false;
  std::minstd_rand random_ GUARDED_BY(mutex_){std::random_device{}()};
};

}  // namespace rondel::repair
