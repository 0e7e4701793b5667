#include "gateway/admin/status_document.h"

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "cluster/membership/disk_report.h"
#include "common/program/version.h"

namespace rondel::admin {
namespace {

namespace json = boost::json;

constexpr double kAliveSeconds = 30;  // A row is written at least every 10 s.
constexpr double kLagSeconds = 10;    // What is under way between healthy disks is younger.

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
                   {"failure_domain",
                    current == nullptr ? "none" : domain_name(current->options().failure_domain)}};
  return out;
}

// The disks of the live rings: what is not among them holds nothing, whatever its state.
std::set<model::DiskId> ring_disks(const ring::Topology& topology) {
  std::set<model::DiskId> all;
  for (const auto& ring : topology.rings) {
    for (const ring::Disk& disk : ring->disks()) all.insert(disk.id);
  }
  return all;
}

bool is_alive(const metadata::NodeRecord& node, SystemTime now) {
  return std::chrono::duration<double>(now - node.last_seen).count() <= kAliveSeconds;
}

// What the whole cluster has, by the disks of the ring; and what is wrong with it, in words.
struct Summary {
  uint64_t capacity_bytes = 0, live_bytes = 0, reclaimable_bytes = 0, free_bytes = 0, blobs = 0;
  json::array missing;  // Disks that the ring counts on and that no node tells of.
  json::array reasons;
};

void add_disk(const metadata::NodeRecord& node, const metadata::NodeRecord::Disk& disk, bool alive,
              Summary& summary) {
  const membership::DiskReport report = membership::decode_disk_report(disk.status);
  summary.capacity_bytes += disk.capacity_bytes;
  summary.live_bytes += report.live_bytes;
  summary.reclaimable_bytes += report.dead_bytes + report.trash_bytes;
  summary.free_bytes += alive ? report.free_bytes : 0;
  summary.blobs += report.blobs;
  const std::string name = "disk " + disk.id.to_hex() + " of " + node.address;
  const auto say = [&summary](const std::string& reason) {
    summary.reasons.push_back(json::string(reason));
  };
  if (alive && report.state != "online") say(name + " is " + report.state);
  if (alive && report.replication_lag_seconds > kLagSeconds) {
    say(name + " lacks blobs that it should hold");
  }
  if (report.handoff_blobs > 0) say(name + " keeps copies for disks that were away");
}

Summary summarize(const StatusInput& input) {
  Summary summary;
  const std::set<model::DiskId> in_ring = ring_disks(input.topology);
  std::set<model::DiskId> missing = in_ring;
  const auto say = [&summary](const std::string& reason) {
    summary.reasons.push_back(json::string(reason));
  };
  if (in_ring.empty()) say("there is no ring yet: too few disks have joined");
  for (const metadata::NodeRecord& node : input.nodes) {
    const bool alive = is_alive(node, input.now);
    const bool counts = std::ranges::any_of(
        node.disks, [&](const auto& disk) { return in_ring.contains(disk.id); });
    if (!alive && counts) say("node " + node.address + " is down");
    for (const auto& disk : node.disks) {
      if (in_ring.contains(disk.id)) {
        missing.erase(disk.id);
        add_disk(node, disk, alive, summary);
      } else if (alive) {
        say("disk " + disk.id.to_hex() + " of " + node.address +
            " is not in the ring: it holds nothing");
      }
    }
  }
  for (const model::DiskId& disk : missing) {
    summary.missing.push_back(json::object{{"id", disk.to_hex()}});
    say("disk " + disk.to_hex() + " of the ring is missing: no node has it");
  }
  return summary;
}

json::object totals_object(const Summary& summary) {
  return {{"capacity_bytes", summary.capacity_bytes},
          {"live_bytes", summary.live_bytes},
          {"reclaimable_bytes", summary.reclaimable_bytes},
          {"free_bytes", summary.free_bytes},
          {"blobs", summary.blobs}};
}

json::object disk_object(const metadata::NodeRecord::Disk& disk, bool in_ring) {
  const membership::DiskReport report = membership::decode_disk_report(disk.status);
  return {{"id", disk.id.to_hex()},
          {"state", report.state},
          {"in_ring", in_ring},
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

json::object node_object(const metadata::NodeRecord& node, const std::set<model::DiskId>& ring,
                         SystemTime now) {
  const double age = std::chrono::duration<double>(now - node.last_seen).count();
  json::array disks;
  for (const auto& disk : node.disks) disks.push_back(disk_object(disk, ring.contains(disk.id)));
  return {{"id", node.id.to_hex()},
          {"name", node.name},
          {"address", node.address},
          {"operations_address", node.operations_address},
          {"host", node.host},
          {"zone", node.zone},
          {"alive", age <= kAliveSeconds},
          {"last_seen_seconds_ago", age},
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
  Summary summary = summarize(input);
  const std::set<model::DiskId> in_ring = ring_disks(input.topology);
  json::array nodes;
  for (const metadata::NodeRecord& node : input.nodes) {
    nodes.push_back(node_object(node, in_ring, input.now));
  }
  json::array jobs;
  for (const jobs::Progress& job : input.jobs) jobs.push_back(job_object(job));
  const json::object document{
      {"cluster_id", input.cluster.to_hex()},
      {"coordinator", input.coordinates},
      {"ring", ring_object(input.topology)},
      {"queues", json::object{{"released", input.queues.released},
                              {"uploads_open", input.queues.uploads_open}}},
      {"jobs", std::move(jobs)},
      {"version", program::version()},
      {"commit", program::commit()},
      {"totals", totals_object(summary)},
      {"verdict", json::object{{"state", summary.reasons.empty() ? "healthy" : "degraded"},
                               {"reasons", std::move(summary.reasons)}}},
      {"missing_disks", std::move(summary.missing)},
      {"nodes", std::move(nodes)}};
  return json::serialize(document);
}

}  // namespace rondel::admin
