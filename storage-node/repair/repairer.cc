#include "storage-node/repair/repairer.h"

#include <algorithm>

#include "common/async/one_shot.h"
#include "common/log/log.h"

namespace rondel::repair {
namespace {

using namespace std::chrono_literals;

constexpr auto kPullPatience = 3s;
constexpr auto kCopyPatience = 30s;

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
        if (!std::exchange(handing_back_[disk->disk_id()], true)) group.spawn(hand_back(*disk));
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
  (void)disk.put_setting(setting_of(peer), raw);
}

async::Task<void> Repairer::catch_up(engine::Engine& disk, ring::Disk peer) {
  const auto pair = pair_of(disk.disk_id(), peer.id);
  load_token(disk, peer.id, *pair);
  const uint64_t before = pair->token;
  while (!co_await catch_up_page(disk, peer, *pair)) {
    if (pair->token == before) break;
    if (pair->oldest != SystemTime{}) break;
  }
  // Written now and then: falling back only means asking again for what is here.
  if ((pair->token ^ before) >> 22 != 0) store_token(disk, peer.id, *pair);
  pair->running = false;
}

async::Task<bool> Repairer::catch_up_page(engine::Engine& disk, const ring::Disk& peer, Pair& pair) {
  auto page = co_await journal_.pull(disk.disk_id(), {peer.node, peer.id}, pair.token, options_.entries_max, deadline_in(kPullPatience));
  if (!page) co_return false;
  if (page->truncated) {
    log::warn("repair", "a peer's journal begins later than we know: comparing everything",
              {{"disk", disk.disk_id().to_hex()}, {"peer", peer.id.to_hex()}});
    if (!co_await compare_all(disk, peer)) co_return false;
  }
  const SystemTime now = clock_.now();
  for (size_t i = 0; i < page->entries.size(); ++i) {
    const engine::JournalEntry& entry = page->entries[i];
    if (!entry.blob.handoff_for.is_zero()) continue;  // Hand-back brings those; dropping one is no removal.
    auto here = disk.stat(entry.blob.id);
    if (entry.operation == engine::JournalEntry::Operation::kDelete) {
      if (here && !here->trashed) disk.remove_async({entry.blob.id}, options_.trash, [](Result<uint64_t>) {});
      continue;
    }
    if (here || here.error().code != ErrorCode::kNotFound) continue;
    Result<void> fetched = fail(ErrorCode::kUnavailable, "may be on its way");
    if (now - entry.flushed_at > options_.settle) fetched = co_await fetch(disk, peer, entry.blob.id, entry.blob.length);
    if (!fetched && fetched.error().code != ErrorCode::kNotFound) {
      std::lock_guard lock(mutex_);
      const bool late = now - entry.flushed_at > options_.settle;
      if (late) ++status_.errors;
      pair.oldest = late ? entry.flushed_at : SystemTime{};
      pair.bytes = pair.blobs = 0;
      for (size_t rest = i; late && rest < page->entries.size(); ++rest) {
        pair.bytes += page->entries[rest].blob.length;
        ++pair.blobs;
      }
      co_return false;
    }
  }
  std::lock_guard lock(mutex_);
  pair.token = page->next;
  const bool behind = !page->caught_up && !page->entries.empty();
  pair.oldest = behind ? page->entries.back().flushed_at : SystemTime{};
  pair.bytes = pair.blobs = 0;
  co_return page->caught_up;
}

async::Task<Result<void>> Repairer::compare_all(engine::Engine& disk, const ring::Disk& peer) {
  model::BlobId after;
  for (;;) {
    CO_TRY(const auto blobs, co_await journal_.list({peer.node, peer.id}, after, deadline_in(kCopyPatience)));
    if (blobs.empty()) co_return Result<void>{};
    for (const PeerBlob& blob : blobs) {
      if (blob.handoff || !owns(disk.disk_id(), blob.id) || disk.stat(blob.id)) continue;
      auto fetched = co_await fetch(disk, peer, blob.id, blob.length);
      if (!fetched && fetched.error().code != ErrorCode::kNotFound) co_return fetched;
    }
    after = blobs.back().id;
  }
}

async::Task<Result<void>> Repairer::fetch(engine::Engine& disk, const ring::Disk& peer, model::BlobId blob, uint64_t length) {
  const Deadline deadline = deadline_in(kCopyPatience);
  const engine::PutRequest request{blob, 0, clock_.now(), {}};
  auto download = transport_.start_get({peer.node, peer.id}, blob, 0, length, {.background = true, .deadline = deadline});
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

async::Task<void> Repairer::hand_back(engine::Engine& disk) {
  auto handoffs = disk.list_handoffs(options_.handoffs_max);
  std::vector<model::DiskId> unreachable;
  for (const engine::BlobEntry& blob : handoffs ? *handoffs : std::vector<engine::BlobEntry>{}) {
    if (std::ranges::count(unreachable, blob.handoff_for) > 0) continue;
    if (blob.handoff_for == disk.disk_id()) {
      (void)disk.set_handoff(blob.id, {});
      continue;
    }
    const auto topology = topology_.topology();
    const ring::Ring* ring = topology->current();
    const auto owner = ring == nullptr ? std::nullopt : ring->find(blob.handoff_for);
    if (!owner) continue;
    auto pushed = co_await push(disk, blob, {ring->disks()[*owner].node, blob.handoff_for});
    if (!pushed) {
      unreachable.push_back(blob.handoff_for);
      continue;
    }
    // The mark goes first where this disk owns the blob itself.
    if (owns(disk.disk_id(), blob.id)) {
      (void)disk.set_handoff(blob.id, {});
    } else {
      disk.remove_async({blob.id}, options_.trash, [](Result<uint64_t>) {});
    }
    std::lock_guard lock(mutex_);
    ++status_.handoffs_returned;
  }
  handing_back_[disk.disk_id()] = false;
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
