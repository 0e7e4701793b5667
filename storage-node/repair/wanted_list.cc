#include "storage-node/repair/wanted_list.h"

#include <algorithm>

namespace rondel::repair {
namespace {

constexpr size_t kLoadedAtOnce = 4096;
constexpr uint32_t kDoublingsMax = 20;

uint64_t micros(Duration duration) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

uint64_t micros(SystemTime time) { return static_cast<uint64_t>(time.time_since_epoch().count()); }

}  // namespace

Result<void> WantedList::load() {
  model::BlobId after;
  for (;;) {
    TRY(const auto page, disk_.list_wanted(after, kLoadedAtOnce));
    MutexLock lock(mutex_);
    const uint64_t now = micros(clock_.now());
    for (const Wanted& wanted : page) {
      Item& item = items_[wanted.id];
      item.wanted = wanted;
      item.missed = wanted.tries > 0;
      // A wall clock that was set back must not keep it waiting.
      const uint64_t left = wanted.next_try_us - std::min(wanted.next_try_us, now);
      schedule(item, std::min<Duration>(std::chrono::microseconds(left), options_.backoff_max));
    }
    if (page.size() < kLoadedAtOnce) return {};
    after = page.back().id;
  }
}

void WantedList::schedule(Item& item, Duration in) {
  due_.erase({item.due, item.wanted.id});
  item.due = clock_.steady_now() + in;
  item.under_way = false;
  item.wanted.next_try_us = micros(clock_.now()) + micros(in);
  due_.emplace(item.due, item.wanted.id);
}

bool WantedList::add(std::span<const Wanted> found, Duration patience) {
  MutexLock lock(mutex_);
  const auto more = static_cast<size_t>(std::ranges::count_if(
      found, [this](const Wanted& one) REQUIRES(mutex_) { return !items_.contains(one.id); }));
  full_ = more > 0 && !items_.empty() && items_.size() + more > options_.entries_max;
  if (full_) return false;
  for (const Wanted& one : found) {
    const auto [at, added] = items_.try_emplace(one.id);
    Item& item = at->second;
    if (added) {
      item.wanted = one;
      item.wanted.found_us = micros(clock_.now());
      item.missed = patience == Duration::zero();
      schedule(item, patience);
    } else if (one.order > item.wanted.order) {
      item.wanted.order = one.order;
    } else {
      continue;
    }
    changed_.insert(one.id);
  }
  return true;
}

Result<void> WantedList::persist() {
  MutexLock one(persist_mutex_);
  std::set<model::BlobId> changed;
  std::vector<Wanted> wanted;
  std::vector<model::BlobId> gone;
  {
    MutexLock lock(mutex_);
    changed.swap(changed_);
    for (const model::BlobId& id : changed) {
      const auto found = items_.find(id);
      if (found == items_.end()) gone.push_back(id);
      if (found != items_.end()) wanted.push_back(found->second.wanted);
    }
  }
  if (changed.empty()) return {};
  auto noted = disk_.note_wanted(wanted, gone);
  if (noted) return {};
  MutexLock lock(mutex_);
  changed_.merge(changed);
  return noted;
}

std::optional<Wanted> WantedList::take_due() {
  MutexLock lock(mutex_);
  if (due_.empty() || due_.begin()->first > clock_.steady_now()) return std::nullopt;
  Item& item = items_.at(due_.begin()->second);
  due_.erase(due_.begin());
  item.under_way = item.missed = true;
  return item.wanted;
}

void WantedList::forget(const Wanted& done) {
  MutexLock lock(mutex_);
  const auto found = items_.find(done.id);
  if (found == items_.end()) return;
  if (found->second.wanted.order > done.order) return schedule(found->second, Duration::zero());
  due_.erase({found->second.due, done.id});
  items_.erase(found);
  changed_.insert(done.id);
}

void WantedList::failed(const model::BlobId& id, Outcome outcome) {
  MutexLock lock(mutex_);
  const auto found = items_.find(id);
  if (found == items_.end()) return;
  Item& item = found->second;
  item.unreadable = outcome != Outcome::kUnreachable;
  ++item.wanted.tries;
  schedule(item, pause_after(item.wanted.tries, outcome));
  changed_.insert(id);
}

void WantedList::put_back(const model::BlobId& id, Duration pause) {
  MutexLock lock(mutex_);
  const auto found = items_.find(id);
  if (found != items_.end()) schedule(found->second, pause);
}

Duration WantedList::pause_after(uint32_t tries, Outcome outcome) {
  const Duration most =
      outcome == Outcome::kUnreachable ? options_.backoff_away_max : options_.backoff_max;
  const uint32_t doublings = std::min(tries - 1, kDoublingsMax);
  const Duration pause = std::min(most, options_.backoff_min * (1u << doublings));
  return pause - pause / 4 + pause / 2 * static_cast<int>(random_() % 1024) / 1024;
}

model::ReplicationLag WantedList::lag() const {
  const uint64_t now = micros(clock_.now());
  const SteadyTime steady = clock_.steady_now();
  model::ReplicationLag lag{};
  MutexLock lock(mutex_);
  for (const auto& [id, item] : items_) {
    if (!item.missed && item.due > steady) continue;
    const uint64_t made =
        item.wanted.created_us == 0 ? item.wanted.found_us : item.wanted.created_us;
    lag.age_us = std::max(lag.age_us, now - std::min(now, made));
    lag.bytes += item.wanted.length;
    ++lag.blobs;
  }
  return lag;
}

WantedList::Counts WantedList::counts() const {
  MutexLock lock(mutex_);
  Counts counts{items_.size(), 0, full_};
  for (const auto& [id, item] : items_) counts.unreadable += item.unreadable ? 1 : 0;
  return counts;
}

}  // namespace rondel::repair
