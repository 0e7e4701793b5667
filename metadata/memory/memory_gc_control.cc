#include "metadata/store/gc_control.h"

#include <algorithm>

#include "metadata/memory/memory_state.h"
#include "metadata/memory/memory_stores.h"

namespace rondel::metadata {
namespace {

class MemoryGcControl final : public GcControl {
 public:
  explicit MemoryGcControl(MemoryState& state) : state_(state) {}

  async::Task<Result<GarbageState>> garbage_state(Deadline) override {
    return state_.run<Result<GarbageState>>([this]() -> Result<GarbageState> {
      const StoredGarbage& garbage = state_.cluster.garbage;
      return GarbageState{garbage.halted,     garbage.halted_at, garbage.allowance,
                          state_.clock.now(), garbage.ages,      stranger()};
    });
  }

  async::Task<Result<void>> halt_garbage(std::string reason, uint64_t coordinator_token,
                                         Deadline) override {
    return state_.run<Result<void>>(
        [this, reason = std::move(reason), coordinator_token]() -> Result<void> {
          StoredGarbage& garbage = state_.cluster.garbage;
          if (!state_.leads(coordinator_token) || !garbage.halted.empty()) return {};
          garbage.halted = reason;
          garbage.halted_at = state_.clock.now();
          return {};
        });
  }

  async::Task<Result<void>> confirm_clocks(Deadline) override {
    return state_.run<Result<void>>([this]() -> Result<void> {
      ++state_.cluster.clocks_accepted;
      return {};
    });
  }

  // A database that was set back has an older number than nodes have seen: theirs counts as well.
  async::Task<Result<void>> resume_garbage(uint64_t allowance, Deadline) override {
    return state_.run<Result<void>>([this, allowance]() -> Result<void> {
      ClusterRows& rows = state_.cluster;
      for (auto& [id, node] : rows.nodes) {
        rows.accepted = std::max(rows.accepted, node.seen_accepted);
        if (!model::is_recognized(node.recognition)) node.recognition = model::Recognition::kHeld;
      }
      ++rows.accepted;
      ++rows.restore_number;
      rows.orphans.clear();
      rows.garbage.halted.clear();
      rows.garbage.halted_at = {};
      rows.garbage.allowance = allowance;
      return {};
    });
  }

  async::Task<Result<GarbageAges>> raise_garbage_ages(GarbageAges ages, Deadline) override {
    return state_.run<Result<GarbageAges>>([this, ages]() -> Result<GarbageAges> {
      GarbageAges& held = state_.cluster.garbage.ages;
      held.grace = std::max(held.grace, ages.grace);
      held.trash = std::max(held.trash, ages.trash);
      held.orphan_age = std::max(held.orphan_age, ages.orphan_age);
      return held;
    });
  }

  async::Task<Result<void>> set_garbage_ages(std::optional<std::chrono::seconds> grace,
                                             std::optional<std::chrono::seconds> trash,
                                             std::optional<std::chrono::seconds> orphan_age,
                                             Deadline) override {
    return state_.run<Result<void>>([=, this]() -> Result<void> {
      GarbageAges& held = state_.cluster.garbage.ages;
      held.grace = grace.value_or(held.grace);
      held.trash = trash.value_or(held.trash);
      held.orphan_age = orphan_age.value_or(held.orphan_age);
      return {};
    });
  }

  // A bucket takes its uploads with it here.
  async::Task<Result<bool>> release_deleted_buckets(Deadline) override {
    return state_.run<Result<bool>>([]() -> Result<bool> { return false; });
  }

  async::Task<Result<uint64_t>> forget_completed_uploads(SystemTime before, Deadline) override {
    return state_.run<Result<uint64_t>>([this, before]() -> Result<uint64_t> {
      return std::erase_if(state_.completed_uploads, [before](const auto& upload) {
        return upload.second.completed_at < before;
      });
    });
  }

 private:
  std::string stranger() const {
    for (const auto& [id, node] : state_.cluster.nodes) {
      const bool counts = node.recognized_under == state_.cluster.accepted;
      if (!counts || model::is_recognized(node.recognition)) continue;
      return "node " + node.record.address + ": " + std::string(model::describe(node.recognition));
    }
    return {};
  }

  MemoryState& state_;
};

}  // namespace

std::unique_ptr<GcControl> make_gc_control(MemoryState& state) {
  return std::make_unique<MemoryGcControl>(state);
}

}  // namespace rondel::metadata
