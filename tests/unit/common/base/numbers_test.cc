#include "common/base/numbers.h"

#include <gtest/gtest.h>

namespace rondel {
namespace {

using namespace std::chrono_literals;

TEST(Decimals, AreDigitsAloneAndEndAtTheBound) {
  struct Row {
    std::string_view text;
    std::optional<uint64_t> value;
  };

  const Row rows[] = {
      {"0", 0},
      {"007", 7},
      {"2147483648", 2'147'483'648},
      {"9223372036854775808", uint64_t{1} << 63},
      {"18446744073709551615", UINT64_MAX},
      {"18446744073709551616", UINT64_MAX},
      {"999999999999999999999999999999", UINT64_MAX},
      {"000000000000000000000000000001", 1},
      {"", {}},
      {"-0", {}},
      {"-1", {}},
      {"+1", {}},
      {" 1", {}},
      {"1 ", {}},
      {"1.5", {}},
      {"1e3", {}},
      {"0x10", {}},
      {"1\n", {}},
      {std::string_view("1\0", 2), {}},
      {"99999999999999999999x", {}},
      {"\xd9\xa1", {}},
  };
  for (const Row& row : rows) EXPECT_EQ(parse_decimal(row.text), row.value) << row.text;
}

TEST(Decimals, WithASignEndAtBothBounds) {
  EXPECT_EQ(parse_signed_decimal("-5"), -5);
  EXPECT_EQ(parse_signed_decimal("+5"), 5);
  EXPECT_EQ(parse_signed_decimal("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(parse_signed_decimal("9223372036854775808"), INT64_MAX);
  EXPECT_EQ(parse_signed_decimal("-9223372036854775807"), -INT64_MAX);
  EXPECT_EQ(parse_signed_decimal("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(parse_signed_decimal("-999999999999999999999999999999"), INT64_MIN);
  for (const char* text : {"", "-", "+", "--1", "+-1", "- 1", "1.5", "1e3"}) {
    EXPECT_EQ(parse_signed_decimal(text), std::nullopt) << text;
  }
}

TEST(Ports, AreTakenFromBehindTheLastColon) {
  EXPECT_EQ(parse_port("host:0"), 0);
  EXPECT_EQ(parse_port("[::1]:65535"), 65535);
  for (const char* text : {"", "host", "host:", "host:65536", "host:-1", "host:+1",
                           "host:4294967296", "host:18446744073709551617", "host:80x"}) {
    EXPECT_EQ(parse_port(text), std::nullopt) << text;
  }
}

TEST(Saturating, SumsAndProductsEndAtTheirType) {
  EXPECT_EQ(saturating_add<int64_t>(INT64_MAX, 1), INT64_MAX);
  EXPECT_EQ(saturating_add<int64_t>(INT64_MIN, -1), INT64_MIN);
  EXPECT_EQ(saturating_add<int64_t>(INT64_MAX, INT64_MIN), -1);
  EXPECT_EQ(saturating_add<uint64_t>(UINT64_MAX, 1), UINT64_MAX);
  EXPECT_EQ(saturating_add<uint32_t>(1, 2), 3u);
  EXPECT_EQ(saturating_multiply<int64_t>(INT64_MIN, -1), INT64_MAX);
  EXPECT_EQ(saturating_multiply<int64_t>(INT64_MAX, -2), INT64_MIN);
  EXPECT_EQ(saturating_multiply<uint64_t>(uint64_t{1} << 63, 2), UINT64_MAX);
  EXPECT_EQ(saturating_times(std::chrono::milliseconds(86'400'000), 999'999'999),
            std::chrono::milliseconds(86'399'999'913'600'000));
  EXPECT_EQ(saturating_times(std::chrono::milliseconds::max(), UINT64_MAX),
            std::chrono::milliseconds::max());
  EXPECT_EQ(saturating_times(std::chrono::milliseconds(1), UINT64_MAX),
            std::chrono::milliseconds::max());
}

TEST(Saturating, TimesEndAtTheCalendar) {
  for (const SystemTime time :
       {SystemTime::min(), kFirstTime, SystemTime{}, kLastTime, SystemTime::max()}) {
    EXPECT_EQ(saturating_later(time, std::chrono::milliseconds::max()), kLastTime);
    EXPECT_EQ(saturating_earlier(time, std::chrono::milliseconds::max()), kFirstTime);
    EXPECT_EQ(saturating_later(time, std::chrono::milliseconds::min()), kFirstTime);
    EXPECT_EQ(saturating_earlier(time, std::chrono::milliseconds::min()), kLastTime);
  }
  EXPECT_EQ(saturating_later(SystemTime{}, 5ms), SystemTime(5ms));
  EXPECT_EQ(saturating_time(5), SystemTime(5s));
  EXPECT_EQ(saturating_time(INT64_MIN), kFirstTime);
  EXPECT_EQ(saturating_time(INT64_MAX), std::chrono::floor<std::chrono::seconds>(kLastTime));
  EXPECT_EQ(saturating_earlier(SystemTime{}, 5ms), SystemTime(-5ms));
}

}  // namespace
}  // namespace rondel
