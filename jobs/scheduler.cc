#include "jobs/scheduler.h"

#include "common/log/log.h"

namespace rondel::jobs {

using namespace std::chrono_literals;

Scheduler::Scheduler(LeaseHolder& lease, const std::vector<Job*>& jobs, const Clock& clock)
    : lease_(lease), jobs_(jobs), clock_(clock), progress_(jobs.size()) {
  for (size_t job = 0; job < jobs_.size(); ++job) progress_[job].job = jobs_[job]->name();
}

void Scheduler::start(async::TaskGroup& group) {
  group.spawn(keep_lease(group));
  for (size_t job = 0; job < jobs_.size(); ++job) group.spawn(run_job(job, group));
}

async::Task<void> Scheduler::keep_lease(async::TaskGroup& group) {
  std::string last_error;
  while (!group.stopping()) {
    const auto claimed = co_await lease_.claim();
    const std::string error = claimed ? std::string() : claimed.error().message;
    if (!error.empty() && error != last_error) {
      log::warn("jobs", "the lease of the coordinator cannot be asked for", {{"error", error}});
    }
    last_error = error;
    co_await group.pause(1s);
  }
  lease_.resign();
}

async::Task<void> Scheduler::run_job(size_t job, async::TaskGroup& group) {
  const std::function<bool()> is_stopping = [&group] { return group.stopping(); };
  while (!group.stopping()) {
    co_await group.pause(jobs_[job]->pause());
    if (!group.stopping()) co_await run_round(job, is_stopping);
  }
}

async::Task<void> Scheduler::run_round(size_t job, const std::function<bool()>& is_stopping) {
  const uint64_t token = lease_.token();
  if (token == 0) co_return;
  const Term term(
      token, [this, token, &is_stopping] { return lease_.token() == token && !is_stopping(); });
  note_begin(job);
  const SteadyTime begin = clock_.steady_now();
  const auto done = co_await jobs_[job]->run_round(term);
  note_end(job, clock_.steady_now() - begin, done);
  // A job that fails is no reason to stop leading; a newer coordinator is.
  if (!done && done.error().code == kSuperseded) lease_.lose(token);
}

void Scheduler::note_begin(size_t job) {
  MutexLock lock(mutex_);
  progress_[job].running = true;
}

void Scheduler::note_end(size_t job, Duration took, const Result<void>& outcome) {
  const bool failed =
      !outcome && outcome.error().code != kSuperseded && outcome.error().code != kHalted;
  const std::string error = outcome ? std::string() : outcome.error().message;
  MutexLock lock(mutex_);
  Progress& progress = progress_[job];
  if (failed && error != progress.last_error) {
    log::warn("jobs", "a round ended early", {{"job", progress.job}, {"error", error}});
  }
  progress.running = false;
  ++progress.rounds_total;
  if (failed) ++progress.failed_total;
  progress.last_took = took;
  progress.last_ended = clock_.now();
  progress.last_error = error;
}

std::vector<Progress> Scheduler::progress() const {
  MutexLock lock(mutex_);
  return progress_;
}

}  // namespace rondel::jobs
