// WriteGate: may this node take writes of an epoch now?
#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/model/metadata_generation.h"

namespace rondel::node {

class WriteGate {
 public:
  virtual ~WriteGate() = default;
  // kPrecondition: the epoch is fenced, or the node has had no ring contact for 10 s. Safe for concurrent use.
  virtual Result<void> check(uint64_t epoch) const = 0;
  // A coordinator's command with this token: false when a higher one was seen.
  virtual bool accept_coordinator(uint64_t token) = 0;
  // A command decided on a database of this generation: false when the node has seen it further, or another one. Remembers the
  // newest on the disk.
  virtual bool accept_metadata(const model::MetadataGeneration& generation) = 0;
};

}  // namespace rondel::node
