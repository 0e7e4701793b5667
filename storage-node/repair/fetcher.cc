#include "storage-node/repair/fetcher.h"

#include <algorithm>

#include "common/async/one_shot.h"

namespace rondel::repair {
namespace {

using namespace std::chrono_literals;
using How = Fetched::How;

constexpr auto kStatPatience = 3s;
constexpr auto kStepPatience = 10s;  // A source lets its clients go first.
constexpr auto kQuietMin = 1s;
constexpr auto kQuietMax = 60s;
constexpr size_t kPerNode = 4;   // Fetches from one node at a time.
constexpr size_t kHandoffs = 4;  // Per arc, as gateways write them.

// Owners first, beginning with who is known to have it, or with another one each try; the disk
// itself is left out.
std::vector<transfer::DiskAddress> sources_of(const ring::Topology& topology,
                                              const model::DiskId& disk, const Wanted& wanted) {
  std::vector<transfer::DiskAddress> sources;
  const auto add = [&](const ring::Disk& source) {
    const transfer::DiskAddress address{source.node, source.id};
    if (source.id != disk && std::ranges::count(sources, address) == 0) sources.push_back(address);
  };
  const uint64_t hash = wanted.id.ring_hash();
  for (const auto& ring : topology.rings) {
    for (const ring::DiskIndex owner : ring->owners(ring->arc_of(hash))) add(ring->disks()[owner]);
  }
  if (!sources.empty()) {
    std::ranges::rotate(sources,
                        sources.begin() + static_cast<ptrdiff_t>(wanted.tries % sources.size()));
  }
  if (wanted.tries == 0) {
    const auto told = std::ranges::find(sources, wanted.told_by, &transfer::DiskAddress::disk);
    if (told != sources.end()) std::rotate(sources.begin(), told, told + 1);
  }
  for (const auto& ring : topology.rings) {
    for (const ring::DiskIndex other : ring->handoffs(ring->arc_of(hash), kHandoffs)) {
      add(ring->disks()[other]);
    }
  }
  return sources;
}

How of_source(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNotFound: return How::kAbsent;
    case ErrorCode::kCorruption:
    case ErrorCode::kOutOfRange: return How::kDamaged;
    default: return How::kUnreachable;
  }
}

How of_own_disk(const Result<void>& stored) {
  if (stored) return How::kDone;
  switch (stored.error().code) {
    case ErrorCode::kNotFound: return How::kRemoved;
    case ErrorCode::kCorruption:
    case ErrorCode::kAlreadyExists: return How::kDamaged;  // The source's bytes are not the blob's.
    default: return How::kOwnDisk;
  }
}

engine::PutRequest request_of(const Wanted& wanted) {
  engine::PutRequest request;
  request.id = wanted.id;
  request.created_at = SystemTime(std::chrono::microseconds(wanted.created_us));
  request.background = true;
  request.order = wanted.order;
  return request;
}

using Slot = std::shared_ptr<async::OneShot<Result<void>>>;

async::Task<How> stored(Slot slot, Deadline deadline) {
  const auto answer = co_await slot->wait_until(deadline);
  co_return answer ? of_own_disk(*answer) : How::kOwnDisk;
}

}  // namespace

void Fetcher::heard(const model::NodeId& node, bool answered) {
  Node& known = nodes_[node];
  known.quiet =
      answered ? Duration::zero() : std::clamp<Duration>(2 * known.quiet, kQuietMin, kQuietMax);
  if (!answered) known.quiet_until = clock_.steady_now() + known.quiet;
}

