// XXH64, XXH3 with 64 and with 128 bits, incremental, seed 0. Values in canonical form: big-endian.
// Source: xxHash specification (doc/xxhash_spec.md).
#pragma once

#include <memory>
#include <string>

#include "common/base/bytes.h"

namespace rondel::hash {

enum class XxhashKind { kXxh64, kXxh3, kXxh128 };

// One thread at a time.
class XxhashDigest {
 public:
  explicit XxhashDigest(XxhashKind kind);
  ~XxhashDigest();
  XxhashDigest(XxhashDigest&&) noexcept;
  XxhashDigest& operator=(XxhashDigest&&) noexcept;

  void update(ByteView bytes);
  // The raw value, 8 or 16 bytes; the object starts afresh.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rondel::hash
