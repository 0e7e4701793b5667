#include "gateway/admission/pool.h"

#include <algorithm>
#include <tuple>

#include "gateway/admission/shares.h"

namespace rondel::admission {
namespace {

constexpr size_t kNowhere = SIZE_MAX;
// Of those who give way to one who asks.
constexpr int kRoundsMax = 256;

}  // namespace

// Guarded by the mutex of its pool, but for the idle time.
struct Pool::Entry {
  PartyRef party;
  uint64_t amount = 0;
  uint64_t used = 0;
  uint64_t progress = 0;
  std::atomic<SteadyTime> idle_since{SteadyTime::max()};
  std::function<void()> give_way;
  bool gave_way = false;
  size_t place = kNowhere;  // In entries_.
};

struct Pool::Waiter {
  std::shared_ptr<Entry> entry;
  uint64_t amount = 0;
  bool used = false;
  bool granted = false;
  std::shared_ptr<async::OneShot<bool>> slot;
  uint64_t arrival = 0;
  Line::iterator place{};
};

Pool::Pool(PoolOptions options)
    : options_(options), strangers_capacity_(strangers_part(options.capacity)) {}

Pool::Hold Pool::try_take(const PartyRef& party, uint64_t amount, SteadyTime now) {
  auto entry = std::make_shared<Entry>();
  entry->party = party;
  MutexLock lock(mutex_);
  if (!try_grow(*entry, amount, now)) {
    serve();  // What was made room for is for whoever waits.
    return {};
  }
  entry->used = amount;
  used_ += amount;
  return {this, std::move(entry)};
}

async::Task<Result<Pool::Hold>> Pool::take(PartyRef party, uint64_t amount, Deadline deadline) {
  auto entry = std::make_shared<Entry>();
  entry->party = std::move(party);
  CO_TRY_VOID(co_await grow(entry, std::min(amount, options_.capacity), true, deadline));
  co_return Hold(this, std::move(entry));
}

Pool::Hold Pool::open(const PartyRef& party, std::function<void()> give_way) {
  auto entry = std::make_shared<Entry>();
  entry->party = party;
  entry->give_way = std::move(give_way);
  entry->idle_since = steady_now();
  MutexLock lock(mutex_);
  enlist(*entry);
  return {this, std::move(entry)};
}

void Pool::count_refusal(const PartyRef& party) {
  MutexLock lock(mutex_);
  if (party) ++refused_[static_cast<size_t>(party->kind())];
}

PoolStatus Pool::status() const {
  MutexLock lock(mutex_);
  return {options_.bound, options_.capacity, in_use_, used_, waiters_, refused_, gave_way_, cut_};
}

bool Pool::is_full() const {
  MutexLock lock(mutex_);
  return in_use_ >= options_.capacity;
}

bool Pool::may_take(const Entry& entry, uint64_t amount) const {
  if (amount > options_.capacity || in_use_ > options_.capacity - amount) return false;
  if (!entry.party) return true;
  const Party::Standing& mine = standing(*entry.party);
  const size_t new_one = mine.held == 0 && mine.waiting == 0 ? 1 : 0;
  const size_t groups = accounts_ + (addresses_ > 0 ? 1 : 0);
  if (entry.party->kind() == Party::Kind::kAccount) {
    return admission::may_take({options_.capacity, in_use_, groups + new_one}, mine.held, amount);
  }

  // All who are not authenticated are one party, within which each address is one.
  const size_t first = addresses_ == 0 ? 1 : 0;
  return admission::may_take({options_.capacity, in_use_, groups + first}, strangers_held_,
                             amount) &&
         admission::may_take({strangers_capacity_, strangers_held_, addresses_ + new_one},
                             mine.held, amount);
}

// Who waits costs a little memory, and so the room for them is shared, too.
bool Pool::may_wait(const Entry& entry) const {
  if (!entry.party) return waiters_ < kWaitersMax;
  const size_t mine = standing(*entry.party).waiting;
  const size_t groups = accounts_ + (addresses_ > 0 ? 1 : 0) + 1;
  if (entry.party->kind() == Party::Kind::kAccount) {
    return admission::may_take({kWaitersMax, waiters_, groups}, mine, 1);
  }
  return admission::may_take({kWaitersMax, waiters_, groups}, strangers_waiting_, 1) &&
         admission::may_take({strangers_part(kWaitersMax), strangers_waiting_, addresses_ + 1},
                             mine, 1);
}

// Somebody who holds no more than the asker waits for room, and would have to wait longer.
bool Pool::is_outranked(const Entry& entry) const {
  if (waiters_ == 0 || !entry.party) return false;
  const uint64_t mine = standing(*entry.party).held;
  return std::ranges::any_of(lines_, [&](const auto& of) REQUIRES(mutex_) {
    const auto& [other, line] = of;
    if (other != nullptr && standing(*other).held > mine) return false;
    const Waiter* const first = first_to_serve(line);
    return first != nullptr && in_use_ + first->amount > options_.capacity;
  });
}

bool Pool::try_grow(Entry& entry, uint64_t amount, SteadyTime now, bool waiters_first) {
  if (entry.gave_way) return false;
  for (int round = 0; round < kRoundsMax; ++round) {
    if (may_take(entry, amount) && !is_outranked(entry)) {
      add(entry, amount);
      return true;
    }
    if (!make_room(entry, amount, now)) return false;
    if (waiters_first) serve();
  }
  return false;
}

// False: there is nothing that anybody could do without.
bool Pool::make_room(const Entry& asker, uint64_t amount, SteadyTime now) {
  return cut_promises(now) || let_one_give_way(asker, amount, now);
}

bool Pool::cut_promises(SteadyTime now) {
  bool some = false;
  for (Entry* entry : entries_) {
    if (entry->amount == entry->used) continue;
    if (now - entry->idle_since.load() < options_.promise_patience) continue;
    subtract(*entry, entry->amount - entry->used);
    ++cut_;
    some = true;
  }
  return some;
}

// What counts when an entry is to give way: what its party holds; of strangers among others what
// all of them hold.
uint64_t Pool::weight(const Entry& entry, const Entry& against) const {
  const bool strangers = entry.party->kind() == Party::Kind::kAddress;
  const bool among_themselves = strangers && against.party->kind() == Party::Kind::kAddress;
  return strangers && !among_themselves ? strangers_held_ : standing(*entry.party).held;
}

bool Pool::let_one_give_way(const Entry& asker, uint64_t amount, SteadyTime now) {
  if (!asker.party) return false;
  // Where strangers have used up their part no account's room is of use.
  const bool strangers_alone =
      asker.party->kind() == Party::Kind::kAddress && in_use_ + amount <= options_.capacity;
  Entry* chosen = nullptr;
  uint64_t most = 0;
  for (Entry* entry : entries_) {
    if (entry == &asker || !entry->party || !entry->give_way || entry->amount == 0) continue;
    if (strangers_alone && entry->party->kind() != Party::Kind::kAddress) continue;
    const SteadyTime since = entry->idle_since.load();
    const bool stranger = entry->party->kind() == Party::Kind::kAddress;
    if (now - since < (stranger ? options_.stranger_patience : options_.patience)) continue;
    const uint64_t theirs = weight(*entry, asker);
    if (theirs < weight(asker, *entry)) continue;
    if (chosen != nullptr &&
        std::tuple(most, now - chosen->idle_since.load()) >= std::tuple(theirs, now - since)) {
      continue;
    }
    chosen = entry;
    most = theirs;
  }
  if (chosen == nullptr) return false;

  chosen->gave_way = true;
  used_ -= chosen->used;
  chosen->used = 0;
  subtract(*chosen, chosen->amount);
  strike(*chosen);
  ++gave_way_;
  std::exchange(chosen->give_way, {})();
  return true;
}

// The first who may take what he waits for, or only lacks the room: that is kept for him. Null:
// their share is used up.
Pool::Waiter* Pool::first_to_serve(const Line& line) const {
  size_t looked_at = 0;
  for (const std::shared_ptr<Waiter>& waiter : line) {
    if (++looked_at > kLookAhead) return nullptr;
    if (in_use_ + waiter->amount > options_.capacity) return waiter.get();
    if (may_take(*waiter->entry, waiter->amount)) return waiter.get();
  }
  return nullptr;
}

// Who holds least first; of those who hold the same, in order of arrival.
void Pool::serve() {
  while (waiters_ > 0) {
    Waiter* best = nullptr;
    uint64_t least = UINT64_MAX;
    for (const auto& [party, line] : lines_) {
      const uint64_t held = party == nullptr ? 0 : standing(*party).held;
      if (best != nullptr && held > least) continue;
      Waiter* const first = first_to_serve(line);
      if (first == nullptr) continue;
      if (best != nullptr && held == least && first->arrival > best->arrival) continue;
      best = first;
      least = held;
    }
    if (best == nullptr) return;
    if (in_use_ + best->amount > options_.capacity) return;  // What comes free is kept for it.
    const std::shared_ptr<Waiter> waiter = *best->place;
    leave(*waiter);
    waiter->granted = true;
    add(*waiter->entry, waiter->amount);
    if (waiter->used) {
      waiter->entry->used += waiter->amount;
      used_ += waiter->amount;
    }
    waiter->slot->set(true);
  }
}

void Pool::join(const std::shared_ptr<Waiter>& waiter) {
  Party* const party = waiter->entry->party.get();
  Line& line = lines_[party];
  waiter->arrival = ++arrivals_;
  waiter->place = line.insert(line.end(), waiter);
  ++waiters_;
  if (party != nullptr) count(*party, 0, 1);
}

void Pool::leave(Waiter& waiter) {
  Party* const party = waiter.entry->party.get();
  const auto at = lines_.find(party);
  at->second.erase(waiter.place);
  if (at->second.empty()) lines_.erase(at);
  --waiters_;
  if (party != nullptr) count(*party, 0, -1);
}

bool Pool::leads(const Waiter& waiter) const {
  return lines_.at(waiter.entry->party.get()).front().get() == &waiter;
}

async::Task<Result<void>> Pool::grow(std::shared_ptr<Entry> entry, uint64_t amount, bool used,
                                     Deadline deadline) {
  auto waiter = std::make_shared<Waiter>();
  {
    MutexLock lock(mutex_);
    if (try_grow(*entry, amount, steady_now())) {
      if (used) entry->used += amount, used_ += amount;
      co_return Result<void>{};
    }
    if (entry->gave_way || !may_wait(*entry)) {
      refuse(*entry);
      co_return fail(ErrorCode::kResourceExhausted, "no room in time");
    }
    waiter->entry = entry;
    waiter->amount = amount;
    waiter->used = used;
    waiter->slot = async::OneShot<bool>::make();
    join(waiter);
    // It does not wait for its client now; but who waits for each other must not do so for ever.
    if (entry->idle_since.load() != SteadyTime::max()) entry->idle_since = steady_now();
    serve();  // With one more who waits others' shares are smaller.
  }

  // Who leads a line looks for what others could do without. The rest have time to.
  const Duration step = std::min(options_.promise_patience, options_.patience) / 2;
  bool leading = true;
  for (;;) {
    const std::shared_ptr<async::OneShot<bool>> slot = waiter->slot;
    (void)co_await slot->wait_until(std::min(deadline, deadline_in(leading ? step : 4 * step)));
    MutexLock lock(mutex_);
    if (waiter->granted) co_return Result<void>{};
    const SteadyTime now = steady_now();
    if (now >= deadline || entry->gave_way) {
      leave(*waiter);
      refuse(*entry);
      serve();  // It may have kept room from others.
      co_return fail(ErrorCode::kResourceExhausted, "no room in time");
    }
    waiter->slot = async::OneShot<bool>::make();
    leading = leads(*waiter);
    for (int round = 0; leading && !waiter->granted && round < kRoundsMax; ++round) {
      if (!make_room(*entry, amount, now)) break;
      serve();
    }
    if (waiter->granted) co_return Result<void>{};
  }
}

void Pool::add(Entry& entry, uint64_t amount) {
  entry.amount += amount;
  in_use_ += amount;
  if (entry.party) count(*entry.party, static_cast<int64_t>(amount), 0);
  // What it was given it may use.
  if (entry.idle_since.load() != SteadyTime::max()) entry.idle_since = steady_now();
}

void Pool::subtract(Entry& entry, uint64_t amount) {
  entry.amount -= amount;
  in_use_ -= amount;
  if (entry.party) count(*entry.party, -static_cast<int64_t>(amount), 0);
}

void Pool::count(Party& party, int64_t held, int64_t waiting) {
  Party::Standing& mine = standing(party);
  const bool stranger = party.kind() == Party::Kind::kAddress;
  const bool was_there = mine.held > 0 || mine.waiting > 0;
  mine.held += static_cast<uint64_t>(held);
  mine.waiting += static_cast<uint64_t>(waiting);
  if (stranger) {
    strangers_held_ += static_cast<uint64_t>(held);
    strangers_waiting_ += static_cast<uint64_t>(waiting);
  }
  const bool is_there = mine.held > 0 || mine.waiting > 0;
  if (was_there == is_there) return;
  size_t& parties = stranger ? addresses_ : accounts_;
  is_there ? ++parties : --parties;
}

void Pool::enlist(Entry& entry) {
  if (entry.place != kNowhere) return;
  entry.place = entries_.size();
  entries_.push_back(&entry);
}

void Pool::strike(Entry& entry) {
  if (entry.place == kNowhere) return;
  entries_[entry.place] = entries_.back();
  entries_[entry.place]->place = entry.place;
  entries_.pop_back();
  entry.place = kNowhere;
}

void Pool::refuse(const Entry& entry) {
  if (entry.party) ++refused_[static_cast<size_t>(entry.party->kind())];
}

Pool::Hold& Pool::Hold::operator=(Hold&& other) noexcept {
  if (this == &other) return *this;
  release();
  pool_ = other.pool_;
  entry_ = std::move(other.entry_);
  return *this;
}

uint64_t Pool::Hold::amount() const {
  if (!entry_) return 0;
  MutexLock lock(pool_->mutex_);
  return entry_->amount;
}

void Pool::Hold::release() {
  const std::shared_ptr<Entry> entry = std::move(entry_);
  if (!entry) return;
  MutexLock lock(pool_->mutex_);
  pool_->strike(*entry);
  pool_->used_ -= entry->used;
  entry->used = 0;
  entry->give_way = {};
  if (entry->amount == 0) return;
  pool_->subtract(*entry, entry->amount);
  pool_->serve();
}

async::Task<Result<void>> Pool::Hold::claim(uint64_t amount, Deadline deadline) {
  co_return co_await pool_->grow(entry_, amount, false, deadline);
}

bool Pool::Hold::use(uint64_t amount, SteadyTime now) {
  MutexLock lock(pool_->mutex_);
  if (entry_->gave_way || entry_->amount - entry_->used < amount) return false;
  entry_->used += amount;
  pool_->used_ += amount;
  entry_->progress = 0;
  entry_->idle_since = now;
  return true;
}

void Pool::Hold::progress(uint64_t bytes, SteadyTime now) {
  entry_->progress += bytes;  // Its coroutine's alone.
  if (entry_->progress < kProgressBytes) return;
  entry_->progress = 0;
  if (entry_->idle_since.load() != SteadyTime::max()) entry_->idle_since = now;
}

void Pool::Hold::shrink(uint64_t amount) {
  if (!entry_) return;
  MutexLock lock(pool_->mutex_);
  if (entry_->amount <= amount) return;
  if (entry_->used > amount) pool_->used_ -= entry_->used - amount;
  entry_->used = std::min(entry_->used, amount);
  pool_->subtract(*entry_, entry_->amount - amount);
  pool_->serve();
}

bool Pool::Hold::pin() {
  MutexLock lock(pool_->mutex_);
  if (entry_->gave_way) return false;
  pool_->strike(*entry_);
  entry_->give_way = {};
  // What was promised beyond what came is not needed.
  if (entry_->amount > entry_->used) {
    pool_->subtract(*entry_, entry_->amount - entry_->used);
    pool_->serve();
  }
  return true;
}

bool Pool::Hold::gave_way() const {
  if (!entry_) return false;
  MutexLock lock(pool_->mutex_);
  return entry_->gave_way;
}

void Pool::Hold::may_give_way(std::function<void()> give_way) {
  MutexLock lock(pool_->mutex_);
  entry_->give_way = std::move(give_way);
  pool_->enlist(*entry_);
}

void Pool::Hold::idle(SteadyTime since) {
  if (entry_) entry_->idle_since = since;
}

bool Pool::move(Entry& entry, const PartyRef& party, SteadyTime now) {
  if (entry.gave_way) return false;
  if (entry.party == party) return true;
  const uint64_t amount = entry.amount;
  const PartyRef before = entry.party;
  subtract(entry, amount);
  entry.party = party;
  const bool moved = try_grow(entry, amount, now, false);
  if (!moved) {
    entry.party = before;
    add(entry, amount);
  }
  // Either way: the room of the old party, or that which was made for nothing.
  serve();
  return moved;
}

bool Pool::Hold::try_move_to(const PartyRef& party, SteadyTime now) {
  if (!entry_) return false;
  MutexLock lock(pool_->mutex_);
  return pool_->move(*entry_, party, now);
}

bool Pool::Hold::move_to(const PartyRef& party, SteadyTime now) {
  if (try_move_to(party, now)) return true;
  if (entry_) pool_->count_refusal(party);
  return false;
}

async::Task<Result<void>> Pool::Hold::wait_as(PartyRef party, Deadline deadline) {
  uint64_t amount = 0;
  {
    MutexLock lock(pool_->mutex_);
    Entry& entry = *entry_;
    if (entry.gave_way) co_return fail(ErrorCode::kResourceExhausted, "it gave way");
    amount = entry.amount;
    pool_->used_ -= entry.used;
    entry.used = 0;
    pool_->subtract(entry, amount);
    entry.party = std::move(party);
    pool_->serve();
  }
  co_return co_await pool_->grow(entry_, amount, true, deadline);
}

PartyRef Pool::Hold::party() const {
  if (!entry_) return nullptr;
  MutexLock lock(pool_->mutex_);
  return entry_->party;
}

}  // namespace rondel::admission
