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
  for (const char* expected : {"epoch 3", "2 (1 down)", "127.0.0.1:9200  up", "DOWN, last seen 42 s ago", "1.0 TiB", "1.5 KiB",
                               "2.0 KiB", "dddddddddddd", "zone-1", "5 released", "2 uploads"}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << "\n" << text;
  }
}

TEST(StatusTextTest, RefusesAnotherDocument) {
  EXPECT_EQ(status_answer("{}").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(status_answer("not json").error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace rondel::cli
