#include "gateway/s3/http_values.h"

#include <gtest/gtest.h>

namespace rondel::s3 {
namespace {

using namespace std::chrono_literals;
const SystemTime kTime = std::chrono::sys_days(std::chrono::year(1994) / 11 / 6) + 8h + 49min + 37s;

TEST(Dates, AreWrittenAsS3WritesThem) {
  EXPECT_EQ(format_http_date(kTime), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(format_iso_date(kTime + 999ms), "1994-11-06T08:49:37.000Z");
  EXPECT_EQ(format_http_date(SystemTime{}), "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST(Dates, AreReadInEveryFormOfTheStandard) {
  for (const char* text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37Z", "1994-11-06T08:49:37.000Z",
        "19941106T084937Z", "  Sun, 06 Nov 1994 08:49:37 GMT  ", "1994-11-06T08:49:37+00:00"}) {
    EXPECT_EQ(parse_date(text), kTime) << text;
  }
  EXPECT_EQ(parse_date("1994-11-06T08:49:37.25Z"), kTime + 250ms);
  for (const char* text : {"", "yesterday", "Sun, 06 Nov 1994", "Sun, 06 Nov 1994 08:49:37 CET",
                           "1994-13-06T08:49:37Z", "1994-11-06T08:49:37Zx", "1994-02-31T08:49:37Z",
                           "Sun, 31 Nov 1994 08:49:37 GMT"}) {
    EXPECT_EQ(parse_date(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_date(format_http_date(kTime)), kTime);
  EXPECT_EQ(parse_date(format_iso_date(kTime)), kTime);
}

std::string range(std::string_view text) {
  const auto parsed = parse_range(text);
  if (!parsed) return "none";
  return (parsed->first ? std::to_string(*parsed->first) : "") + "-" +
         (parsed->last ? std::to_string(*parsed->last) : "");
}

TEST(Ranges, OneRangeIsUnderstoodAnythingElseIgnored) {
  EXPECT_EQ(range("bytes=0-0"), "0-0");
  EXPECT_EQ(range("bytes=5-"), "5-");
  EXPECT_EQ(range("bytes=-5"), "-5");
  EXPECT_EQ(range("bytes=-0"), "-0");
  EXPECT_EQ(range("bytes=0-18446744073709551615"), "0-18446744073709551615");
  EXPECT_EQ(range("bytes=0-99999999999999999999999"), "0-18446744073709551615")
      << "beyond any size";
  for (const char* text : {"", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "bytes=0-1,3-4",
                           "items=0-1", "bytes 0-1", "0-1", "bytes=--1", "bytes=1--2", "bytes=+1-2",
                           "bytes=0x1-2", "bytes= -1", "bytes=0 -1", "bytes=0- 1"}) {
    EXPECT_EQ(range(text), "none") << text;
  }
}

TEST(Etags, ListsAreTakenApart) {
  EXPECT_EQ(parse_etags("\"a\", W/\"b\" ,c,*"), (std::vector<std::string>{"a", "b", "c", "*"}));
  EXPECT_EQ(parse_etags("*"), std::vector<std::string>{"*"});
  EXPECT_TRUE(parse_etags("").empty());
  EXPECT_TRUE(parse_etags(" , ,").empty());
  EXPECT_EQ(parse_etags("\""), std::vector<std::string>{"\""});
}

TEST(Numbers, AreDecimalDigitsAlone) {
  EXPECT_EQ(parse_decimal("0"), 0u);
  EXPECT_EQ(parse_decimal("007"), 7u);
  EXPECT_EQ(parse_decimal("18446744073709551616"), UINT64_MAX);
  for (const char* text : {"", "-1", "+1", " 1", "1 ", "1.0", "0x1", "1e3"}) {
    EXPECT_EQ(parse_decimal(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace rondel::s3
