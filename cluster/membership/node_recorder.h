// NodeRecorder: writes what nodes tell of themselves into the database, beside their heartbeats and
// never before their answers: a database that takes seconds for a commit, or a row that somebody
// holds, costs no node its contact.
//
// A node is written when it is new here, when something has changed that others go by, and else
// every kPeriod. That is as often as a database counts heartbeats, by which a node knows one that
// lost commits (docs/adr/0014).
#pragma once

#include <deque>
#include <map>

#include "common/async/task_group.h"
#include "common/base/clock.h"
#include "metadata/store/node_store.h"

namespace rondel::membership {

// Used on its loop.
class NodeRecorder {
 public:
  static constexpr Duration kPeriod = std::chrono::seconds(10);

  // All outlive it; the loop runs until stop() has returned. `clock`: the database's as far as it
  // is known, so that a jump of either clock is written down at once.
  NodeRecorder(async::EventLoop& loop, metadata::NodeStore& nodes, const Clock& clock)
      : nodes_(nodes), clock_(clock), group_(loop) {}

  // A heartbeat that the database answered. Of a node that waits to be written the last one counts.
  void note(metadata::NodeRecord node, const metadata::Greeting& greeting);
  // From another thread: what is under way ends, within its deadline; what waits is dropped.
  void stop();

 private:
  // What others go by, and what must be known soon.
  struct Shown {
    std::string name, address, operations_address, host, zone;
    std::vector<std::pair<model::DiskId, uint64_t>> disks;  // With their capacity.
    std::string states;
    model::Recognition recognition = model::Recognition::kUnknown;
    uint64_t accepted = 0;
    uint64_t order_above = 0;            // What it knows of orders beyond the database.
    std::chrono::microseconds clock{0};  // Ahead of `clock`.

    bool as_good_as(const Shown& other) const;
  };

  struct Known {
    Shown shown;
    SteadyTime recorded_at{};
  };

  struct Waiting {
    metadata::NodeRecord node;
    Shown shown;
  };

  Shown shown_of(const metadata::NodeRecord& node, const metadata::Greeting& greeting) const;
  async::Task<void> write();

  metadata::NodeStore& nodes_;
  const Clock& clock_;
  async::TaskGroup group_;
  std::map<model::NodeId, Known> known_;
  std::map<model::NodeId, Waiting> waiting_;
  std::deque<model::NodeId> turns_;  // Of waiting_, in order.
  int writers_ = 0;
};

}  // namespace rondel::membership
