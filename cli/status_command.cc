#include "cli/status_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "cli/local_cluster.h"
#include "cli/operations_client.h"
#include "cli/status_text.h"

namespace rondel::cli {
namespace {

namespace json = boost::json;

constexpr std::string_view kLagMetric = "rondel_replication_lag_seconds{";

// By disk: the greatest that any node that is up says.
void read_lags(std::string_view page, std::map<std::string, double>& lags) {
  while (!page.empty()) {
    const std::string_view line = page.substr(0, page.find('\n'));
    page.remove_prefix(std::min(page.size(), line.size() + 1));
    const size_t label = line.find("disk=\"");
    const size_t space = line.rfind(' ');
    if (!line.starts_with(kLagMetric) || label == line.npos || space == line.npos) continue;
    const std::string_view rest = line.substr(label + 6);
    double& lag = lags[std::string(rest.substr(0, rest.find('"')))];
    lag = std::max(lag, std::strtod(std::string(line.substr(space + 1)).c_str(), nullptr));
  }
}

// What disks of nodes that are down lack, their peers know.
void add_lag_of_silent(json::object& document) {
  json::value* const nodes = document.if_contains("nodes");
  if (nodes == nullptr || !nodes->is_array()) return;
  const auto is_up = [](const json::value& node) { return node.at("alive").as_bool(); };
  if (std::ranges::all_of(nodes->as_array(), is_up)) return;
  std::map<std::string, double> lags;
  for (const json::value& node : nodes->as_array()) {
    if (!is_up(node)) continue;
    const auto page = ask_operations(
        "http://" + std::string(node.at("operations_address").as_string()), "/metrics");
    if (page) read_lags(*page, lags);
  }
  for (json::value& node : nodes->as_array()) {
    if (is_up(node)) continue;
    for (json::value& disk : node.as_object()["disks"].as_array()) {
      const auto known = lags.find(std::string(disk.at("id").as_string()));
      if (known != lags.end()) disk.as_object()["lag_seconds"] = known->second;
    }
  }
}

// Disks of a local cluster share a file system: what is free on it is there once.
void bound_free(json::object& document, const std::string& data_directory) {
  json::value* const totals = document.if_contains("totals");
  std::error_code error;
  const auto space = std::filesystem::space(data_directory, error);
  if (totals == nullptr || error) return;
  json::value& free = totals->as_object()["free_bytes"];
  free = std::min(free.to_number<uint64_t>(), static_cast<uint64_t>(space.available));
}

}  // namespace

Result<Answer> ask_status(const StatusOptions& options) {
  std::string url = options.operations_url;
  if (url.empty()) {
    TRY(const ClusterPlan plan, load_plan(options.data_directory));
    url = fmt::format("http://127.0.0.1:{}", plan.port + kOperationsPortOffset);
  }
  auto document = ask_operations(url, "/admin/v1/status");
  if (!document) {
    return fail(ErrorCode::kUnavailable,
                "no gateway at " + url + " (" + document.error().message +
                    "): start the cluster with `rondel up` or name one with --url");
  }
  json::error_code error;
  json::value parsed = json::parse(*document, error);
  if (!error && parsed.is_object()) {
    add_lag_of_silent(parsed.as_object());
    if (options.operations_url.empty()) bound_free(parsed.as_object(), options.data_directory);
    return status_answer(json::serialize(parsed));
  }
  return status_answer(*document);
}

}  // namespace rondel::cli
