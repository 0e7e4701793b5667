// AgeClock: what everything that ends by age goes by, so that no clock that is wrong ends anything
// early.
//
// It compares this gateway's clock with the database's, which the refresh of the topology reads
// each second, and both with the steady clock (CLOCK_BOOTTIME: a machine that
// sleeps does not stop it). What ends (released bytes, orphans, versions and
// uploads by lifecycle rules, kept upload ids) ends by the earlier of the two, and not at all while
// they differ by more than kDifferenceMax, the database has not been heard for kSampleLife, or
// most clocks of the cluster say that it is the database's that is wrong (clock_fence.h). When
// both jump ahead together the steady clock holds back: time as it is told here then catches up by
// a tenth of what passes, so that nothing ends after less than nine tenths of its age. When both
// are set back together nothing ends either until they are set right, or until they have shown that
// time for kBackBelieved. What is stamped is stamped by the latest of the three while they differ,
// so that what a clock that is behind stamped is not old when it is set right. How far time has
// come, and what was noticed of jumps, is kept in the database: a gateway that starts goes on from
// there, by the steady clock where the machine has not been off. Object locks end by the earlier
// one and are never paused: they hold.
#pragma once

#include <algorithm>
#include <map>
#include <optional>

#include "cluster/membership/clock_fence.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/base/result.h"
#include "common/model/ids.h"
#include "metadata/store/node_store.h"

namespace rondel::membership {

struct AgeClockStatus {
  bool known = false;                  // The database has been heard.
  bool paused = true;                  // Nothing ends by age now.
  std::chrono::microseconds ahead{0};  // This gateway's clock minus the database's.
  // What is told for ages lies so far behind the earlier of both.
  std::chrono::microseconds held_back{0};
  // Both lie so far behind what has passed by the steady clock.
  std::chrono::microseconds set_back{0};
  // Each node's clock minus the database's, of those that were heard lately.
  std::map<model::NodeId, std::chrono::microseconds> nodes;
  ClockVerdict verdict;
};

// Safe for concurrent use.
class AgeClock {
 public:
  static constexpr std::chrono::microseconds kDifferenceMax = kClockDifferenceMax;
  static constexpr Duration kSampleLife = std::chrono::seconds(60);
  // Of gateway and database both, that were set back against the steady clock.
  static constexpr Duration kBackBelieved = std::chrono::hours(24);
  // From this on clients with the right time are refused (RequestTimeTooSkewed): the gateway is of
  // no use to them.
  static constexpr std::chrono::microseconds kUsableDifference = std::chrono::minutes(15);

  explicit AgeClock(const Clock& clock);

  // Before the first sample: how far time has come at the least, and what was noticed, as gateways
  // wrote it down (reached()). nullopt: nobody has, and the first sample is believed. Time in which
  // nobody looked is not time in which clocks were seen to be set back.
  void recall(std::optional<metadata::ReachedTime> reached);
  // When it is a higher number than at the last call, an operator has confirmed the clocks as they
  // are: what was held back or paused by the steady clock goes by them.
  void confirm(uint64_t accepted);
  // To be written down. nullopt: not known yet.
  std::optional<metadata::ReachedTime> reached() const;

  // The database's clock showed `database_now` at some time between `asked_at` and now
  // (both Clock::boot_now()).
  // Ignored when that is long.
  void sample(SystemTime database_now, SteadyTime asked_at);
  // How far the nodes' clocks are ahead of the database's, and those of other gateways. What is not
  // among them is forgotten.
  void witness(std::map<model::NodeId, NodeClock> nodes,
               std::vector<std::chrono::microseconds> gateways = {});
  // Why the node takes no writes by its clock; empty: it may.
  std::string why_fenced(const model::NodeId& node) const;
  // Most clocks say that the database's is wrong.
  bool database_off() const;

  // nullopt: ages are paused.
  std::optional<SystemTime> now_for_age() const;
  // When nothing has been paused for so long, as far back as this has looked. A stamp by a clock
  // that was wrong until a moment ago may be early: what is protected by a short time (the grace of
  // released bytes) has passed it for certain only then.
  bool steady_for(Duration time) const;

  // For what is written down now and ends by age some day, and for object locks. They live as long
  // as this.
  const Clock& stamps() const { return stamps_; }

