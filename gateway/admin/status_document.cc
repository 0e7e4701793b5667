#include "gateway/admin/status_document.h"

#include <boost/json.hpp>

#include "cluster/membership/disk_report.h"

namespace rondel::admin {
namespace {

namespace json = boost::json;

constexpr double kAliveSeconds = 30;   // A row is written at least every 10 s.

const char* domain_name(ring::FailureDomain domain) {
  switch (domain) {
    case ring::FailureDomain::kZone: return "zone";
    case ring::FailureDomain::kHost: return "host";
    case ring::FailureDomain::kDisk: return "disk";
  }
  return "";
}

json::object ring_object(const ring::Topology& topology) {
  const ring::Ring* current = topology.current();
  json::object out{{"epoch", current == nullptr ? 0 : current->epoch()},
                   {"live_epochs", topology.rings.size()},
                   {"min_epoch", topology.min_epoch},
                   {"replicas", current == nullptr ? 0 : current->replicas()},
                   {"failure_domain", current == nullptr ? "none" : domain_name(current->options().failure_domain)}};
  return out;
}

json::object disk_object(const metadata::NodeRecord::Disk& disk) {
  const membership::DiskReport report = membership::decode_disk_report(disk.status);
  return {{"id", disk.id.to_hex()},
          {"state", report.state},
          {"capacity_bytes", disk.capacity_bytes},
          {"live_bytes", report.live_bytes},
          {"dead_bytes", report.dead_bytes},
          {"trash_bytes", report.trash_bytes},
          {"free_bytes", report.free_bytes},
          {"blobs", report.blobs},
          {"replication_lag_seconds", report.replication_lag_seconds},
          {"replication_lag_bytes", report.replication_lag_bytes},
          {"handoff_blobs", report.handoff_blobs},
          {"corrupt_reads_total", report.corrupt_reads_total}};
}

json::object node_object(const metadata::NodeRecord& node, SystemTime now) {
  const double age = std::chrono::duration<double>(now - node.last_seen).count();
  json::array disks;
  for (const auto& disk : node.disks) disks.push_back(disk_object(disk));
  return {{"id", node.id.to_hex()},   {"name", node.name}, {"address", node.address},       {"operations_address", node.operations_address},
          {"host", node.host},        {"zone", node.zone}, {"alive", age <= kAliveSeconds}, {"last_seen_seconds_ago", age},
          {"disks", std::move(disks)}};
}

json::object job_object(const jobs::Progress& job) {
  const auto ended = std::chrono::duration<double>(job.last_ended.time_since_epoch()).count();
  return {{"name", job.job},
          {"running", job.running},
          {"rounds_total", job.rounds_total},
          {"failed_total", job.failed_total},
          {"last_round_seconds", std::chrono::duration<double>(job.last_took).count()},
          {"last_round_timestamp_seconds", ended},
          {"last_error", job.last_error}};
}

}  // namespace

std::string status_document(const StatusInput& input) {
  json::array nodes;
  for (const metadata::NodeRecord& node : input.nodes) nodes.push_back(node_object(node, input.now));
  json::array jobs;
  for (const jobs::Progress& job : input.jobs) jobs.push_back(job_object(job));
  const json::object document{
      {"cluster_id", input.cluster.to_hex()},
      {"coordinator", input.coordinates},
      {"ring", ring_object(input.topology)},
      {"queues",
       json::object{{"released", input.queues.released},
                    {"uploads_open", input.queues.uploads_open}}},
      {"jobs", std::move(jobs)},
      {"nodes", std::move(nodes)}};
  return json::serialize(document);
}

}  // namespace rondel::admin
