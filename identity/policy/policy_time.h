// Times in policies: ISO 8601 ("2026-01-02", "2026-01-02T03:04Z", "...:05.678Z", with offset) or
// seconds since 1970. From kFirstTime to kLastTime; anything else is nullopt.
#pragma once

#include <optional>
#include <string_view>

#include "common/base/clock.h"

namespace rondel::policy {

std::optional<SystemTime> parse_policy_time(std::string_view text);
// Without the seconds: what x-amz-object-lock-retain-until-date may be, for the policy that decides
// about it and for the object that gets it.
std::optional<SystemTime> parse_iso_time(std::string_view text);

}  // namespace rondel::policy
