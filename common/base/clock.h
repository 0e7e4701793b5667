// Time as a dependency: code that decides by time takes a Clock, so that tests can move it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace rondel {

using SystemTime = std::chrono::sys_time<std::chrono::microseconds>;
using SteadyTime = std::chrono::steady_clock::time_point;
using Deadline = SteadyTime;
using Duration = std::chrono::steady_clock::duration;

// Safe for concurrent use.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual SystemTime now() const = 0;         // Wall clock, UTC.
  virtual SteadyTime steady_now() const = 0;  // Never goes back.

  // The same, and what the machine slept counts: for ages. Not to be compared with steady_now().
  virtual SteadyTime boot_now() const { return steady_now(); }

  // Of which run of the machine: boot_now() of another process is the same clock where this is the
  // same. Empty: not known.
  virtual std::string boot() const { return {}; }
};

// The machine's clocks. Lives for the whole process.
const Clock& real_clock();

inline Deadline deadline_in(Duration duration) {
  return std::chrono::steady_clock::now() + duration;
}

}  // namespace rondel
