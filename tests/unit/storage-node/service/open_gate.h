// A gate of a storage node that lets every request in whose ring epoch is not fenced.
#pragma once

#include <atomic>

#include "storage-node/service/write_gate.h"

namespace rondel::node {

class OpenGate final : public WriteGate {
 public:
  Result<void> check(uint64_t epoch) const override {
    if (epoch < min_epoch) return fail(ErrorCode::kPrecondition, "the epoch is fenced");
    return {};
  }

  OrderRefusal accept_order(const OrderOrigin&) override { return OrderRefusal::kNone; }

  bool heard_of(uint64_t) override { return true; }

  model::MetadataGeneration database_seen() const override { return {}; }

  std::atomic<uint64_t> min_epoch{0};
};

}  // namespace rondel::node
