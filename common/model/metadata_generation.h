// MetadataGeneration: how far the database has come. A database that was restored from a backup, or a standby that lagged behind
// and was promoted, is seen by it: bytes it knows nothing of must not be taken for garbage.
#pragma once

#include <cstdint>

namespace rondel::model {

struct MetadataGeneration {
  uint64_t accepted = 0;     // Rises when an operator confirms that what the database holds is right.
  uint64_t system = 0;       // PostgreSQL's system identifier.
  uint64_t timeline = 0;
  uint64_t position = 0;     // Of the flushed log.

  bool operator==(const MetadataGeneration&) const = default;

  // Is this the same database as `seen`, and as far?
  bool follows(const MetadataGeneration& seen) const {
    if (accepted != seen.accepted) return accepted > seen.accepted;
    if (seen == MetadataGeneration{}) return true;
    return system == seen.system && timeline == seen.timeline && position >= seen.position;
  }
};

}  // namespace rondel::model
