// DiskSet: the engines of a node by disk id. Fixed once the node serves, but for the id of a disk
// that was not known and is not open yet: zero until it opens. Safe for concurrent use.
#pragma once

#include <memory>
#include <ranges>
#include <vector>

#include "storage-node/engine/engine.h"

namespace rondel::node {

class DiskSet {
 public:
  explicit DiskSet(std::vector<std::unique_ptr<engine::Engine>> engines)
      : engines_(std::move(engines)) {}

  // Null: no such disk here.
  engine::Engine* find(const model::DiskId& disk) const {
    if (disk.is_zero()) return nullptr;
    for (const auto& engine : engines_) {
      if (engine->disk_id() == disk) return engine.get();
    }
    return nullptr;
  }

  // Those that have an id by now: nothing is told of the others.
  auto identified() const {
    return engines_ |
           std::views::filter([](const auto& engine) { return !engine->disk_id().is_zero(); });
  }

  auto begin() const { return engines_.begin(); }

  auto end() const { return engines_.end(); }

  size_t size() const { return engines_.size(); }

 private:
  std::vector<std::unique_ptr<engine::Engine>> engines_;
};

}  // namespace rondel::node
