#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/numbers.h"
#include "jobs/lifecycle/decision.h"

namespace rondel::lifecycle {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;

SystemTime at(int year, unsigned month, unsigned day, Duration of_day = {}) {
  return std::chrono::sys_days(std::chrono::year(year) / month / day) +
         std::chrono::duration_cast<std::chrono::microseconds>(of_day);
}

Rule days_rule(uint32_t count, std::string prefix = "") {
  Rule rule;
  rule.id = "r" + std::to_string(count);
  rule.filter.prefix = std::move(prefix);
  rule.days = count;
  return rule;
}

Subject current(std::string_view key, SystemTime created) {
  Subject subject;
  subject.key = key;
  subject.created = created;
  return subject;
}

const Calendar kReal;

TEST(LifecycleCodec, EverythingComesBack) {
  Configuration all;
  Rule rule = days_rule(3, "tab\there=\n%\xc3\xbc/");
  rule.id = "id with = and\t";
  rule.filter.form = Filter::Form::kAnd;
  rule.filter.tags = {{"k=1", "v\n"}, {"empty", ""}};
  rule.filter.size_greater_than = 5;
  rule.filter.size_less_than = 1ull << 40;
  rule.noncurrent_days = 7;
  rule.newer_noncurrent = 2;
  all.rules.push_back(rule);
  Rule second;
  second.id = "second";
  second.enabled = false;
  second.date = at(2031, 2, 3);
  second.lone_markers = true;
  second.abort_days = 1;
  second.filter.form = Filter::Form::kPrefixElement;
  second.filter.prefix = "";
  all.rules.push_back(second);
  const auto back = decode(encode(all));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, all);
  EXPECT_EQ(decode(encode(Configuration{})), Configuration{});
}

TEST(LifecycleCodec, OtherTextIsRefused) {
  for (const char* text :
       {"", "lifecycle 2\n", "lifecycle 1\nabc\n", "lifecycle 1\na\t1\t9\t\t\t\t\t\t\t\t\t\n",
        "lifecycle 1\na\t1\t0\t\tx\t\t\t\t\t\t\t\n", "lifecycle 1\na\t1\t0\t=%zz\t\t\t\t\t\t\t\t\n",
        "lifecycle 1\na\t1\t0\t\t\t\t\t\t\t\t\t"}) {
    EXPECT_FALSE(decode(text)) << text;
  }
}

TEST(LifecycleCalendar, DaysEndAtMidnight) {
  EXPECT_EQ(kReal.due(at(2014, 1, 15, 10h + 30min), 3), at(2014, 1, 19));
  EXPECT_EQ(kReal.due(at(2014, 1, 15), 1), at(2014, 1, 16));
  const Calendar quick{10s};
  EXPECT_EQ(quick.due(at(2014, 1, 15, 1s), 2), at(2014, 1, 15, 21s));
}

TEST(LifecycleCalendar, CutoffIsTheLastMomentThatIsDue) {
  for (const Calendar& calendar : {kReal, Calendar{10s}}) {
    for (const SystemTime now : {at(2024, 3, 1), at(2024, 3, 1, 13h)}) {
      for (const uint32_t count : {1u, 30u}) {
        const SystemTime cutoff = calendar.cutoff(now, count);
        EXPECT_LE(calendar.due(cutoff, count), now);
        EXPECT_GT(calendar.due(cutoff + 1us, count), now);
      }
    }
  }
}

// Around every bound that the arithmetic of days has or had: of 32 bits, of 64 bits in
// microseconds, of the calendar.
const uint32_t kCounts[] = {0,
                            1,
                            2,
                            30,
                            36'500,
                            2'914'000,
                            2'932'896,
                            3'652'058,
                            3'652'059,
                            24'855,
                            24'856,
                            106'751,
                            106'751'991,
                            106'751'992,
                            106'751'993,
                            150'000'000,
                            213'503'982,
                            213'503'983,
                            213'503'984,
                            999'999'999,
                            INT32_MAX - 1u,
                            INT32_MAX,
                            INT32_MAX + 1u,
                            UINT32_MAX - 1,
                            UINT32_MAX};
