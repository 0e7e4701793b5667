// What an evaluation has cost, in steps: about one byte of a text, or 64 elements of a pattern,
// looked at once.
#pragma once

#include <cstdint>

namespace rondel::policy {

// For one thread.
class Work {
 public:
  // About 3 ms. A policy of 20 KiB whose patterns have any '?' in them comes to less on a head of 8
  // KiB; what comes to more is made for it: values put in the place of hundreds of variables,
  // hundreds of patterns of which each reads a text of kilobytes to its end.
  static constexpr uint64_t kStepsMax = 4'000'000;

  void add(uint64_t steps) { steps_ += steps; }

  void restart() { steps_ = 0; }

  uint64_t steps() const { return steps_; }

  // Nothing more is looked at; what asked must not allow anything.
  bool over() const { return steps_ > kStepsMax; }

 private:
  uint64_t steps_ = 0;
};

}  // namespace rondel::policy
