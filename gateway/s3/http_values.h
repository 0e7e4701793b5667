// Values of HTTP headers and S3 parameters: dates, ranges, ETags, numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/numbers.h"

namespace rondel::s3 {

// Of times outside of the years 1 to 9999 the nearest inside of them, as the forms have four digits
// for a year.
std::string format_http_date(SystemTime time);  // "Wed, 12 Oct 2009 17:50:00 GMT"
std::string format_iso_date(SystemTime time);   // "2009-10-12T17:50:30.000Z"
// RFC 9110 dates (all three forms) and ISO 8601, from kFirstTime to kLastTime.
std::optional<SystemTime> parse_date(std::string_view text);

// A single byte range, its numbers ending at UINT64_MAX. Anything else ("bytes=0-1,3-4", other
// units, malformed) is nullopt: the header is ignored, as AWS does.
struct ByteRange {
  std::optional<uint64_t> first;  // Absent: the last `last` bytes.
  std::optional<uint64_t> last;   // Inclusive.
};

std::optional<ByteRange> parse_range(std::string_view text);

// "etag", W/"etag", etag, * and lists of them, without quotes.
std::vector<std::string> parse_etags(std::string_view text);

using rondel::parse_decimal;
std::string_view trim(std::string_view text);

}  // namespace rondel::s3
