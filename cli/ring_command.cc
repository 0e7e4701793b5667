#include "cli/ring_command.h"

#include <fmt/format.h>

#include "common/ring/simulation.h"

namespace rondel::cli {
namespace {

std::string header() {
  return fmt::format("{:>6} {:>5} {:>5} {:>8} {:>8} {:>9} {:>9} {:>9} {:>8} {:>9} {:>9} {:>9}\n",
                     "disks", "zones", "arcs", "build s", "change s", "lookup ns", "max/mean",
                     "min/mean", "add one", "drop one", "add 10 %", "grow one");
}

std::string row_text(const ring::SimulationRow& row) {
  return fmt::format(
      "{:>6} {:>5} {:>5} {:>8.3f} {:>8.3f} {:>9.1f} {:>9.4f} {:>9.4f} {:>8.4f} {:>9.4f} {:>9.4f} "
      "{:>9.4f}\n",
      row.disks, row.zones, fmt::format("2^{}", row.power), row.build_seconds, row.change_seconds,
      row.lookup_nanoseconds, row.balance.max_over_mean, row.balance.min_over_mean, row.add_one,
      row.remove_one, row.add_tenth, row.grow_one);
}

boost::json::object row_object(const ring::SimulationRow& row) {
  return {{"disks", row.disks},
          {"zones", row.zones},
          {"power", row.power},
          {"build_seconds", row.build_seconds},
          {"change_seconds", row.change_seconds},
          {"lookup_nanoseconds", row.lookup_nanoseconds},
          {"max_over_mean", row.balance.max_over_mean},
          {"min_over_mean", row.balance.min_over_mean},
          {"moved_add_one", row.add_one},
          {"moved_remove_one", row.remove_one},
          {"moved_add_tenth", row.add_tenth},
          {"moved_grow_one", row.grow_one}};
}

}  // namespace

Result<Answer> simulate_rings(const RingSimulationOptions& options) {
  Answer answer{header()};
  boost::json::array rows;
  for (uint64_t disks : options.disks) {
    ring::RingOptions ring_options;
    ring_options.replicas = static_cast<uint8_t>(options.replicas);
    ring_options.seed = options.seed;
    const auto row = ring::simulate(disks, ring_options);
    if (!row) {
      return fail(row.error().code, fmt::format("{} disks: {}", disks, row.error().message));
    }
    answer.text += row_text(*row);
    rows.push_back(row_object(*row));
  }
  answer.json = std::move(rows);
  return answer;
}

}  // namespace rondel::cli
