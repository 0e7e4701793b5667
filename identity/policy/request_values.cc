#include "identity/policy/request_values.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "common/base/encoding.h"
#include "identity/policy/policy_time.h"

namespace rondel::policy {
namespace {

std::optional<int64_t> parse_time_us(std::string_view text) {
  const auto time = parse_policy_time(text);
  return time ? std::optional<int64_t>(time->time_since_epoch().count()) : std::nullopt;
}

}  // namespace

uint16_t KeyTable::number_of(const KeyName& key) {
  const auto [known, made] =
      numbers_.try_emplace({key.key, key.tag}, static_cast<uint16_t>(keys_.size()));
  if (made) keys_.push_back(key);
  return known->second;
}

const std::optional<double>& RequestValue::number() const {
  if (!number_) number_.emplace(parse_policy_number(text_));
  return *number_;
}

const std::optional<int64_t>& RequestValue::time_us() const {
  if (!time_us_) time_us_.emplace(parse_time_us(text_));
  return *time_us_;
}

const std::optional<IpAddress>& RequestValue::address() const {
  if (!address_) address_.emplace(parse_ip(text_));
  return *address_;
}

const std::optional<std::string>& RequestValue::bytes() const {
  if (!bytes_) bytes_.emplace(from_base64(text_));
  return *bytes_;
}

const std::vector<RequestValue>& RequestValues::ask(uint16_t key) const {
  std::vector<RequestValue>& values = values_[key].emplace();
  for (std::string& text : request_.values(keys_[key])) {
    work_.add(text.size());
    values.emplace_back(std::move(text));
  }
  return values;
}

std::optional<double> parse_policy_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

}  // namespace rondel::policy
