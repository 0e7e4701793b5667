// What a program does from its start to its end beside its own work: its log, and its signals.
#pragma once

#include <signal.h>

#include <atomic>
#include <functional>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/config/config.h"
#include "common/program/operations.h"

namespace rondel::program {

// Opens the log as log.file, log.level and log.modules say. kInvalidArgument: one of them is wrong.
Result<void> init_log(const config::Settings& settings);

// What is done while a program waits for its end, on the thread that waits. It may wait for some
// seconds and no longer, since the end waits for it.
struct WhileWaiting {
  std::function<void()> on_hangup;     // At each SIGHUP, after the log files were opened anew.
  std::function<void()> now_and_then;  // Every half minute in which no signal came.
};

// Waits for SIGTERM or SIGINT. REQUIRES: the signals are blocked in every thread.
void wait_for_end(const sigset_t& signals, const WhileWaiting& meanwhile = {});

// The time of a lame duck, between the signal to end and the end: the program serves on while its
// /health/serving tells balancers that it leaves. Waits for `duration`, or for another SIGTERM or
// SIGINT, which cuts it short. False: it was cut short. `clock`: by which the duration passes.
bool wait_as_lame_duck(const sigset_t& signals, Duration duration,
                       const WhileWaiting& meanwhile = {}, const Clock& clock = real_clock());

// May balancers send requests here? Not before the listeners are up, and not while the program
// ends. Safe for concurrent use; outlives its checks.
class ServingState {
 public:
  void begin() { listening_ = true; }

  void end() { draining_ = true; }

  // "listeners" and "not draining", for HealthChecks::serving.
  std::vector<ReadyCheck> checks() const;

 private:
  std::atomic<bool> listening_{false};
  std::atomic<bool> draining_{false};
};

}  // namespace rondel::program
