#include "cli/status_text.h"

#include <gtest/gtest.h>

namespace rondel::cli {
namespace {

constexpr const char* kDocument = R"({
  "cluster_id":"0011","coordinator":true,
  "ring":{"epoch":3,"live_epochs":1,"min_epoch":1,"replicas":3,"failure_domain":"zone"},
  "queues":{"released":5,"uploads_open":2},
  "nodes":[
    {"id":"aaaaaaaaaaaaaaaa","address":"127.0.0.1:9200","host":"host-1","zone":"zone-1","alive":true,"last_seen_seconds_ago":0.5,
     "disks":[{"id":"dddddddddddddddd","state":"online","capacity_bytes":1099511627776,"live_bytes":1536,"dead_bytes":1024,
               "trash_bytes":1024,"free_bytes":1099511627776,"blobs":7,"replication_lag_seconds":0,"replication_lag_bytes":0,
               "handoff_blobs":0,"corrupt_reads_total":0}]},
    {"id":"bbbbbbbbbbbbbbbb","address":"127.0.0.1:9201","host":"host-2","zone":"zone-2","alive":false,"last_seen_seconds_ago":42,
     "disks":[]}]})";

TEST(StatusTextTest, ShowsNodesDisksSpaceAndLag) {
  const std::string text = status_answer(kDocument).value().text;
  for (const char* expected :
       {"epoch 3", "2 (1 down)", "127.0.0.1:9200  up", "DOWN, last seen 42 s ago", "1.0 TiB",
        "1.5 KiB", "2.0 KiB", "dddddddddddd", "zone-1", "5 released", "2 uploads"}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << "\n" << text;
  }
}

TEST(StatusTextTest, RefusesAnotherDocument) {
  EXPECT_EQ(status_answer("{}").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(status_answer("not json").error().code, ErrorCode::kInvalidArgument);
}

TEST(StatusTextTest, SaysWhatHoldsNothingWhatIsMissingAndAVerdict) {
  constexpr const char* kDegraded = R"({
    "cluster_id":"0011","coordinator":true,
    "ring":{"epoch":3,"live_epochs":1,"min_epoch":1,"replicas":3,"failure_domain":"zone"},
    "queues":{"released":5,"uploads_open":2},
    "totals":{"capacity_bytes":2147483648,"live_bytes":1073741824,"reclaimable_bytes":0,"free_bytes":1024,"blobs":9},
    "verdict":{"state":"degraded","reasons":["disk cccc of the ring is missing: no node has it"]},
    "missing_disks":[{"id":"cccccccccccccccc"}],
    "nodes":[{"id":"aaaaaaaaaaaaaaaa","address":"127.0.0.1:9200","host":"host-1","zone":"zone-1","alive":true,"last_seen_seconds_ago":0.5,
      "disks":[{"id":"dddddddddddddddd","in_ring":false,"state":"online","capacity_bytes":1024,"live_bytes":0,"dead_bytes":0,"trash_bytes":0,
                "free_bytes":1024,"blobs":0,"replication_lag_seconds":0,"lag_seconds":82,"handoff_blobs":0}]}]})";
  const Answer answer = status_answer(kDegraded).value();
  EXPECT_EQ(answer.status, 3);
  for (const char* expected : {"not in ring", "cccccccccccc MISSING", "verdict      degraded",
                               "50.0 %", "is missing: no node has it", "82.0 s"}) {
    EXPECT_NE(answer.text.find(expected), std::string::npos) << expected << "\n" << answer.text;
  }
  EXPECT_EQ(status_answer(kDocument).value().status, 3) << "a node is down";
}

}  // namespace
}  // namespace rondel::cli
