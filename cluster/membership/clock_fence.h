// Whose clock is wrong, by the clocks of the database, of gateways and of nodes: a pure decision.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "common/model/ids.h"

namespace rondel::membership {

// Far above what NTP leaves, far below any age.
inline constexpr std::chrono::microseconds kClockDifferenceMax = std::chrono::seconds(60);

struct NodeClock {
  NodeClock() = default;

  // NOLINT: a difference alone is one.
  NodeClock(std::chrono::microseconds by, std::string in = {}) : ahead(by), domain(std::move(in)) {}

  std::chrono::microseconds ahead{0};  // Of the database's clock.
  std::string domain;                  // The failure domain that the node is in.
};

struct ClockVerdict {
  std::chrono::microseconds median{0};  // Ahead of the database's.
  // The database is the one that is wrong: nobody is fenced, and nothing ends by age.
  bool database_off = false;
  // Nodes that must take no writes, and how far they are ahead of the median: of one failure
  // domain.
  std::map<model::NodeId, std::chrono::microseconds> fenced;
};

// `gateways`: how far each is ahead of the database. Who differs from the median of all clocks by
// more than kClockDifferenceMax is wrong. Of an even number the middle one nearer to the database
// is the median. Wrong nodes are fenced in one failure domain alone, that with most of them (the
// first by name of several): clocks must not take away the quorum of writes.
ClockVerdict judge_clocks(const std::map<model::NodeId, NodeClock>& nodes,
                          const std::vector<std::chrono::microseconds>& gateways);

}  // namespace rondel::membership
