// DamagedList: the blobs that were found damaged on a disk and not replaced yet. Kept in a file
// beside the segments, so that neither a restart nor the loss of the index forgets them.
//
// Safe for concurrent use. Bounded: beyond kMax blobs nothing more is listed, and damage is found
// again by whoever reads it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/base/mutex.h"
#include "common/fs/file_system.h"
#include "common/model/ids.h"

namespace rondel::engine {

class DamagedList {
 public:
  static constexpr size_t kMax = 16'384;

  // `fs` outlives it.
  DamagedList(fs::FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}

  // What the file tells. kCorruption: it is damaged or cannot be read, and the list is empty.
  Result<void> load();

  // False: it is listed already, or the list is full.
  bool add(const model::BlobId& id);
  // In memory; the file follows with the next save(). A blob that is listed once more than it
  // should be is only written once more.
  void remove(const model::BlobId& id);
  bool contains(const model::BlobId& id) const;
  size_t size() const;
  // Up to `max` of them; the next call goes on behind, so that all come in turn.
  std::vector<model::BlobId> some(size_t max);

  // Writes the file if the list has changed since. While another thread does so nothing is done: it
  // looks once more before it ends.
  Result<void> save();

 private:
  std::string encode_locked() const REQUIRES(mutex_);
  Result<void> save_changes() REQUIRES(save_mutex_);

  fs::FileSystem& fs_;
  const std::string path_;
  Mutex save_mutex_;
  mutable Mutex mutex_;
  std::set<model::BlobId> blobs_ GUARDED_BY(mutex_);
  model::BlobId last_ GUARDED_BY(mutex_);
  bool changed_ GUARDED_BY(mutex_) = false;
};

}  // namespace rondel::engine
