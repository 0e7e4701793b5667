#include "cluster/membership/clock_fence.h"

#include <algorithm>

namespace rondel::membership {
namespace {

using std::chrono::microseconds;

microseconds median_of(std::vector<microseconds> clocks) {
  std::ranges::sort(clocks);
  const microseconds lower = clocks[(clocks.size() - 1) / 2];
  const microseconds upper = clocks[clocks.size() / 2];
  return std::chrono::abs(lower) <= std::chrono::abs(upper) ? lower : upper;
}

bool is_off(microseconds difference) { return std::chrono::abs(difference) > kClockDifferenceMax; }

}  // namespace

ClockVerdict judge_clocks(const std::map<model::NodeId, NodeClock>& nodes,
                          const std::vector<microseconds>& gateways) {
  std::vector<microseconds> clocks = gateways;
  clocks.push_back(microseconds(0));
  for (const auto& [id, clock] : nodes) clocks.push_back(clock.ahead);
  ClockVerdict verdict;
  verdict.median = median_of(std::move(clocks));
  verdict.database_off = is_off(verdict.median);
  if (verdict.database_off) return verdict;

  std::map<std::string, size_t> wrong;
  for (const auto& [id, clock] : nodes) {
    if (is_off(clock.ahead - verdict.median)) ++wrong[clock.domain];
  }
  if (wrong.empty()) return verdict;
  const auto domain =
      std::ranges::max_element(wrong, {}, [](const auto& entry) { return entry.second; });
  for (const auto& [id, clock] : nodes) {
    const microseconds by = clock.ahead - verdict.median;
    if (clock.domain == domain->first && is_off(by)) verdict.fenced.emplace(id, by);
  }
  return verdict;
}

}  // namespace rondel::membership
