// PgWatch: one connection of its own that asks the server when nobody had an answer for a while.
// Internal to metadata/postgres.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "common/base/mutex.h"
#include "metadata/connection/pg_availability.h"

namespace rondel::metadata {

// Asks when the last answer is PgAvailability::kQuiet old, or when somebody lost a connection;
// waits 1 s for an answer. An idle gateway so notices within 1.5 s that the server is gone, hangs,
// or its packets are dropped, and within 200 ms of an answer that it is back. A request costs
// nothing.
class PgWatch {
 public:
  // `ask_elsewhere`: asks by way of another connection and says whether that was answered, for when
  // the server has no room for ours; called on the watch's thread, waits no longer than `patience`.
  using AskElsewhere = std::function<bool(Duration patience)>;

  PgWatch(std::string dsn, PgAvailability& availability, AskElsewhere ask_elsewhere);
  ~PgWatch();

  // A connection was lost or did not answer: asks now. Any thread.
  void doubt();

 private:
  void watch();
  bool ask();

  const std::string dsn_;
  PgAvailability& availability_;
  const AskElsewhere ask_elsewhere_;
  Mutex mutex_;
  CondVar changed_;
  bool doubted_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::unique_ptr<class PgConnection> connection_;  // The watch's thread alone.
  std::thread thread_;
};

}  // namespace rondel::metadata
