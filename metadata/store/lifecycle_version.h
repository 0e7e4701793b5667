// LifecycleVersion: what the lifecycle job knows of a version.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/clock.h"
#include "metadata/model/object.h"

namespace rondel::metadata {

struct LifecycleVersion {
  std::string key;
  model::VersionId version;
  uint64_t size = 0;
  Tags tags;
  bool current = true;
  bool delete_marker = false;
  bool lone = false;  // A current delete marker without versions behind it.
  SystemTime created;
  SystemTime replaced;            // Noncurrent: when a newer version took its place.
  uint32_t newer_noncurrent = 0;  // Noncurrent ones that are newer; counted to the limit asked for.
};

}  // namespace rondel::metadata
