#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/local_cluster.h"

namespace rondel::cli {
namespace {

namespace json = boost::json;

std::string plan_path(const std::string& data_directory) {
  return data_directory + "/cluster.json";
}

std::string setting(const ClusterPlan& plan, const std::string& key) {
  const auto found = plan.settings.find(key);
  return found == plan.settings.end() ? "" : found->second;
}

// A cluster that could never build its first ring would be waited for in vain.
Result<void> check_copies(const ClusterPlan& plan) {
  const std::string domain = setting(plan, "replication.failure_domain");
  const std::string wanted = setting(plan, "replication.factor");
  int copies = 3;
  // What is no number is refused by the gateway itself.
  std::from_chars(wanted.data(), wanted.data() + wanted.size(), copies);
  if (plan.zones < 2 && copies > 1 && domain != "host" && domain != "disk") {
    return fail(ErrorCode::kInvalidArgument,
                "one zone cannot hold copies apart: use --zones 2 or more, or --set "
                "replication.failure_domain=host|disk, or --set replication.factor=1");
  }
  // A node has one disk here, unless its disks are named.
  if (plan.nodes < copies && setting(plan, "node.disks").empty()) {
    return fail(ErrorCode::kInvalidArgument,
                std::to_string(copies) + " copies need as many nodes: use --nodes " +
                    std::to_string(copies) +
                    " or more, or --set replication.factor=" + std::to_string(plan.nodes));
  }
  return {};
}

Result<void> check_bounds(const ClusterPlan& plan) {
  if (plan.nodes < 1 || plan.nodes > 90) {
    return fail(ErrorCode::kInvalidArgument, "--nodes must be 1 to 90");
  }
  if (plan.gateways < 1 || plan.gateways > 90) {
    return fail(ErrorCode::kInvalidArgument, "--gateways must be 1 to 90");
  }
  if (plan.zones < 1 || plan.zones > plan.nodes) {
    return fail(ErrorCode::kInvalidArgument,
                "--zones must be 1 to the number of nodes (" + std::to_string(plan.nodes) + ")");
  }
  if (plan.port < 1024 || plan.port > 65'000) {
    return fail(ErrorCode::kInvalidArgument, "--port must be 1024 to 65000");
  }
  return check_copies(plan);
}

// What each process has for itself. Where the value says {name} it is another one for each.
constexpr std::string_view kOfEachProcess[] = {
    "gateway.listen",
    "gateway.operations_listen",
    "cluster.listen",
    "node.name",
    "node.listen",
    "node.advertise",
    "node.zone",
    "node.host",
    "node.data_dir",
    "node.disks",
    "node.operations_listen",
};
// What `up` itself decides, for all of them.
constexpr std::string_view kOfTheCluster[] = {"metadata.dsn", "metadata.master_key_file",
                                              "cluster.gateways", "cluster.bootstrap_disks"};

Result<void> check_shared(const std::string& key, const std::string& value) {
  const bool of_each = std::ranges::find(kOfEachProcess, key) != std::end(kOfEachProcess);
  if (of_each && !value.contains("{name}")) {
    return fail(ErrorCode::kInvalidArgument,
                "--set " + key +
                    ": every process has one for itself, and all would get the same; "
                    "{name} in it becomes the name of each, as node-1");
  }
  if (std::ranges::find(kOfTheCluster, key) != std::end(kOfTheCluster)) {
    return fail(ErrorCode::kInvalidArgument, "--set " + key + ": `rondel up` decides it");
  }
  return {};
}

template <class T>
Result<void> lay_over(T& stored, const std::optional<T>& asked, bool fixed, const char* flag) {
  if (!asked || *asked == stored) return {};
  if (fixed) {
    return fail(ErrorCode::kInvalidArgument,
                std::string(flag) + " was " + std::to_string(stored) +
                    " when this cluster was made and cannot change here");
  }
  stored = *asked;
  return {};
}

}  // namespace

Result<ClusterPlan> load_plan(const std::string& data_directory) {
  std::ifstream file(plan_path(data_directory));
  if (!file) return fail(ErrorCode::kNotFound, "no cluster in " + data_directory);
  std::stringstream content;
  content << file.rdbuf();
  try {
    const json::value value = json::parse(content.str());
    if (value.at("format").as_int64() != 1) {
      return fail(ErrorCode::kInvalidArgument,
                  plan_path(data_directory) + " has a format of a newer rondel");
    }
    ClusterPlan plan;
    plan.port = value.at("port").to_number<uint16_t>();
    plan.nodes = value.at("nodes").to_number<int>();
    plan.zones = value.at("zones").to_number<int>();
    plan.gateways = value.at("gateways").to_number<int>();
    for (const auto& [key, text] : value.at("settings").as_object()) {
      plan.settings[std::string(key)] = std::string(text.as_string());
    }
    return plan;
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInvalidArgument,
                plan_path(data_directory) + " is damaged: " + error.what());
  }
}

Result<void> store_plan(const std::string& data_directory, const ClusterPlan& plan) {
  json::object settings;
  for (const auto& [key, text] : plan.settings) settings[key] = text;
  const json::object value{
      {"format", 1},         {"port", plan.port},         {"nodes", plan.nodes},
      {"zones", plan.zones}, {"gateways", plan.gateways}, {"settings", settings}};
  const std::string path = plan_path(data_directory);
  // What is set may be nobody else's business.
  const int file =
      ::open((path + ".new").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return fail(ErrorCode::kUnavailable, "cannot write " + path);
  const std::string text = json::serialize(value) + "\n";
  const bool written =
      fchmod(file, 0600) == 0 &&
      ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      fsync(file) == 0;
  close(file);
  if (!written) return fail(ErrorCode::kUnavailable, "cannot write " + path);
  std::error_code error;
  std::filesystem::rename(path + ".new", path, error);
  if (error) return fail(ErrorCode::kUnavailable, "cannot write " + path + ": " + error.message());
  return {};
}

Result<ClusterPlan> merge_plan(const std::optional<ClusterPlan>& stored, const UpOptions& options) {
  ClusterPlan plan = stored.value_or(ClusterPlan{});
  const bool fixed = stored.has_value();
  TRY_VOID(lay_over(plan.nodes, options.nodes, fixed, "--nodes"));
  TRY_VOID(lay_over(plan.zones, options.zones, fixed, "--zones"));
  TRY_VOID(lay_over(plan.port, options.port, fixed, "--port"));
  TRY_VOID(lay_over(plan.gateways, options.gateways, fixed, "--gateways"));
  for (const std::string& key : options.unset) {
    if (plan.settings.erase(key) == 0) {
      return fail(ErrorCode::kInvalidArgument, "--unset " + key + ": it is not set");
    }
  }
  for (const auto& [key, value] : options.settings) {
    TRY_VOID(check_shared(key, value));
    plan.settings[key] = value;
  }
  if (!fixed && !options.zones) plan.zones = std::min(plan.zones, plan.nodes);
  TRY_VOID(check_bounds(plan));
  return plan;
}

}  // namespace rondel::cli
