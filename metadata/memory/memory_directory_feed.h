// MemoryDirectoryFeed: tells of changes of buckets and identities (directory_change.h) as they
// happen, on the thread that makes them and before its call is answered.
#pragma once

#include <list>
#include <utility>

#include "common/base/mutex.h"
#include "metadata/memory/memory_state.h"

namespace rondel::metadata {

class MemoryDirectoryFeed {
 public:
  // `state` outlives it. `listener` hears under the database's lock: it may not call a store.
  MemoryDirectoryFeed(MemoryState& state, DirectoryListener listener) : state_(state) {
    MutexLock lock(state_.mutex);
    listener({DirectoryChange::Kind::kHeard});
    mine_ = state_.listeners.insert(state_.listeners.end(), std::move(listener));
  }

  // Nothing is told any more once it is destroyed.
  ~MemoryDirectoryFeed() {
    MutexLock lock(state_.mutex);
    state_.listeners.erase(mine_);
  }

  MemoryDirectoryFeed(const MemoryDirectoryFeed&) = delete;
  MemoryDirectoryFeed& operator=(const MemoryDirectoryFeed&) = delete;

 private:
  MemoryState& state_;
  std::list<DirectoryListener>::iterator mine_;
};

}  // namespace rondel::metadata
