// Fills the table of owners: exactly for a first ring, with the least movement for a change.
#pragma once

#include <vector>

#include "common/ring/quota.h"
#include "common/ring/random.h"

namespace rondel::ring {

// arcs * replicas owners; every disk gets exactly its quota and no arc two disks of one domain.
std::vector<DiskIndex> fill_new(const Domains& domains, const Quotas& quotas, size_t arcs,
                                size_t replicas, Random& random);

// A slot whose owner is gone.
inline constexpr DiskIndex kHole = 0xffff;

// Changes `table` (owners as indices of the new disks, kHole where there is none) until every disk
// has its quota, moving as few slots as it finds. False when it cannot.
bool refill(std::vector<DiskIndex>& table, const Domains& domains, const Quotas& quotas,
            size_t replicas, Random& random);

}  // namespace rondel::ring
