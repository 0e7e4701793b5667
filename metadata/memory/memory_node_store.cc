#include <algorithm>

#include "metadata/memory/memory_state.h"
#include "metadata/memory/memory_stores.h"

namespace rondel::metadata {
namespace {

class MemoryNodeStore final : public NodeStore {
 public:
  explicit MemoryNodeStore(MemoryState& state) : state_(state) {}

  async::Task<Result<Greeting>> greet(NodeRecord node, Deadline) override {
    return state_.run<Result<Greeting>>([this, node = std::move(node)]() -> Result<Greeting> {
      TRY(Greeting greeting, greeting_to(node));
      greeting.database.beat = state_.cluster.beats_of(node.id);
      return greeting;
    });
  }

  async::Task<Result<Greeting>> record_node(NodeRecord node, Deadline) override {
    return state_.run<Result<Greeting>>(
        [this, node = std::move(node)]() mutable -> Result<Greeting> {
          TRY(Greeting greeting, greeting_to(node));
          greeting.database.beat = record(std::move(node), greeting.recognition);
          return greeting;
        });
  }

  async::Task<Result<bool>> forget_name(std::string name, Deadline) override {
    return state_.run<Result<bool>>([this, name = std::move(name)]() -> Result<bool> {
      for (auto& [id, node] : state_.cluster.nodes) {
        if (name.empty() || node.record.name != name) continue;
        node.record.name.clear();
        node.record.disks.clear();
        return true;
      }
      return false;
    });
  }

  async::Task<Result<HeardClocks>> exchange_clocks(ToldClocks told, Deadline) override {
    return state_.run<Result<HeardClocks>>([this, told = std::move(told)]() -> Result<HeardClocks> {
      const SystemTime now = state_.clock.now();
      auto& clocks = state_.cluster.gateway_clocks;
      HeardClocks heard{{}, state_.cluster.clocks_accepted};
      std::erase_if(clocks, [now](const auto& row) {
        return now - row.second.told_at > std::chrono::hours(1);
      });
      if (told.ahead) clocks[told.gateway] = {*told.ahead, now};
      for (const auto& [other, clock] : clocks) {
        const bool lately = now - clock.told_at < std::chrono::seconds(30);
        if (other != told.gateway && lately) heard.ahead.push_back(clock.ahead);
      }
      if (told.reached) keep_reached(told, now);
      return heard;
    });
  }

  async::Task<Result<ReachedAge>> reached_age(BootTime now, Deadline) override {
    return state_.run<Result<ReachedAge>>([this, now = std::move(now)]() -> Result<ReachedAge> {
      return ReachedAge{reached(now), state_.cluster.clocks_accepted};
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
  std::optional<ReachedTime> reached(const BootTime& now) const {
    std::optional<ReachedTime> latest;
    for (const auto& [boot, age] : state_.cluster.ages_reached) {
      if (age.accepted != state_.cluster.clocks_accepted) continue;
      ReachedTime at = age.reached;
      if (boot == now.boot) at.time += now.time - age.boot_time;
      if (!latest || at.time > latest->time) latest = at;
    }
    return latest;
  }

  void keep_reached(const ToldClocks& told, SystemTime now) {
    auto& ages = state_.cluster.ages_reached;
    std::erase_if(ages, [now](const auto& row) {
      return std::chrono::abs(now - row.second.told_at) > std::chrono::hours(1);
    });
    const BootTime& at = told.boot;
    if (!at.boot.empty()) ages[at.boot] = {at.time, *told.reached, told.accepted, now};
  }

  Result<Greeting> greeting_to(const NodeRecord& node) const {
    TRY_VOID(check_name(node));
    Greeting greeting{state_.judge(node.id, node.seen), state_.generation(), purging_stopped(),
                      purging_disks(node)};
    greeting.coordinator_token = state_.cluster.token;
    greeting.latest_order = state_.cluster.latest_order();
    return greeting;
  }

  Result<void> check_name(const NodeRecord& node) const {
    if (node.name.empty()) return {};
    std::string holder, bound;
    for (const auto& [id, known] : state_.cluster.nodes) {
      if (id == node.id) bound = known.record.name;
      if (id != node.id && known.record.name == node.name) holder = id.to_hex();
    }
    if (holder.empty() && (bound.empty() || bound == node.name)) return {};
    return fail(ErrorCode::kAlreadyExists, describe_name_conflict(node, holder, bound));
  }

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
    if (node.name.empty()) node.name = known.record.name;
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
