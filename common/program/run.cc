#include "common/program/run.h"

#include "common/log/log.h"

namespace rondel::program {

Result<void> init_log(const config::Settings& settings) {
  log::Options options;
  options.file = settings.text("log.file");
  TRY(options.level, log::parse_level(settings.text("log.level")));
  TRY(options.modules, log::parse_modules(settings.text("log.modules")));
  return log::init(options);
}

void wait_for_end(const sigset_t& signals, const std::function<void()>& on_hangup) {
  int signal = 0;
  while (sigwait(&signals, &signal) == 0 && signal == SIGHUP) {
    (void)log::reopen();
    if (on_hangup) on_hangup();
  }
}

}  // namespace rondel::program
