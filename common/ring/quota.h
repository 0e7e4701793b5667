// How many virtual nodes each disk gets.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/ring/disk.h"

namespace rondel::ring {

// Disks grouped by what replicas must not share.
struct Domains {
  std::vector<uint32_t> of_disk;              // Domain of each disk.
  std::vector<std::vector<DiskIndex>> disks;  // Disks of each domain, those without capacity too.

  size_t size() const { return disks.size(); }
};

Domains group_by_domain(std::span<const Disk> disks, FailureDomain kind);

struct Quotas {
  std::vector<uint64_t> of_domain;
  std::vector<uint64_t> of_disk;
  std::vector<double> target;  // Of each disk, before rounding.
};

// Shares arcs * replicas virtual nodes in proportion to capacity, no domain getting more than one
// per arc (water-filling), rounded to floor or ceiling of the target. Where rounding leaves a
// choice, whoever holds the higher count already
// (`held`, empty for a first build) keeps it, so that a change of weights moves nothing just by
// rounding. kInvalidArgument: fewer domains with capacity than replicas.
Result<Quotas> share_out(std::span<const Disk> disks, const Domains& domains, uint64_t arcs,
                         uint64_t replicas, std::span<const uint64_t> held);

}  // namespace rondel::ring
