#include "cli/ring_command.h"

#include <fmt/format.h>

#include "common/ring/simulation.h"

namespace rondel::cli {
namespace {

void print_header() {
  fmt::print("{:>6} {:>5} {:>5} {:>8} {:>8} {:>9} {:>9} {:>9} {:>8} {:>9} {:>9} {:>9}\n", "disks", "zones", "arcs", "build s",
             "change s", "lookup ns", "max/mean", "min/mean", "add one", "drop one", "add 10 %", "grow one");
}

void print_row(const ring::SimulationRow& row) {
  fmt::print("{:>6} {:>5} {:>5} {:>8.3f} {:>8.3f} {:>9.1f} {:>9.4f} {:>9.4f} {:>8.4f} {:>9.4f} {:>9.4f} {:>9.4f}\n", row.disks,
             row.zones, fmt::format("2^{}", row.power), row.build_seconds, row.change_seconds, row.lookup_nanoseconds,
             row.balance.max_over_mean, row.balance.min_over_mean, row.add_one, row.remove_one, row.add_tenth, row.grow_one);
  std::fflush(stdout);
}

std::string json_of(const ring::SimulationRow& row) {
  return fmt::format(
      R"({{"disks":{},"zones":{},"power":{},"build_seconds":{},"change_seconds":{},"lookup_nanoseconds":{},"max_over_mean":{},)"
      R"("min_over_mean":{},"moved_add_one":{},"moved_remove_one":{},"moved_add_tenth":{},"moved_grow_one":{}}})",
      row.disks, row.zones, row.power, row.build_seconds, row.change_seconds, row.lookup_nanoseconds, row.balance.max_over_mean,
      row.balance.min_over_mean, row.add_one, row.remove_one, row.add_tenth, row.grow_one);
}

}  // namespace

int simulate_rings(const RingSimulationOptions& options) {
  if (!options.json) print_header();
  std::string rows;
  for (uint64_t disks : options.disks) {
    ring::RingOptions ring_options;
    ring_options.replicas = static_cast<uint8_t>(options.replicas);
    ring_options.seed = options.seed;
    const auto row = ring::simulate(disks, ring_options);
    if (!row) {
      fmt::print(stderr, "rondel: {} disks: {}\n", disks, row.error().message);
      return 1;
    }
    if (options.json) {
      rows += (rows.empty() ? "" : ",") + json_of(*row);
    } else {
      print_row(*row);
    }
  }
  if (options.json) fmt::print("[{}]\n", rows);
  return 0;
}

}  // namespace rondel::cli
