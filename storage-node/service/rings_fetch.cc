#include "storage-node/service/rings_fetch.h"

#include <utility>

#include "common/hash/hash64.h"

namespace rondel::node {

void RingsFetch::forget() {
  digest_ = total_ = 0;
  bytes_.clear();
  tables_ = {};
}

Result<void> RingsFetch::offered(uint64_t digest, std::vector<uint64_t> bytes) {
  if (digest == digest_ && bytes == bytes_ && !bytes.empty()) return {};
  forget();
  uint64_t total = 0;
  for (const uint64_t one : bytes) {
    if (one > kBytesMax || total + one > kBytesMax) {
      return fail(ErrorCode::kInvalidArgument, "the rings offered are too long");
    }
    total += one;
  }
  if (bytes.empty() || bytes.size() > kRingsMax) {
    return fail(ErrorCode::kInvalidArgument, "no rings are offered, or too many");
  }
  digest_ = digest;
  bytes_ = std::move(bytes);
  total_ = total;
  return {};
}

Result<void> RingsFetch::add(std::string_view piece) {
  if (piece.empty() || piece.size() > total_ - tables_.size()) {
    forget();
    return fail(ErrorCode::kInternal, "the gateway sent a piece of the rings that is none");
  }
  tables_ += piece;
  return {};
}

Result<std::vector<std::string>> RingsFetch::take() {
  const std::string tables = std::move(tables_);
  const std::vector<uint64_t> bytes = std::move(bytes_);
  const uint64_t digest = digest_;
  forget();
  if (hash::hash64(as_bytes(tables), 0) != digest) {
    return fail(ErrorCode::kCorruption, "the rings that came are not those that were offered");
  }
  std::vector<std::string> out;
  uint64_t at = 0;
  for (const uint64_t one : bytes) {
    out.push_back(tables.substr(at, one));
    at += one;
  }
  return out;
}

}  // namespace rondel::node
