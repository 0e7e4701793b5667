#include "common/program/run.h"

#include <errno.h>
#include <time.h>

#include <algorithm>
#include <chrono>

#include "common/log/log.h"

namespace rondel::program {
namespace {

constexpr Duration kPause = std::chrono::seconds(30);

// One of the set; 0: none came within `at_most`.
int next_signal(const sigset_t& signals, Duration at_most) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at_most);
  const auto rest = std::chrono::nanoseconds(at_most - seconds).count();
  const timespec pause{seconds.count(), static_cast<long>(rest)};
  return std::max(0, sigtimedwait(&signals, nullptr, &pause));
}

void hang_up(const WhileWaiting& meanwhile) {
  (void)log::reopen();
  if (meanwhile.on_hangup) meanwhile.on_hangup();
}

}  // namespace

Result<void> init_log(const config::Settings& settings) {
  log::Options options;
  options.file = settings.text("log.file");
  TRY(options.level, log::parse_level(settings.text("log.level")));
  TRY(options.modules, log::parse_modules(settings.text("log.modules")));
  return log::init(options);
}

void wait_for_end(const sigset_t& signals, const WhileWaiting& meanwhile) {
  for (;;) {
    const int signal = next_signal(signals, kPause);
    if (signal == SIGHUP) {
      hang_up(meanwhile);
    } else if (signal > 0) {
      return;
    } else if (errno == EAGAIN && meanwhile.now_and_then) {
      meanwhile.now_and_then();
    }
  }
}

bool wait_as_lame_duck(const sigset_t& signals, Duration duration, const WhileWaiting& meanwhile,
                       const Clock& clock) {
  const SteadyTime end = clock.steady_now() + duration;
  for (;;) {
    const Duration left = end - clock.steady_now();
    if (left <= Duration::zero()) return true;
    const int signal = next_signal(signals, std::min(left, kPause));
    if (signal == SIGHUP) {
      hang_up(meanwhile);
    } else if (signal > 0) {
      return false;
    }
  }
}

std::vector<ReadyCheck> ServingState::checks() const {
  return {ready_check("listeners",
                      [this]() -> Result<void> {
                        if (listening_) return {};
                        return fail(ErrorCode::kUnavailable, "not all are up");
                      }),
          ready_check("not draining", [this]() -> Result<void> {
            if (!draining_) return {};
            return fail(ErrorCode::kUnavailable, "the process is ending");
          })};
}

}  // namespace rondel::program
