#include "metadata/memory/cluster_rows.h"

#include <algorithm>
#include <random>

namespace rondel::metadata {
namespace {

// Trash and journal end sooner. A node may have been told of some marks after the last that it
// spoke of.
constexpr std::chrono::hours kMarkLife = std::chrono::days(9);
constexpr uint64_t kMarksKept = 20'000;
constexpr uint64_t kMarksToldAhead = 60;
constexpr int kMarksLookedAt = 2'000;

bool has_mark(const StoredNode& node, uint64_t counter) {
  return counter == node.seen_mark ||
         (counter >= node.told_mark && counter <= node.told_mark + kMarksToldAhead);
}

uint64_t random_value() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  return random();
}

}  // namespace

bool ClusterRows::holds(const model::MetadataMark& mark) const {
  const auto found = marks.find(mark.counter);
  return found != marks.end() && found->second.value == mark.value;
}

model::MetadataGeneration ClusterRows::generation(uint64_t system) const {
  if (marks.empty()) return {accepted, system, {}, 0};
  const auto& [counter, mark] = *marks.rbegin();
  return {accepted, system, {counter, mark.value}, 0};
}

void ClusterRows::write_mark(SystemTime now) {
  marks.emplace(newest_mark() + 1, StoredMark{random_value(), now});
}

void ClusterRows::forget_marks(SystemTime now) {
  const SystemTime end = now - kMarkLife - garbage.ages.trash;
  int left = kMarksLookedAt;
  for (auto mark = marks.begin(); mark != marks.end() && left > 0; --left) {
    if (mark->first + kMarksKept >= newest_mark()) return;
    const bool is_had = std::ranges::any_of(
        nodes, [&](const auto& node) { return has_mark(node.second, mark->first); });
    const bool stays = is_had || mark->second.written_at >= end;
    mark = stays ? std::next(mark) : marks.erase(mark);
  }
}

uint64_t ClusterRows::beats_of(const model::NodeId& node) const {
  const auto known = nodes.find(node);
  return known == nodes.end() ? 0 : known->second.beat;
}

uint64_t ClusterRows::latest_order() const {
  uint64_t latest = order;
  for (const auto& entry : nodes) latest = std::max(latest, entry.second.record.highest_order);
  return latest;
}

bool ClusterRows::restore_waits(const model::DiskId& disk) const {
  const auto done = restores.find(disk);
  return (done == restores.end() ? 0 : done->second.number) < restore_number;
}

}  // namespace rondel::metadata