const std::chrono::milliseconds kLengths[] = {1ms,
                                              1s,
                                              10s,
                                              kDay - 1ms,
                                              kDay,
                                              kDay + 1ms,
                                              days(36'525),
                                              std::chrono::milliseconds::max(),
                                              0ms,
                                              -1s,
                                              std::chrono::milliseconds::min()};
const SystemTime kTimes[] = {SystemTime{},      at(1970, 1, 2),        at(2026, 11, 30, 15h),
                             at(9999, 12, 30),  at(9999, 12, 31, 23h), at(1, 1, 1),
                             SystemTime::min(), SystemTime::max()};

TEST(LifecycleCalendar, NoNumberOfDaysReachesIntoTheFuture) {
  for (const auto length : kLengths) {
    const Calendar calendar{length};
    for (const SystemTime now : kTimes) {
      for (const uint32_t count : kCounts) {
        EXPECT_LE(calendar.cutoff(now, count), now)
            << count << " days of " << length.count() << " ms";
        for (const SystemTime from : kTimes) {
          const SystemTime due = calendar.due(from, count);
          EXPECT_GE(due, kFirstTime) << count;
          EXPECT_LE(due, at(9999, 12, 31)) << count;
          if (from > now) {
            EXPECT_FALSE(calendar.passed(from, count, now))
                << count << " days of " << length.count() << " ms";
          }
        }
      }
    }
  }
}

TEST(LifecycleCalendar, MoreDaysAreNeverEarlier) {
  for (const auto length : {std::chrono::milliseconds(1s), std::chrono::milliseconds(kDay)}) {
    const Calendar calendar{length};
    std::vector<uint32_t> counts(std::begin(kCounts), std::end(kCounts));
    std::ranges::sort(counts);
    for (size_t i = 1; i < counts.size(); ++i) {
      EXPECT_LE(calendar.due(at(2026, 1, 1, 7h), counts[i - 1]),
                calendar.due(at(2026, 1, 1, 7h), counts[i]))
          << counts[i];
      EXPECT_GE(calendar.cutoff(at(2026, 1, 1, 7h), counts[i - 1]),
                calendar.cutoff(at(2026, 1, 1, 7h), counts[i]))
          << counts[i];
    }
  }
}

TEST(LifecycleDecision, VeryManyDaysMeanNever) {
  const SystemTime made = at(2024, 1, 1, 12h);
  for (const uint32_t count : kCounts) {
    if (count < 2'914'000) continue;  // Less ends within the calendar.
    for (const SystemTime now : {made, at(2026, 11, 30), at(9999, 12, 31, 23h)}) {
      EXPECT_EQ(decide({{days_rule(count)}}, current("k", made), now, kReal), Action::kKeep)
          << count;
      Rule noncurrent;
      noncurrent.noncurrent_days = count;
      Subject old = current("k", made);
      old.current = false;
      old.replaced = made;
      EXPECT_EQ(decide({{noncurrent}}, old, now, kReal), Action::kKeep) << count;
      Subject marker = current("k", made);
      marker.delete_marker = marker.lone = true;
      EXPECT_EQ(decide({{days_rule(count)}}, marker, now, kReal), Action::kKeep) << count;
      Rule abort;
      abort.abort_days = count;
      EXPECT_FALSE(aborts({{abort}}, "k", made, now, kReal)) << count;
    }
    const auto expiry = expiry_of({{days_rule(count)}}, current("k", made));
    ASSERT_TRUE(expiry);
    EXPECT_GT(expiry->date, at(9990, 1, 1)) << count;
    EXPECT_LE(expiry->date, at(9999, 12, 31)) << count;
  }
}

TEST(LifecycleCodec, DatesOutsideOfTheCalendarAreRefused) {
  for (const char* date : {"-62135596801", "253402300800", "9223372036854", "9223372036854775807",
                           "-9223372036854775808", "9223372036854775808"}) {
    EXPECT_FALSE(decode("lifecycle 1\na\t1\t1\t\t\t\t\t" + std::string(date) + "\t0\t\t\t\n"))
        << date;
  }
  EXPECT_TRUE(decode("lifecycle 1\na\t1\t1\t\t\t\t\t253402300799\t0\t\t\t\n"));
}

TEST(LifecycleDecision, CurrentVersionsExpireByDaysDateAndFilter) {
  Configuration rules{{days_rule(2, "logs/")}};
  const SystemTime made = at(2024, 1, 1, 12h);
  EXPECT_EQ(decide(rules, current("logs/a", made), at(2024, 1, 3, 23h), kReal), Action::kKeep);
  EXPECT_EQ(decide(rules, current("logs/a", made), at(2024, 1, 4), kReal), Action::kExpire);
  EXPECT_EQ(decide(rules, current("log", made), at(2025, 1, 1), kReal), Action::kKeep);
  rules.rules[0].enabled = false;
  EXPECT_EQ(decide(rules, current("logs/a", made), at(2025, 1, 1), kReal), Action::kKeep);

  Rule dated;
  dated.date = at(2024, 6, 1);
  dated.filter.tags = {{"a", "1"}};
  dated.filter.size_greater_than = 10;
  rules = {{dated}};
  const Tags tags{{"b", "2"}, {"a", "1"}};
  Subject subject = current("x", made);
  subject.tags = &tags;
  subject.size = 11;
  EXPECT_EQ(decide(rules, subject, at(2024, 5, 31, 23h), kReal), Action::kKeep);
  EXPECT_EQ(decide(rules, subject, at(2024, 6, 1), kReal), Action::kExpire);
  subject.size = 10;
  EXPECT_EQ(decide(rules, subject, at(2024, 6, 1), kReal), Action::kKeep);
  subject.size = 11;
  subject.tags = nullptr;
  EXPECT_EQ(decide(rules, subject, at(2024, 6, 1), kReal), Action::kKeep);
}

TEST(LifecycleDecision, NoncurrentVersionsAgeFromTheirReplacement) {
  Rule rule;
  rule.noncurrent_days = 5;
  rule.newer_noncurrent = 2;
  const Configuration rules{{rule}};
  Subject subject = current("k", at(2020, 1, 1));
  subject.current = false;
  subject.replaced = at(2024, 1, 1, 1h);
  subject.newer_noncurrent = 2;
  EXPECT_EQ(decide(rules, subject, at(2024, 1, 6), kReal), Action::kKeep);
  EXPECT_EQ(decide(rules, subject, at(2024, 1, 7), kReal), Action::kRemove);
  subject.newer_noncurrent = 1;
  EXPECT_EQ(decide(rules, subject, at(2024, 1, 7), kReal), Action::kKeep);
  EXPECT_EQ(decide(rules, current("k", at(2020, 1, 1)), at(2024, 1, 7), kReal), Action::kKeep);
}

TEST(LifecycleDecision, LoneMarkersGoByTheirActionOrByAge) {
  Rule marker;
  marker.lone_markers = true;
  marker.filter.prefix = "a";
  Subject subject = current("a", at(2024, 1, 1));
  subject.delete_marker = true;
  EXPECT_EQ(decide({{marker}}, subject, at(2024, 1, 1), kReal), Action::kKeep);
  subject.lone = true;
  EXPECT_EQ(decide({{marker}}, subject, at(2024, 1, 1), kReal), Action::kRemove);
  EXPECT_EQ(decide({{days_rule(1)}}, subject, at(2024, 1, 1, 5h), kReal), Action::kKeep);
  EXPECT_EQ(decide({{days_rule(1)}}, subject, at(2024, 1, 2), kReal), Action::kRemove);
  Rule tagged = days_rule(1);
  tagged.filter.tags = {{"x", "y"}};
  EXPECT_EQ(decide({{tagged}}, subject, at(2024, 2, 2), kReal), Action::kKeep);
}

TEST(LifecycleDecision, UploadsAreAborted) {
  Rule rule;
  rule.abort_days = 1;
  rule.filter.prefix = "u/";
  EXPECT_TRUE(aborts({{rule}}, "u/1", at(2024, 1, 1, 3h), at(2024, 1, 3), kReal));
  EXPECT_FALSE(aborts({{rule}}, "u/1", at(2024, 1, 1, 3h), at(2024, 1, 2, 23h), kReal));
  EXPECT_FALSE(aborts({{rule}}, "v/1", at(2024, 1, 1, 3h), at(2025, 1, 3), kReal));
}

TEST(LifecycleExpiry, TheEarliestRuleIsTold) {
  Rule dated;
  dated.id = "dated";
  dated.date = at(2024, 1, 3);
  const Configuration rules{{days_rule(9), days_rule(4, "a"), dated}};
  EXPECT_EQ(expiry_of(rules, current("a", at(2023, 12, 1, 1h)))->date, at(2023, 12, 6));
  EXPECT_EQ(expiry_of(rules, current("a", at(2023, 12, 1, 1h)))->rule, "r4");
  EXPECT_EQ(expiry_of(rules, current("b", at(2024, 1, 1)))->rule, "dated");
  EXPECT_FALSE(expiry_of({{days_rule(1, "z")}}, current("a", at(2024, 1, 1))));
}

}  // namespace
}  // namespace rondel::lifecycle
