#include "gateway/admission/filling.h"

#include <algorithm>

namespace rondel::admission {

async::Task<Result<void>> Filling::take(uint64_t bytes, Deadline deadline) {
  hold_.progress(bytes);
  kept_ += bytes;
  while (kept_ > used_) {
    const uint64_t few = std::min(kFirstBytes, std::max(expected_, kept_));
    const bool enough = kept_ <= few;
    const uint64_t wanted = enough ? few : std::max(expected_, kept_);
    // Step by step: what has not come yet is a promise.
    const uint64_t step =
        enough ? few - used_ : std::min(wanted, std::max(kept_, 2 * used_)) - used_;
    if (hold_.use(step)) {
      used_ += step;
      continue;
    }
    const uint64_t held = hold_.amount();
    CO_TRY_VOID(co_await hold_.claim(wanted - std::min(wanted, held), deadline));
  }
  co_return Result<void>{};
}

}  // namespace rondel::admission
