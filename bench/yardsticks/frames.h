// The wire of the floor chain, little-endian and packed: the least that carries a blob and its
// answer.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace floor_chain {

inline constexpr uint8_t kStore = 1;       // Payload: the bytes.
inline constexpr size_t kFrameHead = 13;   // kind u8, length u32, id u64.
inline constexpr size_t kAnswerBytes = 8;  // id u64: stored and flushed.

inline void append_frame(std::vector<char>& out, uint8_t kind, uint64_t id, const char* bytes,
                         uint32_t length) {
  const size_t at = out.size();
  out.resize(at + kFrameHead + length);
  out[at] = static_cast<char>(kind);
  std::memcpy(&out[at + 1], &length, 4);
  std::memcpy(&out[at + 5], &id, 8);
  std::memcpy(&out[at + kFrameHead], bytes, length);
}

}  // namespace floor_chain
