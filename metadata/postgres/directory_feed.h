// DirectoryFeed: tells of changes of buckets and identities (metadata/store/directory_change.h) as
// PostgreSQL's channel rondel_directory does. It holds one connection.
#pragma once

#include <memory>
#include <string>

#include "common/base/clock.h"
#include "metadata/store/directory_change.h"

namespace rondel::metadata {

class DirectoryFeed {
 public:
  // Nothing is told any more once it is destroyed.
  virtual ~DirectoryFeed() = default;
};

// `listener` hears on a thread of the feed's own, until the feed is destroyed: kHeard within half a
// second of the server being there, kNotHeard within a few seconds of its being gone.
std::unique_ptr<DirectoryFeed> make_postgres_directory_feed(std::string dsn, const Clock& clock,
                                                            DirectoryListener listener);

}  // namespace rondel::metadata