  const Clock& locks() const { return locks_; }

  // database_now() as a clock: what bytes are stamped by, so that all gateways' are comparable, and
  // with what the database says when they are committed or looked for.
  const Clock& database() const { return database_clock_; }

  // The database's clock as far as it is known, else ours: to compare with what the database
  // stamped.
  SystemTime database_now() const;

  // kUnavailable: this gateway's clock is so far off that clients are refused. When most nodes
  // agree with it, it is the database's that is off, and the gateway is of use.
  Result<void> check_usable() const;

  AgeClockStatus status() const;

 private:
  struct Stamps final : Clock {
    explicit Stamps(const AgeClock& ages_) : ages(ages_) {}

    SystemTime now() const override;

    SteadyTime steady_now() const override { return ages.clock_.steady_now(); }

    SteadyTime boot_now() const override { return ages.clock_.boot_now(); }

    const AgeClock& ages;
  };

  struct Locks final : Clock {
    explicit Locks(const AgeClock& ages_) : ages(ages_) {}

    SystemTime now() const override;

    SteadyTime steady_now() const override { return ages.clock_.steady_now(); }

    SteadyTime boot_now() const override { return ages.clock_.boot_now(); }

    const AgeClock& ages;
  };

  struct Database final : Clock {
    explicit Database(const AgeClock& ages_) : ages(ages_) {}

    SystemTime now() const override { return ages.database_now(); }

    SteadyTime steady_now() const override { return ages.clock_.steady_now(); }

    SteadyTime boot_now() const override { return ages.clock_.boot_now(); }

    const AgeClock& ages;
  };

  // One look at all clocks.
  struct Look {
    SystemTime mine;
    std::optional<SystemTime> database;  // As of now.
    std::optional<SystemTime> limit;     // By the steady clock: more has not passed.
    bool heard_lately = false;
    bool database_off = false;  // By the verdict of most clocks.

    std::chrono::microseconds ahead() const {
      return database ? mine - *database : std::chrono::microseconds(0);
    }

    SystemTime earlier() const { return database ? std::min(mine, *database) : mine; }

    bool agree() const { return std::chrono::abs(ahead()) <= kDifferenceMax; }

    // The steady clock says that it is later than the two agree on.
    std::chrono::microseconds back() const {
      return limit ? std::max(std::chrono::microseconds(0), *limit - earlier())
                   : std::chrono::microseconds(0);
    }

    bool set_back() const { return agree() && back() > kDifferenceMax; }

    bool paused() const { return !heard_lately || !agree() || database_off || set_back(); }
  };

  Look look() const REQUIRES(mutex_);
  void move_limit(SystemTime earlier, std::chrono::microseconds passed) REQUIRES(mutex_);
  void believe_when_long_set_back(SteadyTime at) REQUIRES(mutex_);

  const Clock& clock_;
  const Stamps stamps_;
  const Locks locks_;
  const Database database_clock_;
  mutable Mutex mutex_;
  std::optional<SystemTime> database_ GUARDED_BY(mutex_);  // At sampled_at_.
  SteadyTime sampled_at_ GUARDED_BY(mutex_) = {};
  std::optional<SystemTime> limit_ GUARDED_BY(mutex_);  // At sampled_at_.
  // Of a jump that the limit follows, so far.
  std::chrono::microseconds caught_up_ GUARDED_BY(mutex_) = {};
  std::optional<uint64_t> accepted_ GUARDED_BY(mutex_);
  // Gateway and database agree on a time before it.
  std::optional<SteadyTime> set_back_at_ GUARDED_BY(mutex_);
  bool told_paused_ GUARDED_BY(mutex_) = false;
  // The last time that it was; what came before the beginning is not known.
  SteadyTime paused_at_ GUARDED_BY(mutex_);
  std::map<model::NodeId, NodeClock> nodes_ GUARDED_BY(mutex_);
  ClockVerdict verdict_ GUARDED_BY(mutex_);  // By nodes_ and the last sample.
};

// What ends by age goes by `ages`, or without one (tests, tools) by the given clock, and never by a
// later time than the database's. nullopt: ages are paused.
std::optional<SystemTime> age_time(const AgeClock* ages, const Clock& clock,
                                   SystemTime database_now = SystemTime::max());

}  // namespace rondel::membership
