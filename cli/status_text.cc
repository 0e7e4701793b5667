#include "cli/status_text.h"

#include <fmt/format.h>

#include <boost/json.hpp>

namespace rondel::cli {
namespace {

namespace json = boost::json;

constexpr int kNotHealthy = 3;

std::string bytes_text(double bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < std::size(kUnits)) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

std::string lag_text(double seconds) {
  return seconds <= 0 ? "-" : fmt::format("{:.1f} s", seconds);
}

std::string_view text_of(const json::object& object, std::string_view key) {
  return std::string_view(object.at(key).as_string());
}

double number_of(const json::object& object, std::string_view key) {
  return object.at(key).to_number<double>();
}

double number_or(const json::object& object, std::string_view key, double otherwise) {
  const json::value* const member = object.if_contains(key);
  return member == nullptr || !member->is_number() ? otherwise : member->to_number<double>();
}

// "not in ring": it holds nothing for ever, whatever its state.
std::string state_of(const json::object& disk) {
  const json::value* const in_ring = disk.if_contains("in_ring");
  if (in_ring != nullptr && !in_ring->as_bool()) return "not in ring";
  return std::string(text_of(disk, "state"));
}

std::string disk_line(const json::object& node, const json::object& disk) {
  return fmt::format(
      "  {:<12} {:<10} {:<9} {:<11} {:>10} {:>10} {:>10} {:>10} {:>9} {:>9} {:>8}\n",
      text_of(disk, "id").substr(0, 12), text_of(node, "host"), text_of(node, "zone"),
      state_of(disk), bytes_text(number_of(disk, "capacity_bytes")),
      bytes_text(number_of(disk, "live_bytes")),
      bytes_text(number_of(disk, "dead_bytes") + number_of(disk, "trash_bytes")),
      bytes_text(number_of(disk, "free_bytes")), disk.at("blobs").to_number<uint64_t>(),
      lag_text(number_or(disk, "lag_seconds", number_of(disk, "replication_lag_seconds"))),
      disk.at("handoff_blobs").to_number<uint64_t>());
}

std::string summary(const json::object& root) {
  const json::object& ring = root.at("ring").as_object();
  const json::object& queues = root.at("queues").as_object();
  std::string out = fmt::format("cluster      {}\n", text_of(root, "cluster_id"));
  out += fmt::format("ring         epoch {}, {} live, {} replicas apart by {}\n",
                     ring.at("epoch").to_number<uint64_t>(),
                     ring.at("live_epochs").to_number<uint64_t>(),
                     ring.at("replicas").to_number<uint64_t>(), text_of(ring, "failure_domain"));
  out += fmt::format("coordinator  {}\n",
                     root.at("coordinator").as_bool() ? "this gateway" : "another gateway");
  out += fmt::format("queues       {} released streams wait for removal, {} uploads are open\n",
                     queues.at("released").to_number<uint64_t>(),
                     queues.at("uploads_open").to_number<uint64_t>());
  return out;
}

// Documents of gateways of an earlier build have no verdict: what their lists say counts.
std::string verdict_of(const json::object& root, size_t down) {
  if (const json::value* const verdict = root.if_contains("verdict")) {
    return std::string(verdict->as_object().at("state").as_string());
  }
  return down == 0 ? "healthy" : "degraded";
}

std::string totals(const json::object& root) {
  const json::value* const member = root.if_contains("totals");
  if (member == nullptr) return "";
  const json::object& sum = member->as_object();
  const double capacity = number_of(sum, "capacity_bytes");
  const double live = number_of(sum, "live_bytes");
  return fmt::format(
      "space        {} in the ring, {} live ({:.1f} %), {} to reclaim, {} free; {} copies of "
      "blobs\n",
      bytes_text(capacity), bytes_text(live), capacity > 0 ? live / capacity * 100 : 0.0,
      bytes_text(number_of(sum, "reclaimable_bytes")), bytes_text(number_of(sum, "free_bytes")),
      sum.at("blobs").to_number<uint64_t>());
}

std::string verdict_text(const json::object& root, size_t down) {
  std::string text = "verdict      " + verdict_of(root, down) + "\n";
  if (const json::value* const verdict = root.if_contains("verdict")) {
    for (const json::value& reason : verdict->as_object().at("reasons").as_array()) {
      text += "             " + std::string(reason.as_string()) + "\n";
    }
  }
  return text;
}

// Disks that the ring counts on and that no node tells of.
std::string missing_lines(const json::object& root) {
  std::string lines;
  if (const json::value* const missing = root.if_contains("missing_disks")) {
    for (const json::value& disk : missing->as_array()) {
      lines += fmt::format("  {:<12} MISSING: the ring counts on it, and no node has it\n",
                           text_of(disk.as_object(), "id").substr(0, 12));
    }
  }
  return lines;
}

}  // namespace

Result<Answer> status_answer(const std::string& document) {
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
      lines += fmt::format("node {}  {}  {}\n", text_of(node, "id").substr(0, 12),
                           text_of(node, "address"),
                           alive ? "up"
                                 : fmt::format("DOWN, last seen {:.0f} s ago",
                                               number_of(node, "last_seen_seconds_ago")));
      for (const json::value& disk : node.at("disks").as_array()) {
        lines += disk_line(node, disk.as_object());
      }
    }
    out += fmt::format("nodes        {} ({} down)\n", nodes, down);
    out += totals(root) + verdict_text(root, down) + "\n";
    out += fmt::format(
        "  {:<12} {:<10} {:<9} {:<11} {:>10} {:>10} {:>10} {:>10} {:>9} {:>9} {:>8}\n", "disk",
        "host", "zone", "state", "capacity", "live", "reclaim", "free", "blobs", "lag", "handoff");
    return Answer{out + lines + missing_lines(root), parsed,
                  verdict_of(root, down) == "healthy" ? 0 : kNotHealthy};
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInvalidArgument, std::string("not a status document: ") + error.what());
  }
}

}  // namespace rondel::cli
