// What the lifecycle seams in memory read alike. Internal to metadata/memory, and under the lock of
// its state.
#pragma once

#include <string>

#include "metadata/memory/memory_state.h"
#include "metadata/store/lifecycle_version.h"

namespace rondel::metadata {

// A version of the key, as the job sees it: the current one is the newest.
LifecycleVersion lifecycle_version(const std::string& key, const KeyVersions& versions,
                                   KeyVersions::const_iterator version);

// Those that are no longer current, the newest first.
inline KeyVersions::const_iterator history_of(const KeyVersions& versions) {
  return std::next(versions.begin());
}

}  // namespace rondel::metadata
