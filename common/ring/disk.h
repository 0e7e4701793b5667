// The members of a ring: disks, and what replicas must not share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/model/ids.h"

namespace rondel::ring {

// Position of a disk in Ring::disks().
using DiskIndex = uint16_t;
inline constexpr size_t kDisksMax = 65'535;

// What replicas of one arc must not share.
enum class FailureDomain : uint8_t { kZone = 1, kHost = 2, kDisk = 3 };

struct Disk {
  model::DiskId id;
  model::NodeId node;
  std::string host;
  std::string zone;
  uint64_t capacity_bytes = 0;  // Weight; 0 = holds nothing (draining).

  bool operator==(const Disk&) const = default;
};

}  // namespace rondel::ring
