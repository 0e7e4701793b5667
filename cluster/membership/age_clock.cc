#include "cluster/membership/age_clock.h"

#include <algorithm>

#include "common/log/log.h"

namespace rondel::membership {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;

// A question that took longer says too little about the clock.
constexpr Duration kAnswerPatience = 5s;
// So much of the time that passes is caught up of what the steady clock holds back.
constexpr int kCatchUp = 10;

microseconds between(SteadyTime from, SteadyTime to) {
  return std::chrono::duration_cast<microseconds>(to - from);
}

double seconds(microseconds time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

AgeClock::AgeClock(const Clock& clock)
    : clock_(clock),
      stamps_(*this),
      locks_(*this),
      database_clock_(*this),
      paused_at_(clock.boot_now()) {}

void AgeClock::recall(std::optional<metadata::ReachedTime> reached) {
  MutexLock lock(mutex_);
  if (database_) return;
  // What was before nobody has looked at.
  sampled_at_ = paused_at_ = clock_.boot_now();
  limit_.reset();
  if (!reached) return;
  limit_ = reached->time;
  caught_up_ = reached->caught_up;
  if (reached->set_back_for > 0us) set_back_at_ = sampled_at_ - reached->set_back_for;
}

void AgeClock::confirm(uint64_t accepted) {
  MutexLock lock(mutex_);
  // A database that was set back has a lower one, and nobody confirmed anything.
  const bool confirmed = accepted > std::exchange(accepted_, accepted).value_or(accepted);
  const Look now = look();
  if (!confirmed || !now.limit || !now.agree()) return;
  *limit_ += now.earlier() - *now.limit;
  caught_up_ = 0us;
  set_back_at_.reset();
}

std::optional<metadata::ReachedTime> AgeClock::reached() const {
  MutexLock lock(mutex_);
  const Look now = look();
  if (!now.limit) return std::nullopt;
  const microseconds set_back_for =
      set_back_at_ ? std::max(1us, between(*set_back_at_, sampled_at_)) : 0us;
  return metadata::ReachedTime{*now.limit, set_back_for, caught_up_};
}

void AgeClock::sample(SystemTime database_now, SteadyTime asked_at) {
  const SteadyTime at = clock_.boot_now();
  if (at - asked_at > kAnswerPatience) return;
  MutexLock lock(mutex_);
  const microseconds passed = between(sampled_at_, at);
  if (limit_) *limit_ += passed;
  database_ = database_now;
  sampled_at_ = at;
  if (const Look seen = look(); seen.agree()) {
    move_limit(seen.earlier(), passed);
    believe_when_long_set_back(at);
  }
  const Look now = look();
  if (now.paused() || passed > kSampleLife) paused_at_ = at;
  if (now.paused() == std::exchange(told_paused_, now.paused())) return;
  if (now.set_back()) {
    log::error("clock",
               "the clocks of gateway and database were set back together: what ends by age is"
               " paused",
               {{"back_s", seconds(now.back())}});
  } else if (now.paused()) {
    log::error("clock", "the clocks of gateway and database differ: what ends by age is paused",
               {{"ahead_s", seconds(now.ahead())}});
  } else {
    log::info("clock", "what ends by age goes on", {{"ahead_s", seconds(now.ahead())}});
  }
}

void AgeClock::move_limit(SystemTime earlier, microseconds passed) {
  if (!limit_) limit_ = earlier;
  const microseconds lag = earlier - *limit_;
  if (lag >= 0us) {
    const microseconds step = std::min(lag, passed / kCatchUp);
    *limit_ += step;
    caught_up_ = step == lag ? 0us : caught_up_ + step;
    return;
  }
  // Clocks that are set back take what they were followed by with them, and no more: they may be
  // set right again.
  const microseconds back = -lag <= kDifferenceMax ? -lag : std::min(-lag, caught_up_);
  *limit_ -= back;
  caught_up_ = std::max(0us, caught_up_ - back);
}

// What was stamped meanwhile was stamped by the steady clock, so it is not older than it is by any
// of them.
void AgeClock::believe_when_long_set_back(SteadyTime at) {
  const Look now = look();
  if (!now.set_back()) {
    set_back_at_.reset();
    return;
  }
  if (!set_back_at_) set_back_at_ = at;
  if (at - *set_back_at_ < kBackBelieved) return;
  limit_ = now.earlier();
  caught_up_ = 0us;
  set_back_at_.reset();
}

void AgeClock::witness(std::map<model::NodeId, NodeClock> nodes,
                       std::vector<microseconds> gateways) {
  MutexLock lock(mutex_);
  nodes_ = std::move(nodes);
  const Look now = look();
  if (now.heard_lately) gateways.push_back(now.ahead());
  const bool before = std::exchange(verdict_, judge_clocks(nodes_, gateways)).database_off;
  if (verdict_.database_off) paused_at_ = clock_.boot_now();
  if (verdict_.database_off == before) return;
  if (verdict_.database_off) {
    log::error("clock", "the database's clock differs from most others: what ends by age is paused",
               {{"behind_s", seconds(verdict_.median)}});
  } else {
    log::info("clock", "the database's clock agrees with most others again");
  }
}

bool AgeClock::database_off() const {
  MutexLock lock(mutex_);
  return verdict_.database_off;
}

std::string AgeClock::why_fenced(const model::NodeId& node) const {
  MutexLock lock(mutex_);
  const auto found = verdict_.fenced.find(node);
  if (found == verdict_.fenced.end()) return "";
  const auto by = std::chrono::duration_cast<std::chrono::seconds>(found->second);
  return "the node's clock is " + std::to_string(by.count()) + " s ahead of most others";
}

AgeClock::Look AgeClock::look() const {
  Look now;
  now.mine = clock_.now();
  if (!database_) return now;
  const SteadyTime at = clock_.boot_now();
  const microseconds since = between(sampled_at_, at);
  now.database = *database_ + since;
  if (limit_) now.limit = *limit_ + since;
  now.heard_lately = at - sampled_at_ <= kSampleLife;
  now.database_off = verdict_.database_off;
  return now;
}

std::optional<SystemTime> AgeClock::now_for_age() const {
  MutexLock lock(mutex_);
  const Look now = look();
  if (now.paused() || !now.limit) return std::nullopt;
  return std::min(now.earlier(), *now.limit);
}

bool AgeClock::steady_for(Duration time) const {
  MutexLock lock(mutex_);
  if (look().paused()) return false;
  return clock_.boot_now() - paused_at_ >= time;
}

SystemTime AgeClock::Stamps::now() const {
  MutexLock lock(ages.mutex_);
  const Look now = ages.look();
  if (now.agree() && !now.set_back()) return now.mine;
  return std::max({now.mine, *now.database, now.limit.value_or(now.mine)});
}

SystemTime AgeClock::Locks::now() const {
  MutexLock lock(ages.mutex_);
  const Look now = ages.look();
  return now.limit ? std::min(now.earlier(), *now.limit) : now.earlier();
}

SystemTime AgeClock::database_now() const {
  MutexLock lock(mutex_);
  const Look now = look();
  return now.database.value_or(now.mine);
}

Result<void> AgeClock::check_usable() const {
  MutexLock lock(mutex_);
  const microseconds ahead = look().ahead();
  if (std::chrono::abs(ahead) <= kUsableDifference) return {};
  const auto with_us = static_cast<size_t>(std::ranges::count_if(nodes_, [ahead](const auto& node) {
    return std::chrono::abs(node.second.ahead - ahead) <= kUsableDifference;
  }));
  if (2 * with_us > nodes_.size()) return {};
  const auto by = std::chrono::duration_cast<std::chrono::seconds>(ahead);
  return fail(ErrorCode::kUnavailable,
              "the clock is " + std::to_string(by.count()) + " s ahead of the database's");
}

AgeClockStatus AgeClock::status() const {
  MutexLock lock(mutex_);
  const Look now = look();
  AgeClockStatus status;
  status.known = now.database.has_value();
  status.paused = now.paused();
  status.ahead = now.ahead();
  status.set_back = now.agree() ? now.back() : 0us;
  if (now.limit) status.held_back = std::max(0us, now.earlier() - *now.limit);
  for (const auto& [id, clock] : nodes_) status.nodes.emplace(id, clock.ahead);
  status.verdict = verdict_;
  return status;
}

std::optional<SystemTime> age_time(const AgeClock* ages, const Clock& clock,
                                   SystemTime database_now) {
  const std::optional<SystemTime> now = ages != nullptr ? ages->now_for_age() : clock.now();
  if (!now) return std::nullopt;
  return std::min(*now, database_now);
}

}  // namespace rondel::membership
