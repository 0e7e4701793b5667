// ReplicationLag: how far a disk is behind what it should hold.
#pragma once

#include <cstdint>

namespace rondel::model {

struct ReplicationLag {
  uint64_t age_us = 0;  // Of the oldest acknowledged blob that it lacks.
  uint64_t bytes = 0;
  uint64_t blobs = 0;
  bool operator==(const ReplicationLag&) const = default;
};

}  // namespace rondel::model
