#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "cli/local_cluster.h"

namespace rondel::cli {
namespace {

class ClusterPlanTest : public testing::Test {
 protected:
  ClusterPlanTest() {
    char name[] = "/tmp/rondel-plan-XXXXXX";
    folder_ = mkdtemp(name);
  }

  ~ClusterPlanTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
};

TEST_F(ClusterPlanTest, DefaultsAreFourNodesInThreeZones) {
  const auto plan = merge_plan(std::nullopt, UpOptions{});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->nodes, 4);
  EXPECT_EQ(plan->zones, 3);
  EXPECT_EQ(plan->port, 9000);
}

TEST_F(ClusterPlanTest, RefusesOneZoneUnlessCopiesMayShareIt) {
  UpOptions options;
  options.zones = 1;
  EXPECT_EQ(merge_plan(std::nullopt, options).error().code, ErrorCode::kInvalidArgument);
  options.settings["replication.failure_domain"] = "host";
  EXPECT_TRUE(merge_plan(std::nullopt, options));
}

TEST_F(ClusterPlanTest, RefusesMoreZonesThanNodes) {
  UpOptions options;
  options.nodes = 2;
  options.zones = 3;
  EXPECT_EQ(merge_plan(std::nullopt, options).error().code, ErrorCode::kInvalidArgument);
}

// What could never build its first ring is not waited for.
TEST_F(ClusterPlanTest, RefusesFewerNodesThanCopies) {
  struct Case {
    int nodes, zones;
    std::map<std::string, std::string> settings;
    bool taken;
  };

  const Case cases[] = {
      {2, 2, {}, false},
      {3, 2, {}, true},
      {3, 3, {}, true},
      {2, 2, {{"replication.factor", "2"}}, true},
      {1, 1, {{"replication.factor", "1"}}, true},
      {1, 1, {{"replication.factor", "2"}}, false},
      {2, 1, {{"replication.factor", "2"}}, false},
      {4, 3, {{"replication.factor", "5"}}, false},
      {2, 1, {{"replication.failure_domain", "host"}}, false},
      {3, 1, {{"replication.failure_domain", "host"}}, true},
      {1, 1, {{"replication.failure_domain", "disk"}}, false},
  };
  for (const Case& one : cases) {
    UpOptions options;
    options.nodes = one.nodes;
    options.zones = one.zones;
    options.settings = one.settings;
    const auto plan = merge_plan(std::nullopt, options);
    EXPECT_EQ(plan.has_value(), one.taken) << one.nodes << " nodes in " << one.zones;
    if (!plan) EXPECT_EQ(plan.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_F(ClusterPlanTest, KeepsWhatTheClusterWasMadeWith) {
  ClusterPlan stored;
  stored.nodes = 5;
  UpOptions again;
  EXPECT_EQ(merge_plan(stored, again)->nodes, 5);
  again.nodes = 6;
  EXPECT_EQ(merge_plan(stored, again).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ClusterPlanTest, AddsSettingsToTheStoredOnes) {
  ClusterPlan stored;
  stored.settings = {{"s3.region", "eu-west-1"}, {"gc.grace", "1h"}};
  UpOptions again;
  again.settings = {{"gc.grace", "5s"}};
  const auto plan = merge_plan(stored, again);
  EXPECT_EQ(plan->settings.at("s3.region"), "eu-west-1");
  EXPECT_EQ(plan->settings.at("gc.grace"), "5s");
}

TEST_F(ClusterPlanTest, StoredPlanReadsBackEqual) {
  EXPECT_EQ(load_plan(folder_).error().code, ErrorCode::kNotFound);
  ClusterPlan plan;
  plan.port = 9500;
  plan.settings = {{"s3.region", "a\"b"}};
  ASSERT_TRUE(store_plan(folder_, plan));
  EXPECT_EQ(load_plan(folder_).value(), plan);
}

TEST_F(ClusterPlanTest, AStoredPlanIsNobodyElsesToRead) {
  const std::string path = folder_ + "/cluster.json";
  umask(0);
  ASSERT_TRUE(store_plan(folder_, ClusterPlan{}));
  struct stat status{};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  umask(022);
}

TEST_F(ClusterPlanTest, RefusesADamagedPlan) {
  std::ofstream(folder_ + "/cluster.json") << "{\"format\":1";
  EXPECT_EQ(load_plan(folder_).error().code, ErrorCode::kInvalidArgument);
  std::ofstream(folder_ + "/cluster.json") << "{\"format\":2}";
  EXPECT_EQ(load_plan(folder_).error().code, ErrorCode::kInvalidArgument);
  const auto with_port = [this](const std::string& port) {
    std::ofstream(folder_ + "/cluster.json")
        << "{\"format\":1,\"port\":" << port
        << R"(,"nodes":4,"zones":3,"gateways":1,"settings":{}})";
    return load_plan(folder_);
  };
  EXPECT_EQ(with_port("9000")->port, 9000);
  for (const char* port :
       {"-1", "65536", "4294976296", "18446744073709551616", "1.5", "1e30", "\"9000\""}) {
    EXPECT_EQ(with_port(port).error().code, ErrorCode::kInvalidArgument) << port;
  }
}

TEST_F(ClusterPlanTest, WhatEveryProcessHasForItselfIsNoSettingOfTheCluster) {
  for (const char* key : {"gateway.listen", "gateway.operations_listen", "cluster.listen",
                          "node.name", "node.listen", "node.advertise", "node.zone", "node.host",
                          "node.data_dir", "node.disks", "node.operations_listen"}) {
    UpOptions options;
    options.settings[key] = "x";
    EXPECT_EQ(merge_plan(std::nullopt, options).error().code, ErrorCode::kInvalidArgument) << key;
    options.settings[key] = "{name}";
    EXPECT_TRUE(merge_plan(std::nullopt, options)) << key;
  }
  for (const char* key : {"metadata.dsn", "metadata.master_key_file", "cluster.gateways",
                          "cluster.bootstrap_disks"}) {
    UpOptions options;
    options.settings[key] = "{name}";
    EXPECT_EQ(merge_plan(std::nullopt, options).error().code, ErrorCode::kInvalidArgument) << key;
  }
}

TEST_F(ClusterPlanTest, SettingsAreTakenBack) {
  ClusterPlan stored;
  stored.settings = {{"s3.region", "eu-1"}, {"log.level", "debug"}};
  UpOptions options;
  options.unset = {"s3.region"};
  EXPECT_EQ(merge_plan(stored, options)->settings,
            (std::map<std::string, std::string>{{"log.level", "debug"}}));
  options.unset = {"s3.regoin"};
  EXPECT_EQ(merge_plan(stored, options).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace rondel::cli
