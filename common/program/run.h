// What a program does from its start to its end beside its own work: its log, and its signals.
#pragma once

#include <signal.h>

#include <functional>

#include "common/base/result.h"
#include "common/config/config.h"

namespace rondel::program {

// Opens the log as log.file, log.level and log.modules say. kInvalidArgument: one of them is wrong.
Result<void> init_log(const config::Settings& settings);

// Waits for SIGTERM or SIGINT. At each SIGHUP the log files are opened anew, then `on_hangup` runs.
// `now_and_then` runs every half minute. Both on this thread: they may wait for files.
// REQUIRES: the signals are blocked in every thread.
void wait_for_end(const sigset_t& signals, const std::function<void()>& on_hangup = {}, const std::function<void()>& now_and_then = {});

}  // namespace rondel::program
