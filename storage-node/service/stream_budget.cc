#include "storage-node/service/stream_budget.h"

#include <algorithm>

namespace rondel::node {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kFreeForAllPercent = 80;
constexpr Duration kLookPeriod = 1s;

}  // namespace

std::shared_ptr<StreamBudget> StreamBudget::make(uint64_t capacity, const Clock& clock) {
  return std::shared_ptr<StreamBudget>(new StreamBudget(capacity, clock));
}

Result<std::shared_ptr<StreamBudget::Account>> StreamBudget::open(const std::string& peer,
                                                                  std::function<void()> cut) {
  MutexLock lock(mutex_);
  const auto known = peers_.find(peer);
  const size_t open = known == peers_.end() ? 0 : known->second->streams.load();
  if (open >= kStreamsPerPeerMax || accounts_.size() >= kStreamsMax) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return fail(ErrorCode::kResourceExhausted, open >= kStreamsPerPeerMax
                                                   ? "the peer has too many streams"
                                                   : "the node has too many streams");
  }
  auto& shared = peers_[peer];
  if (!shared) shared = std::make_shared<Peer>();
  ++shared->streams;
  peers_count_ = peers_.size();
  auto account = std::make_shared<Account>(shared_from_this(), shared, peer, std::move(cut));
  accounts_.emplace(account.get(), account);
  return account;
}

size_t StreamBudget::streams() const {
  MutexLock lock(mutex_);
  return accounts_.size();
}

void StreamBudget::ended(const Account& account) {
  MutexLock lock(mutex_);
  if (accounts_.erase(&account) == 0) return;
  if (--account.peer_->streams == 0) peers_.erase(account.name_);
  peers_count_ = peers_.size();
}

void StreamBudget::cut_stalled() {
  std::vector<std::shared_ptr<Account>> stalled;
  const SteadyTime now = clock_.steady_now();
  {
    MutexLock lock(mutex_);
    if (looked_at_ != SteadyTime{} && now - looked_at_ < kLookPeriod) return;
    looked_at_ = now;
    for (const auto& [key, weak] : accounts_) {
      auto account = weak.lock();
      if (!account) continue;
      const SteadyTime::rep since = account->sending_since_.load();
      if (since != 0 && now - SteadyTime(SteadyTime::duration(since)) >= kStalledAfter) {
        stalled.push_back(std::move(account));
      }
    }
  }
  for (const auto& account : stalled) {
    MutexLock lock(account->cut_mutex_);
    if (!account->cut_) continue;
    std::exchange(account->cut_, {})();
    cut_.fetch_add(1, std::memory_order_relaxed);
  }
}

void StreamBudget::Account::take(uint64_t bytes) {
  held_.fetch_add(bytes, std::memory_order_relaxed);
  budget_->in_use_.fetch_add(bytes, std::memory_order_relaxed);
}

void StreamBudget::Account::give_back(uint64_t bytes) {
  held_.fetch_sub(bytes, std::memory_order_relaxed);
  budget_->in_use_.fetch_sub(bytes, std::memory_order_relaxed);
}

uint64_t StreamBudget::Account::limit() const {
  const uint64_t free_for_all = budget_->capacity_ / 100 * kFreeForAllPercent;
  if (budget_->in_use() <= free_for_all) return UINT64_MAX;
  const size_t peers = std::max<size_t>(budget_->peers_count_.load(std::memory_order_relaxed), 1);
  const size_t streams = std::max<size_t>(peer_->streams.load(std::memory_order_relaxed), 1);
  return (budget_->capacity_ - free_for_all) / peers / streams;
}

bool StreamBudget::Account::has_room() {
  const uint64_t most = limit();
  if (most == UINT64_MAX) return true;
  budget_->cut_stalled();
  const uint64_t held = held_.load(std::memory_order_relaxed);
  const uint64_t current = current_.load(std::memory_order_relaxed);
  if (held - std::min(held, current) <= most) return true;
  budget_->refused_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

void StreamBudget::Account::sending(bool under_way) {
  const SteadyTime::rep now = budget_->clock_.steady_now().time_since_epoch().count();
  sending_since_.store(under_way ? std::max<SteadyTime::rep>(now, 1) : 0,
                       std::memory_order_relaxed);
}

void StreamBudget::Account::end() {
  {
    MutexLock lock(cut_mutex_);
    cut_ = {};
  }
  budget_->ended(*this);
}

}  // namespace rondel::node
