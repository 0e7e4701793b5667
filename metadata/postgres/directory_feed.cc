#include "metadata/postgres/directory_feed.h"

#include <thread>

#include "common/base/mutex.h"
#include "metadata/connection/pg_connection.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;
using Kind = DirectoryChange::Kind;

// A payload is one letter and a name: notify_directory() in migrations.
DirectoryChange change_of(const std::string& payload) {
  switch (payload.front()) {
    case 'b': return {Kind::kBucket, payload.substr(1)};
    case 'k': return {Kind::kAccessKey, payload.substr(1)};
    default: return {Kind::kAccount};
  }
}

class PostgresDirectoryFeed final : public DirectoryFeed {
 public:
  PostgresDirectoryFeed(std::string dsn, const Clock& clock, DirectoryListener listener)
      : dsn_(std::move(dsn)),
        clock_(clock),
        tell_(std::move(listener)),
        thread_([this] { listen(); }) {}

  ~PostgresDirectoryFeed() override {
    {
      MutexLock lock(stop_mutex_);
      stopping_ = true;
    }
    stop_.notify_all();
    thread_.join();
  }

 private:
  bool pause(Duration duration) {
    const SteadyTime end = std::chrono::steady_clock::now() + duration;
    MutexLock lock(stop_mutex_);
    while (!stopping_ && stop_.wait_until(stop_mutex_, end)) {
    }
    return stopping_;
  }

  void listen() {
    while (!pause(0ms)) {
      follow();
      if (pause(500ms)) return;
    }
  }

  // Until the connection breaks. Whatever changed before LISTEN is not told.
  void follow() {
    auto connection = PgConnection::open(dsn_, deadline_in(3s));
    if (!connection || !(*connection)->script("listen rondel_directory", deadline_in(3s))) return;
    tell_({Kind::kHeard});
    while (!pause(0ms)) {
      const auto payloads = (*connection)->notifications(500ms);
      if (!payloads) break;
      for (const std::string& payload : *payloads) {
        if (!payload.empty()) tell_(change_of(payload));
      }
      if (!payloads->empty()) continue;
      // A silent peer that is gone: found out within a few seconds.
      if (clock_.steady_now() - checked_at_ > 1s) {
        if (!(*connection)->script("select 1", deadline_in(1s))) break;
        checked_at_ = clock_.steady_now();
      }
    }
    tell_({Kind::kNotHeard});
  }

  const std::string dsn_;
  const Clock& clock_;
  const DirectoryListener tell_;
  SteadyTime checked_at_{};  // The thread's alone.
  Mutex stop_mutex_;
  CondVar stop_;
  bool stopping_ GUARDED_BY(stop_mutex_) = false;
  std::thread thread_;  // Last: it uses the rest.
};

}  // namespace

std::unique_ptr<DirectoryFeed> make_postgres_directory_feed(std::string dsn, const Clock& clock,
                                                            DirectoryListener listener) {
  return std::make_unique<PostgresDirectoryFeed>(std::move(dsn), clock, std::move(listener));
}

}  // namespace rondel::metadata
