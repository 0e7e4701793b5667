// A whole cluster on one machine: a private PostgreSQL, storage nodes, gateways. What `rondel up`,
// `down` and `status` do.
//
// Everything lives under one data folder: cluster.json (what was asked for), config/, keys/, run/
// (pid files), log/, postgresql/, node-K/, bin/rondel, env, aws-config. Several clusters with
// different folders and ports live side by side.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/answer.h"
#include "cli/private_postgres.h"
#include "common/base/result.h"

namespace rondel::cli {

struct UpOptions {
  std::string data_directory;
  std::string binary_directory;  // With rondel-gateway and rondel-node.
  std::string migrations_directory;
  std::optional<uint16_t> port;  // S3 of gateway 1; the next ones follow. Default 9000.
  std::optional<int> nodes;      // Default 4.
  std::optional<int> zones;      // Default 3.
  std::optional<int> gateways;   // Default 1.
  std::string env_file;          // Written beside DATA/env when not empty.
  int ready_within = 90;         // Seconds until a process that is not ready fails the command.
  std::map<std::string, std::string> settings;  // --set key=value, added to the stored ones.
  std::vector<std::string> unset;               // Keys of stored ones that go.
};

// What cluster.json holds.
struct ClusterPlan {
  uint16_t port = 9000;
  int nodes = 4;
  int zones = 3;
  int gateways = 1;
  std::map<std::string, std::string> settings;

  bool operator==(const ClusterPlan&) const = default;
};

inline constexpr int kOperationsPortOffset = 100;
inline constexpr int kNodePortOffset = 200;
inline constexpr int kNodeOperationsPortOffset = 300;
inline constexpr int kClusterPortOffset = 400;

// kNotFound: no cluster in this folder. kInvalidArgument: the file is damaged or of a newer format.
Result<ClusterPlan> load_plan(const std::string& data_directory);
Result<void> store_plan(const std::string& data_directory, const ClusterPlan& plan);

// The stored plan with the options laid over it. kInvalidArgument: a setting that every process has
// for itself, one to be unset that is not stored, counts or ports out of bounds, zones < 2 or above
// the nodes without replication.failure_domain=host|disk or replication.factor=1, fewer nodes than
// copies, or a fixed value that differs.
Result<ClusterPlan> merge_plan(const std::optional<ClusterPlan>& stored, const UpOptions& options);

PrivatePostgres postgres_of(const std::string& data_directory);

// One process of the cluster as its plan has it.
struct PlannedProcess {
  std::string name;            // "gateway-1"
  std::string operations_url;  // "http://127.0.0.1:9100"
};

std::vector<PlannedProcess> planned_processes(const ClusterPlan& plan);

// Starts what does not run and waits until every process is ready. Says its progress on standard
// error. On an error what this call started is stopped again, and settings that it was to keep are
// not kept; what was not ready is named with the check that failed.
Result<Answer> up(const UpOptions& options);

// DIR/env names a key of the first account that can be used: another one when the one in it cannot
// any more.
Result<void> rewrite_environment(const std::string& data_directory, class Identities& identities);

// Stops gateways, nodes, then PostgreSQL. With wipe the data folder is removed afterwards.
Result<void> down(const std::string& data_directory, bool wipe);

// Where `rondel up` keeps a cluster unless told otherwise.
std::string default_data_directory();

}  // namespace rondel::cli
