#include "metadata/store/lifecycle_cursors.h"

#include <algorithm>

#include "metadata/memory/memory_state.h"
#include "metadata/memory/memory_stores.h"

namespace rondel::metadata {
namespace {

class MemoryLifecycleCursors final : public LifecycleCursors {
 public:
  explicit MemoryLifecycleCursors(MemoryState& state) : state_(state) {}

  async::Task<Result<std::string>> cursor(int64_t bucket_id, LifecycleScan scan, std::string rule,
                                          Deadline) override {
    return state_.run<Result<std::string>>(
        [this, bucket_id, scan, rule = std::move(rule)]() -> Result<std::string> {
          const StoredBucket* const bucket = state_.find_bucket(bucket_id);
          if (!bucket) return std::string();
          const auto found = bucket->cursors.find({static_cast<uint8_t>(scan), rule});
          return found == bucket->cursors.end() ? std::string() : found->second;
        });
  }

  async::Task<Result<void>> move_cursor(int64_t bucket_id, LifecycleScan scan, std::string rule,
                                        std::string position, Deadline) override {
    return state_.run<Result<void>>([this, bucket_id, scan, rule = std::move(rule),
                                     position = std::move(position)]() -> Result<void> {
      StoredBucket* const bucket = state_.find_bucket(bucket_id);
      if (bucket) bucket->cursors[{static_cast<uint8_t>(scan), rule}] = position;
      return {};
    });
  }

  async::Task<Result<void>> keep_cursors(int64_t bucket_id, std::vector<std::string> rules,
                                         Deadline) override {
    return state_.run<Result<void>>([this, bucket_id, rules = std::move(rules)]() -> Result<void> {
      StoredBucket* const bucket = state_.find_bucket(bucket_id);
      if (!bucket) return {};
      std::erase_if(bucket->cursors, [&](const auto& cursor) {
        return std::ranges::find(rules, cursor.first.second) == rules.end();
      });
      return {};
    });
  }

 private:
  MemoryState& state_;
};

}  // namespace

std::unique_ptr<LifecycleCursors> make_lifecycle_cursors(MemoryState& state) {
  return std::make_unique<MemoryLifecycleCursors>(state);
}

}  // namespace rondel::metadata
