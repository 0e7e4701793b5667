#include "common/lifecycle/decision.h"

#include <algorithm>

namespace rondel::lifecycle {
namespace {

const Tags& tags_of(const Subject& subject) {
  static const Tags none;
  return subject.tags == nullptr ? none : *subject.tags;
}

// When the rule's expiration reaches a current version.
std::optional<SystemTime> expiration(const Rule& rule, const Subject& subject, const Calendar& calendar) {
  if (rule.date) return std::max(*rule.date, subject.created);
  if (rule.days) return calendar.due(subject.created, *rule.days);
  return std::nullopt;
}

bool removes_noncurrent(const Rule& rule, const Subject& subject, SystemTime now, const Calendar& calendar) {
  if (!rule.noncurrent_days || subject.newer_noncurrent < rule.newer_noncurrent.value_or(0)) return false;
  if (subject.delete_marker ? !rule.filter.matches_key(subject.key) || !rule.filter.by_prefix_alone()
                            : !rule.filter.matches(subject.key, subject.size, tags_of(subject))) {
    return false;
  }
  return calendar.due(subject.replaced, *rule.noncurrent_days) <= now;
}

// A lone marker goes at once by its own action, and by age like any current version.
bool removes_lone_marker(const Rule& rule, const Subject& subject, SystemTime now, const Calendar& calendar) {
  if (!rule.filter.by_prefix_alone() || !rule.filter.matches_key(subject.key)) return false;
  if (rule.lone_markers) return true;
  const auto due = expiration(rule, subject, calendar);
  return due && *due <= now;
}

bool expires(const Rule& rule, const Subject& subject, SystemTime now, const Calendar& calendar) {
  const auto due = expiration(rule, subject, calendar);
  return due && *due <= now && rule.filter.matches(subject.key, subject.size, tags_of(subject));
}

}  // namespace

SystemTime Calendar::due(SystemTime from, uint32_t days) const {
  const SystemTime exact = from + days * day;
  return real() ? SystemTime(std::chrono::ceil<std::chrono::days>(exact)) : exact;
}

SystemTime Calendar::cutoff(SystemTime now, uint32_t days) const {
  return (real() ? SystemTime(std::chrono::floor<std::chrono::days>(now)) : now) - days * day;
}

Action decide(const Configuration& rules, const Subject& subject, SystemTime now, const Calendar& calendar) {
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

bool aborts(const Configuration& rules, std::string_view key, SystemTime initiated, SystemTime now, const Calendar& calendar) {
  return std::ranges::any_of(rules.rules, [&](const Rule& rule) {
    return rule.enabled && rule.abort_days && rule.filter.matches_key(key) && calendar.due(initiated, *rule.abort_days) <= now;
  });
}

std::optional<Expiry> expiry_of(const Configuration& rules, const Subject& subject) {
  const Calendar real;
  std::optional<Expiry> earliest;
  for (const Rule& rule : rules.rules) {
    if (!rule.enabled || !rule.filter.matches(subject.key, subject.size, tags_of(subject))) continue;
    const auto due = rule.date ? rule.date : expiration(rule, subject, real);
    if (due && (!earliest || *due < earliest->date)) earliest = Expiry{*due, rule.id};
  }
  return earliest;
}

}  // namespace rondel::lifecycle
