// Threads with one PostgreSQL connection each. Requests that wait at the same time are run
// together: a worker takes all that wait in a lane, up to the batch limit. Internal to
// metadata/postgres.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/async/one_shot.h"
#include "common/base/mutex.h"
#include "metadata/connection/pg_availability.h"
#include "metadata/connection/pg_connection.h"
#include "metadata/connection/pg_session.h"
#include "metadata/connection/pg_watch.h"

namespace rondel::metadata {

// What shares a statement. kSingle never does.
enum class Lane { kPut, kDelete, kFind, kSingle };
inline constexpr size_t kLanes = 4;

// One waiting request. Lives until one of its functions has run.
class PgJob {
 public:
  virtual ~PgJob() = default;
  // Two jobs with the same non-empty key never share a batch: one row a key.
  virtual const std::string& exclusive_key() const = 0;
  // Nobody waits for it any more and it has not begun: it may be dropped.
  virtual bool expired() const = 0;
  // It is about to be sent. False: nobody waits any more, and whoever waited knows that it never
  // happens.
  virtual bool begin() = 0;
  // It was sent, and everything was rolled back: it may begin again.
  virtual void rolled_back() = 0;
  // When who waits for it gives up.
  virtual Deadline deadline() const = 0;
  // Nothing of it happened: it never ran, or the batch that it was sent with failed as a whole and
  // was rolled back. What may have happened is answered otherwise, as not known.
  virtual void fail(const Error& error) = 0;
};

struct PgWorkerOptions {
  std::string dsn;
  size_t connections = 4;
  size_t batch_max = 64;
  size_t queue_max = 4096;
  // One connection more, which asks whether the server is there when nobody had an answer for a
  // while.
  bool watch = false;
  PgPatience patience = {};
  // So many connections are never taken by jobs of the single lane at once, for the other lanes.
  size_t kept_for_batches = 1;
};

struct PgWorkerStatus {
  size_t connections = 0;
  size_t busy = 0;
  std::array<size_t, kLanes> queued{};
  uint64_t errors = 0;
  bool connected = false;  // A connection is open, and the server is not away().
};

class PgWorkers {
 public:
  using Batch = std::vector<std::unique_ptr<PgJob>>;
  // Runs a batch and completes every job in it. Called on a worker's thread.
  using Run = std::function<void(Lane, PgConnection&, Batch)>;

  PgWorkers(PgWorkerOptions options, Run run);
  ~PgWorkers();

  // False when the queue is full; the job is not taken then.
  bool submit(Lane lane, std::unique_ptr<PgJob>& job);
  PgWorkerStatus status() const;

  // Whether the server answers, as far as the connections know; costs no statement. With `watch`
  // the news is at most 1.5 s old.
  bool away() const { return availability_.away(); }

  PgAvailability& availability() { return availability_; }

  // For metrics: called with the size of every batch.
  std::function<void(Lane, size_t)> on_batch;

 private:
  struct LaneState {
    std::deque<std::unique_ptr<PgJob>> waiting;
    size_t active = 0;   // Workers in it.
    SteadyTime begun{};  // When its last batch began.
  };

  struct Sleeper {
    CondVar wake;
    bool woken = false;
  };

  void work();
  bool wake_one();
  void sleep(std::optional<Duration> at_most) REQUIRES(mutex_);
  size_t active_limit(Lane lane) const REQUIRES(mutex_);
  bool can_begin(size_t lane) const REQUIRES(mutex_);
  bool idle() const REQUIRES(mutex_);
  std::optional<Lane> next_lane() REQUIRES(mutex_);
  Batch take(Lane lane) REQUIRES(mutex_);
  void fail_all(Batch batch, const Error& error);
  void run_begun(Lane lane, PgConnection& connection, Batch batch);
  bool ask(Duration patience);

  const PgWorkerOptions options_;
  const Run run_;
  PgAvailability availability_;
  mutable Mutex mutex_;
  std::array<LaneState, kLanes> lanes_ GUARDED_BY(mutex_);
  std::vector<Sleeper*> sleepers_ GUARDED_BY(mutex_);  // The last one went to sleep last.
  size_t turn_ GUARDED_BY(mutex_) = 0;
  bool watched_ GUARDED_BY(mutex_) = false;  // A worker looks again soon whether a batch is slow.
  size_t busy_ GUARDED_BY(mutex_) = 0;
  PgSessionCounts counts_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
  // Null without `watch`. Made before the threads, destroyed after they ended.
  std::unique_ptr<PgWatch> watch_;
};

}  // namespace rondel::metadata
