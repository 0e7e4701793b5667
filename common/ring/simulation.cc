#include "common/ring/simulation.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "common/ring/quota.h"
#include "common/ring/random.h"

namespace rondel::ring {
namespace {

constexpr uint64_t kTerabyte = 1'000'000'000'000;

size_t zone_count(size_t disks) { return disks <= 100 ? 5 : disks <= 1000 ? 8 : 20; }

Disk simulated_disk(size_t number, size_t zones, Random& random) {
  Disk disk;
  for (std::byte& byte : disk.id.bytes) byte = static_cast<std::byte>(random.next());
  const size_t host = number / 10;
  store_le(disk.node.bytes.data(), static_cast<uint64_t>(host) + 1);
  disk.host = "host-" + std::to_string(host);
  disk.zone = "zone-" + std::to_string(number % zones);
  disk.capacity_bytes = 4 * kTerabyte * (1 + (number / zones) % 5);
  return disk;
}

std::map<model::DiskId, int64_t> counts_of(const Ring& ring) {
  std::map<model::DiskId, int64_t> counts;
  for (size_t arc = 0; arc < ring.arcs(); ++arc) {
    for (DiskIndex owner : ring.owners(arc)) ++counts[ring.disks()[owner].id];
  }
  return counts;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double lookup_cost(const Ring& ring) {
  constexpr size_t kLookups = 1'000'000;
  Random random(7);
  uint64_t sum = 0;
  const auto start = std::chrono::steady_clock::now();
  for (size_t i = 0; i < kLookups; ++i) sum += ring.owners(ring.arc_of(random.next())).front();
  const double nanoseconds = seconds_since(start) * 1e9 / kLookups;
  return sum == ~uint64_t{0} ? 0 : nanoseconds;  // The sum is used, so the loop stays.
}

}  // namespace

std::vector<Disk> simulated_disks(size_t count, uint64_t seed) {
  Random random(seed);
  const size_t zones = std::min(zone_count(count), count);
  std::vector<Disk> disks;
  for (size_t i = 0; i < count; ++i) disks.push_back(simulated_disk(i, zones, random));
  return disks;
}

Balance balance_of(const Ring& ring) {
  const Domains domains = group_by_domain(ring.disks(), ring.options().failure_domain);
  const auto quotas = share_out(ring.disks(), domains, ring.arcs(), ring.replicas(), {});
  if (!quotas) return {};
  auto counts = counts_of(ring);
  Balance balance{0, 1e300};
  for (size_t i = 0; i < ring.disks().size(); ++i) {
    if (quotas->target[i] <= 0) continue;
    const double ratio = static_cast<double>(counts[ring.disks()[i].id]) / quotas->target[i];
    balance.max_over_mean = std::max(balance.max_over_mean, ratio);
    balance.min_over_mean = std::min(balance.min_over_mean, ratio);
  }
  return balance;
}

double movement_ratio(const Ring& from, const Ring& to) {
  auto before = counts_of(from);
  int64_t gained = 0;
  for (const auto& [id, count] : counts_of(to)) gained += std::max<int64_t>(0, count - before[id]);
  const auto moved = static_cast<double>(Ring::moved(from, to));
  return gained == 0 ? (moved == 0 ? 1 : moved + 1) : moved / static_cast<double>(gained);
}

Result<SimulationRow> simulate(size_t disks, RingOptions options) {
  // The disks of the tenth that is added later come from the same run, so that ids never repeat.
  const size_t tenth = std::max<size_t>(1, disks / 10);
  std::vector<Disk> all;
  {
    Random random(options.seed);
    const size_t zones = std::min(zone_count(disks), disks);
    for (size_t i = 0; i < disks + tenth; ++i) all.push_back(simulated_disk(i, zones, random));
  }
  const auto first = [&all](size_t count) {
    return std::vector<Disk>(all.begin(), all.begin() + static_cast<ptrdiff_t>(count));
  };

  SimulationRow row;
  row.disks = disks;
  auto start = std::chrono::steady_clock::now();
  TRY(const Ring ring, Ring::build(first(disks), options, 1));
  row.build_seconds = seconds_since(start);
  std::set<std::string> zones;
  for (const Disk& disk : ring.disks()) zones.insert(disk.zone);
  row.zones = zones.size();
  row.power = ring.power();
  row.balance = balance_of(ring);
  row.lookup_nanoseconds = lookup_cost(ring);

  start = std::chrono::steady_clock::now();
  TRY(const Ring one_more, ring.change(first(disks + 1)));
  row.change_seconds = seconds_since(start);
  row.add_one = movement_ratio(ring, one_more);

  std::vector<Disk> fewer = first(disks);
  fewer.erase(fewer.begin() + static_cast<ptrdiff_t>(disks / 2));
  TRY(const Ring one_less, ring.change(fewer));
  row.remove_one = movement_ratio(ring, one_less);

  TRY(const Ring tenth_more, ring.change(all));
  row.add_tenth = movement_ratio(ring, tenth_more);
  row.balance_after_add_tenth = balance_of(tenth_more);

  std::vector<Disk> grown = first(disks);
  grown[disks / 3].capacity_bytes *= 2;
  TRY(const Ring one_grown, ring.change(grown));
  row.grow_one = movement_ratio(ring, one_grown);
  return row;
}

}  // namespace rondel::ring
