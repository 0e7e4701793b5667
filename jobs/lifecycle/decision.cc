#include "jobs/lifecycle/decision.h"

#include <algorithm>

#include "common/base/numbers.h"

namespace rondel::lifecycle {
namespace {

// Midnight, as real days end.
constexpr SystemTime kLastDay = std::chrono::floor<std::chrono::days>(kLastTime);

const Tags& tags_of(const Subject& subject) {
  static const Tags none;
  return subject.tags == nullptr ? none : *subject.tags;
}

// Whether the rule's expiration has reached a current version.
bool reached(const Rule& rule, const Subject& subject, SystemTime now, const Calendar& calendar) {
  if (rule.date) return std::max(*rule.date, subject.created) <= now;
  return rule.days && calendar.passed(subject.created, *rule.days, now);
}

bool removes_noncurrent(const Rule& rule, const Subject& subject, SystemTime now,
                        const Calendar& calendar) {
  if (!rule.noncurrent_days || subject.newer_noncurrent < rule.newer_noncurrent.value_or(0)) {
    return false;
  }
  if (subject.delete_marker
          ? !rule.filter.matches_key(subject.key) || !rule.filter.by_prefix_alone()
          : !rule.filter.matches(subject.key, subject.size, tags_of(subject))) {
    return false;
  }
  return calendar.passed(subject.replaced, *rule.noncurrent_days, now);
}

// A lone marker goes at once by its own action, and by age like any current version.
bool removes_lone_marker(const Rule& rule, const Subject& subject, SystemTime now,
                         const Calendar& calendar) {
  if (!rule.filter.by_prefix_alone() || !rule.filter.matches_key(subject.key)) return false;
  return rule.lone_markers || reached(rule, subject, now, calendar);
}

bool expires(const Rule& rule, const Subject& subject, SystemTime now, const Calendar& calendar) {
  return reached(rule, subject, now, calendar) &&
         rule.filter.matches(subject.key, subject.size, tags_of(subject));
}

}  // namespace

SystemTime Calendar::due(SystemTime from, uint32_t days) const {
  if (day.count() <= 0) return kLastDay;
  const SystemTime exact = saturating_later(from, saturating_times(day, days));
  return std::min(real() ? SystemTime(std::chrono::ceil<std::chrono::days>(exact)) : exact,
                  kLastDay);
}

SystemTime Calendar::cutoff(SystemTime now, uint32_t days) const {
  if (day.count() <= 0) return std::min(kFirstTime, now);
  const SystemTime known = std::clamp(now, kFirstTime, kLastTime);
  const SystemTime begin =
      real() ? SystemTime(std::chrono::floor<std::chrono::days>(known)) : known;
  return std::min(saturating_earlier(begin, saturating_times(day, days)), now);
}

Action decide(const Configuration& rules, const Subject& subject, SystemTime now,
              const Calendar& calendar) {
  for (const Rule& rule : rules.rules) {
    if (!rule.enabled) continue;
    if (!subject.current) {
      if (removes_noncurrent(rule, subject, now, calendar)) return Action::kRemove;
    } else if (subject.delete_marker) {
      if (subject.lone && removes_lone_marker(rule, subject, now, calendar)) return Action::kRemove;
    } else if (expires(rule, subject, now, calendar)) {
      return Action::kExpire;
    }
  }
  return Action::kKeep;
}

bool aborts(const Configuration& rules, std::string_view key, SystemTime initiated, SystemTime now,
            const Calendar& calendar) {
  return std::ranges::any_of(rules.rules, [&](const Rule& rule) {
    return rule.enabled && rule.abort_days && rule.filter.matches_key(key) &&
           calendar.passed(initiated, *rule.abort_days, now);
  });
}

std::optional<Expiry> expiry_of(const Configuration& rules, const Subject& subject) {
  const Calendar real;
  std::optional<Expiry> earliest;
  for (const Rule& rule : rules.rules) {
    if (!rule.enabled || !rule.filter.matches(subject.key, subject.size, tags_of(subject))) {
      continue;
    }
    if (!rule.date && !rule.days) continue;
    const SystemTime due = rule.date ? *rule.date : real.due(subject.created, *rule.days);
    if (!earliest || due < earliest->date) earliest = Expiry{due, rule.id};
  }
  return earliest;
}

}  // namespace rondel::lifecycle
