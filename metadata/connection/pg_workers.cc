#include "metadata/connection/pg_workers.h"

#include <algorithm>
#include <future>
#include <unordered_set>

#include "common/async/coalesce.h"
#include "common/base/mutex.h"
#include "metadata/connection/pg_call.h"

namespace rondel::metadata {

using namespace std::chrono_literals;

namespace {

// One batch at a time gathers what waits meanwhile into the next. A second one runs beside it only
// when a whole batch waits already, or when the first is slow, mostly because it waits for a lock;
// more would only make them smaller.
constexpr size_t kActiveMax = 2;
constexpr auto kSlow = 20ms;

// A question that has no other purpose than its answer.
class AskJob final : public ConnectionJob {
 public:
  bool expired() const override { return false; }

  bool begin() override { return true; }

  void rolled_back() override {}

  Deadline deadline() const override { return Deadline::max(); }

  void fail(const Error&) override { answered.set_value(false); }

  bool run(PgConnection& connection) override {
    answered.set_value(connection.run("select 1", {}, deadline_in(1s)).has_value());
    return true;
  }

  std::promise<bool> answered;
};

}  // namespace

PgWorkers::PgWorkers(PgWorkerOptions options, Run run)
    : options_(std::move(options)), run_(std::move(run)) {
  if (options_.watch) {
    watch_ = std::make_unique<PgWatch>(options_.dsn, availability_,
                                       [this](Duration patience) { return ask(patience); });
  }
  for (size_t i = 0; i < options_.connections; ++i) threads_.emplace_back([this] { work(); });
}

PgWorkers::~PgWorkers() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  while (wake_one()) {
  }
  for (std::thread& thread : threads_) thread.join();
}

// Wakes a worker only when there is something to begin, or when none watches for slow batches: a
// batch that ends takes what waits itself.
bool PgWorkers::submit(Lane lane, std::unique_ptr<PgJob>& job) {
  bool wake = false;
  {
    MutexLock lock(mutex_);
    LaneState& state = lanes_[static_cast<size_t>(lane)];
    if (stopping_ || state.waiting.size() >= options_.queue_max) return false;
    state.waiting.push_back(std::move(job));
    wake = can_begin(static_cast<size_t>(lane)) || !watched_;
  }
  if (wake) async::Coalesce::once(this, [this] { wake_one(); });
  return true;
}

PgWorkerStatus PgWorkers::status() const {
  MutexLock lock(mutex_);
  PgWorkerStatus status{options_.connections,
                        busy_,
                        {},
                        counts_.lost.load(),
                        counts_.connected.load() > 0 && !away()};
  for (size_t i = 0; i < kLanes; ++i) status.queued[i] = lanes_[i].waiting.size();
  return status;
}

// So that what is slow and shares no statement never stops commits.
size_t PgWorkers::active_limit(Lane lane) const {
  if (lane == Lane::kSingle) {
    return std::max<size_t>(
        1, options_.connections - std::min(options_.connections, options_.kept_for_batches));
  }
  const LaneState& state = lanes_[static_cast<size_t>(lane)];
  const bool beside = state.waiting.size() >= options_.batch_max ||
                      std::chrono::steady_clock::now() - state.begun > kSlow;
  return beside ? kActiveMax : 1;
}

bool PgWorkers::idle() const {
  return std::ranges::all_of(lanes_, [](const LaneState& state) { return state.waiting.empty(); });
}

bool PgWorkers::can_begin(size_t lane) const {
  return !lanes_[lane].waiting.empty() &&
         lanes_[lane].active < active_limit(static_cast<Lane>(lane));
}

std::optional<Lane> PgWorkers::next_lane() {
  for (size_t i = 0; i < kLanes; ++i) {
    const size_t index = (turn_ + i) % kLanes;
    if (!can_begin(index)) continue;
    turn_ = index + 1;
    return static_cast<Lane>(index);
  }
  return std::nullopt;
}

