// PgHeld: the lane of what met a lock that somebody else holds. Each job runs alone and waits for
// its locks a little, again and again until its deadline, so that who waits keeps nobody else from
// going on. Internal to metadata/postgres.
//
// Jobs that wait for the same thing are a group: one of it tries at a time, the oldest. Groups take
// turns, so that one that is held for long takes its share of the tries and no more. Safe for
// concurrent use.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "common/base/mutex.h"
#include "metadata/connection/pg_session.h"
#include "metadata/connection/pg_workers.h"

namespace rondel::metadata {

// What the jobs of a group wait for.
struct HeldBy {
  enum class Kind : uint8_t {
    kBucket,  // Once one job went through, the others go back to the lanes they came from.
    kKey,     // They follow each other, in their order.
    kAlone,   // Nobody knows: the job is a group of its own.
  };
  Kind kind = Kind::kAlone;
  std::string name = {};
};

struct PgHeldOptions {
  std::string dsn;
  size_t connections = 1;
  size_t queue_max = 4096;  // Jobs in all groups.
  PgPatience patience;      // `lock`: how long one try waits.
};

class PgHeld {
 public:
  // Runs one job. True: it is answered. False: it met a lock again, and nothing of it happened.
  using Try = std::function<bool(Lane, PgConnection&, PgJob&)>;
  // Takes a job back into its lane. False: there is no room, and it is not taken.
  using GiveBack = std::function<bool(Lane, std::unique_ptr<PgJob>&)>;

  PgHeld(PgHeldOptions options, PgAvailability& availability, Try try_one, GiveBack give_back);

  ~PgHeld() { stop(); }

  // Jobs that wait fail: nothing of them happened. None is given back or taken from then on.
  void stop();

  // Behind those that wait for the same. False when it is full; the job is not taken then.
  bool submit(HeldBy by, Lane lane, std::unique_ptr<PgJob>& job);
  // The same if a job waits for that key already; else false. So a key's jobs keep their order, and
  // what is known to be held is not tried in a batch. Costs a load while nobody waits.
  bool join(const std::string& key, Lane lane, std::unique_ptr<PgJob>& job);

  size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

  size_t connections() const { return options_.connections; }

  size_t busy() const { return busy_.load(std::memory_order_relaxed); }

  const PgSessionCounts& counts() const { return counts_; }

 private:
  struct Waiting {
    Lane lane;
    std::unique_ptr<PgJob> job;
  };

  struct Group {
    HeldBy::Kind kind;
    std::deque<Waiting> jobs;  // The oldest first. One that is tried is not in it.
  };

  struct Turn {
    std::string group;
    Waiting waiting;
  };
  enum class Ended { kThrough, kHeld, kDropped };

  void work();
  // The oldest job of the group whose turn it is. nullopt: it stops.
  std::optional<Turn> next();
  Ended run(PgSession& session, Waiting& waiting);
  void end_turn(Turn turn, Ended ended);
  void append(const std::string& name, HeldBy::Kind kind, Waiting waiting) REQUIRES(mutex_);

  const PgHeldOptions options_;
  const Try try_one_;
  const GiveBack give_back_;
  PgAvailability& availability_;
  PgSessionCounts counts_;
  std::atomic<size_t> waiting_{0}, busy_{0};
  Mutex mutex_;
  CondVar changed_;
  std::unordered_map<std::string, Group> groups_ GUARDED_BY(mutex_);
  std::deque<std::string> turns_ GUARDED_BY(mutex_);  // Groups that no worker tries.
  uint64_t last_alone_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace rondel::metadata
