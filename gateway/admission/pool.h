// Pool: one bound of a gateway (requests in flight, bytes of a budget) and how it is shared.
//
//   Pool::Hold hold = pool.try_take(party, 1);                  // Empty: refused.
//   CO_TRY(Pool::Hold hold, co_await pool.take(party, bytes, deadline));
//
// What comes byte by byte is held byte by byte: a hold that is opened empty is promised room for
// what is to come (claim) and takes it as it comes (use). A promise that is not used is cut as soon
// as somebody else wants the room; and who waits for nothing but his own client gives way, when
// somebody who holds no more than he wants the room: first the party that holds most, of it what
// has waited longest. So nobody waits for another's slow client, and two that fill their memory
// never wait for each other.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "common/async/one_shot.h"
#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/base/result.h"
#include "gateway/admission/party.h"

namespace rondel::admission {

struct PoolOptions {
  Bound bound = Bound::kRequests;
  uint64_t capacity = 0;
  // A promise that was not used for so long is cut when somebody wants the room.
  Duration promise_patience = std::chrono::milliseconds(250);
  // Who made no progress for so long gives way when somebody wants the room: an account, an
  // address.
  Duration patience = std::chrono::seconds(2);
  Duration stranger_patience = std::chrono::milliseconds(500);
};

// By kind: an address, an account.
struct PoolStatus {
  Bound bound = Bound::kRequests;
  uint64_t capacity = 0;
  uint64_t in_use = 0;  // Promises too.
  uint64_t used = 0;    // Without them.
  uint64_t waiting = 0;
  std::array<uint64_t, 2> refused{};
  uint64_t gave_way = 0;
  uint64_t cut = 0;  // Promises.
};

// Safe for concurrent use. Outlives its holds. At most one of each bound has to do with a party.
class Pool {
 public:
  class Hold;

  explicit Pool(PoolOptions options);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // At once, or an empty hold: above the party's share, or there is no room. It counts as refused
  // only when the caller says so, since he may take() another way.
  Hold try_take(const PartyRef& party, uint64_t amount, SteadyTime now = steady_now());
  // Waits until the deadline; kResourceExhausted then. Who holds least is served first. `amount`
  // is at most the capacity: more is taken for all of it. On a loop.
  async::Task<Result<Hold>> take(PartyRef party, uint64_t amount, Deadline deadline);
  // An empty hold to claim() for. It may give way until it is pinned.
  Hold open(const PartyRef& party, std::function<void()> give_way = {});

  uint64_t capacity() const { return options_.capacity; }

  void count_refusal(const PartyRef& party);
  PoolStatus status() const;
  // Whether nothing at all is left for anybody.
  bool is_full() const;

  static SteadyTime steady_now() { return std::chrono::steady_clock::now(); }

 private:
  struct Entry;
  struct Waiter;
  // Of one party, in order of arrival.
  using Line = std::list<std::shared_ptr<Waiter>>;

  // Shared as the bound itself is: one party leaves room for others to wait.
  static constexpr size_t kWaitersMax = 8192;
  // Of a line: who waits for less may go before who waits for more, but is not searched for.
  static constexpr size_t kLookAhead = 8;
  static constexpr uint64_t kProgressBytes = 16 * 1024;

  Party::Standing& standing(Party& party) const {
    return party.standings_[static_cast<size_t>(options_.bound)];
  }

  bool may_take(const Entry& entry, uint64_t amount) const REQUIRES(mutex_);
  bool may_wait(const Entry& entry) const REQUIRES(mutex_);
  bool try_grow(Entry& entry, uint64_t amount, SteadyTime now, bool waiters_first = true)
      REQUIRES(mutex_);
  bool is_outranked(const Entry& entry) const REQUIRES(mutex_);
  bool make_room(const Entry& asker, uint64_t amount, SteadyTime now) REQUIRES(mutex_);
  bool cut_promises(SteadyTime now) REQUIRES(mutex_);
  bool let_one_give_way(const Entry& asker, uint64_t amount, SteadyTime now) REQUIRES(mutex_);
  uint64_t weight(const Entry& entry, const Entry& against) const REQUIRES(mutex_);
  void serve() REQUIRES(mutex_);
  Waiter* first_to_serve(const Line& line) const REQUIRES(mutex_);
  void join(const std::shared_ptr<Waiter>& waiter) REQUIRES(mutex_);
  void leave(Waiter& waiter) REQUIRES(mutex_);
  bool leads(const Waiter& waiter) const REQUIRES(mutex_);
  void add(Entry& entry, uint64_t amount) REQUIRES(mutex_);
  void subtract(Entry& entry, uint64_t amount) REQUIRES(mutex_);
  void count(Party& party, int64_t held, int64_t waiting) REQUIRES(mutex_);
  void enlist(Entry& entry) REQUIRES(mutex_);
  void strike(Entry& entry) REQUIRES(mutex_);
  void refuse(const Entry& entry) REQUIRES(mutex_);

