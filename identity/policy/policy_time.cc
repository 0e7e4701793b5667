#include "identity/policy/policy_time.h"

#include "common/base/dates.h"
#include "common/base/numbers.h"

namespace rondel::policy {
namespace {

constexpr uint64_t kEpochMax =
    std::chrono::floor<std::chrono::seconds>(kLastTime).time_since_epoch().count();

}  // namespace

std::optional<SystemTime> parse_policy_time(std::string_view text) {
  if (!text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos) {
    const auto epoch = parse_decimal(text);
    if (!epoch || *epoch > kEpochMax) return std::nullopt;
    return SystemTime(std::chrono::seconds(*epoch));
  }
  return parse_iso_date(text);
}

}  // namespace rondel::policy
