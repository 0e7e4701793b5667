// RecentBlobs: the blobs that a disk stored lately, and since when these are all of them. What was
// made after that and is not among them is not on the disk: a put need not ask the index. Peers,
// too, ask for each blob once more when they compare journals, a second or two later.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/mutex.h"
#include "common/model/ids.h"

namespace rondel::engine {

// Safe for concurrent use. Keeps the newest `kGenerationBlobs` to twice as many, in 4 MiB.
class RecentBlobs {
 public:
  static constexpr size_t kGenerationBlobs = 1 << 16;

  // Times are microseconds of the disk's clock and do not matter beyond complete_since().
  explicit RecentBlobs(uint64_t now_us) : newer_(now_us), older_(now_us) {}

  // A blob stored now.
  void add(const model::BlobId& id, uint64_t now_us) {
    MutexLock lock(mutex_);
    if (newer_.used == kGenerationBlobs) {
      std::swap(newer_, older_);
      // Also when the clock was set back: what was made before the older blobs were forgotten may
      // be among them.
      newer_.restart(std::max(now_us, older_.since_us));
    }
    newer_.add(id);
  }

  void remove(const model::BlobId& id) {
    MutexLock lock(mutex_);
    newer_.remove(id);
    older_.remove(id);
  }

  // Nothing is remembered, from now on everything.
  void forget(uint64_t now_us) {
    MutexLock lock(mutex_);
    newer_.restart(now_us);
    older_.restart(now_us);
  }

  // True: it was added and not removed since. False: it was not added at or after complete_since(),
  // or removed.
  bool contains(const model::BlobId& id) const {
    MutexLock lock(mutex_);
    return newer_.find(id) != kAbsent || older_.find(id) != kAbsent;
  }

  uint64_t complete_since_us() const {
    MutexLock lock(mutex_);
    return older_.since_us;
  }

 private:
  static constexpr size_t kPlaces = 2 * kGenerationBlobs;
  static constexpr size_t kAbsent = kPlaces;

  // Open addressing; a removed blob leaves a mark that is no blob's id.
  struct Generation {
    explicit Generation(uint64_t now_us) : since_us(now_us) {}

    static size_t next(size_t at) { return (at + 1) % kPlaces; }

    static model::BlobId removed() {
      model::BlobId mark;
      mark.stream.bytes.fill(std::byte{0xff});
      mark.chunk = UINT32_MAX;
      return mark;
    }

    size_t find(const model::BlobId& id) const {
      for (size_t at = id.ring_hash() % kPlaces; places[at] != model::BlobId{}; at = next(at)) {
        if (places[at] == id) return at;
      }
      return kAbsent;
    }

    void add(const model::BlobId& id) {
      size_t at = id.ring_hash() % kPlaces;
      while (places[at] != model::BlobId{} && places[at] != id) at = next(at);
      if (places[at] == id) return;
      places[at] = id;
      ++used;
    }

    void remove(const model::BlobId& id) {
      if (const size_t at = find(id); at != kAbsent) places[at] = removed();
    }

    void restart(uint64_t now_us) {
      std::ranges::fill(places, model::BlobId{});
      used = 0;
      since_us = now_us;
    }

    std::vector<model::BlobId> places = std::vector<model::BlobId>(kPlaces);
    size_t used = 0;
    uint64_t since_us;
  };

  mutable Mutex mutex_;
  Generation newer_ GUARDED_BY(mutex_), older_ GUARDED_BY(mutex_);
};

}  // namespace rondel::engine
