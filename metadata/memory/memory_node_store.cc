#include <algorithm>

#include "metadata/memory/memory_state.h"
#include "metadata/memory/memory_stores.h"

namespace rondel::metadata {
namespace {

class MemoryNodeStore final : public NodeStore {
 public:
  explicit MemoryNodeStore(MemoryState& state) : state_(state) {}

  async::Task<Result<Greeting>> record_node(NodeRecord node, Deadline) override {
    return state_.run<Result<Greeting>>(
        [this, node = std::move(node)]() mutable -> Result<Greeting> {
          const model::Recognition recognition = state_.judge(node.id, node.seen);
          Greeting greeting{recognition, state_.generation(), purging_stopped(),
                            purging_disks(node)};
          greeting.database.beat = record(std::move(node), recognition);
          return greeting;
        });
  }

  async::Task<Result<Recognized>> recognize(model::NodeId node, model::MetadataGeneration seen,
                                            Deadline) override {
    return state_.run<Result<Recognized>>([this, node, seen]() -> Result<Recognized> {
      return Recognized{state_.judge(node, seen), state_.generation()};
    });
  }

  async::Task<Result<std::vector<NodeRecord>>> list_nodes(Deadline) override {
    using Nodes = std::vector<NodeRecord>;
    return state_.run<Result<Nodes>>([this]() -> Result<Nodes> {
      Nodes nodes;
      for (const auto& [id, node] : state_.cluster.nodes) {
        nodes.push_back(node.record);
        nodes.back().highest_order = 0;
      }
      return nodes;
    });
  }

 private:
  std::string purging_stopped() const {
    return state_.cluster.garbage.halted.empty() ? "" : "garbage collection is halted";
  }

  std::vector<model::DiskId> purging_disks(const NodeRecord& node) const {
    std::vector<model::DiskId> disks;
    for (const NodeRecord::Disk& disk : node.disks) {
      if (!state_.cluster.restore_waits(disk.id)) disks.push_back(disk.id);
    }
    return disks;
  }

  // Answers the number of the heartbeat. A database that the node does not recognize must never
  // come to hold what the node remembers.
  uint64_t record(NodeRecord node, model::Recognition recognition) {
    StoredNode& known = state_.cluster.nodes[node.id];
    known.recognition = recognition;
    known.recognized_under = state_.cluster.accepted;
    known.seen_accepted = std::max(known.seen_accepted, node.seen.accepted);
    if (model::is_recognized(recognition)) {
      ++known.beat;
      known.seen_mark = node.seen.mark.counter;
      known.told_mark = state_.cluster.newest_mark();
    }
    node.highest_order = std::max(node.highest_order, known.record.highest_order);
    node.seen = {};
    node.last_seen = state_.clock.now();
    known.record = std::move(node);
    return known.beat;
  }

  MemoryState& state_;
};

}  // namespace

std::unique_ptr<NodeStore> make_node_store(MemoryState& state) {
  return std::make_unique<MemoryNodeStore>(state);
}

}  // namespace rondel::metadata
