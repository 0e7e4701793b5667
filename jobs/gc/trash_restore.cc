#include "jobs/gc/trash_restore.h"

#include <algorithm>
#include <utility>

#include "common/async/task_group.h"
#include "common/log/log.h"

namespace rondel::gc {

using namespace std::chrono_literals;

namespace {

// A disk with nothing in the trash is gone through before it answers.
constexpr auto kListPatience = 10min;
constexpr auto kQueryPatience = 300s;
constexpr auto kOrderPatience = 60s;

}  // namespace

async::Task<Result<void>> TrashRestore::run_round(const jobs::Term& term) {
  CO_TRY(const metadata::RestoreState state, co_await restores_.restore_state(deadline_in(5s)));
  waiting_ = state.waiting();
  Pass pass{state.number, term, {}, {}};
  for (const auto& disk : state.disks) {
    if (!disk.done && disk.alive) pass.disks.push_back(disk);
  }
  async::TaskGroup side_by_side(*async::EventLoop::current());
  for (size_t i = 0; i < std::min(options_.disks_at_once, pass.disks.size()); ++i) {
    side_by_side.spawn(restore_disks(pass));
  }
  co_await side_by_side.wait_idle();
  co_return pass.ended;
}

// One after the other of those that nobody has taken yet.
async::Task<void> TrashRestore::restore_disks(Pass& pass) {
  while (!pass.disks.empty() && pass.ended && pass.term.is_held()) {
    const metadata::RestoreState::Disk disk = std::move(pass.disks.front());
    pass.disks.pop_front();
    const auto restored = co_await restore_disk({disk.node, disk.disk}, pass.term);
    if (!pass.term.is_held()) co_return;
    if (!restored) {
      // It waits on; the others need not. Each second: one that does not open is told of once.
      const std::string& why = restored.error().message;
      if (std::exchange(told_[disk.disk], why) == why) continue;
      log::warn("gc", "the trash of a disk was not looked through",
                {{"disk", disk.disk.to_hex()}, {"error", why}});
      continue;
    }
    const auto finished = co_await restores_.finish_restore(disk.disk, pass.number, *restored,
                                                            pass.term.token(), deadline_in(5s));
    if (!finished) {
      pass.ended = finished;
      co_return;
    }
    --waiting_;
    told_.erase(disk.disk);
    log::info("gc", "the trash of a disk was looked through",
              {{"disk", disk.disk.to_hex()}, {"restored", *restored}});
  }
}

async::Task<Result<uint64_t>> TrashRestore::restore_disk(transfer::DiskAddress at,
                                                         const jobs::Term& term) {
  CO_TRY(const node_client::RestoreReply asked,
         co_await remover_.restore(at, {}, 0, deadline_in(kOrderPatience)));
  uint64_t restored = 0;
  std::vector<model::BlobId> blobs;
  model::BlobId after;
  for (bool more = true; more && term.is_held();) {
    CO_TRY(const auto page, co_await trash_.list(at, after, deadline_in(kListPatience)));
    more = !page.empty();
    if (more) after = page.back().id;
    for (const node_client::ListedBlob& blob : page) blobs.push_back(blob.id);
    if (blobs.empty() || (more && blobs.size() < options_.streams_per_query)) continue;
    CO_TRY(const uint64_t some, co_await restore_referenced(at, std::exchange(blobs, {}),
                                                            asked.highest_order, term.token()));
    restored += some;
  }
  co_return restored;
}

// One question at a time, as each goes through whole tables: so each has all of its patience.
async::Task<Result<std::vector<model::StreamId>>> TrashRestore::ask_referenced(
    std::vector<model::StreamId> streams) {
  while (asking_) co_await async::sleep_for(20ms);
  asking_ = true;
  auto referenced =
      co_await restores_.referenced_streams(std::move(streams), deadline_in(kQueryPatience));
  asking_ = false;
  co_return referenced;
}

// What something refers to by the time of the question is taken out; what nothing refers to then
// cannot be referred to again.
async::Task<Result<uint64_t>> TrashRestore::restore_referenced(transfer::DiskAddress at,
                                                               std::vector<model::BlobId> blobs,
                                                               uint64_t above, uint64_t token) {
  std::vector<model::StreamId> streams;
  for (const model::BlobId& blob : blobs) streams.push_back(blob.stream);
  std::ranges::sort(streams);
  streams.erase(std::unique(streams.begin(), streams.end()), streams.end());
  auto answered = co_await ask_referenced(std::move(streams));
  CO_TRY(std::vector<model::StreamId> referenced, std::move(answered));
  std::ranges::sort(referenced);
  std::erase_if(blobs, [&](const model::BlobId& blob) {
    return !std::ranges::binary_search(referenced, blob.stream);
  });
  if (blobs.empty()) co_return uint64_t{0};
  // Above the removals, whoever numbered them.
  CO_TRY(const uint64_t number, co_await lease_.next_order(above, token, deadline_in(5s)));
  uint64_t restored = 0;
  for (size_t first = 0; first < blobs.size(); first += options_.blobs_per_call) {
    const size_t end = std::min(blobs.size(), first + options_.blobs_per_call);
    std::vector<model::BlobId> some(blobs.begin() + static_cast<ptrdiff_t>(first),
                                    blobs.begin() + static_cast<ptrdiff_t>(end));
    CO_TRY(const node_client::RestoreReply reply,
           co_await remover_.restore(at, std::move(some), number, deadline_in(kOrderPatience)));
    restored += reply.restored;
    restored_ += reply.restored;
  }
  co_return restored;
}

}  // namespace rondel::gc
