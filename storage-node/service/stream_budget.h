// StreamBudget: the memory that Exchange streams hold in a node together, and how peers share it.
//
// Counted are messages that have come, from their arrival until the last of their bytes is written
// or dropped, requests that are open, and answers that wait for a peer. Below 80 % of the capacity
// whoever needs memory has it. Above, a stream may hold its share of the rest alone: each peer has
// as much as any other, each of its streams as much as any other of its own. So a peer, or many
// streams of one, that stalls leaves every other what it needs to go on.
//
// Beside it a stream has one message under way, of at most transfer::kMessageBytesAccepted. Safe
// for concurrent use; no lock is taken but where streams open and end.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/base/result.h"

namespace rondel::node {

class StreamBudget : public std::enable_shared_from_this<StreamBudget> {
 public:
  static constexpr size_t kStreamsPerPeerMax = 128;
  static constexpr size_t kStreamsMax = 8'192;
  // A peer that has taken nothing for so long, while memory is short, loses its stream.
  static constexpr Duration kStalledAfter = std::chrono::seconds(60);

  class Account;

  // REQUIRES: capacity > 0.
  static std::shared_ptr<StreamBudget> make(uint64_t capacity, const Clock& clock = real_clock());

  // For one stream of `peer`; it ends with end(). `cut` ends the stream from outside, from any
  // thread, once at most and never after end(). kResourceExhausted: the peer, or the node, has as
  // many as it may.
  Result<std::shared_ptr<Account>> open(const std::string& peer, std::function<void()> cut);

  uint64_t capacity() const { return capacity_; }

  uint64_t in_use() const { return in_use_.load(std::memory_order_relaxed); }

  // What was not taken because there was no room: requests, and streams.
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

  uint64_t cut() const { return cut_.load(std::memory_order_relaxed); }

  size_t streams() const;

 private:
  struct Peer {
    std::atomic<size_t> streams{0};
  };

  StreamBudget(uint64_t capacity, const Clock& clock) : capacity_(capacity), clock_(clock) {}

  void ended(const Account& account);
  // At most once a second.
  void cut_stalled();

  const uint64_t capacity_;
  const Clock& clock_;
  std::atomic<uint64_t> in_use_{0};
  std::atomic<uint64_t> refused_{0};
  std::atomic<uint64_t> cut_{0};
  std::atomic<size_t> peers_count_{0};
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<Peer>> peers_ GUARDED_BY(mutex_);  // With open streams.
  std::map<const Account*, std::weak_ptr<Account>> accounts_ GUARDED_BY(mutex_);  // Open.
  SteadyTime looked_at_ GUARDED_BY(mutex_){};
};

// What one stream holds. Bytes may be given back after its end.
class StreamBudget::Account {
 public:
  Account(std::shared_ptr<StreamBudget> budget, std::shared_ptr<Peer> peer, std::string name,
          std::function<void()> cut)
      : budget_(std::move(budget)),
        peer_(std::move(peer)),
        name_(std::move(name)),
        cut_(std::move(cut)) {}

  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;

  // Counted, whatever the limit: what is there already.
  void take(uint64_t bytes);
  void give_back(uint64_t bytes);

  // How much the stream may hold now, when memory is short; UINT64_MAX when it is not.
  uint64_t limit() const;

  // Of the message that is being looked at, which is counted: it does not speak against itself.
  void set_current(uint64_t bytes) { current_.store(bytes, std::memory_order_relaxed); }

  // May the stream hold more? False counts as refused, and looks for peers that stall.
  bool has_room();

  // The peer is being sent something, or took it: who is sent and takes nothing is stalled.
  void sending(bool under_way);

  void end();

 private:
  friend class StreamBudget;

  const std::shared_ptr<StreamBudget> budget_;
  const std::shared_ptr<Peer> peer_;
  const std::string name_;
  Mutex cut_mutex_;
  std::function<void()> cut_ GUARDED_BY(cut_mutex_);  // Empty: it ended.
  std::atomic<uint64_t> held_{0};
  std::atomic<uint64_t> current_{0};
  std::atomic<SteadyTime::rep> sending_since_{0};  // 0: nothing is under way.
};

// Bytes counted in an account until it is destroyed.
class Held {
 public:
  Held() = default;

  Held(std::shared_ptr<StreamBudget::Account> account, uint64_t bytes)
      : account_(std::move(account)), bytes_(bytes) {
    if (account_) account_->take(bytes_);
  }

  Held(Held&& other) noexcept
      : account_(std::move(other.account_)), bytes_(std::exchange(other.bytes_, 0)) {}

  Held& operator=(Held&& other) noexcept {
    if (account_) account_->give_back(bytes_);
    account_ = std::move(other.account_);
    bytes_ = std::exchange(other.bytes_, 0);
    return *this;
  }

  ~Held() {
    if (account_) account_->give_back(bytes_);
  }

 private:
  std::shared_ptr<StreamBudget::Account> account_;
  uint64_t bytes_ = 0;
};

}  // namespace rondel::node
