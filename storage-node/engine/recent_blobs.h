// Blobs that a disk stored lately: peers ask for each of them once more when they compare journals, a second or two later. Safe for
// concurrent use.
#pragma once

#include <mutex>
#include <vector>

#include "common/model/ids.h"

namespace rondel::engine {

class RecentBlobs {
 public:
  // Of the ids that share a place the last one is kept.
  void add(const model::BlobId& id) {
    std::lock_guard lock(mutex_);
    places_[place(id)] = id;
  }

  void remove(const model::BlobId& id) {
    std::lock_guard lock(mutex_);
    if (places_[place(id)] == id) places_[place(id)] = {};
  }

  // True: it was added and not removed since. False says nothing.
  bool contains(const model::BlobId& id) const {
    std::lock_guard lock(mutex_);
    return places_[place(id)] == id;
  }

 private:
  static constexpr size_t kPlaces = 1 << 16;
  static size_t place(const model::BlobId& id) { return id.ring_hash() % kPlaces; }

  mutable std::mutex mutex_;
  std::vector<model::BlobId> places_ = std::vector<model::BlobId>(kPlaces);
};

}  // namespace rondel::engine
