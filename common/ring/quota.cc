#include "common/ring/quota.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <tuple>

namespace rondel::ring {
namespace {

std::string domain_name(const Disk& disk, FailureDomain kind) {
  switch (kind) {
    case FailureDomain::kZone: return disk.zone;
    case FailureDomain::kHost: return disk.zone + '\0' + disk.host;
    case FailureDomain::kDisk: return disk.id.to_hex();
  }
  return {};
}

// Shares `total` in proportion to weight with at most `cap` each; what a cap cuts off goes to the
// others.
std::vector<double> water_fill(const std::vector<double>& weights, double total, double cap) {
  std::vector<double> shares(weights.size(), 0);
  std::vector<bool> full(weights.size(), false);
  for (;;) {
    double open_weight = 0;
    double left = total;
    for (size_t i = 0; i < weights.size(); ++i) {
      if (full[i]) {
        left -= cap;
      } else {
        open_weight += weights[i];
      }
    }
    if (open_weight <= 0) break;
    bool capped = false;
    for (size_t i = 0; i < weights.size(); ++i) {
      if (full[i]) continue;
      shares[i] = left * weights[i] / open_weight;
      if (shares[i] > cap) {
        shares[i] = cap;
        full[i] = true;
        capped = true;
      }
    }
    if (!capped) break;
  }
  return shares;
}

// Floor or ceiling of every share, the sum being `total`.
std::vector<uint64_t> round_shares(const std::vector<double>& shares, uint64_t total,
                                   const std::vector<uint64_t>& held,
                                   const std::vector<bool>& usable) {
  // Sums of doubles end a hair below a whole number; that hair must not cost a unit.
  constexpr double kHair = 1e-6;
  std::vector<uint64_t> rounded(shares.size());
  uint64_t given = 0;
  std::vector<size_t> order;
  for (size_t i = 0; i < shares.size(); ++i) {
    rounded[i] = static_cast<uint64_t>(std::floor(shares[i] + kHair));
    given += rounded[i];
    if (usable[i]) order.push_back(i);
  }
  const auto keeps_more = [&](size_t i) { return !held.empty() && held[i] > rounded[i]; };
  const auto fraction = [&](size_t i) { return shares[i] - std::floor(shares[i] + kHair); };
  const auto is_whole = [&](size_t i) { return fraction(i) <= kHair; };
  std::ranges::sort(order, [&](size_t a, size_t b) {
    return std::tuple(is_whole(a), !keeps_more(a), -fraction(a), a) <
           std::tuple(is_whole(b), !keeps_more(b), -fraction(b), b);
  });
  for (size_t i = 0; given < total && !order.empty(); i = (i + 1) % order.size()) {
    ++rounded[order[i]];
    ++given;
  }
  return rounded;
}

}  // namespace

Domains group_by_domain(std::span<const Disk> disks, FailureDomain kind) {
  Domains domains;
  std::map<std::string, uint32_t> known;
  for (size_t i = 0; i < disks.size(); ++i) {
    const auto [entry, is_new] =
        known.try_emplace(domain_name(disks[i], kind), static_cast<uint32_t>(known.size()));
    if (is_new) domains.disks.emplace_back();
    domains.of_disk.push_back(entry->second);
    domains.disks[entry->second].push_back(static_cast<DiskIndex>(i));
  }
  return domains;
}

Result<Quotas> share_out(std::span<const Disk> disks, const Domains& domains, uint64_t arcs,
                         uint64_t replicas, std::span<const uint64_t> held) {
  std::vector<double> weights(domains.size(), 0);
  for (size_t i = 0; i < disks.size(); ++i) {
    weights[domains.of_disk[i]] += static_cast<double>(disks[i].capacity_bytes);
  }
  const auto usable_domains =
      static_cast<uint64_t>(std::ranges::count_if(weights, [](double w) { return w > 0; }));
  if (usable_domains < replicas) {
    return fail(ErrorCode::kInvalidArgument,
                std::to_string(replicas) + " replicas need as many failure domains; there are " +
                    std::to_string(usable_domains));
  }
  Quotas quotas;
  const std::vector<double> domain_targets =
      water_fill(weights, static_cast<double>(arcs * replicas), static_cast<double>(arcs));
  std::vector<uint64_t> domain_held;
  if (!held.empty()) {
    domain_held.assign(domains.size(), 0);
    for (size_t i = 0; i < disks.size(); ++i) domain_held[domains.of_disk[i]] += held[i];
  }
  std::vector<bool> usable(domains.size());
  // A domain at its cap cannot take a rounding unit.
  for (size_t z = 0; z < domains.size(); ++z) {
    usable[z] = weights[z] > 0 && domain_targets[z] + 1e-6 < static_cast<double>(arcs);
  }
  quotas.of_domain = round_shares(domain_targets, arcs * replicas, domain_held, usable);
  quotas.of_disk.assign(disks.size(), 0);
  quotas.target.assign(disks.size(), 0);
  for (size_t z = 0; z < domains.size(); ++z) {
    // The targets add up to the domain's, which was rounded to its floor or ceiling: rounding each
    // of them to its own floor or ceiling can reach that sum.
    std::vector<double> shares;
    std::vector<uint64_t> disk_held;
    std::vector<bool> disk_usable;
    for (DiskIndex disk : domains.disks[z]) {
      const auto weight = static_cast<double>(disks[disk].capacity_bytes);
      quotas.target[disk] = weights[z] > 0 ? domain_targets[z] * weight / weights[z] : 0;
      shares.push_back(quotas.target[disk]);
      disk_usable.push_back(weight > 0);
      if (!held.empty()) disk_held.push_back(held[disk]);
    }
    const auto rounded = round_shares(shares, quotas.of_domain[z], disk_held, disk_usable);
    for (size_t i = 0; i < rounded.size(); ++i) quotas.of_disk[domains.disks[z][i]] = rounded[i];
  }
  return quotas;
}

}  // namespace rondel::ring
