// FixedTopology: a TopologySource that says what the test last set. Safe for concurrent use.
#pragma once

#include <mutex>

#include "common/ring/ring.h"

namespace rondel::fakes {

class FixedTopology final : public ring::TopologySource {
 public:
  FixedTopology() = default;

  explicit FixedTopology(std::vector<std::shared_ptr<const ring::Ring>> rings) {
    set(std::move(rings));
  }

  // Live epochs, newest first.
  void set(std::vector<std::shared_ptr<const ring::Ring>> rings) {
    auto next = std::make_shared<ring::Topology>();
    next->rings = std::move(rings);
    std::lock_guard lock(mutex_);
    now_ = std::move(next);
  }

  std::shared_ptr<const ring::Topology> topology() const override {
    std::lock_guard lock(mutex_);
    return now_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const ring::Topology> now_ = std::make_shared<ring::Topology>();
};

}  // namespace rondel::fakes