  bool move(Entry& entry, const PartyRef& party, SteadyTime now) REQUIRES(mutex_);

  async::Task<Result<void>> grow(std::shared_ptr<Entry> entry, uint64_t amount, bool used,
                                 Deadline deadline);

  const PoolOptions options_;
  const uint64_t strangers_capacity_;
  mutable Mutex mutex_;
  uint64_t in_use_ GUARDED_BY(mutex_) = 0;
  uint64_t used_ GUARDED_BY(mutex_) = 0;
  uint64_t strangers_held_ GUARDED_BY(mutex_) = 0;
  size_t accounts_ GUARDED_BY(mutex_) = 0;  // That hold or wait.
  size_t addresses_ GUARDED_BY(mutex_) = 0;
  std::vector<Entry*> entries_ GUARDED_BY(mutex_);  // That have promises or may give way.
  std::unordered_map<Party*, Line> lines_ GUARDED_BY(mutex_);  // None is empty.
  size_t waiters_ GUARDED_BY(mutex_) = 0;                      // In all lines.
  size_t strangers_waiting_ GUARDED_BY(mutex_) = 0;
  uint64_t arrivals_ GUARDED_BY(mutex_) = 0;
  std::array<uint64_t, 2> refused_ GUARDED_BY(mutex_){};
  uint64_t gave_way_ GUARDED_BY(mutex_) = 0;
  uint64_t cut_ GUARDED_BY(mutex_) = 0;
};

// Gives its amount back when destroyed. Movable, but not while it is awaited. One coroutine's, but
// that it may give way at any moment.
class Pool::Hold {
 public:
  Hold() = default;
  Hold(Hold&& other) noexcept = default;
  Hold& operator=(Hold&& other) noexcept;

  ~Hold() { release(); }

  explicit operator bool() const { return entry_ != nullptr; }

  // 0 too after it gave way.
  uint64_t amount() const;
  void release();

  // Room for `amount` more, not taken yet. kResourceExhausted: not before the deadline, or it gave
  // way.
  async::Task<Result<void>> claim(uint64_t amount, Deadline deadline);
  // Takes `amount` of what was claimed. False: the promise was cut (claim again), or it gave way.
  bool use(uint64_t amount, SteadyTime now = steady_now());
  // Its client sent or took so many bytes: with 16 KiB its patience begins anew.
  void progress(uint64_t bytes, SteadyTime now = steady_now());
  // Gives back all but `amount`.
  void shrink(uint64_t amount);
  // It is complete, and gives way to nobody any more. False: it did already.
  bool pin();
  bool gave_way() const;

  // From now on `give_way` may be called, once: from any thread, with a lock held, so that it posts
  // and does nothing else. Its amount is given back by then.
  void may_give_way(std::function<void()> give_way);
  // It waits for its client since `since`: only then it gives way.
  void idle(SteadyTime since = steady_now());

  void busy() { idle(SteadyTime::max()); }

  // Counts to another party from now on. False: that is above its share, and nothing changes.
  bool move_to(const PartyRef& party, SteadyTime now = steady_now());
  // The same, without a refusal being counted: the caller may wait instead.
  bool try_move_to(const PartyRef& party, SteadyTime now = steady_now());
  // Counts to nobody from now on, and to the party once it has room. kResourceExhausted: not before
  // the deadline, or it gave way; nothing is held then. On a loop.
  async::Task<Result<void>> wait_as(PartyRef party, Deadline deadline);
  // Null: the gateway's own, or empty.
  PartyRef party() const;

 private:
  friend class Pool;

  Hold(Pool* pool, std::shared_ptr<Entry> entry) : pool_(pool), entry_(std::move(entry)) {}

  Pool* pool_ = nullptr;
  std::shared_ptr<Entry> entry_;
};

}  // namespace rondel::admission
