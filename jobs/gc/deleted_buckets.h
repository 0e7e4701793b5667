// DeletedBuckets: releases what the uploads of deleted buckets left, by slices. A bucket is gone
// for clients at once, however many uploads were open in it.
#pragma once

#include "jobs/job.h"
#include "metadata/store/gc_control.h"

namespace rondel::gc {

// On one loop.
class DeletedBuckets final : public jobs::Job {
 public:
  explicit DeletedBuckets(metadata::GcControl& gc) : gc_(gc) {}

  std::string_view name() const override { return "deleted_buckets"; }

  // A bounded number of slices; what is left waits for the next round.
  async::Task<Result<void>> run_round(const jobs::Term& term) override;

  Duration pause() const override { return std::chrono::seconds(1); }

 private:
  metadata::GcControl& gc_;
};

}  // namespace rondel::gc
