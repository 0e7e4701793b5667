#include "common/base/dates.h"

#include <gtest/gtest.h>

namespace rondel {
namespace {

using namespace std::chrono_literals;
const SystemTime kTime = std::chrono::sys_days(std::chrono::year(2046) / 1 / 2) + 3h + 4min + 5s;

using Reader = std::optional<SystemTime> (*)(std::string_view);

TEST(Dates, EachReaderKnowsItsForms) {
  struct Form {
    const char* text;
    Reader reader;
  };

  const Form forms[] = {
      {"2046-01-02T03:04:05Z", parse_iso_date},
      {"2046-01-02T03:04:05", parse_iso_date},
      {"2046-01-02T03:04:05.000Z", parse_iso_date},
      {"2046-01-02T05:04:05+02:00", parse_iso_date},
      {"2046-01-01T23:34:05-0330", parse_iso_date},
      {"2046-01-02T04:04:05+01", parse_iso_date},
      {" 2046-01-02T03:04:05Z\t", parse_iso_date},
      {"20460102T030405Z", parse_compact_date},
      {"20460102T030405", parse_compact_date},
      {"Tue, 02 Jan 2046 03:04:05 GMT", parse_http_date},
      {"Tue, 02 Jan 2046 03:04:05 +0000", parse_http_date},
      {"Tuesday, 02-Jan-46 03:04:05 GMT", parse_http_date},
      {"Tue Jan  2 03:04:05 2046", parse_http_date},
  };
  for (const Form& form : forms) {
    EXPECT_EQ(form.reader(form.text), kTime) << form.text;
    EXPECT_EQ(parse_any_date(form.text), kTime) << form.text;
    for (const Reader other : {&parse_iso_date, &parse_http_date, &parse_compact_date}) {
      if (other != form.reader) EXPECT_FALSE(other(form.text)) << form.text;
    }
  }
}

TEST(Dates, WhatIsNoDateIsNone) {
  for (const char* text : {"",
                           " ",
                           "tomorrow",
                           "2046",
                           "2046-13-01",
                           "2046-02-30",
                           "2046-01-02T24:00Z",
                           "2046-01-02T03:60Z",
                           "2046-01-02T03:04:61Z",
                           "2046-01-02T03:04:05.Z",
                           "2046-01-02T03:04:05ZZ",
                           "2046-01-02T03:04:05+2",
                           "2046-01-02 03:04:05",
                           "0000-01-01T00:00:00Z",
                           "10000-01-01T00:00:00Z",
                           "9999-12-31T23:59:59-01:00",
                           "-046-01-02",
                           "2398377600",
                           "20460102",
                           "20460132T030405Z",
                           "20460102T030405+00",
                           "Tue, 2 Jan 2046 03:04:05 GMT",
                           "Tue, 31 Feb 2046 03:04:05 GMT",
                           "Tue, 02 Jan 2046 03:04:05 CET",
                           "Tue, 02 Jan 2046 03:04:05",
                           "Tues, 02 Jan 2046 03:04:05 GMT",
                           "Tue, 02 jan 2046 03:04:05 GMT",
                           "Tuesday, 02-Jan-2046 03:04:05 GMT",
                           "Tue Jan 32 03:04:05 2046",
                           "Tue Jan 02 03:04:05 2046 GMT"}) {
    EXPECT_FALSE(parse_any_date(text)) << text;
  }
  EXPECT_FALSE(parse_any_date(std::string_view("2046-01-02\0", 11)));
}

TEST(Dates, LessThanASecondAndADayAreRead) {
  EXPECT_EQ(parse_iso_date("2046-01-02T03:04:05.25Z"), kTime + 250ms);
  EXPECT_EQ(parse_iso_date("2046-01-02T03:04Z"), kTime - 5s);
  EXPECT_EQ(parse_iso_date("2046-01-02"), kTime - 3h - 4min - 5s);
  EXPECT_EQ(parse_iso_date("2046-01"), kTime - 27h - 4min - 5s);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"),
            std::chrono::sys_days(std::chrono::year(1994) / 11 / 6) + 8h + 49min + 37s);
}

}  // namespace
}  // namespace rondel
