// How a bound is shared between parties. Arithmetic alone: no state, no time.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rondel::admission {

// A bound as it is when somebody asks.
struct Level {
  uint64_t capacity = 0;
  uint64_t in_use = 0;  // By all, the asker too.
  size_t parties = 1;   // That hold or wait for something, with the asker.
};

inline constexpr uint64_t kDivisible = 16;

// Whether a party that holds `held` may take `amount` more.
//
// Up to 80 % of the capacity everybody may. Above that
// - who holds nothing may take what fits: nobody is locked out;
// - a party may hold half of what the others leave, so that there is room for the next one too;
// - parties that compete may hold equal parts of 90 %.
// So one party alone has 80 %, two that want everything 45 % each, and a new one finds room.
// A capacity below 16 is too small to be divided.
constexpr bool may_take(const Level& level, uint64_t held, uint64_t amount) {
  if (amount > level.capacity || level.in_use > level.capacity - amount) return false;
  const uint64_t after = level.in_use + amount;
  if (level.capacity < kDivisible) return true;
  if (held == 0 || after <= level.capacity / 5 * 4 + level.capacity % 5 * 4 / 5) return true;
  const uint64_t others = level.in_use - held;
  if (held + amount <= (level.capacity - others) / 2) return true;
  const uint64_t shared = level.capacity / 10 * 9 + level.capacity % 10 * 9 / 10;
  return level.parties > 1 && after <= shared && held + amount <= shared / level.parties;
}

// What all who are not authenticated may hold together.
constexpr uint64_t strangers_part(uint64_t capacity) { return capacity < 4 ? 1 : capacity / 4; }

}  // namespace rondel::admission
