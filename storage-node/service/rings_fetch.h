// RingsFetch: rings that a gateway offers, on their way to the node in pieces. What has come stays
// when a heartbeat ends early, and the next one goes on behind it, also with another gateway.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace rondel::node {

// One thread.
class RingsFetch {
 public:
  static constexpr uint64_t kBytesMax = 256ull << 20;  // Of all rings together.
  static constexpr size_t kRingsMax = 64;

  // `bytes`: the length of each table, newest first. What had come of another offer is dropped.
  // kInvalidArgument: more than anybody has.
  Result<void> offered(uint64_t digest, std::vector<uint64_t> bytes);

  uint64_t digest() const { return digest_; }

  uint64_t offset() const { return tables_.size(); }  // Of the next piece.

  bool complete() const { return tables_.size() == total_; }

  // kInternal: it is empty or too long; everything is asked for again then.
  Result<void> add(std::string_view piece);

  // The tables, and nothing is kept. REQUIRES: complete(). kCorruption: they are not what was
  // offered.
  Result<std::vector<std::string>> take();

 private:
  void forget();

  uint64_t digest_ = 0;
  std::vector<uint64_t> bytes_;
  uint64_t total_ = 0;
  std::string tables_;
};

}  // namespace rondel::node
