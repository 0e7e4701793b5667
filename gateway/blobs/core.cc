#include "gateway/blobs/core.h"

#include <algorithm>

#include "common/log/log.h"

namespace rondel::blobs {
namespace {

using namespace std::chrono_literals;

constexpr auto kProbePatience = 1s;
constexpr uint64_t kRepairFloor = 256 << 10;  // Bytes a second: what is slower is given up.

async::Task<void> counted(std::shared_ptr<Core> core, async::Task<void> task) {
  co_await std::move(task);
  --core->counters.background;
}

// Asks for a blob that nobody has: the answer tells that the disk serves.
async::Task<void> probe(std::shared_ptr<Core> core, transfer::DiskAddress disk) {
  ++core->counters.probes;
  const model::BlobId nothing{model::StreamId::random(), 0};
  const auto answer = co_await core->transport.stat(disk, nothing, deadline_in(kProbePatience));
  core->breakers.probed(disk.disk, answer || answer.error().code == ErrorCode::kNotFound);
}

// Whether a copy is to be made, by what another disk says of the blob.
bool is_wanted(const Core& core, const Repair& repair, const transfer::BlobStat& there) {
  if (there.removed) return false;
  if (repair.flaw != Flaw::kMissing) return true;
  const auto age = core.options.clock->now() - there.created_at;
  // A clock that differs says nothing.
  const bool young = age < core.options.repair_settle && age > -core.options.repair_settle;
  return !young;
}

// False: there was nothing to do.
async::Task<Result<bool>> rewrite(std::shared_ptr<Core> core, Repair repair) {
  const auto& [blob, length, at, flaw, good] = repair;
  // Twice: it is read, then written.
  const Deadline deadline = deadline_in(2 * std::chrono::seconds(5 + length / kRepairFloor));
  transfer::PutOptions options;
  options.background = true;
  options.deadline = deadline;
  if (flaw == Flaw::kDamaged) {
    // What it was is known where it lies.
    CO_TRY(const transfer::BlobStat stat,
           co_await core->transport.stat(at, blob, deadline_in(kProbePatience)));
    if (stat.removed) co_return false;
    options.handoff_for = stat.handoff_for;
  }
  // Before its bytes are read for nothing.
  CO_TRY(const transfer::BlobStat known,
         co_await core->transport.stat(good, blob, deadline_in(kProbePatience)));
  if (!is_wanted(*core, repair, known)) co_return false;
  CO_TRY(WholeBlob whole, co_await read_whole(core, blob, length, at, deadline));
  CO_TRY(const transfer::BlobStat source,
         co_await core->transport.stat(whole.from, blob, deadline_in(kProbePatience)));
  if (!is_wanted(*core, repair, source)) co_return false;
  options.created_at = source.created_at;
  options.order = source.order;
  const auto topology = core->topology.topology();
  options.ring_epoch = topology->current() == nullptr ? 0 : topology->current()->epoch();
  const auto written = co_await write_copy(core, at, blob, std::move(whole.pieces), options);
  // The disk knows that it was removed.
  if (!written && written.error().code == ErrorCode::kNotFound) co_return false;
  CO_TRY_VOID(written);
  co_return true;
}

async::Task<void> rewrite_and_count(std::shared_ptr<Core> core, Repair repair,
                                    RepairBuffer buffer) {
  const auto done = co_await rewrite(core, repair);
  if (done && *done) ++core->counters.repairs_done;
  if (!done) {
    ++core->counters.repairs_failed;
    log::warn("blobs", "a copy was not rewritten",
              {{"blob", repair.blob.to_hex()}, {"error", done.error().message}});
  }
  buffer = {};
  core->repair_ended(repair);
}

// Once per loop, as long as something is late there.
async::Task<void> review_late(std::shared_ptr<Core> core) {
  async::EventLoop* const loop = async::EventLoop::current();
  const auto pause = std::clamp<std::chrono::milliseconds>(core->options.stall_min / 4, 1ms, 50ms);
  for (;;) {
    co_await async::sleep_for(pause);
    std::vector<std::weak_ptr<LateWrite>> writes;
    {
      MutexLock lock(core->late_mutex);
      writes.swap(core->late[loop]);
    }
    const SteadyTime now = std::chrono::steady_clock::now();
    std::erase_if(writes, [now](const std::weak_ptr<LateWrite>& write) {
      const auto alive = write.lock();
      return !alive || !alive->review(now);
    });
    MutexLock lock(core->late_mutex);
    auto& left = core->late[loop];
    left.insert(left.end(), writes.begin(), writes.end());
    if (!left.empty()) continue;
    core->late.erase(loop);
    co_return;
  }
}

}  // namespace

void Core::watch_late(std::weak_ptr<LateWrite> write) {
  bool first = false;
  {
    MutexLock lock(late_mutex);
    const auto [entry, added] = late.try_emplace(async::EventLoop::current());
    entry->second.push_back(std::move(write));
    first = added;
  }
  if (first) run_in_background(review_late(shared_from_this()));
}

void Core::run_in_background(async::Task<void> task) {
  ++counters.background;
  async::spawn(*async::EventLoop::current(), counted(shared_from_this(), std::move(task)));
}

void Core::probe_due_disks() {
  if (draining) return;
  for (const model::DiskId& disk : breakers.due_for_probe()) {
    const auto now = topology.topology();
    const ring::Ring* ring = now->current();
    const auto index = ring == nullptr ? std::nullopt : ring->find(disk);
    if (!index) {
      breakers.probed(disk, false);
      continue;
    }
    run_in_background(probe(shared_from_this(), {ring->disks()[*index].node, disk}));
  }
}

void Core::repair(const Repair& repair) {
  const std::pair key(repair.blob, repair.at.disk);
  RepairBuffer buffer;
  {
    MutexLock lock(repairs_mutex);
    if (repairs.contains(key)) {
      ++counters.repairs_joined;
      return;
    }
    if (draining || repairs.size() >= options.repairs_max) {
      ++counters.repairs_skipped;
      return;
    }
    buffer.share = repair_share.try_reserve(repair.length);
    if (buffer.share.amount() > 0) buffer.bytes = read_budget.try_take(nullptr, repair.length);
    if (buffer.bytes.amount() == 0) {
      ++counters.repairs_without_buffer;
      return;
    }
    repairs.insert(key);
  }
  run_in_background(rewrite_and_count(shared_from_this(), repair, std::move(buffer)));
}

void Core::repair_ended(const Repair& repair) {
  MutexLock lock(repairs_mutex);
  repairs.erase({repair.blob, repair.at.disk});
}

bool blames_disk(const Error& error) {
  switch (error.code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kPrecondition:
    case ErrorCode::kResourceExhausted: return true;
    default: return false;
  }
}

std::vector<Candidate> owners_of(const Core& core, const ring::Topology& topology,
                                 const model::BlobId& blob, DiskBreakers::Traffic traffic) {
  struct Ranked {
    Candidate candidate;
    bool far;
    double latency;
  };

  constexpr size_t kOwnersUsual = 3;
  std::vector<Ranked> owners;
  owners.reserve(kOwnersUsual * topology.rings.size());
  const auto add = [&](const ring::Disk& disk) {
    const auto same = [&](const Ranked& known) { return known.candidate.disk.disk == disk.id; };
    if (std::ranges::any_of(owners, same)) return;
    owners.push_back({{{disk.node, disk.id}, true, core.breakers.avoided(disk.id)},
                      !core.options.zone.empty() && disk.zone != core.options.zone,
                      core.breakers.latency(disk.id, traffic)});
  };
  for (const auto& ring : topology.rings) {
    for (const ring::DiskIndex index : ring->owners(ring->arc_of(blob.ring_hash()))) {
      add(ring->disks()[index]);
    }
  }
  // Latencies that differ by less than a factor of two say nothing: such owners share the load by
  // the blob's hash.
  const uint64_t turn = blob.ring_hash();
  std::ranges::rotate(
      owners, owners.begin() + static_cast<ptrdiff_t>(owners.empty() ? 0 : turn % owners.size()));
  double best = 0;
  for (const Ranked& owner : owners) {
    best = best == 0 ? owner.latency : std::min(best, owner.latency);
  }
  const auto rank = [best](const Ranked& r) {
    return std::tuple(r.candidate.avoided, r.far, r.latency > 2 * best);
  };
  std::vector<Candidate> result;
  result.reserve(owners.size());
  for (int pass = 0; pass < 8; ++pass) {
    const std::tuple wanted{(pass & 4) != 0, (pass & 2) != 0, (pass & 1) != 0};
    for (const Ranked& owner : owners) {
      if (rank(owner) == wanted) result.push_back(owner.candidate);
    }
  }
  return result;
}

void add_handoffs(const Core& core, const ring::Topology& topology, const model::BlobId& blob,
                  std::vector<Candidate>& candidates) {
  for (const auto& ring : topology.rings) {
    for (const ring::DiskIndex index :
         ring->handoffs(ring->arc_of(blob.ring_hash()), core.options.handoffs)) {
      const ring::Disk& disk = ring->disks()[index];
      const auto same = [&](const Candidate& known) { return known.disk.disk == disk.id; };
      if (std::ranges::any_of(candidates, same)) continue;
      candidates.push_back({{disk.node, disk.id}, false, core.breakers.avoided(disk.id)});
    }
  }
}

async::Task<Result<WholeBlob>> read_whole(std::shared_ptr<Core> core, model::BlobId blob,
                                          uint64_t length, transfer::DiskAddress except,
                                          Deadline deadline) {
  const auto topology = core->topology.topology();
  Error last{ErrorCode::kNotFound, "no other copy"};
  std::vector<Candidate> candidates =
      owners_of(*core, *topology, blob, DiskBreakers::Traffic::kBulk);
  const size_t owners = candidates.size();
  for (size_t i = 0; i <= owners || i < candidates.size(); ++i) {
    if (i == owners) add_handoffs(*core, *topology, blob, candidates);
    if (i >= candidates.size()) break;
    const Candidate candidate = candidates[i];
    if (candidate.disk == except) continue;
    auto download = core->transport.start_get(candidate.disk, blob, 0, length,
                                              {.background = true, .deadline = deadline});
    std::vector<transfer::Piece> pieces;
    uint64_t got = 0;
    while (got < length) {
      // A disk that hangs must not use up the time of those behind it.
      const auto patience = core->breakers.stall(candidate.disk.disk, DiskBreakers::Traffic::kBulk);
      auto piece = co_await download->next(std::min(deadline, deadline_in(patience)));
      if (!piece || piece->bytes.empty()) {
        if (!piece) last = piece.error();
        break;
      }
      got += piece->bytes.size();
      pieces.push_back(*std::move(piece));
    }
    if (got == length) co_return WholeBlob{std::move(pieces), candidate.disk};
  }
  co_return std::unexpected(last);
}

async::Task<Result<void>> write_copy(std::shared_ptr<Core> core, transfer::DiskAddress to,
                                     model::BlobId blob, std::vector<transfer::Piece> pieces,
                                     transfer::PutOptions options) {
  if (pieces.size() == 1) {
    co_return co_await core->transport.put(to, blob, options, std::move(pieces.front()));
  }
  uint64_t length = 0;
  std::vector<hash::BlockDigest> digests;
  for (const transfer::Piece& piece : pieces) {
    length += piece.bytes.size();
    digests.insert(digests.end(), piece.digests.begin(), piece.digests.end());
  }
  auto upload = core->transport.start_put(to, blob, length, options);
  for (transfer::Piece& piece : pieces) CO_TRY_VOID(co_await upload->send(std::move(piece)));
  co_return co_await upload->finish(length, hash::blob_digest(digests));
}

}  // namespace rondel::blobs
