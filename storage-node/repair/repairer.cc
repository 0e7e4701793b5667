#include "storage-node/repair/repairer.h"

#include <algorithm>

#include "common/async/one_shot.h"
#include "common/log/log.h"

namespace rondel::repair {
namespace {

using namespace std::chrono_literals;

constexpr auto kPullPatience = 3s;
constexpr auto kCopyPatience = 30s;
constexpr size_t kHandoffPages = 64;      // A round looks at so many at most.

std::string setting_of(const model::DiskId& peer) { return "catch-up/" + peer.to_hex(); }

// An engine's answer for a coroutine.
async::Task<Result<void>> finished(std::shared_ptr<async::OneShot<Result<void>>> slot, Deadline deadline) {
  auto answer = co_await slot->wait_until(deadline);
  if (!answer) co_return std::unexpected(answer.error());
  co_return std::move(*answer);
}

}  // namespace

Repairer::Repairer(std::vector<engine::Engine*> disks, const ring::TopologySource& topology, rpc::BlobTransport& transport,
                   PeerJournal& journal, model::NodeId node, RepairOptions options, const Clock& clock)
    : disks_(std::move(disks)),
      topology_(topology),
      transport_(transport),
      journal_(journal),
      node_(node),
      options_(options),
      clock_(clock) {}

async::Task<void> Repairer::run(async::TaskGroup& group) {
  while (!group.stopping()) {
    const auto topology = topology_.topology();
    if (const ring::Ring* ring = topology->current()) {
      for (engine::Engine* disk : disks_) {
        for (const ring::Disk& peer : ring->disks()) {
          if (peer.id == disk->disk_id()) continue;
          const auto pair = pair_of(disk->disk_id(), peer.id);
          if (!std::exchange(pair->running, true)) group.spawn(catch_up(*disk, peer));
        }
        Jobs& jobs = jobs_[disk->disk_id()];
        if (!std::exchange(jobs.handing_back, true)) group.spawn(hand_back(*disk));
        if (!std::exchange(jobs.mending, true)) group.spawn(mend(*disk));
      }
    }
    co_await group.pause(options_.period);
  }
}

std::shared_ptr<Repairer::Pair> Repairer::pair_of(const model::DiskId& disk, const model::DiskId& peer) {
  std::lock_guard lock(mutex_);
  auto& pair = pairs_[{disk, peer}];
  if (!pair) pair = std::make_shared<Pair>();
  return pair;
}

bool Repairer::owns(const model::DiskId& disk, const model::BlobId& blob) const {
  const auto topology = topology_.topology();
  for (const auto& ring : topology->rings) {
    const auto index = ring->find(disk);
    if (index && std::ranges::count(ring->owners(ring->arc_of(blob.ring_hash())), *index) > 0) return true;
  }
  return false;
}

void Repairer::load_token(engine::Engine& disk, const model::DiskId& peer, Pair& pair) {
  if (std::exchange(pair.loaded, true)) return;
  const auto stored = disk.get_setting(setting_of(peer));
  if (stored && stored->size() == 8) pair.token = load_be<uint64_t>(as_bytes(*stored).data());
}

void Repairer::store_token(engine::Engine& disk, const model::DiskId& peer, const Pair& pair) {
  std::string raw(8, '\0');
  store_be(reinterpret_cast<std::byte*>(raw.data()), pair.token);
  (void)disk.note_setting(setting_of(peer), raw);
}

async::Task<void> Repairer::catch_up(engine::Engine& disk, ring::Disk peer) {
  const auto pair = pair_of(disk.disk_id(), peer.id);
  load_token(disk, peer.id, *pair);
  const uint64_t before = pair->token;
  if (co_await settle_doubts(disk, peer, *pair)) {
    while (co_await catch_up_page(disk, peer, *pair) == Step::kMore) {
    }
  }
  // Written now and then: falling back only means asking again for what is here.
  if ((pair->token ^ before) >> 22 != 0) store_token(disk, peer.id, *pair);
  pair->running = false;
}

async::Task<Result<void>> Repairer::settle_doubts(engine::Engine& disk, const ring::Disk& peer, Pair& pair) {
  if (pair.compared) co_return Result<void>{};
  const std::string setting = "compared/" + peer.id.to_hex();
  const uint64_t doubts = disk.doubts();
  const auto stored = disk.get_setting(setting);
  const uint64_t settled = stored && stored->size() == 8 ? load_be<uint64_t>(as_bytes(*stored).data()) : 0;
  if (doubts > settled) {
    log::warn("repair", "the disk may lack what it acknowledged: comparing everything",
              {{"disk", disk.disk_id().to_hex()}, {"peer", peer.id.to_hex()}});
    CO_TRY_VOID(co_await compare_all(disk, peer));
    std::string raw(8, '\0');
    store_be(reinterpret_cast<std::byte*>(raw.data()), doubts);
    CO_TRY_VOID(disk.put_setting(setting, raw));
  }
  pair.compared = true;
  co_return Result<void>{};
}

async::Task<Repairer::Step> Repairer::catch_up_page(engine::Engine& disk, const ring::Disk& peer, Pair& pair) {
  auto page = co_await journal_.pull(disk.disk_id(), {peer.node, peer.id}, pair.token, options_.entries_max, deadline_in(kPullPatience));
  if (!page) co_return Step::kWait;
  if (page->truncated) {
    log::warn("repair", "a peer's journal begins later than we know: comparing everything",
              {{"disk", disk.disk_id().to_hex()}, {"peer", peer.id.to_hex()}});
    if (!co_await compare_all(disk, peer)) co_return Step::kWait;
  }
  for (size_t i = 0; i < page->entries.size(); ++i) {
    const engine::JournalEntry& entry = page->entries[i];
    const auto taken = co_await take(disk, peer, entry);
    std::lock_guard lock(mutex_);
    if (taken) {
      // What was truncated is compared again until the whole page is taken.
      if (!page->truncated) pair.token = entry.token;
      continue;
    }
    // Not an error: on its way from the gateway, as far as can be told.
    const bool late = taken.error().code != ErrorCode::kCancelled;
    pair.oldest = late ? entry.flushed_at : SystemTime{};
    pair.bytes = pair.blobs = 0;
    if (late) ++status_.errors;
    for (size_t rest = i; late && rest < page->entries.size(); ++rest) {
      pair.bytes += page->entries[rest].blob.length;
      ++pair.blobs;
    }
    co_return Step::kWait;
  }
  std::lock_guard lock(mutex_);
  pair.token = page->next;
  const bool behind = !page->caught_up && !page->entries.empty();
  pair.oldest = behind ? page->entries.back().flushed_at : SystemTime{};
  pair.bytes = pair.blobs = 0;
  co_return page->caught_up ? Step::kDone : Step::kMore;
}

// kCancelled: too young to be missed.
async::Task<Result<void>> Repairer::take(engine::Engine& disk, const ring::Disk& peer, const engine::JournalEntry& entry) {
  const engine::BlobEntry& blob = entry.blob;
  if (!blob.handoff_for.is_zero()) co_return Result<void>{};  // Hand-back brings those; dropping one is no removal.
  const SystemTime now = clock_.now();
  if (entry.operation == engine::JournalEntry::Operation::kDelete) {
    const auto here = disk.stat(blob.id);
    if (!here && here.error().code != ErrorCode::kNotFound) co_return std::unexpected(here.error());
    if (!here || here->trashed) co_return Result<void>{};
    const Duration left = blob.purge_at - now;
    auto slot = async::OneShot<Result<void>>::make();
    const Duration trash = blob.trashed ? std::max(left, Duration::zero()) : options_.trash;
    disk.remove_async({blob.id}, {blob.order, trash, false},
                      [slot](Result<uint64_t> removed) { slot->set(removed ? Result<void>{} : Result<void>(std::unexpected(removed.error()))); });
    co_return co_await finished(slot, deadline_in(kPullPatience));
  }
  CO_TRY(const bool here, disk.has(blob.id));
  if (here) co_return Result<void>{};
  // By the peer's clock; what lies in the future says nothing of its age.
  const auto age = now - entry.flushed_at;
  if (age <= options_.settle && age >= -options_.settle) co_return fail(ErrorCode::kCancelled, "may be on its way");
  auto fetched = co_await fetch(disk, {peer.node, peer.id}, blob.id, blob.length);
  if (!fetched && fetched.error().code == ErrorCode::kNotFound) co_return Result<void>{};  // Removed there meanwhile.
  if (!fetched && fetched.error().code == ErrorCode::kCorruption) co_return co_await fetch_elsewhere(disk, peer.id, blob.id, blob.length);
  co_return fetched;
}

async::Task<Result<void>> Repairer::fetch_elsewhere(engine::Engine& disk, const model::DiskId& except, model::BlobId blob, uint64_t length) {
  const auto topology = topology_.topology();
  Error last{ErrorCode::kUnavailable, "no other owner"};
  for (const auto& ring : topology->rings) {
    for (const ring::DiskIndex index : ring->owners(ring->arc_of(blob.ring_hash()))) {
      const ring::Disk& owner = ring->disks()[index];
      if (owner.id == disk.disk_id() || owner.id == except) continue;
      auto fetched = co_await fetch(disk, {owner.node, owner.id}, blob, length);
      if (fetched) co_return fetched;
      last = fetched.error();
    }
  }
  if (last.code == ErrorCode::kNotFound) last.code = ErrorCode::kUnavailable;   // Absence elsewhere settles nothing.
  co_return std::unexpected(last);
}

async::Task<void> Repairer::mend(engine::Engine& disk) {
  for (const engine::BlobEntry& blob : disk.list_damaged(options_.handoffs_max)) {
    if (blob.trashed || !owns(disk.disk_id(), blob.id)) continue;
    const auto fetched = co_await fetch_elsewhere(disk, {}, blob.id, blob.length);
    std::lock_guard lock(mutex_);
    ++(fetched ? status_.damaged_replaced : status_.errors);
  }
  jobs_[disk.disk_id()].mending = false;
}

async::Task<Result<void>> Repairer::compare_all(engine::Engine& disk, const ring::Disk& peer) {
  model::BlobId after;
  for (;;) {
    CO_TRY(const auto blobs, co_await journal_.list({peer.node, peer.id}, after, deadline_in(kCopyPatience)));
    if (blobs.empty()) co_return Result<void>{};
    for (const PeerBlob& blob : blobs) {
      if (blob.handoff || !owns(disk.disk_id(), blob.id) || disk.stat(blob.id)) continue;
      auto fetched = co_await fetch(disk, {peer.node, peer.id}, blob.id, blob.length);
      if (!fetched && fetched.error().code == ErrorCode::kCorruption) fetched = co_await fetch_elsewhere(disk, peer.id, blob.id, blob.length);
      if (!fetched && fetched.error().code != ErrorCode::kNotFound) co_return fetched;
    }
    after = blobs.back().id;
  }
}

async::Task<Result<void>> Repairer::fetch(engine::Engine& disk, rpc::DiskAddress from, model::BlobId blob, uint64_t length) {
  const Deadline deadline = deadline_in(kCopyPatience);
  const engine::PutRequest request{blob, 0, clock_.now(), {}, true};
  auto download = transport_.start_get(from, blob, 0, length, {.background = true, .deadline = deadline});
  auto slot = async::OneShot<Result<void>>::make();
  const auto done = [slot](Result<void> result) { slot->set(std::move(result)); };
  if (length <= model::kPieceBytes) {
    CO_TRY(rpc::Piece piece, co_await download->next(deadline));
    disk.put_async(request, std::move(piece.bytes), std::move(piece.digests), done);
  } else {
    CO_TRY(auto put, disk.start_large_put(request, length));
    std::vector<hash::BlockDigest> digests;
    for (;;) {
      CO_TRY(rpc::Piece piece, co_await download->next(deadline));
      if (piece.bytes.empty()) break;
      digests.insert(digests.end(), piece.digests.begin(), piece.digests.end());
      Result<void> taken;
      while (!(taken = put->append(piece.bytes, piece.digests)) && taken.error().code == ErrorCode::kResourceExhausted &&
             std::chrono::steady_clock::now() < deadline) {
        co_await async::sleep_for(5ms);
      }
      if (!taken) co_return taken;
    }
    put->finish_async(hash::blob_digest(digests), done);
  }
  CO_TRY_VOID(co_await finished(slot, deadline));
  std::lock_guard lock(mutex_);
  ++status_.blobs_pulled;
  status_.bytes_pulled += length;
  co_return Result<void>{};
}

// Goes through all hand-off copies in turn: those of an owner that is away must not hold up the others.
async::Task<void> Repairer::hand_back(engine::Engine& disk) {
  Jobs& jobs = jobs_[disk.disk_id()];
  std::vector<model::DiskId> unreachable;
  size_t returned = 0;
  for (size_t page = 0; page < kHandoffPages && returned < options_.handoffs_max; ++page) {
    const auto handoffs = disk.list_handoffs(options_.handoffs_max, jobs.handoff_cursor);
    if (!handoffs) break;
    for (const engine::BlobEntry& blob : *handoffs) {
      jobs.handoff_cursor = blob;
      if (std::ranges::count(unreachable, blob.handoff_for) > 0) continue;
      const auto done = co_await hand_back_one(disk, blob);
      if (done) ++returned;
      if (!done && done.error().code != ErrorCode::kCorruption) unreachable.push_back(blob.handoff_for);
    }
    if (handoffs->size() < options_.handoffs_max) {
      jobs.handoff_cursor = {};
      break;
    }
  }
  jobs.handing_back = false;
}

async::Task<Result<void>> Repairer::hand_back_one(engine::Engine& disk, const engine::BlobEntry& blob) {
  if (blob.handoff_for == disk.disk_id()) co_return disk.set_handoff(blob.id, {});
  const auto topology = topology_.topology();
  const ring::Ring* ring = topology->current();
  const auto owner = ring == nullptr ? std::nullopt : ring->find(blob.handoff_for);
  if (!owner) co_return fail(ErrorCode::kUnavailable, "the owner is not in the ring");
  CO_TRY_VOID(co_await push(disk, blob, {ring->disks()[*owner].node, blob.handoff_for}));
  // The mark goes first where this disk owns the blob itself.
  if (owns(disk.disk_id(), blob.id)) {
    CO_TRY_VOID(disk.set_handoff(blob.id, {}));
  } else {
    disk.remove_async({blob.id}, {0, options_.trash, false, true}, [](Result<uint64_t>) {});
  }
  std::lock_guard lock(mutex_);
  ++status_.handoffs_returned;
  co_return Result<void>{};
}

async::Task<Result<void>> Repairer::push(engine::Engine& disk, const engine::BlobEntry& blob, rpc::DiskAddress to) {
  // Under the current epoch: the one it was written under may be fenced by now.
  const auto topology = topology_.topology();
  const uint64_t epoch = topology->current() == nullptr ? 0 : topology->current()->epoch();
  const rpc::PutOptions options{epoch, {}, blob.created_at, true, deadline_in(kPullPatience), nullptr};
  if (blob.length <= model::kPieceBytes) {
    CO_TRY(engine::ReadResult read, disk.read(blob.id, 0, blob.length));
    co_return co_await transport_.put(to, blob.id, options, {std::move(read.bytes), 0, std::move(read.digests)});
  }
  auto upload = transport_.start_put(to, blob.id, blob.length, options);
  for (uint64_t at = 0; at < blob.length; at += model::kPieceBytes) {
    CO_TRY(engine::ReadResult read, disk.read(blob.id, at, std::min<uint64_t>(model::kPieceBytes, blob.length - at)));
    CO_TRY_VOID(co_await upload->send({std::move(read.bytes), at, std::move(read.digests)}));
  }
  co_return co_await upload->finish(blob.length, blob.digest);
}

std::array<uint64_t, 3> Repairer::lag_of(const model::DiskId& disk) const {
  const SystemTime now = clock_.now();
  std::array<uint64_t, 3> lag{};
  std::lock_guard lock(mutex_);
  for (const auto& [key, pair] : pairs_) {
    if (key.first != disk || pair->oldest == SystemTime{}) continue;
    lag[0] = std::max(lag[0], static_cast<uint64_t>(std::max<int64_t>(0, (now - pair->oldest).count())));
    lag[1] = std::max(lag[1], pair->bytes);
    lag[2] = std::max(lag[2], pair->blobs);
  }
  return lag;
}

RepairStatus Repairer::status() const {
  std::lock_guard lock(mutex_);
  return status_;
}

}  // namespace rondel::repair
