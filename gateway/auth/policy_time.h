// Times in policies: ISO 8601 ("2026-01-02", "2026-01-02T03:04Z", "...:05.678Z", with offset) or seconds since 1970.
#pragma once

#include <optional>
#include <string_view>

#include "common/base/clock.h"

namespace rondel::auth {

std::optional<SystemTime> parse_policy_time(std::string_view text);

}  // namespace rondel::auth
