// MetadataMemory: what a node remembers of the database, kept in a file: the number of the last
// confirmation, the system, the last mark, its own last recorded heartbeat. By it the node knows a
// database that was set back, or is another one: it takes no order from it, and purges nothing,
// until an operator confirms it. After that each disk purges again once it was looked through: one
// that does not open holds up no other.
//
// What it remembers only heartbeats change, which this node sends to gateways of its own settings:
// what a caller says of tokens, marks, confirmations and order numbers is compared with that.
//
// Safe for concurrent use.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/base/result.h"
#include "common/fs/posix_file_system.h"
#include "common/model/ids.h"
#include "common/model/metadata_generation.h"
#include "storage-node/service/write_gate.h"

namespace rondel::node {

class MetadataMemory {
 public:
  // `clock` and `files` outlive it. `patience`: how long a call waits for another one whose writing
  // of the file hangs.
  explicit MetadataMemory(std::string file, const Clock& clock = real_clock(),
                          fs::FileSystem& files = fs::posix_file_system(),
                          Duration patience = std::chrono::seconds(1))
      : file_(std::move(file)), clock_(clock), files_(files), patience_(patience) {}

  // No file: nothing is remembered. kCorruption: the file does not read.
  Result<void> load();

  model::MetadataGeneration seen() const;

  // What a gateway answered to a heartbeat: `asked` is what the node remembered when it sent it,
  // `coordinator_token` the database's highest and `latest_order` likewise.
  struct Answer {
    model::MetadataGeneration asked;
    model::Recognition recognition = model::Recognition::kUnknown;
    model::MetadataGeneration database;
    uint64_t coordinator_token = 0;
    // Why nothing is purged on any disk.
    std::string purging_stopped;
    // Of each disk that the heartbeat told of: false while a restore waits for it.
    std::map<model::DiskId, bool> may_purge = {};
    uint64_t latest_order = 0;
  };

  // A database that is recognized is remembered, as far as it has come; another one changes nothing
  // but that nothing is purged. Neither does one that is heard while the file cannot be written.
  void hear(const Answer& answer);

  // May the node do what the order says? Not while the last answer to a heartbeat was that the
  // database is not the one remembered. What the order shows of the database must have been heard
  // before, and is on the disk then. Never blocks on the disk.
  OrderRefusal accept(const OrderOrigin& order) const;
  // A gateway has told of an order with this number or of a higher one.
  bool heard_of(uint64_t number) const;
  // Called whenever accept() or heard_of() miss something that a heartbeat may bring, on the
  // caller's thread. Returns when no call of the one before is under way.
  void on_unheard(std::function<void()> ask);

  // A gateway said within the last 5 s, and since this process began, that the database is the one
  // remembered, that purging goes on, and that no restore waits for this disk. A disk that joined
  // since its last answer waits for the next. Never blocks on the disk.
  bool may_purge(const model::DiskId& disk) const { return why_not_purging(disk).empty(); }

  // Empty: may_purge().
  std::string why_not_purging(const model::DiskId& disk) const;

 private:
  static void log_changes(const std::map<model::DiskId, bool>& before,
                          const std::map<model::DiskId, bool>& now);
  OrderRefusal judge(const OrderOrigin& order) const;
  void ask() const;
  Result<void> remember_locked(const model::MetadataGeneration& next);

  const std::string file_;
  const Clock& clock_;
  fs::FileSystem& files_;
  const Duration patience_;
  // Held while the file is written, so nobody waits for it without limit; seen_ and what says
  // whether to purge have a lock of their own.
  std::timed_mutex change_mutex_;
  mutable Mutex mutex_;
  model::MetadataGeneration seen_;         // Written with both locks, read with either.
  uint64_t token_ GUARDED_BY(mutex_) = 0;  // Highest under seen_.accepted.
  // By the last answer the database is not seen_'s.
  bool estranged_ GUARDED_BY(mutex_) = false;
  std::atomic<uint64_t> latest_order_{0};
  mutable Mutex ask_mutex_;  // Of the next; taken before mutex_, never after it.
  std::function<void()> on_unheard_ GUARDED_BY(ask_mutex_);
  SteadyTime stored_at_{};  // Guarded by change_mutex_.
  SteadyTime confirmed_at_ GUARDED_BY(mutex_){};
  std::string stopped_ GUARDED_BY(mutex_) = "no gateway has answered yet";
  // As the last answer said.
  std::map<model::DiskId, bool> disks_ GUARDED_BY(mutex_);
};

}  // namespace rondel::node