async::Task<Fetched> Fetcher::fetch(OwnDisk& disk, std::shared_ptr<const ring::Topology> topology,
                                    Wanted wanted) {
  Fetched fetched{How::kAbsent, 0};
  bool busy = false, unreachable = false, damaged = false;
  const auto sources = sources_of(*topology, disk.id(), wanted);
  for (const transfer::DiskAddress& source : sources) {
    const Node& known = nodes_[source.node];
    const bool quiet = known.quiet_until > clock_.steady_now(), full = known.under_way >= kPerNode;
    unreachable = unreachable || quiet;
    busy = busy || full;
    // Who has it is waited for, rather than to ask those who do not.
    if (full && !quiet && wanted.tries == 0 && source.disk == wanted.told_by) {
      co_return Fetched{How::kBusy, 0};
    }
    if (quiet || full) continue;
    ++nodes_[source.node].under_way;
    How how = co_await copy(disk, source, wanted);
    if (how == How::kAbsent) {
      const auto stat = co_await transport_.stat(source, wanted.id, deadline_in(kStatPatience));
      if (stat && stat->removed && stat->order >= wanted.order) {
        fetched = {How::kRemoved, stat->order};
      }
      if (stat ? !stat->removed : stat.error().code != ErrorCode::kNotFound) {
        how = How::kUnreachable;
      }
    }
    --nodes_[source.node].under_way;
    heard(source.node, how != How::kUnreachable);
    if (fetched.how == How::kRemoved) co_return fetched;
    if (how == How::kDone || how == How::kRemoved || how == How::kOwnDisk) {
      co_return Fetched{how, 0};
    }
    unreachable = unreachable || how == How::kUnreachable;
    damaged = damaged || how == How::kDamaged;
  }
  if (busy && !unreachable) co_return Fetched{How::kBusy, 0};
  if (unreachable || sources.empty()) co_return Fetched{How::kUnreachable, 0};
  co_return Fetched{damaged ? How::kDamaged : How::kAbsent, 0};
}

async::Task<How> Fetcher::copy(OwnDisk& disk, transfer::DiskAddress from, const Wanted& wanted) {
  co_await disk.pace(wanted.length);
  const Deadline deadline = deadline_in(copy_patience(wanted.length));
  auto download = transport_.start_get(from, wanted.id, 0, wanted.length,
                                       {.background = true, .deadline = deadline});
  if (wanted.length <= model::kPieceBytes) {
    co_return co_await copy_small(disk, *download, wanted, deadline);
  }
  co_return co_await copy_large(disk, *download, wanted, deadline);
}

async::Task<How> Fetcher::copy_small(OwnDisk& disk, transfer::BlobDownload& download,
                                     const Wanted& wanted, Deadline deadline) {
  auto piece = co_await download.next(std::min(deadline, deadline_in(kStepPatience)));
  if (!piece) co_return of_source(piece.error());
  auto slot = async::OneShot<Result<void>>::make();
  disk.engine.put_async(request_of(wanted), std::move(piece->bytes), std::move(piece->digests),
                        [slot](Result<void> result) { slot->set(std::move(result)); });
  co_return co_await stored(slot, deadline);
}

async::Task<How> Fetcher::copy_large(OwnDisk& disk, transfer::BlobDownload& download,
                                     const Wanted& wanted, Deadline deadline) {
  // Given back where waiting for the disk is fine.
  using Put = std::shared_ptr<engine::LargePut>;
  auto put = co_await disk.run([&engine = disk.engine, &pool = disk.pool, wanted]() -> Result<Put> {
    TRY(auto started, engine.start_large_put(request_of(wanted), wanted.length));
    return Put(started.release(), [&pool](engine::LargePut* last) {
      if (!pool.try_submit([last] { delete last; })) delete last;
    });
  });
  if (!put) co_return How::kOwnDisk;
  std::vector<hash::BlockDigest> digests;
  for (;;) {
    auto piece = co_await download.next(std::min(deadline, deadline_in(kStepPatience)));
    if (!piece) co_return of_source(piece.error());
    if (piece->bytes.empty()) break;
    digests.insert(digests.end(), piece->digests.begin(), piece->digests.end());
    for (;;) {
      const auto taken =
          co_await disk.run([put = *put, bytes = piece->bytes, own = piece->digests] {
            return put->append(bytes, own);
          });
      if (taken) break;
      if (taken.error().code == ErrorCode::kCorruption) co_return How::kDamaged;
      const bool later = taken.error().code == ErrorCode::kResourceExhausted &&
                         std::chrono::steady_clock::now() < deadline;
      if (!later) co_return How::kOwnDisk;
      co_await async::sleep_for(5ms);
    }
  }
  auto slot = async::OneShot<Result<void>>::make();
  const auto begun =
      co_await disk.run([put = *put, digest = hash::blob_digest(digests), slot]() -> Result<void> {
        put->finish_async(digest, [slot](Result<void> result) { slot->set(std::move(result)); });
        return {};
      });
  if (!begun) co_return How::kOwnDisk;
  co_return co_await stored(slot, deadline);
}

}  // namespace rondel::repair
