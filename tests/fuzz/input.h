// Pieces of a fuzzer's input: small choices from its front, the rest as text.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/base/bytes.h"

namespace rondel::fuzz {

class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  uint8_t choice() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }

  uint64_t number() {
    uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | choice();
    return value;
  }

  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

// What must hold; a find otherwise.
inline void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace rondel::fuzz
