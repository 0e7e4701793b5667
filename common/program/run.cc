#include "common/program/run.h"

#include <errno.h>
#include <time.h>

#include "common/log/log.h"

namespace rondel::program {

Result<void> init_log(const config::Settings& settings) {
  log::Options options;
  options.file = settings.text("log.file");
  TRY(options.level, log::parse_level(settings.text("log.level")));
  TRY(options.modules, log::parse_modules(settings.text("log.modules")));
  return log::init(options);
}

void wait_for_end(const sigset_t& signals, const std::function<void()>& on_hangup, const std::function<void()>& now_and_then) {
  for (;;) {
    const timespec pause{30, 0};
    const int signal = sigtimedwait(&signals, nullptr, &pause);
    if (signal == SIGHUP) {
      (void)log::reopen();
      if (on_hangup) on_hangup();
    } else if (signal > 0) {
      return;
    } else if (errno == EAGAIN && now_and_then) {
      now_and_then();
    }
  }
}

}  // namespace rondel::program
