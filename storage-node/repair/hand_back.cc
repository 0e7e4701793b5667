#include "storage-node/repair/hand_back.h"

#include <algorithm>
#include <set>
#include <utility>

#include "storage-node/repair/intake.h"

namespace rondel::repair {
namespace {

using namespace std::chrono_literals;

constexpr auto kStatPatience = 3s;
constexpr size_t kPagesMax = 16;  // Looked at in a round.
constexpr auto kAwayMin = 1s;
constexpr auto kAwayMax = 60s;
constexpr auto kIdleMin = 1s;
constexpr auto kIdleMax = 5s;
constexpr auto kRefusedPause = 60s;
constexpr size_t kRefusedMax = 1024;  // Of those above it each is tried in its turn.

// These tell of the owner. Others are about the blob, and say nothing of the next one.
bool is_of_owner(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kDeadlineExceeded ||
         code == ErrorCode::kResourceExhausted || code == ErrorCode::kStorageFull;
}

}  // namespace

async::Task<uint64_t> HandBack::round(std::function<bool()> stopping) {
  if (look_at_ > clock_.steady_now()) co_return 0;
  std::set<model::DiskId> skipped;
  for (const auto& [owner, away] : away_) {
    if (away.until > clock_.steady_now()) skipped.insert(owner);
  }
  std::erase_if(refused_,
                [now = clock_.steady_now()](const auto& one) { return one.second <= now; });
  const auto page = co_await disk_.run([&engine = disk_.engine, cursor = cursor_, skipped,
                                        max = options_.copies_max]() -> Result<Page> {
    Page found{{}, cursor};
    for (size_t i = 0; i < kPagesMax && found.copies.size() < max; ++i) {
      TRY(const auto listed, engine.list_handoffs(max, found.last));
      for (const engine::BlobEntry& copy : listed) {
        if (!skipped.contains(copy.handoff_for)) found.copies.push_back(copy);
      }
      found.last = listed.size() < max ? engine::BlobEntry{} : listed.back();
      if (listed.size() < max) break;
    }
    return found;
  });
  if (!page) co_return 0;
  cursor_ = page->last;
  rest_after(*page, !skipped.empty());
  uint64_t given = 0;
  for (const engine::BlobEntry& copy : page->copies) {
    if (stopping()) break;
    if (skipped.contains(copy.handoff_for) || refused_.contains(copy.id)) continue;
    const auto done = co_await give(copy);
    Away& away = away_[copy.handoff_for];
    if (done) {
      ++given;
      away = {};
    } else if (is_of_owner(done.error().code)) {
      away.pause = std::clamp<Duration>(2 * away.pause, kAwayMin, kAwayMax);
      away.until = clock_.steady_now() + away.pause;
      skipped.insert(copy.handoff_for);
    } else if (refused_.size() < kRefusedMax) {
      refused_[copy.id] = clock_.steady_now() + kRefusedPause;
    }
  }
  co_return given;
}

// When nobody takes any, going through all of them each second would cost the disk for nothing.
void HandBack::rest_after(const Page& page, bool skipping) {
  found_ = found_ || !page.copies.empty();
  if (page.last.id != model::BlobId{}) return;  // There are more.
  const bool idle = !std::exchange(found_, false) && skipping;
  look_pause_ = idle ? std::clamp<Duration>(2 * look_pause_, kIdleMin, kIdleMax) : Duration::zero();
  look_at_ = clock_.steady_now() + look_pause_;
}

async::Task<Result<void>> HandBack::give(engine::BlobEntry copy) {
  const auto topology = topology_.topology();
  const ring::Ring* ring = topology->current();
  const auto unmark = [&engine = disk_.engine, id = copy.id] { return engine.set_handoff(id, {}); };
  if (copy.handoff_for == disk_.id()) co_return co_await disk_.run(unmark);
  const auto owner = ring == nullptr ? std::nullopt : ring->find(copy.handoff_for);
  if (!owner) co_return fail(ErrorCode::kUnavailable, "the owner is not in the ring");
  const transfer::DiskAddress to{ring->disks()[*owner].node, copy.handoff_for};
  const auto pushed = co_await push(copy, to);
  if (!pushed && pushed.error().code == ErrorCode::kNotFound) {
    co_return co_await follow_removal(copy, to);
  }
  CO_TRY_VOID(pushed);
  // The mark goes first where this disk owns the blob itself.
  if (owns(*topology, disk_.id(), copy.id)) co_return co_await disk_.run(unmark);
  co_return co_await disk_.run([&engine = disk_.engine, id = copy.id, trash = options_.trash] {
    return remove_now(engine, {id}, {.trash = trash, .copy_only = true});
  });
}

// The owner knows that the blob was removed: so it is here, by the same order.
async::Task<Result<void>> HandBack::follow_removal(engine::BlobEntry copy,
                                                   transfer::DiskAddress owner) {
  CO_TRY(const transfer::BlobStat known,
         co_await transport_.stat(owner, copy.id, deadline_in(kStatPatience)));
  if (!known.removed || known.order < copy.order) {
    co_return fail(ErrorCode::kUnavailable, "the owner says no longer that it was removed");
  }
  co_return co_await disk_.run(
      [&engine = disk_.engine, id = copy.id, order = known.order, trash = options_.trash] {
        return remove_now(engine, {id}, {.order = order, .trash = trash});
      });
}

async::Task<Result<void>> HandBack::push(engine::BlobEntry copy, transfer::DiskAddress to) {
  const auto read = [this, id = copy.id](uint64_t at, uint64_t length) {
    return disk_.run(
        [&engine = disk_.engine, id, at, length] { return engine.read(id, at, length); });
  };
  const bool small = copy.length <= model::kPieceBytes;
  // Under the current epoch: the one it was written under may be fenced by now.
  const auto topology = topology_.topology();
  transfer::PutOptions options;
  options.ring_epoch = topology->current() == nullptr ? 0 : topology->current()->epoch();
  options.created_at = copy.created_at;
  options.background = true;
  options.order = copy.order;
  co_await disk_.pace(copy.length);
  options.deadline = deadline_in(copy_patience(copy.length));
  if (small) {
    CO_TRY(engine::ReadResult whole, co_await read(0, copy.length));
    co_return co_await transport_.put(to, copy.id, options,
                                      {std::move(whole.bytes), 0, std::move(whole.digests)});
  }
  auto upload = transport_.start_put(to, copy.id, copy.length, options);
  for (uint64_t at = 0; at < copy.length; at += model::kPieceBytes) {
    CO_TRY(engine::ReadResult piece,
           co_await read(at, std::min<uint64_t>(model::kPieceBytes, copy.length - at)));
    CO_TRY_VOID(co_await upload->send({std::move(piece.bytes), at, std::move(piece.digests)}));
  }
  co_return co_await upload->finish(copy.length, copy.digest);
}

}  // namespace rondel::repair
