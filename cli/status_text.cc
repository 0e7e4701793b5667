#include "cli/status_text.h"

#include <fmt/format.h>

#include <boost/json.hpp>

namespace rondel::cli {
namespace {

namespace json = boost::json;

std::string bytes_text(double bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < std::size(kUnits)) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

std::string lag_text(double seconds) { return seconds <= 0 ? "-" : fmt::format("{:.1f} s", seconds); }

std::string_view text_of(const json::object& object, std::string_view key) {
  return std::string_view(object.at(key).as_string());
}

double number_of(const json::object& object, std::string_view key) { return object.at(key).to_number<double>(); }

std::string disk_line(const json::object& node, const json::object& disk) {
  return fmt::format("  {:<12} {:<10} {:<9} {:<10} {:>10} {:>10} {:>10} {:>10} {:>9} {:>9} {:>8}\n", text_of(disk, "id").substr(0, 12),
                     text_of(node, "host"), text_of(node, "zone"), text_of(disk, "state"),
                     bytes_text(number_of(disk, "capacity_bytes")), bytes_text(number_of(disk, "live_bytes")),
                     bytes_text(number_of(disk, "dead_bytes") + number_of(disk, "trash_bytes")),
                     bytes_text(number_of(disk, "free_bytes")), disk.at("blobs").to_number<uint64_t>(),
                     lag_text(number_of(disk, "replication_lag_seconds")), disk.at("handoff_blobs").to_number<uint64_t>());
}

std::string summary(const json::object& root) {
  const json::object& ring = root.at("ring").as_object();
  const json::object& queues = root.at("queues").as_object();
  std::string out = fmt::format("cluster      {}\n", text_of(root, "cluster_id"));
  out += fmt::format("ring         epoch {}, {} live, {} replicas apart by {}\n", ring.at("epoch").to_number<uint64_t>(),
                     ring.at("live_epochs").to_number<uint64_t>(), ring.at("replicas").to_number<uint64_t>(),
                     text_of(ring, "failure_domain"));
  out += fmt::format("coordinator  {}\n", root.at("coordinator").as_bool() ? "this gateway" : "another gateway");
  out += fmt::format("queues       {} released streams wait for removal, {} uploads are open\n",
                     queues.at("released").to_number<uint64_t>(), queues.at("uploads_open").to_number<uint64_t>());
  return out;
}

}  // namespace

Result<std::string> format_status(const std::string& document) {
  try {
    const json::value parsed = json::parse(document);
    const json::object& root = parsed.as_object();
    std::string out = summary(root);
    size_t nodes = 0, down = 0;
    std::string lines;
    for (const json::value& entry : root.at("nodes").as_array()) {
      const json::object& node = entry.as_object();
      ++nodes;
      const bool alive = node.at("alive").as_bool();
      down += alive ? 0 : 1;
      lines += fmt::format("node {}  {}  {}\n", text_of(node, "id").substr(0, 12), text_of(node, "address"),
                           alive ? "up" : fmt::format("DOWN, last seen {:.0f} s ago", number_of(node, "last_seen_seconds_ago")));
      for (const json::value& disk : node.at("disks").as_array()) lines += disk_line(node, disk.as_object());
    }
    out += fmt::format("nodes        {} ({} down)\n\n", nodes, down);
    out += fmt::format("  {:<12} {:<10} {:<9} {:<10} {:>10} {:>10} {:>10} {:>10} {:>9} {:>9} {:>8}\n", "disk", "host", "zone", "state",
                       "capacity", "live", "reclaim", "free", "blobs", "lag", "handoff");
    return out + lines;
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInvalidArgument, std::string("not a status document: ") + error.what());
  }
}

}  // namespace rondel::cli
