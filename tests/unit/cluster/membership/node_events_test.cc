// What the log is told of nodes and disks that come and go.
#include "cluster/membership/node_events.h"

#include <gtest/gtest.h>

#include "proto/storage/v1/storage.pb.h"

namespace rondel::membership {
namespace {

using namespace std::chrono_literals;
using Kind = NodeEvent::Kind;
using Status = storage::v1::DiskStatus;

const SystemTime kNow(1'700'000'000s);

metadata::NodeRecord node(uint8_t number, std::vector<uint8_t> disks,
                          Status::State state = Status::ONLINE) {
  metadata::NodeRecord made;
  made.id.bytes[0] = std::byte{number};
  made.address = "node-" + std::to_string(number);
  made.last_seen = kNow;
  for (const uint8_t disk : disks) {
    Status status;
    status.set_state(state);
    auto& added = made.disks.emplace_back();
    added.id.bytes[0] = std::byte{disk};
    added.status = status.SerializeAsString();
  }
  return made;
}

std::vector<Kind> kinds(const std::vector<NodeEvent>& events) {
  std::vector<Kind> out;
  for (const NodeEvent& event : events) out.push_back(event.kind);
  return out;
}

// A ring of disks 1, 2 and 3.
ring::Topology topology() {
  std::vector<ring::Disk> disks;
  for (const uint8_t number : {1, 2, 3}) {
    ring::Disk disk;
    disk.id.bytes[0] = std::byte{number};
    disk.zone = "zone-" + std::to_string(number);
    disk.host = disk.zone;
    disk.capacity_bytes = 1 << 30;
    disks.push_back(disk);
  }
  ring::Topology made;
  made.rings.push_back(std::make_shared<const ring::Ring>(ring::Ring::build(disks, {}, 1).value()));
  return made;
}

TEST(NodeEvents, TellsWhatIsOtherThanBefore) {
  NodeEvents events;
  const ring::Topology ring = topology();
  EXPECT_EQ(kinds(events.look({node(1, {1}), node(2, {2, 3})}, ring, kNow)), std::vector<Kind>{});
  EXPECT_EQ(kinds(events.look({node(1, {1}), node(2, {2, 3})}, ring, kNow)), std::vector<Kind>{});

  auto away = node(1, {1});
  away.last_seen = kNow - 31s;
  auto told = events.look({away, node(2, {2, 3})}, ring, kNow);
  ASSERT_EQ(kinds(told), std::vector<Kind>{Kind::kNodeDown});
  EXPECT_EQ(told[0].address, "node-1");
  EXPECT_TRUE(is_bad(told[0]));
  EXPECT_EQ(kinds(events.look({away, node(2, {2, 3})}, ring, kNow)), std::vector<Kind>{}) << "once";
  EXPECT_EQ(kinds(events.look({node(1, {1}), node(2, {2, 3})}, ring, kNow)),
            std::vector<Kind>{Kind::kNodeUp});

  told = events.look({node(1, {1}, Status::READ_ONLY), node(2, {2})}, ring, kNow);
  ASSERT_EQ(kinds(told), (std::vector<Kind>{Kind::kDiskState, Kind::kDiskGone}));
  EXPECT_EQ(told[0].was, "online");
  EXPECT_EQ(told[0].is, "read-only");

  told = events.look({node(1, {1}), node(2, {2}), node(4, {4})}, ring, kNow);
  EXPECT_EQ(kinds(told),
            (std::vector<Kind>{Kind::kDiskState, Kind::kNodeJoined, Kind::kDiskOutside}));
  EXPECT_FALSE(is_bad(told[0]));
  EXPECT_EQ(kinds(events.look({node(1, {1}), node(2, {2})}, ring, kNow)),
            std::vector<Kind>{Kind::kNodeForgotten});
}

TEST(NodeEvents, WithoutARingNoDiskIsOutside) {
  NodeEvents events;
  (void)events.look({}, {}, kNow);
  EXPECT_EQ(kinds(events.look({node(4, {4})}, {}, kNow)), std::vector<Kind>{Kind::kNodeJoined});
}

}  // namespace
}  // namespace rondel::membership
