// What a bucket's rules do with one version at one moment. Pure functions.
#pragma once

#include <string>

#include "jobs/lifecycle/rule.h"

namespace rondel::lifecycle {

inline constexpr std::chrono::seconds kDay = std::chrono::days(1);

// How long a day of a rule lasts. Real ones end at midnight UTC; others are counted from the
// object's own time.
//
// Any number of days is taken. What would be due beyond the calendar is due on its last day
// (9999-12-31), and nothing is old enough for a cutoff before its first (0001-01-01): a rule of
// very many days means never. A length that is not above zero also means never.
struct Calendar {
  std::chrono::milliseconds day = kDay;

  bool real() const { return day == kDay; }

  // When something of that time is `days` old: from 0001-01-01 to 9999-12-31.
  SystemTime due(SystemTime from, uint32_t days) const;
  // passed(from, days, now) holds for every `from` of the calendar up to this one, and for no later
  // one. Never after `now`.
  SystemTime cutoff(SystemTime now, uint32_t days) const;

  // Whether it is so old now. Asked both ways, since what this says removes data: a day that is
  // wrong in one of them keeps it.
  bool passed(SystemTime from, uint32_t days, SystemTime now) const {
    return due(from, days) <= now && from <= cutoff(now, days);
  }
};

struct Subject {
  std::string_view key;
  uint64_t size = 0;
  const Tags* tags = nullptr;  // Null = none.
  SystemTime created;
  bool delete_marker = false;
  bool current = true;
  bool lone = false;              // A current delete marker without versions behind it.
  SystemTime replaced;            // Noncurrent: when a newer version took its place,
  uint32_t newer_noncurrent = 0;  // and how many noncurrent ones are newer.
};

enum class Action : uint8_t {
  kKeep = 0,
  kExpire,  // As a DELETE without version: gone, or hidden by a delete marker.
  kRemove,  // This version (or lone marker) for good.
};

Action decide(const Configuration& rules, const Subject& subject, SystemTime now,
              const Calendar& calendar);
// Whether an upload begun then is to be aborted.
bool aborts(const Configuration& rules, std::string_view key, SystemTime initiated, SystemTime now,
            const Calendar& calendar);

// When a current version goes, in real days, and by which rule; the earliest one. No later than
// 9999-12-31.
struct Expiry {
  SystemTime date;
  std::string rule;
};

std::optional<Expiry> expiry_of(const Configuration& rules, const Subject& subject);

}  // namespace rondel::lifecycle
