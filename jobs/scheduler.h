// Scheduler: runs the jobs of the cluster while this gateway holds the lease, each in rounds with a
// pause before every one. A job that fails or hangs holds up no other.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/async/task_group.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "jobs/job.h"
#include "jobs/lease_holder.h"

namespace rondel::jobs {

// Of one job, since the process began.
struct Progress {
  std::string job;
  bool running = false;
  uint64_t rounds_total = 0;  // That ended, however.
  uint64_t failed_total = 0;  // Of them with an error; neither halted nor superseded.
  Duration last_took{0};
  SystemTime last_ended{};  // The epoch: none has.
  std::string last_error;   // Of the last round; empty: it went well.
};

// Runs on one loop; progress() from any thread.
class Scheduler {
 public:
  // `jobs` and `lease` outlive it.
  Scheduler(LeaseHolder& lease, const std::vector<Job*>& jobs, const Clock& clock);

  // Claims the lease every second and runs the jobs, until the group stops; then resigns.
  void start(async::TaskGroup& group);

  // One round of the job with that place among those given, as start() begins them; nothing where
  // this gateway does not coordinate. `is_stopping`: the process is ending.
  async::Task<void> run_round(size_t job, const std::function<bool()>& is_stopping);

  std::vector<Progress> progress() const;

 private:
  async::Task<void> keep_lease(async::TaskGroup& group);
  async::Task<void> run_job(size_t job, async::TaskGroup& group);
  void note_begin(size_t job);
  void note_end(size_t job, Duration took, const Result<void>& outcome);

  LeaseHolder& lease_;
  const std::vector<Job*> jobs_;
  const Clock& clock_;
  mutable Mutex mutex_;
  std::vector<Progress> progress_ GUARDED_BY(mutex_);
};

}  // namespace rondel::jobs
