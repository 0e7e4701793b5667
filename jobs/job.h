// Job: background work that one gateway at a time does for the cluster: the one that holds the
// lease. A job works in rounds; the scheduler (scheduler.h) begins them, one at a time for each
// job, and notes how they ended.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace rondel::jobs {

// A newer coordinator commands: the term is over.
inline constexpr ErrorCode kSuperseded = ErrorCode::kPrecondition;
// The work waits for an operator.
inline constexpr ErrorCode kHalted = ErrorCode::kOutOfRange;

// The time in which this gateway coordinates under one token. Every write and every command of a
// job carries the token, so that what is late changes nothing.
class Term {
 public:
  Term(uint64_t token, std::function<bool()> is_held)
      : token_(token), is_held_(std::move(is_held)) {}

  uint64_t token() const { return token_; }

  // False once another gateway may coordinate or the process is ending. Asked between steps.
  bool is_held() const { return is_held_(); }

  // Returns early when the term ends.
  async::Task<void> pause(Duration duration) const;

 private:
  uint64_t token_;
  std::function<bool()> is_held_;
};

// How long work rests between two steps, so that requests come first.
class Pace {
 public:
  // So many units a second, the work itself not counted.
  static Pace units_per_second(uint64_t units) { return Pace(units, 0); }

  // One part of so many of the time.
  static Pace part_of_time(uint32_t parts) { return Pace(0, parts); }

  // After a step of so many units that took so long.
  Duration rest_after(uint64_t units, Duration took) const;

 private:
  Pace(uint64_t units, uint32_t parts) : units_(units), parts_(parts) {}

  uint64_t units_;
  uint32_t parts_;
};

// Used on one loop; outlives its scheduler.
class Job {
 public:
  virtual ~Job() = default;

  // In logs and as a label of metrics: lower case, with underscores.
  virtual std::string_view name() const = 0;
  // One round. Ends early, without an error, when the term does. kSuperseded ends the term;
  // kHalted is noted as a pause; any other error is logged, and the next round tries again.
  virtual async::Task<Result<void>> run_round(const Term& term) = 0;
  // Before the next round, and before the first one of a process.
  virtual Duration pause() const = 0;
};

}  // namespace rondel::jobs
