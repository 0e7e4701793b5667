#include "jobs/gc/second_look.h"

#include <algorithm>

#include "common/log/log.h"

namespace rondel::gc {

using namespace std::chrono_literals;

Duration SecondLook::pause_after(Duration took) {
  return std::clamp<Duration>(jobs::Pace::part_of_time(21).rest_after(1, took), 1s, 10min);
}

async::Task<Result<void>> SecondLook::run_round(const jobs::Term& term) {
  last_took_ = {};
  CO_TRY(const metadata::GarbageState state, co_await gc_.garbage_state(deadline_in(5s)));
  if (!state.halted.empty()) co_return Result<void>{};
  const std::chrono::seconds grace = metadata::age_that_counts(state.ages.grace, options_.gc_grace);
  const auto now = membership::age_time(options_.ages, clock_, state.now);
  if (!now || (options_.ages != nullptr && !options_.ages->steady_for(grace))) {
    co_return Result<void>{};
  }
  const SystemTime before = *now - grace;
  const SteadyTime begun = clock_.steady_now();
  const auto looked = co_await releases_.check_released(before, options_.streams_max, term.token(),
                                                        deadline_in(options_.pass_timeout));
  // A pass that failed has cost the database as much.
  last_took_ = clock_.steady_now() - begun;
  last_seconds_.store(std::chrono::duration<double>(last_took_).count());
  if (!looked) co_return std::unexpected(looked.error());
  checked_.fetch_add(looked->checked);
  referenced_.fetch_add(looked->referenced);
  if (looked->referenced > 0) {
    log::error("gc", "streams were released that something refers to; they are kept",
               {{"streams", looked->referenced}, {"examples", looked->examples}});
  }
  co_return Result<void>{};
}

}  // namespace rondel::gc
