#include "cluster/membership/node_recorder.h"

#include <tuple>

#include "cluster/membership/disk_report.h"
#include "common/log/log.h"

namespace rondel::membership {
namespace {

using namespace std::chrono_literals;

// A row that somebody holds costs one of them; the database's connections are there for others too.
constexpr int kWritersMax = 1;
constexpr auto kWritePatience = 5s;
constexpr size_t kNodesMax = 65'536;
// The clock of a node that drifts further is told of at once.
constexpr std::chrono::microseconds kClockStep = 5s;

}  // namespace

bool NodeRecorder::Shown::as_good_as(const Shown& other) const {
  const auto all = [](const Shown& of) {
    return std::tie(of.name, of.address, of.operations_address, of.host, of.zone, of.disks,
                    of.states, of.recognition, of.accepted, of.order_above);
  };
  return all(*this) == all(other) && std::chrono::abs(clock - other.clock) <= kClockStep;
}

NodeRecorder::Shown NodeRecorder::shown_of(const metadata::NodeRecord& node,
                                           const metadata::Greeting& greeting) const {
  Shown shown{node.name, node.address, node.operations_address, node.host, node.zone, {}, {}};
  for (const auto& disk : node.disks) {
    const DiskReport report = decode_disk_report(disk.status);
    shown.disks.emplace_back(disk.id, disk.capacity_bytes);
    shown.states += report.state + " ";
    if (report.node_now) shown.clock = *report.node_now - clock_.now();
  }
  shown.recognition = greeting.recognition;
  shown.accepted = greeting.database.accepted;
  if (node.highest_order > greeting.latest_order) shown.order_above = node.highest_order;
  return shown;
}

void NodeRecorder::note(metadata::NodeRecord node, const metadata::Greeting& greeting) {
  const model::NodeId id = node.id;
  Shown shown = shown_of(node, greeting);
  const auto known = known_.find(id);
  const bool fresh = known != known_.end() &&
                     clock_.steady_now() - known->second.recorded_at < kPeriod &&
                     shown.as_good_as(known->second.shown);
  if (fresh || group_.stopping()) return;
  const bool waits = waiting_.contains(id);
  if (!waits && waiting_.size() >= kNodesMax) return;
  waiting_[id] = {std::move(node), std::move(shown)};
  if (!waits) turns_.push_back(id);
  if (writers_ >= kWritersMax) return;
  ++writers_;
  group_.spawn(write());
}

async::Task<void> NodeRecorder::write() {
  while (!turns_.empty() && !group_.stopping()) {
    const model::NodeId id = turns_.front();
    turns_.pop_front();
    Waiting next = std::move(waiting_.extract(id).mapped());
    const SteadyTime at = clock_.steady_now();
    const auto written =
        co_await nodes_.record_node(std::move(next.node), deadline_in(kWritePatience));
    if (!written) {
      log::warn("cluster", "a node is not written down",
                {{"node", id.to_hex()}, {"error", written.error().message}});
      continue;
    }
    if (known_.size() >= kNodesMax) known_.clear();
    known_[id] = {std::move(next.shown), at};
  }
  --writers_;
}

void NodeRecorder::stop() {
  group_.stop();
  async::block_on(group_.wait_idle());
}

}  // namespace rondel::membership
