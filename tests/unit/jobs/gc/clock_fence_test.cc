#include "cluster/membership/clock_fence.h"

#include <gtest/gtest.h>

#include <set>

namespace rondel::membership {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;

struct Told {
  const char* domain;
  microseconds ahead;
};

TEST(ClockFence, WhoseClockIsWrong) {
  const struct {
    const char* name;
    std::vector<Told> nodes;
    std::vector<microseconds> gateways;
    std::set<size_t> fenced;
    bool database_off;
  } cases[] = {
      {"nobody is there", {}, {}, {}, false},
      {"all agree", {{"a", 0s}, {"b", 1s}, {"c", -2s}}, {0s}, {}, false},
      {"a minute is let pass", {{"a", 60s}, {"b", 0s}, {"c", 0s}}, {0s}, {}, false},
      {"a node is ahead", {{"a", 61s}, {"b", 0s}, {"c", 0s}}, {0s}, {0}, false},
      {"a node is behind", {{"a", -1h}, {"b", 0s}, {"c", 0s}}, {0s}, {0}, false},
      {"all nodes of one zone", {{"a", 1h}, {"a", 2h}, {"b", 0s}, {"c", 0s}}, {0s}, {0, 1}, false},
      {"nodes of two zones: the first by name alone",
       {{"a", 1h}, {"b", 2h}, {"c", 0s}, {"c", 0s}},
       {0s},
       {0},
       false},
      {"the zone with more of them alone",
       {{"a", 1h}, {"b", 2h}, {"b", 2h}, {"c", 0s}, {"c", 0s}},
       {0s},
       {1, 2},
       false},
      {"the database is ahead", {{"a", -1h}, {"b", -1h}, {"c", -1h}}, {-1h}, {}, true},
      {"the database is behind", {{"a", 61s}, {"b", 62s}, {"c", 63s}}, {61s}, {}, true},
      {"the database, and the gateway on its machine",
       {{"a", 1h}, {"b", 1h}, {"c", 1h}},
       {0s},
       {},
       true},
      {"the database, and a node beside", {{"a", 1h}, {"b", 1h}, {"c", 5h}}, {1h}, {}, true},
      {"as many say so as not: the database is believed",
       {{"a", 1h}, {"a", 1h}},
       {0s},
       {0, 1},
       false},
      {"the gateway alone is off", {{"a", 0s}, {"b", 0s}, {"c", 0s}}, {1h}, {}, false},
      {"a node alone with the database", {{"a", 1h}}, {}, {0}, false},
      {"other gateways count", {{"a", 1h}, {"b", 0s}}, {0s, 0s, 0s}, {0}, false},
      {"clocks at the ends of time",
       {{"a", microseconds(int64_t{1} << 53)}, {"b", 0s}, {"c", 0s}},
       {0s},
       {0},
       false},
      {"drifts that add up to more than a minute between two",
       {{"a", 55s}, {"b", -55s}, {"c", 0s}},
       {0s},
       {},
       false},
  };

  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    std::vector<model::NodeId> ids;
    std::map<model::NodeId, NodeClock> nodes;
    for (const Told& told : c.nodes) {
      ids.push_back(model::NodeId::random());
      nodes[ids.back()] = {told.ahead, told.domain};
    }
    const ClockVerdict verdict = judge_clocks(nodes, c.gateways);
    EXPECT_EQ(verdict.database_off, c.database_off);
    std::set<size_t> fenced;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (verdict.fenced.contains(ids[i])) fenced.insert(i);
    }
    EXPECT_EQ(fenced, c.fenced);
  }
}

}  // namespace
}  // namespace rondel::membership
