#include "metadata/connection/pg_held.h"

#include <utility>

namespace rondel::metadata {

namespace {

// The name of a group: kinds never share one.
std::string name_of(const HeldBy& by) {
  return std::string(1, static_cast<char>('a' + static_cast<int>(by.kind))) + by.name;
}

}  // namespace

PgHeld::PgHeld(PgHeldOptions options, PgAvailability& availability, Try try_one, GiveBack give_back)
    : options_(std::move(options)),
      try_one_(std::move(try_one)),
      give_back_(std::move(give_back)),
      availability_(availability) {
  for (size_t i = 0; i < options_.connections; ++i) threads_.emplace_back([this] { work(); });
}

void PgHeld::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : std::exchange(threads_, {})) thread.join();
  std::unordered_map<std::string, Group> left;
  {
    MutexLock lock(mutex_);
    left.swap(groups_);
  }
  for (auto& [name, group] : left) {
    for (Waiting& waiting : group.jobs) {
      waiting.job->fail({ErrorCode::kUnavailable, "shutting down"});
    }
  }
}

void PgHeld::append(const std::string& name, HeldBy::Kind kind, Waiting waiting) {
  const auto [at, made] = groups_.try_emplace(name);
  if (made) {
    at->second.kind = kind;
    turns_.push_back(name);
  }
  at->second.jobs.push_back(std::move(waiting));
  waiting_.fetch_add(1, std::memory_order_relaxed);
}

bool PgHeld::submit(HeldBy by, Lane lane, std::unique_ptr<PgJob>& job) {
  {
    MutexLock lock(mutex_);
    if (stopping_ || waiting() >= options_.queue_max) return false;
    if (by.kind == HeldBy::Kind::kAlone) by.name = std::to_string(++last_alone_);
    append(name_of(by), by.kind, {lane, std::move(job)});
  }
  changed_.notify_one();
  return true;
}

bool PgHeld::join(const std::string& key, Lane lane, std::unique_ptr<PgJob>& job) {
  if (waiting() == 0) return false;
  const std::string name = name_of({HeldBy::Kind::kKey, key});
  MutexLock lock(mutex_);
  if (stopping_ || waiting() >= options_.queue_max || !groups_.contains(name)) return false;
  append(name, HeldBy::Kind::kKey, {lane, std::move(job)});
  return true;
}

std::optional<PgHeld::Turn> PgHeld::next() {
  MutexLock lock(mutex_);
  while (!stopping_ && turns_.empty()) changed_.wait(mutex_);
  if (stopping_) return std::nullopt;
  Turn turn{std::move(turns_.front()), {}};
  turns_.pop_front();
  auto& jobs = groups_.at(turn.group).jobs;
  turn.waiting = std::move(jobs.front());
  jobs.pop_front();
  busy_.fetch_add(1, std::memory_order_relaxed);
  return turn;
}

// Who gives up at a deadline in the middle of a try cannot know how it ended: so none is begun that
// could last until then.
PgHeld::Ended PgHeld::run(PgSession& session, Waiting& waiting) {
  PgJob& job = *waiting.job;
  if (job.expired()) return Ended::kDropped;
  if (std::chrono::steady_clock::now() + options_.patience.lock >= job.deadline()) {
    job.fail({ErrorCode::kResourceExhausted, "somebody else holds what it needs"});
    return Ended::kDropped;
  }
  PgConnection* const connection = session.open();
  if (!connection) {
    job.fail({ErrorCode::kUnavailable, "PostgreSQL cannot be reached" + session.refused()});
    return Ended::kDropped;
  }
  if (!job.begin()) return Ended::kDropped;
  const bool answered = try_one_(waiting.lane, *connection, job);
  if (!session.drop_if_broken()) availability_.answered();
  if (answered) return Ended::kThrough;
  job.rolled_back();
  return Ended::kHeld;
}

void PgHeld::end_turn(Turn turn, Ended ended) {
  std::deque<Waiting> go_back;
  {
    MutexLock lock(mutex_);
    Group& group = groups_.at(turn.group);
    busy_.fetch_sub(1, std::memory_order_relaxed);
    if (ended == Ended::kHeld) {
      group.jobs.push_front(std::move(turn.waiting));
    } else {
      waiting_.fetch_sub(1, std::memory_order_relaxed);
    }
    if (ended == Ended::kThrough && group.kind == HeldBy::Kind::kBucket) {
      go_back = std::exchange(group.jobs, {});
      waiting_.fetch_sub(go_back.size(), std::memory_order_relaxed);
    }
    if (group.jobs.empty()) {
      groups_.erase(turn.group);
    } else {
      turns_.push_back(std::move(turn.group));
    }
  }
  changed_.notify_one();
  for (Waiting& waiting : go_back) {
    if (give_back_(waiting.lane, waiting.job)) continue;
    waiting.job->fail({ErrorCode::kResourceExhausted, "too many wait for PostgreSQL"});
  }
}

void PgHeld::work() {
  PgSession session(options_.dsn, options_.patience, availability_, counts_);
  session.open();  // It is needed rarely, and then at once.
  while (auto turn = next()) {
    const Ended ended = run(session, turn->waiting);
    end_turn(*std::move(turn), ended);
  }
}

}  // namespace rondel::metadata
