// SecondLook: the last question before bytes go. What was released and whose grace is over is
// looked for once more in all that refers to streams; only what nothing refers to is handed out for
// removal (ReleaseQueue::take_released). What something refers to was released by mistake: it is
// kept, counted, and said aloud.
//
// A pass takes everything that is due, and goes through every table of references once, whatever it
// asks for. So passes pause for twenty times what the last one took: they cost at most a twentieth
// of one core of the database.
#pragma once

#include <atomic>

#include "cluster/membership/age_clock.h"
#include "common/base/clock.h"
#include "jobs/job.h"
#include "metadata/store/gc_control.h"
#include "metadata/store/release_queue.h"

namespace rondel::gc {

struct SecondLookOptions {
  std::chrono::seconds gc_grace{3600};  // As the collector's.
  size_t streams_max = 2'000'000;       // Of one pass; what is left waits for the next.
  Duration pass_timeout = std::chrono::minutes(10);
  const membership::AgeClock* ages = nullptr;  // What ages go by; null: the clock given.
};

struct SecondLookStatus {
  uint64_t checked_total = 0;     // Streams that nothing refers to.
  uint64_t referenced_total = 0;  // Streams kept because something does.
  double last_pass_seconds = 0;
};

// On one loop; status() from any thread.
class SecondLook final : public jobs::Job {
 public:
  SecondLook(metadata::ReleaseQueue& releases, metadata::GcControl& gc, SecondLookOptions options,
             const Clock& clock)
      : releases_(releases), gc_(gc), options_(options), clock_(clock) {}

  std::string_view name() const override { return "second_look"; }

  // One pass; nothing while garbage collection is halted or ages are paused.
  async::Task<Result<void>> run_round(const jobs::Term& term) override;

  Duration pause() const override { return pause_after(last_took_); }

  SecondLookStatus status() const {
    return {checked_.load(), referenced_.load(), last_seconds_.load()};
  }

  // Between a pass that took so long and the next: twenty times that, 1 s at least and 10 min at
  // most.
  static Duration pause_after(Duration took);

 private:
  metadata::ReleaseQueue& releases_;
  metadata::GcControl& gc_;
  const SecondLookOptions options_;
  const Clock& clock_;
  Duration last_took_{0};  // The loop's alone.
  std::atomic<uint64_t> checked_{0};
  std::atomic<uint64_t> referenced_{0};
  std::atomic<double> last_seconds_{0};
};

}  // namespace rondel::gc
