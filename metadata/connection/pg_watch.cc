#include "metadata/connection/pg_watch.h"

#include "metadata/connection/pg_connection.h"

namespace rondel::metadata {

using namespace std::chrono_literals;

namespace {

constexpr auto kPatience = 1s;
constexpr auto kPause = 200ms;  // Between questions to a server that is away.

}  // namespace

PgWatch::PgWatch(std::string dsn, PgAvailability& availability, AskElsewhere ask_elsewhere)
    : dsn_(std::move(dsn)),
      availability_(availability),
      ask_elsewhere_(std::move(ask_elsewhere)),
      thread_([this] { watch(); }) {}

PgWatch::~PgWatch() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void PgWatch::doubt() {
  {
    MutexLock lock(mutex_);
    doubted_ = true;
  }
  changed_.notify_one();
}

void PgWatch::watch() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    if (doubted_ || availability_.quiet()) {
      doubted_ = false;
      lock.unlock();
      const bool answered = ask();
      answered ? availability_.answered() : availability_.failed();
      lock.lock();
      const Deadline end = deadline_in(kPause);
      while (!answered && !stopping_ && changed_.wait_until(mutex_, end)) {
      }
      continue;
    }
    const Duration quiet_in =
        availability_.last_answer() + PgAvailability::kQuiet - std::chrono::steady_clock::now();
    const Deadline end = deadline_in(std::max<Duration>(quiet_in, 1ms));
    while (!stopping_ && !doubted_ && changed_.wait_until(mutex_, end)) {
    }
  }
}

bool PgWatch::ask() {
  const Deadline deadline = deadline_in(kPatience);
  if (connection_ && connection_->ended_while_idle()) connection_.reset();
  if (!connection_) {
    auto opened = PgConnection::open(dsn_, deadline);
    if (!opened) {
      // Refused at once: nobody listens, or there is no room for one more connection.
      const Duration left = deadline - std::chrono::steady_clock::now();
      return left > 0ms && ask_elsewhere_(left);
    }
    connection_ = std::move(*opened);
  }
  if (connection_->run("select 1", {}, deadline)) return true;
  connection_.reset();
  return false;
}

}  // namespace rondel::metadata
