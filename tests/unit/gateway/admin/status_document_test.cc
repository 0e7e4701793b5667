// The status document tells what holds nothing, what is missing, and whether all is well.
#include "gateway/admin/status_document.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "proto/storage/v1/storage.pb.h"

namespace rondel::admin {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;
using Disk = storage::v1::DiskStatus;

const SystemTime kNow(1'700'000'000s);

metadata::NodeRecord node(uint8_t number, Disk::State state = Disk::ONLINE,
                          double lag_seconds = 0) {
  metadata::NodeRecord made;
  made.id.bytes[0] = std::byte{number};
  made.address = "node-" + std::to_string(number);
  made.last_seen = kNow;
  Disk status;
  status.set_state(state);
  status.set_live_bytes(10);
  status.set_dead_bytes(2);
  status.set_trash_bytes(1);
  status.set_free_bytes(50);
  status.set_blobs(3);
  status.set_replication_lag_us(static_cast<uint64_t>(lag_seconds * 1e6));
  auto& disk = made.disks.emplace_back();
  disk.id.bytes[0] = std::byte{number};
  disk.capacity_bytes = 100;
  disk.status = status.SerializeAsString();
  return made;
}

// Of the disks 1, 2 and 3.
ring::Topology topology() {
  std::vector<ring::Disk> disks;
  for (const uint8_t number : {1, 2, 3}) {
    ring::Disk disk;
    disk.id.bytes[0] = std::byte{number};
    disk.zone = "zone-" + std::to_string(number);
    disk.host = disk.zone;
    disk.capacity_bytes = 100;
    disks.push_back(disk);
  }
  ring::Topology made;
  made.rings.push_back(std::make_shared<const ring::Ring>(ring::Ring::build(disks, {}, 1).value()));
  return made;
}

json::object document(const std::vector<metadata::NodeRecord>& nodes,
                      const ring::Topology& ring = topology()) {
  const metadata::QueueDepths queues;
  const std::vector<jobs::Progress> jobs;
  return json::parse(status_document({{}, ring, nodes, queues, true, jobs, kNow})).as_object();
}

std::string verdict(const json::object& of) {
  return std::string(of.at("verdict").at("state").as_string());
}

TEST(StatusDocument, IsHealthyWhenEveryDiskOfTheRingIsThere) {
  const json::object all = document({node(1), node(2), node(3)});
  EXPECT_EQ(verdict(all), "healthy") << json::serialize(all.at("verdict"));
  EXPECT_EQ(
      all.at("totals"),
      json::parse(
          R"({"capacity_bytes":300,"live_bytes":30,"reclaimable_bytes":9,"free_bytes":150,"blobs":9})"));
  EXPECT_TRUE(all.at("missing_disks").as_array().empty());
  EXPECT_FALSE(all.at("version").as_string().empty());
}

TEST(StatusDocument, SaysEachThingThatIsWrong) {
  auto down = node(3);
  down.last_seen = kNow - 60s;

  struct Row {
    std::vector<metadata::NodeRecord> nodes;
    const char* reason;
  };

  const std::vector<Row> rows{{{node(1), node(2), down}, "node node-3 is down"},
                              {{node(1), node(2)}, "is missing: no node has it"},
                              {{node(1), node(2), node(3), node(4)}, "is not in the ring"},
                              {{node(1), node(2), node(3, Disk::FULL)}, "is full"},
                              {{node(1), node(2), node(3, Disk::READ_ONLY)}, "is read-only"},
                              {{node(1), node(2), node(3, Disk::ONLINE, 60)}, "lacks blobs"}};
  for (const Row& row : rows) {
    const json::object of = document(row.nodes);
    EXPECT_EQ(verdict(of), "degraded") << row.reason;
    EXPECT_TRUE(json::serialize(of.at("verdict")).contains(row.reason))
        << json::serialize(of.at("verdict"));
  }
  EXPECT_EQ(verdict(document({}, {})), "degraded") << "there is no ring";
}

// What holds nothing is no capacity, and what cannot be written is not free.
TEST(StatusDocument, CountsDisksOfTheRingAlone) {
  auto down = node(3);
  down.last_seen = kNow - 60s;
  const json::object of = document({node(1), node(2), down, node(4)});
  EXPECT_EQ(of.at("totals").at("capacity_bytes"), 300);
  EXPECT_EQ(of.at("totals").at("free_bytes"), 100);
  EXPECT_EQ(of.at("nodes").as_array()[3].at("disks").as_array()[0].at("in_ring"), false);
}

}  // namespace
}  // namespace rondel::admin
