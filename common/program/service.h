// What a program is between its start and its end. run_program() makes it, tells it of signals, and
// ends it; all is called on the thread of main(), one after another.
#pragma once

#include <memory>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/config/config.h"
#include "common/program/end_watch.h"
#include "common/program/run.h"

namespace rondel::program {

class Service {
 public:
  virtual ~Service() = default;

  // May balancers send requests here? Begun when start() returned, ended before drain().
  virtual ServingState& serving() = 0;
  // SIGHUP: reads the files anew that may have changed. Some seconds at most, as the next.
  virtual void hang_up() = 0;
  // Every half minute without a signal.
  virtual void look_at_files() = 0;
  // The end begins: it serves on, and tells its clients to go elsewhere.
  virtual void drain() = 0;
  // How long it serves on.
  virtual Duration lame_duck() const = 0;
  // How long what is in flight may take then.
  virtual Duration grace() const = 0;
  // Takes no more requests, waits for what is in flight until `grace` passes, and ends its threads.
  // `watch` hears which step it waits for.
  virtual void stop(EndWatch& watch, Deadline grace) = 0;
  // What its destructor may wait for, for the watch.
  virtual std::string last_step() const = 0;
};

// Makes a service that runs. Errors: one line for whoever started the program. `settings` outlive
// the service.
using StartService = Result<std::unique_ptr<Service>> (*)(const config::Settings& settings);

// Waits for a signal to end and ends the service. REQUIRES: the signals are blocked in every
// thread. A service that does not end within 20 s behind its grace is ended as by a crash, with a
// line that says what it waits for.
Result<void> run_service(StartService start, const config::Settings& settings,
                         const sigset_t& signals);

}  // namespace rondel::program
