// MetadataMemory: the newest database generation a node has seen, kept in a file. Safe for concurrent use.
#pragma once

#include <mutex>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/model/metadata_generation.h"

namespace rondel::node {

class MetadataMemory {
 public:
  explicit MetadataMemory(std::string file) : file_(std::move(file)) {}

  // kCorruption: the file does not read.
  Result<void> load();

  // False: an older state of the database, or another database, that nobody confirmed. Otherwise it is the newest seen. Written
  // when anything but the position changes, the position every 10 s.
  bool accept(const model::MetadataGeneration& generation);
  model::MetadataGeneration seen() const;

 private:
  void store_locked(SteadyTime now);

  const std::string file_;
  mutable std::mutex mutex_;
  model::MetadataGeneration seen_;
  SteadyTime stored_at_{};
};

}  // namespace rondel::node
