#include "jobs/gc/orphan_scan.h"

#include <algorithm>

#include "common/log/log.h"
#include "jobs/gc/removal_batch.h"

namespace rondel::gc {

using namespace std::chrono_literals;

namespace {

constexpr auto kListPatience = 30s;
constexpr auto kQueryPatience = 300s;

}  // namespace

OrphanScanStatus OrphanScan::status() const {
  return {scanned_, orphan_blobs_, orphan_streams_, skipped_, passes_, last_pass_};
}

// What an operator allowed is never too much. What was released of late counts as if it were found
// now.
bool OrphanScan::is_too_much(const Share& share, uint64_t floor, uint64_t allowance) const {
  if (share.orphans == 0 || share.orphans <= allowance) return false;
  return share.orphans + share.of_late > std::max(floor, share.looked_at / options_.share);
}

std::string OrphanScan::describe(const Share& share) {
  const std::string before =
      share.of_late > 0 ? " (and " + std::to_string(share.of_late) + " were of late)" : "";
  return std::to_string(share.orphans) + " of " + std::to_string(share.looked_at) + " blobs" +
         before + " are orphans";
}

async::Task<Result<void>> OrphanScan::trip(std::string reason, uint64_t token) {
  log::error("gc", "garbage collection is halted", {{"reason", reason}});
  CO_TRY_VOID(co_await gc_.halt_garbage(reason, token, deadline_in(5s)));
  co_return fail(jobs::kHalted, reason);
}

async::Task<Result<void>> OrphanScan::run_round(const jobs::Term& term) {
  const uint64_t token = term.token();
  CO_TRY(const metadata::GarbageState state, co_await gc_.garbage_state(deadline_in(5s)));
  if (!state.halted.empty()) co_return fail(jobs::kHalted, state.halted);
  // The longest that any gateway goes by: bodies on their way to another may take half of it.
  const std::chrono::seconds orphan_age =
      metadata::age_that_counts(state.ages.orphan_age, options_.orphan_age);
  CO_TRY(metadata::OrphanCounts recent,
         co_await orphans_.recent_orphans(orphan_age, deadline_in(5s)));
  uint64_t recently = 0;
  for (const auto& [disk, blobs] : recent) recently += blobs;
  // A clock that is ahead must not make a body in flight look old.
  const auto now = membership::age_time(options_.ages, clock_, state.now);
  if (!now) co_return Result<void>{};
  const SystemTime oldest = *now - orphan_age;
  std::map<model::DiskId, ring::Disk> disks;
  const auto topology = topology_.topology();
  for (const auto& ring : topology->rings) {
    for (const ring::Disk& disk : ring->disks()) disks.try_emplace(disk.id, disk);
  }
  // Decided when every disk was seen: releasing as it goes would hide from the breaker what the
  // first disks had.
  std::map<model::StreamId, Found::Stream> orphans;
  uint64_t blobs = 0;
  uint64_t looked_at = 0;
  metadata::OrphanCounts counts;
  for (const auto& [id, disk] : disks) {
    Found found;
    const auto scanned = co_await scan_disk(disk, oldest, found, term);
    if (!term.is_held()) co_return Result<void>{};
    if (!scanned) {
      // A disk that is away is looked at in the next pass.
      ++skipped_;
      log::warn("gc", "a disk was not looked through",
                {{"disk", id.to_hex()}, {"error", scanned.error().message}});
      continue;
    }
    if (is_too_much({found.orphan_blobs, recent[id], found.blobs}, options_.disk_floor,
                    state.allowance)) {
      co_return co_await trip(
          describe({found.orphan_blobs, recent[id], found.blobs}) + " on disk " + id.to_hex(),
          token);
    }
    looked_at += found.blobs;
    blobs += found.orphan_blobs;
    for (const auto& [stream, seen] : found.orphans) {
      if (orphans.size() >= options_.streams_max && !orphans.contains(stream)) continue;
      Found::Stream& orphan = orphans[stream];
      orphan.last_chunk = std::max(orphan.last_chunk, seen.last_chunk);
      counts[id] += seen.blobs;
    }
  }
  if (is_too_much({blobs, recently, looked_at}, options_.floor, state.allowance)) {
    co_return co_await trip(describe({blobs, recently, looked_at}), token);
  }
  if (!orphans.empty()) {
    CO_TRY_VOID(co_await release(orphans, std::move(counts), state.allowance > 0, token));
  }
  CO_TRY_VOID(co_await orphans_.end_garbage_pass(token, deadline_in(5s)));
  ++passes_;
  last_pass_ = clock_.now();
  co_return Result<void>{};
}

async::Task<Result<void>> OrphanScan::release(
    const std::map<model::StreamId, Found::Stream>& orphans, metadata::OrphanCounts counts,
    bool allowed, uint64_t token) {
  std::vector<metadata::ReleasedStream> released;
  for (const auto& [stream, seen] : orphans) {
    released.push_back({0, stream, (uint64_t{seen.last_chunk} + 1) * model::kChunkBytes, {}});
  }
  uint64_t blobs = 0;
  for (const auto& [disk, count] : counts) blobs += count;
  // What an operator allowed does not count against later passes.
  if (allowed) counts.clear();
  CO_TRY_VOID(co_await orphans_.release_orphans(std::move(released), std::move(counts), token,
                                                deadline_in(kQueryPatience)));
  orphan_blobs_ += blobs;
  orphan_streams_ += orphans.size();
  log::info("gc", "orphans released", {{"streams", orphans.size()}, {"blobs", blobs}});
  co_return Result<void>{};
}

async::Task<Result<void>> OrphanScan::scan_disk(const ring::Disk& disk, SystemTime oldest,
                                                Found& found, const jobs::Term& term) {
  const jobs::Pace pace = jobs::Pace::units_per_second(options_.blobs_per_second);
  model::BlobId after;
  while (term.is_held()) {
    CO_TRY(const auto page,
           co_await lister_.list({disk.node, disk.id}, after, deadline_in(kListPatience)));
    if (page.empty()) co_return co_await sort_out(found);
    for (const node_client::ListedBlob& blob : page) {
      ++found.blobs;
      if (blob.created_at >= oldest || blob.received_at >= oldest) continue;
      if (blob.id.chunk >= kStreamChunksMax) {
        co_return fail(ErrorCode::kCorruption, "it lists chunk " + std::to_string(blob.id.chunk) +
                                                   " of stream " + blob.id.stream.to_hex());
      }
      Found::Stream& stream = found.asked[blob.id.stream];
      stream.last_chunk = std::max(stream.last_chunk, blob.id.chunk);
      ++stream.blobs;
    }
    scanned_ += page.size();
    after = page.back().id;
    if (found.asked.size() >= options_.streams_per_query) CO_TRY_VOID(co_await sort_out(found));
    co_await term.pause(pace.rest_after(page.size(), {}));
  }
  co_return Result<void>{};
}

// The database is asked after the disk: what it refers to by then is kept.
async::Task<Result<void>> OrphanScan::sort_out(Found& found) {
  if (found.asked.empty()) co_return Result<void>{};
  std::vector<model::StreamId> streams;
  for (const auto& [stream, seen] : found.asked) streams.push_back(stream);
  CO_TRY(const auto orphans,
         co_await orphans_.unreferenced_streams(std::move(streams), deadline_in(kQueryPatience)));
  for (const model::StreamId& stream : orphans) {
    const auto asked = found.asked.find(stream);
    if (asked == found.asked.end()) continue;
    found.orphan_blobs += asked->second.blobs;
    if (found.orphans.size() >= options_.streams_max && !found.orphans.contains(stream)) continue;
    Found::Stream& orphan = found.orphans[stream];
    orphan.last_chunk = std::max(orphan.last_chunk, asked->second.last_chunk);
    orphan.blobs += asked->second.blobs;
  }
  found.asked.clear();
  co_return Result<void>{};
}

}  // namespace rondel::gc
