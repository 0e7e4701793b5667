#include "jobs/gc/second_look.h"

#include <algorithm>

#include "common/log/log.h"

namespace rondel::gc {

using namespace std::chrono_literals;

Duration SecondLook::pause_after(Duration took) {
  return std::clamp<Duration>(20 * took, 1s, 10min);
}

async::Task<Result<void>> SecondLook::run_once(uint64_t coordinator_token) {
  if (next_at_ != SteadyTime{} && clock_.steady_now() < next_at_) co_return Result<void>{};
  CO_TRY(const metadata::GarbageState state, co_await gc_.garbage_state(deadline_in(5s)));
  if (!state.halted.empty()) co_return Result<void>{};
  const std::chrono::seconds grace = std::max(options_.gc_grace, state.ages.grace);
  const auto now = membership::age_time(options_.ages, clock_, state.now);
  if (!now || (options_.ages != nullptr && !options_.ages->steady_for(grace))) co_return Result<void>{};
  const SystemTime before = *now - grace;
  const SteadyTime begun = clock_.steady_now();
  const auto looked = co_await releases_.check_released(
      before, options_.streams_max, coordinator_token, deadline_in(options_.pass_timeout));
  // A pass that failed has cost the database as much.
  const Duration took = clock_.steady_now() - begun;
  next_at_ = clock_.steady_now() + pause_after(took);
  last_seconds_.store(std::chrono::duration<double>(took).count());
  if (!looked) co_return std::unexpected(looked.error());
  checked_.fetch_add(looked->checked);
  referenced_.fetch_add(looked->referenced);
  if (looked->referenced > 0) {
    log::error("gc", "streams were released that something refers to; they are kept",
               {{"streams", looked->referenced}, {"examples", looked->examples}});
  }
  co_return Result<void>{};
}

async::Task<void> SecondLook::run(async::TaskGroup& group, std::function<uint64_t()> token) {
  while (!group.stopping()) {
    co_await group.pause(1s);
    const uint64_t held = token();
    if (group.stopping() || held == 0) continue;
    const auto done = co_await run_once(held);
    if (!done && done.error().code != ErrorCode::kPrecondition)
      log::warn("gc", "the second look failed", {{"error", done.error().message}});
  }
}

}  // namespace rondel::gc
