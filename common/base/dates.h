// The one reader of dates that clients write, so that a date is the same one for whoever asks: the
// signature, the policy that decides about a request, the object that keeps it, a condition.
//
// From kFirstTime to kLastTime; nullopt: no such date. Spaces and tabs around it do not matter.
#pragma once

#include <optional>
#include <string_view>

#include "common/base/clock.h"

namespace rondel {

// ISO 8601: "2026-01", "2026-01-02", "2026-01-02T03:04Z", "...T03:04:05.678Z", with an offset
// ("+02:00", "-0330", "+01"), or none for UTC.
std::optional<SystemTime> parse_iso_date(std::string_view text);
// The three forms of RFC 9110 section 5.6.7; the zone of the first is GMT, UTC or +0000.
std::optional<SystemTime> parse_http_date(std::string_view text);
// ISO 8601 without marks: "20260102T030405Z", or without the zone.
std::optional<SystemTime> parse_compact_date(std::string_view text);
// Any of them.
std::optional<SystemTime> parse_any_date(std::string_view text);

}  // namespace rondel
