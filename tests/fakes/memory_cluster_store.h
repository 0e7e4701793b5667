// MemoryClusterStore: nodes, ring epochs, the coordinator's token, the released queue and what garbage collection knows of the
// database, in memory. One loop.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "metadata/store/gc_control.h"
#include "metadata/store/lease.h"
#include "metadata/store/node_store.h"
#include "metadata/store/orphan_store.h"
#include "metadata/store/release_queue.h"
#include "metadata/store/restore_store.h"
#include "metadata/store/ring_store.h"

namespace rondel::fakes {

class MemoryClusterStore final : public metadata::NodeStore,
                                 public metadata::RingStore,
                                 public metadata::Lease,
                                 public metadata::ReleaseQueue,
                                 public metadata::OrphanStore,
                                 public metadata::GcControl,
                                 public metadata::RestoreStore {
 public:
  template <class T>
  using Answer = async::Task<Result<T>>;

  // Every call fails with it.
  void break_with(std::optional<Error> error) { broken_ = std::move(error); }
  // What a coordinator does for garbage collection fails with it.
  void break_jobs_with(std::optional<Error> error) { jobs_broken_ = std::move(error); }
  uint64_t token() const { return token_; }
  void set_ring(metadata::RingState ring) { ring_ = std::move(ring); }
  // Another gateway took over: its token is higher, ours is refused.
  void usurp() { ++token_, leader_ = false; }
  // Into the queue, looked at again already.
  void release(const metadata::ReleasedStream& stream) {
    released_[stream.id] = stream;
    checked_.insert(stream.id);
  }
  void release_unchecked(const metadata::ReleasedStream& stream) { released_[stream.id] = stream; }

  const std::map<int64_t, metadata::ReleasedStream>& released() const { return released_; }
  const std::map<int64_t, metadata::ReleasedStream>& kept() const { return kept_; }   // What a second look found referred to.
  const metadata::RingState& ring() const { return ring_; }
  bool resigned = false;
  std::set<model::StreamId> referenced;   // By versions and parts.
  model::MetadataGeneration generation{0, 7, {1, 1001}, 0};   // With the newest mark.
  std::set<std::pair<uint64_t, uint64_t>> marks{{1, 1001}};   // All of them.
  std::map<model::NodeId, uint64_t> beats;
  uint64_t order = 0;
  uint64_t restore_number = 0;
  // Number that a disk was last looked through for.
  std::map<model::DiskId, uint64_t> restores;
  bool alive = true;                                          // Nodes, to restore_state().

  // What a backup of the database is.
  struct Backup {
    model::MetadataGeneration generation;
    std::set<std::pair<uint64_t, uint64_t>> marks;
    std::map<model::NodeId, uint64_t> beats;
    uint64_t token = 0, order = 0;
    std::map<int64_t, metadata::ReleasedStream> released;
    std::set<model::StreamId> referenced;
  };
  Backup backup() const { return {generation, marks, beats, token_, order, released_, referenced}; }
  void set_back(const Backup& to) {
    generation = to.generation;
    marks = to.marks;
    beats = to.beats;
    token_ = to.token;
    order = to.order;
    released_ = to.released;
    referenced = to.referenced;
    strangers_.clear();
  }
  void mark() {
    generation.mark = {marks.rbegin()->first + 1, ++values_};
    marks.emplace(generation.mark.counter, generation.mark.value);
  }
  // As a server that starts does: another gateway, or the same one again, claims.
  void claim() { ++token_, mark(); }
  std::function<SystemTime()> now;   // The database's clock; empty: it has none.
  std::function<void()> on_finish;   // Once, when removals of a batch are through.
  metadata::GarbageState garbage;
  metadata::OrphanCounts recent;          // However long ago.
  std::vector<SystemTime> completed_uploads;

  Answer<model::ClusterId> cluster_id(Deadline) override { co_return cluster_; }

  Answer<metadata::Greeting> record_node(metadata::NodeRecord node, Deadline) override {
    if (broken_) co_return std::unexpected(*broken_);
    const model::Recognition recognition = judge(node.id, node.seen);
    if (model::is_recognized(recognition)) {
      ++beats[node.id];
      strangers_.erase(node.id);
    } else {
      strangers_[node.id] = recognition;
    }
    seen_accepted_ = std::max(seen_accepted_, node.seen.accepted);
    highest_order_ = std::max(highest_order_, node.highest_order);
    model::MetadataGeneration database = generation;
    database.beat = beats[node.id];
    std::string stopped = garbage.halted;
    for (const auto& disk : node.disks) {
      if (restores[disk.id] < restore_number) stopped = "restores wait";
    }
    std::erase_if(nodes_, [&](const auto& known) { return known.id == node.id; });
    nodes_.push_back(std::move(node));
    co_return metadata::Greeting{recognition, database, stopped};
  }
  Answer<metadata::Recognized> recognize(model::NodeId node, model::MetadataGeneration seen,
      Deadline) override {
    if (broken_) co_return std::unexpected(*broken_);
    co_return metadata::Recognized{judge(node, seen), generation};
  }
  Answer<std::vector<metadata::NodeRecord>> list_nodes(Deadline) override {
    if (broken_) co_return std::unexpected(*broken_);
    co_return nodes_;
  }
  Answer<metadata::RingState> ring_state(Deadline) override {
    if (broken_) co_return std::unexpected(*broken_);
    metadata::RingState state = ring_;
    if (now) state.now = now();
    co_return state;
  }
  Answer<void> publish_ring(metadata::RingEpoch epoch, uint64_t retire_before, uint64_t min_epoch, uint64_t token, Deadline) override {
    CO_TRY_VOID(check(token));
    const uint64_t newest = ring_.live.empty() ? 0 : ring_.live.front().epoch;
    if (epoch.epoch != newest + 1) co_return fail(ErrorCode::kPrecondition, "not the next epoch");
    std::erase_if(ring_.live, [&](const auto& live) { return live.epoch < retire_before; });
    ring_.live.insert(ring_.live.begin(), std::move(epoch));
    ring_.min_epoch = min_epoch;
    co_return Result<void>{};
  }

  Answer<std::optional<uint64_t>> claim_coordinator(Deadline) override {
    if (broken_) co_return std::unexpected(*broken_);
    if (!leader_) co_return std::optional<uint64_t>();
    co_return std::optional<uint64_t>(token_);
  }
  void resign_coordinator() override { resigned = true; }

  Answer<void> release_streams(std::vector<metadata::Extent> streams, Deadline) override {
    if (broken_) co_return std::unexpected(*broken_);
    for (const metadata::Extent& extent : streams) {
      const int64_t id = released_.empty() ? 1 : released_.rbegin()->first + 1;
      release_unchecked({id, extent.stream, extent.stream_size, now ? now() : SystemTime{}});
    }
    co_return Result<void>{};
  }
  Answer<std::vector<metadata::ReleasedStream>> take_released(SystemTime before, size_t max, uint64_t token, Deadline) override {
    CO_TRY_VOID(check(token));
    std::vector<metadata::ReleasedStream> due;
    for (const auto& [id, stream] : released_) {
      if (checked_.contains(id) && stream.released_at < before && due.size() < max) due.push_back(stream);
    }
    co_return due;
  }
  Answer<metadata::CheckedReleases> check_released(SystemTime before, size_t max, uint64_t token, Deadline) override {
    CO_TRY_VOID(check(token));
    metadata::CheckedReleases looked;
    for (auto row = released_.begin(); row != released_.end() && looked.checked + looked.referenced < max;) {
      const auto& [id, stream] = *row;
      if (stream.released_at >= before || checked_.contains(id)) {
        ++row;
      } else if (referenced.contains(stream.stream)) {
        ++looked.referenced;
        looked.examples += (looked.examples.empty() ? "" : " ") + stream.stream.to_hex();
        kept_.insert(*row);
        row = released_.erase(row);
      } else {
        ++looked.checked;
        checked_.insert(id);
        ++row;
      }
    }
    co_return looked;
  }
  Answer<void> finish_released(std::vector<int64_t> ids, uint64_t token, Deadline) override {
    CO_TRY_VOID(check(token));
    for (const int64_t id : ids) released_.erase(id);
    if (on_finish) std::exchange(on_finish, nullptr)();
    co_return Result<void>{};
  }
  Answer<std::vector<model::StreamId>> unreferenced_streams(std::vector<model::StreamId> streams, Deadline) override {
    if (broken_) co_return std::unexpected(*broken_);
    const auto queued = [&](const model::StreamId& stream) {
      return std::ranges::any_of(released_, [&](const auto& row) { return row.second.stream == stream; });
    };
    std::erase_if(streams, [&](const model::StreamId& stream) { return referenced.contains(stream) || queued(stream); });
    co_return streams;
  }
  Answer<void> release_orphans(std::vector<metadata::ReleasedStream> orphans, metadata::OrphanCounts counts, uint64_t token, Deadline) override {
    CO_TRY_VOID(check(token));
    for (const auto& [disk, blobs] : counts) recent[disk] += blobs;
    for (auto& orphan : orphans) {
      if (referenced.contains(orphan.stream)) continue;
      orphan.id = released_.empty() ? 1 : released_.rbegin()->first + 1;
      release_unchecked(orphan);
    }
    co_return Result<void>{};
  }
  Answer<metadata::NewMark> write_mark(model::MetadataMark before, uint64_t token,
      Deadline) override {
    CO_TRY_VOID(check(token));
    const bool follows = before.counter == 0 || marks.contains({before.counter, before.value});
    mark();
    co_return metadata::NewMark{generation, follows};
  }
  Answer<uint64_t> next_order(uint64_t above, uint64_t token, Deadline) override {
    CO_TRY_VOID(check(token));
    order = std::max({order, above, highest_order_}) + 1;
    co_return order;
  }
  Answer<std::vector<model::StreamId>> referenced_streams(std::vector<model::StreamId> streams,
      Deadline) override {
    if (broken_) co_return std::unexpected(*broken_);
    std::erase_if(streams, [&](const model::StreamId& stream) {
        return !referenced.contains(stream); });
    co_return streams;
  }
  Answer<uint64_t> order_restore(Deadline) override {
    if (broken_) co_return std::unexpected(*broken_);
    co_return ++restore_number;
  }
  Answer<metadata::RestoreState> restore_state(Deadline) override {
    if (broken_) co_return std::unexpected(*broken_);
    metadata::RestoreState state{restore_number, {}};
    for (const auto& node : nodes_) {
      for (const auto& disk : node.disks) state.disks.push_back({disk.id, node.id, node.address,
          alive, restores[disk.id] >= restore_number, 0});
    }
    co_return state;
  }
  Answer<void> finish_restore(model::DiskId disk, uint64_t number, uint64_t, uint64_t token,
      Deadline) override {
    CO_TRY_VOID(check(token));
    restores[disk] = std::max(restores[disk], number);
    co_return Result<void>{};
  }
  Answer<metadata::GarbageState> garbage_state(Deadline) override {
    if (broken_) co_return std::unexpected(*broken_);
    if (jobs_broken_) co_return std::unexpected(*jobs_broken_);
    metadata::GarbageState state = garbage;
    if (!strangers_.empty()) state.stranger = "a node: " + std::string(
        model::describe(strangers_.begin()->second));
    if (now) state.now = now();
    co_return state;
  }
  Answer<metadata::OrphanCounts> recent_orphans(std::chrono::seconds, Deadline) override {
    if (broken_) co_return std::unexpected(*broken_);
    co_return recent;
  }
  Answer<metadata::GarbageAges> raise_garbage_ages(metadata::GarbageAges ages, Deadline) override {
    garbage.ages = {std::max(garbage.ages.grace, ages.grace), std::max(garbage.ages.trash, ages.trash), std::max(garbage.ages.orphan_age, ages.orphan_age)};
    co_return garbage.ages;
  }
  Answer<void> set_garbage_ages(std::optional<std::chrono::seconds> grace, std::optional<std::chrono::seconds> trash,
                                std::optional<std::chrono::seconds> orphan_age, Deadline) override {
    garbage.ages = {grace.value_or(garbage.ages.grace), trash.value_or(garbage.ages.trash), orphan_age.value_or(garbage.ages.orphan_age)};
    co_return Result<void>{};
  }
  Answer<void> halt_garbage(std::string reason, uint64_t token, Deadline) override {
    CO_TRY_VOID(check(token));
    if (garbage.halted.empty()) garbage.halted = std::move(reason);
    co_return Result<void>{};
  }
  Answer<void> resume_garbage(uint64_t allowance, Deadline) override {
    if (broken_) co_return std::unexpected(*broken_);
    garbage.halted.clear();
    garbage.allowance = allowance;
    recent.clear();
    strangers_.clear();
    ++restore_number;
    generation.accepted = std::max(generation.accepted, seen_accepted_) + 1;
    co_return Result<void>{};
  }
  Answer<void> end_garbage_pass(uint64_t token, Deadline) override {
    CO_TRY_VOID(check(token));
    garbage.allowance = 0;
    co_return Result<void>{};
  }
  Answer<uint64_t> forget_completed_uploads(SystemTime before, Deadline) override {
    if (broken_) co_return std::unexpected(*broken_);
    co_return std::erase_if(completed_uploads, [before](SystemTime at) { return at < before; });
  }
  Answer<metadata::QueueDepths> queue_depths(Deadline) override { co_return metadata::QueueDepths{.released = released_.size(), .referenced = kept_.size()}; }

 private:
  Result<void> check(uint64_t token) const {
    if (broken_) return std::unexpected(*broken_);
    return token == token_ ? Result<void>{} : fail(ErrorCode::kPrecondition, "a newer coordinator commands");
  }

  model::Recognition judge(const model::NodeId& node, const model::MetadataGeneration& seen) const {
    const auto beat = beats.find(node);
    return model::recognize(seen, generation, marks.contains({seen.mark.counter, seen.mark.value}),
        beat == beats.end() ? 0 : beat->second);
  }

  const model::ClusterId cluster_ = model::ClusterId::random();
  std::optional<Error> broken_, jobs_broken_;
  uint64_t token_ = 1;
  // Of marks: none is given twice, whatever the database is set back to.
  uint64_t values_ = 1'000'000;
  uint64_t seen_accepted_ = 0;
  uint64_t highest_order_ = 0;
  std::map<model::NodeId, model::Recognition> strangers_;
  bool leader_ = true;
  std::vector<metadata::NodeRecord> nodes_;
  metadata::RingState ring_;
  std::map<int64_t, metadata::ReleasedStream> released_;
  std::set<int64_t> checked_;
  std::map<int64_t, metadata::ReleasedStream> kept_;
};

}  // namespace rondel::fakes
