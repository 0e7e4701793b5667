#include "common/program/service.h"

#include <unistd.h>

#include <chrono>

#include "common/log/log.h"

namespace rondel::program {
namespace {

constexpr Duration kEndPatience = std::chrono::seconds(20);

// A call that a disk or PostgreSQL never answers would be waited for without end. What was
// acknowledged is flushed, and what a job did not finish the next does.
void end_at_once(const std::string& step) {
  log::error("main", "the process does not end in time and is ended as by a crash",
             {{"waits_for", step}});
  log::flush();
  ::_exit(1);
}

}  // namespace

Result<void> run_service(StartService start, const config::Settings& settings,
                         const sigset_t& signals) {
  TRY_VOID(init_log(settings));
  EndWatch watch(end_at_once);  // First: it watches the end of all others.
  TRY(std::unique_ptr<Service> service, start(settings));
  service->serving().begin();
  const WhileWaiting meanwhile{[&service] { service->hang_up(); },
                               [&service] { service->look_at_files(); }};
  wait_for_end(signals, meanwhile);

  log::info("main", "ending");
  service->serving().end();
  service->drain();
  wait_as_lame_duck(signals, service->lame_duck(), meanwhile);

  const Deadline grace = deadline_in(service->grace());
  watch.begin(grace + kEndPatience);
  service->stop(watch, grace);
  watch.step(service->last_step());
  service.reset();
  log::info("main", "ended");
  log::flush();
  return {};
}

}  // namespace rondel::program
