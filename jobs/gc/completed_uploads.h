// CompletedUploads: forgets the ids of completed multipart uploads after seven days. Until then a
// repeated completion gets the same answer.
#pragma once

#include "cluster/membership/age_clock.h"
#include "common/base/clock.h"
#include "jobs/job.h"
#include "metadata/store/gc_control.h"

namespace rondel::gc {

inline constexpr auto kUploadIdsKept = std::chrono::days(7);

// On one loop. `ages`: what ages go by; null: the clock given.
class CompletedUploads final : public jobs::Job {
 public:
  CompletedUploads(metadata::GcControl& gc, const membership::AgeClock* ages, const Clock& clock)
      : gc_(gc), ages_(ages), clock_(clock) {}

  std::string_view name() const override { return "completed_uploads"; }

  // A bounded number of slices; what is left waits for the next round. Nothing while ages are
  // paused.
  async::Task<Result<void>> run_round(const jobs::Term& term) override;

  Duration pause() const override { return std::chrono::seconds(1); }

 private:
  metadata::GcControl& gc_;
  const membership::AgeClock* ages_;
  const Clock& clock_;
};

}  // namespace rondel::gc
