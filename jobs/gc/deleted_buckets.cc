#include "jobs/gc/deleted_buckets.h"

namespace rondel::gc {

using namespace std::chrono_literals;

async::Task<Result<void>> DeletedBuckets::run_round(const jobs::Term& term) {
  constexpr int kSlices = 20;
  bool more = true;
  for (int i = 0; i < kSlices && more && term.is_held(); ++i) {
    CO_TRY(more, co_await gc_.release_deleted_buckets(deadline_in(5s)));
  }
  co_return Result<void>{};
}

}  // namespace rondel::gc
