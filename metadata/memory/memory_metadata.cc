#include "metadata/memory/memory_metadata.h"

namespace rondel::metadata {

MemoryMetadata::MemoryMetadata(MemoryState& state, MemoryOptions options)
    : versions_(*options.clock, options.site),
      availability_(state),
      objects_(state, versions_, *options.lock_clock),
      uploads_(state, versions_, *options.clock),
      listing_(state),
      buckets_(state),
      identities_(state),
      keys_(state),
      cluster_(state),
      stores_{.database = availability_,
              .objects = objects_,
              .uploads = uploads_,
              .listing = listing_,
              .buckets = buckets_,
              .identities = identities_,
              .nodes = cluster_.nodes,
              .ring = cluster_.ring,
              .lease = cluster_.lease,
              .releases = cluster_.releases,
              .orphans = cluster_.orphans,
              .gc = cluster_.gc,
              .restores = cluster_.restores,
              .lifecycle = cluster_.lifecycle,
              .lifecycle_cursors = cluster_.lifecycle_cursors,
              .lifecycle_rechecks = cluster_.lifecycle_rechecks,
              .keys = keys_} {}

}  // namespace rondel::metadata
