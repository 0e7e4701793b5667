#include "jobs/gc/completed_uploads.h"

namespace rondel::gc {

using namespace std::chrono_literals;

async::Task<Result<void>> CompletedUploads::run_round(const jobs::Term& term) {
  const auto now = membership::age_time(ages_, clock_);
  if (!now) co_return Result<void>{};
  constexpr int kSlices = 20;
  bool more = true;
  for (int i = 0; i < kSlices && more && term.is_held(); ++i) {
    CO_TRY(const uint64_t forgotten,
           co_await gc_.forget_completed_uploads(*now - kUploadIdsKept, deadline_in(5s)));
    more = forgotten > 0;
  }
  co_return Result<void>{};
}

}  // namespace rondel::gc