PgWorkers::Batch PgWorkers::take(Lane lane) {
  LaneState& state = lanes_[static_cast<size_t>(lane)];
  const size_t limit = lane == Lane::kSingle ? 1 : options_.batch_max;
  Batch batch;
  std::unordered_set<std::string> keys;
  std::deque<std::unique_ptr<PgJob>> left_behind;
  while (!state.waiting.empty() && batch.size() < limit) {
    auto job = std::move(state.waiting.front());
    state.waiting.pop_front();
    if (job->expired()) continue;
    if (!job->exclusive_key().empty() && !keys.insert(job->exclusive_key()).second) {
      left_behind.push_back(std::move(job));
      continue;
    }
    batch.push_back(std::move(job));
  }
  for (; !left_behind.empty(); left_behind.pop_back()) {
    state.waiting.push_front(std::move(left_behind.back()));
  }
  return batch;
}

void PgWorkers::fail_all(Batch batch, const Error& error) {
  for (auto& job : batch) job->fail(error);
}

// Those nobody waits for any more are left out at the last moment: who gave up relies on it.
void PgWorkers::run_begun(Lane lane, PgConnection& connection, Batch batch) {
  std::erase_if(batch, [](const auto& job) { return !job->begin(); });
  if (batch.empty()) return;
  if (on_batch) on_batch(lane, batch.size());
  run_(lane, connection, std::move(batch));
  if (!connection.broken()) {
    availability_.answered();
  } else if (watch_) {
    watch_->doubt();
  }
}

bool PgWorkers::ask(Duration patience) {
  auto job = std::make_unique<AskJob>();
  std::future<bool> answered = job->answered.get_future();
  std::unique_ptr<PgJob> base = std::move(job);
  if (!submit(Lane::kSingle, base)) return false;
  return answered.wait_for(patience) == std::future_status::ready && answered.get();
}

// The one that slept last: its connection's caches, here and in PostgreSQL, are the warmest.
bool PgWorkers::wake_one() {
  MutexLock lock(mutex_);
  if (sleepers_.empty()) return false;
  Sleeper* const last = sleepers_.back();
  sleepers_.pop_back();
  last->woken = true;
  last->wake.notify_one();  // Under the lock: it ends with its function.
  return true;
}

void PgWorkers::sleep(std::optional<Duration> at_most) {
  Sleeper self;
  // Who watches is woken last.
  sleepers_.insert(at_most ? sleepers_.begin() : sleepers_.end(), &self);
  const auto end = at_most ? std::optional(deadline_in(*at_most)) : std::nullopt;
  bool in_time = true;
  while (!self.woken && in_time) {
    if (end) {
      in_time = self.wake.wait_until(mutex_, *end);
    } else {
      self.wake.wait(mutex_);
    }
  }
  std::erase(sleepers_, &self);
}

void PgWorkers::work() {
  PgSession session(options_.dsn, options_.patience, availability_, counts_);
  session.open();  // Some are needed rarely, and then at once.
  for (;;) {
    std::optional<Lane> lane;
    Batch batch;
    bool more = false;
    {
      MutexLock lock(mutex_);
      while (!stopping_ && !(lane = next_lane())) {
        if (watched_ || idle()) {
          sleep(std::nullopt);
          continue;
        }
        watched_ = true;
        sleep(kSlow);
        watched_ = false;
      }
      if (stopping_) {
        for (LaneState& state : lanes_) {
          for (auto& job : state.waiting) job->fail({ErrorCode::kUnavailable, "shutting down"});
          state.waiting.clear();
        }
        return;
      }
      batch = take(*lane);
      if (batch.empty()) continue;
      ++lanes_[static_cast<size_t>(*lane)].active;
      lanes_[static_cast<size_t>(*lane)].begun = std::chrono::steady_clock::now();
      ++busy_;
      for (size_t other = 0; other < kLanes; ++other) more = more || can_begin(other);
      more = more || (!watched_ && !idle());  // Somebody has to watch what waits.
    }
    if (more) wake_one();
    if (PgConnection* const connection = session.open()) {
      run_begun(*lane, *connection, std::move(batch));
    } else {
      fail_all(std::move(batch),
               {ErrorCode::kUnavailable, "PostgreSQL cannot be reached" + session.refused()});
    }
    session.drop_if_broken();
    {
      MutexLock lock(mutex_);
      --lanes_[static_cast<size_t>(*lane)].active;
      --busy_;
    }
  }
}

}  // namespace rondel::metadata
