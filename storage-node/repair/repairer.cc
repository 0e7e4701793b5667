#include "storage-node/repair/repairer.h"

#include <algorithm>

#include "common/log/log.h"
#include "storage-node/repair/intake.h"

namespace rondel::repair {
namespace {

using namespace std::chrono_literals;

constexpr auto kPullPatience = 3s;
constexpr auto kListPatience = 10s;
constexpr auto kComparePause = 5s;  // After an error.
constexpr size_t kWorkersMax = 8;   // Blobs under way to one disk.
constexpr int kTokensApart = 22;    // Bits: a token is stored each 1,024 batches.
constexpr size_t kComparisonBytes = 24;

std::string token_setting(const model::DiskId& peer) { return "catch-up/" + peer.to_hex(); }

std::string settled_setting(const model::DiskId& peer) { return "compared/" + peer.to_hex(); }

std::string compare_setting(const model::DiskId& peer) { return "compare/" + peer.to_hex(); }

std::string encode(uint64_t number) {
  std::string raw(8, '\0');
  store_be(reinterpret_cast<std::byte*>(raw.data()), number);
  return raw;
}

uint64_t number_of(const Result<std::string>& setting) {
  return setting && setting->size() == 8 ? load_be<uint64_t>(as_bytes(*setting).data()) : 0;
}

std::string encode_comparison(uint64_t doubts, const model::BlobId& cursor) {
  return encode(doubts) + std::string(as_text(cursor.bytes()));
}

// What is kept of a peer's disk.
struct Stored {
  uint64_t token = 0;
  uint64_t settled = 0;
  std::string comparison;
};

}  // namespace

Repairer::Own::Own(engine::Engine& engine, const Repairer& of)
    : disk(engine, of.options_.wanted, of.clock_),
      hand_back(disk, of.topology_, of.transport_, {of.options_.handoffs_max, of.options_.trash},
                of.clock_) {}

bool Repairer::Own::idle() const {
  const auto resting = [](const auto& pair) {
    return !pair.second->pulling && !pair.second->comparing;
  };
  return loaded && !looking && !handing_back && workers == 0 && std::ranges::all_of(pairs, resting);
}

Repairer::Repairer(std::vector<engine::Engine*> disks, const ring::TopologySource& topology,
                   transfer::BlobTransport& transport, PeerJournal& journal, RepairOptions options,
                   const Clock& clock)
    : topology_(topology),
      transport_(transport),
      journal_(journal),
      options_(options),
      clock_(clock),
      fetcher_(transport, clock) {
  for (engine::Engine* disk : disks) own_.push_back(std::make_unique<Own>(*disk, *this));
}

Repairer::~Repairer() = default;

async::Task<void> Repairer::run(async::TaskGroup& group) {
  stopping_ = [&group] { return group.stopping(); };
  while (!group.stopping()) {
    const auto topology = topology_.topology();
    if (const ring::Ring* ring = topology->current()) {
      {
        MutexLock lock(mutex_);
        if (std::ranges::all_of(own_, [](const auto& own) { return own->idle(); })) {
          ++status_.rounds;
        }
      }
      for (const auto& own : own_) start_jobs(group, *own, *ring);
    }
    co_await group.pause(options_.period);
  }
}

void Repairer::start_jobs(async::TaskGroup& group, Own& own, const ring::Ring& ring) {
  // Not open yet, and not known before: nothing can be said of what it lacks.
  if (own.disk.id().is_zero()) return;
  if (!std::exchange(own.looking, true)) group.spawn(look(own));
  if (!own.loaded) return;
  for (const ring::Disk& peer : ring.disks()) {
    if (peer.id == own.disk.id()) continue;
    std::shared_ptr<Pair> pair;
    {
      MutexLock lock(mutex_);
      auto& known = own.pairs[peer.id];
      if (!known) known = std::make_shared<Pair>();
      pair = known;
    }
    if (!std::exchange(pair->pulling, true)) group.spawn(catch_up(own, peer, pair));
    const bool due = pair->compare && pair->compare_at <= clock_.steady_now();
    if (due && !std::exchange(pair->comparing, true)) group.spawn(compare(own, peer, pair));
  }
  if (!std::exchange(own.handing_back, true)) group.spawn(hand_back(own));
  // One more each period, as long as there is something to do.
  if (own.workers < kWorkersMax) {
    ++own.workers;
    group.spawn(work(own));
  }
}

// What the disk itself says: what it lacked before a restart, what it found damaged, and its
// doubts.
async::Task<void> Repairer::look(Own& own) {
  OwnDisk& disk = own.disk;
  if (!own.loaded) {
    const auto loaded = co_await disk.run([&list = disk.wanted] { return list.load(); });
    own.loaded = loaded.has_value();
  }
  if (own.loaded) {
    const auto doubts = co_await disk.run([&engine = disk.engine, &list = disk.wanted,
                                           topology = topology_.topology(),
                                           max = options_.handoffs_max]() -> Result<uint64_t> {
      TRY_VOID(take_damaged(engine, list, *topology, max));
      return engine.doubts();
    });
    if (doubts) own.doubts = *doubts;
  }
  own.looking = false;
}

async::Task<void> Repairer::catch_up(Own& own, ring::Disk peer, std::shared_ptr<Pair> pair) {
  if (pair->loaded || co_await load_pair(own, peer.id, pair)) {
    const uint64_t before = pair->token;
    if (own.doubts > std::max(pair->settled, pair->compare ? pair->doubts : 0)) {
      pair->doubts = own.doubts;
      (void)co_await begin_comparison(
          own, peer.id, pair, "the disk may lack what it acknowledged: comparing everything");
    }
    while (!stopping() && co_await catch_up_page(own, peer, pair) == Page::kMore) {
    }
    // Written now and then: falling back only means asking again for what is here or listed.
    if ((pair->token ^ before) >> kTokensApart != 0) {
      (void)co_await own.disk.run(
          [&engine = own.disk.engine, setting = token_setting(peer.id), token = pair->token] {
            return engine.note_setting(setting, encode(token));
          });
    }
  }
  pair->pulling = false;
}

async::Task<Result<void>> Repairer::load_pair(Own& own, model::DiskId peer,
                                              std::shared_ptr<Pair> pair) {
  CO_TRY(const Stored stored,
         co_await own.disk.run([&engine = own.disk.engine, peer]() -> Result<Stored> {
           const auto comparison = engine.get_setting(compare_setting(peer));
           return Stored{number_of(engine.get_setting(token_setting(peer))),
                         number_of(engine.get_setting(settled_setting(peer))),
                         comparison ? *comparison : ""};
         }));
  pair->token = stored.token;
  pair->settled = stored.settled;
  if (stored.comparison.size() == kComparisonBytes) {
    pair->compare = true;
    pair->doubts = load_be<uint64_t>(as_bytes(stored.comparison).data());
    pair->cursor = model::BlobId::from_bytes(as_bytes(stored.comparison).data() + 8);
  }
  pair->loaded = true;
  co_return Result<void>{};
}

// From the start, also when one is under way: what it has passed by may be what is missed now.
async::Task<Result<void>> Repairer::begin_comparison(Own& own, model::DiskId peer,
                                                     std::shared_ptr<Pair> pair, const char* why) {
  log::warn("repair", why, {{"disk", own.disk.id().to_hex()}, {"peer", peer.to_hex()}});
  pair->compare = true;
  pair->cursor = {};
  pair->compare_at = {};
  ++pair->begun;
  co_return co_await own.disk.run(
      [&engine = own.disk.engine, setting = compare_setting(peer), doubts = pair->doubts] {
        return engine.note_setting(setting, encode_comparison(doubts, {}));
      });
}

async::Task<Repairer::Page> Repairer::catch_up_page(Own& own, ring::Disk peer,
                                                    std::shared_ptr<Pair> pair) {
  auto page = co_await journal_.pull(own.disk.id(), {peer.node, peer.id}, pair->token,
                                     options_.entries_max, deadline_in(kPullPatience));
  if (!page) co_return Page::kFailed;
  const bool more = !page->caught_up && !page->entries.empty();
  const bool empty = page->entries.empty();
  const SystemTime first = empty ? SystemTime{} : page->entries.front().flushed_at;
  const SystemTime last = empty ? SystemTime{} : page->entries.back().flushed_at;
  auto taken = co_await own.disk.run(
      [&engine = own.disk.engine, &list = own.disk.wanted, topology = topology_.topology(),
       entries = std::move(page->entries), told_by = peer.id,
       options = IntakeOptions{.settle = options_.settle, .trash = options_.trash}] {
        return take_entries(engine, list, *topology, entries, told_by, options);
      });
  if (taken && page->truncated) {
    // It goes on beside: what the journal still has is taken, and the token is behind the cut from
    // now on.
    taken = co_await begin_comparison(
        own, peer.id, pair, "a peer's journal begins later than we know: comparing everything");
  }
  if (taken) pair->token = page->next;
  MutexLock lock(mutex_);
  if (!taken) ++status_.errors;
  // Of a page that was not taken everything is still to be done, its oldest entry too.
  pair->behind_since = !taken ? first : more ? last : SystemTime{};
  if (!taken) co_return Page::kFailed;
  co_return page->caught_up ? Page::kLast : Page::kMore;
}

async::Task<void> Repairer::compare(Own& own, ring::Disk peer, std::shared_ptr<Pair> pair) {
  while (!stopping()) {
    const auto more = co_await compare_page(own, peer, pair);
    if (!more) pair->compare_at = clock_.steady_now() + kComparePause;
    if (!more || !*more) break;
  }
  pair->comparing = false;
}

// False: it has come to the end.
async::Task<Result<bool>> Repairer::compare_page(Own& own, ring::Disk peer,
                                                 std::shared_ptr<Pair> pair) {
  const uint64_t begun = pair->begun;
  const uint64_t doubts = pair->doubts;
  CO_TRY(const auto blobs,
         co_await journal_.list({peer.node, peer.id}, pair->cursor, deadline_in(kListPatience)));
  if (begun != pair->begun) co_return true;
  OwnDisk& disk = own.disk;
  if (blobs.empty()) {
    CO_TRY_VOID(co_await disk.run([&engine = disk.engine, peer = peer.id,
                                   settled = std::max(pair->settled, doubts)]() -> Result<void> {
      TRY_VOID(engine.note_setting(compare_setting(peer), ""));
      return engine.put_setting(settled_setting(peer), encode(settled));
    }));
    if (begun != pair->begun) co_return true;
    pair->compare = false;
    pair->settled = std::max(pair->settled, doubts);
    co_return false;
  }
  CO_TRY_VOID(co_await disk.run(
      [&engine = disk.engine, &list = disk.wanted, topology = topology_.topology(), blobs,
       setting = compare_setting(peer.id), told_by = peer.id, doubts]() -> Result<void> {
        TRY_VOID(take_listed(engine, list, *topology, blobs, told_by));
        return engine.note_setting(setting, encode_comparison(doubts, blobs.back().id));
      }));
  if (begun == pair->begun) pair->cursor = blobs.back().id;
  co_return true;
}

async::Task<void> Repairer::hand_back(Own& own) {
  const uint64_t given = co_await own.hand_back.round([this] { return stopping(); });
  own.handing_back = false;
  MutexLock lock(mutex_);
  status_.handoffs_returned += given;
}

async::Task<void> Repairer::work(Own& own) {
  while (!stopping()) {
    const auto wanted = own.disk.wanted.take_due();
    if (!wanted) break;
    co_await try_one(own, *wanted);
  }
  --own.workers;
}

async::Task<void> Repairer::try_one(Own& own, Wanted wanted) {
  using How = Fetched::How;
  WantedList& list = own.disk.wanted;
  const auto topology = topology_.topology();
  const auto lack = co_await own.disk.run([&engine = own.disk.engine, topology, wanted] {
    return look_again(engine, *topology, wanted);
  });
  if (!lack) co_return list.put_back(wanted.id);
  if (*lack != Lack::kLacks) co_return list.forget(wanted);
  const Fetched fetched = co_await fetcher_.fetch(own.disk, topology, wanted);
  switch (fetched.how) {
    case How::kDone: list.forget(wanted); co_return count_copy(wanted);
    case How::kRemoved:
      if (fetched.removed_by != 0) co_return co_await take_removal(own, wanted, fetched.removed_by);
      co_return list.put_back(wanted.id);  // The next look finds the removal.
    case How::kOwnDisk: co_return list.put_back(wanted.id);
    case How::kBusy:
      co_await async::sleep_for(10ms);
      co_return list.put_back(wanted.id, Duration::zero());
    case How::kUnreachable: list.failed(wanted.id, WantedList::Outcome::kUnreachable); break;
    case How::kAbsent: list.failed(wanted.id, WantedList::Outcome::kAbsent); break;
    case How::kDamaged: list.failed(wanted.id, WantedList::Outcome::kDamaged); break;
  }
  MutexLock lock(mutex_);
  ++status_.errors;
}

async::Task<void> Repairer::take_removal(Own& own, Wanted wanted, uint64_t order) {
  const auto removed = co_await own.disk.run(
      [&engine = own.disk.engine, id = wanted.id, order, trash = options_.trash] {
        return remove_now(engine, {id}, {.order = order, .trash = trash, .mark_absent = true});
      });
  removed ? own.disk.wanted.forget(wanted) : own.disk.wanted.put_back(wanted.id);
}

void Repairer::count_copy(const Wanted& wanted) {
  MutexLock lock(mutex_);
  ++status_.blobs_pulled;
  status_.bytes_pulled += wanted.length;
  if (wanted.why == Wanted::Why::kDamaged) ++status_.damaged_replaced;
}

const Repairer::Own* Repairer::find(const model::DiskId& disk) const {
  const auto found = std::ranges::find(own_, disk, [](const auto& own) { return own->disk.id(); });
  return found == own_.end() ? nullptr : found->get();
}

model::ReplicationLag Repairer::lag_of(const model::DiskId& disk) const {
  const Own* const own = find(disk);
  if (own == nullptr) return {};
  auto lag = own->disk.wanted.lag();
  const SystemTime now = clock_.now();
  MutexLock lock(mutex_);
  for (const auto& [peer, pair] : own->pairs) {
    if (pair->behind_since == SystemTime{}) continue;
    lag.age_us =
        std::max(lag.age_us,
                 static_cast<uint64_t>(std::max<int64_t>(0, (now - pair->behind_since).count())));
  }
  return lag;
}

WantedList::Counts Repairer::wanted_of(const model::DiskId& disk) const {
  const Own* const own = find(disk);
  return own == nullptr ? WantedList::Counts{} : own->disk.wanted.counts();
}

size_t Repairer::comparisons_due(const model::DiskId& disk) const {
  const Own* const own = find(disk);
  if (own == nullptr) return 0;
  MutexLock lock(mutex_);
  return static_cast<size_t>(std::ranges::count_if(
      own->pairs, [](const auto& pair) { return pair.second->compare.load(); }));
}

RepairStatus Repairer::status() const {
  MutexLock lock(mutex_);
  return status_;
}

}  // namespace rondel::repair
