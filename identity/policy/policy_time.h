// Times in policies: ISO 8601 (common/base/dates.h) or seconds since 1970; anything else is
// nullopt.
#pragma once

#include <optional>
#include <string_view>

#include "common/base/clock.h"

namespace rondel::policy {

std::optional<SystemTime> parse_policy_time(std::string_view text);

}  // namespace rondel::policy
