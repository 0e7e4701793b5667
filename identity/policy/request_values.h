// What a request says, as one policy asks it: every key is asked once, every value is read as a
// number, time, address or bytes once, however many statements compare it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ip_range.h"
#include "identity/policy/condition_key.h"
#include "identity/policy/work.h"

namespace rondel::policy {

// The keys that a policy asks, numbered while it is compiled.
class KeyTable {
 public:
  // The same number for the same key.
  uint16_t number_of(const KeyName& key);

  const KeyName& operator[](uint16_t number) const { return keys_[number]; }

  size_t size() const { return keys_.size(); }

  // With any tag's key.
  bool has(ConditionKey key) const {
    return std::ranges::any_of(keys_, [key](const KeyName& name) { return name.key == key; });
  }

 private:
  std::vector<KeyName> keys_;
  std::map<std::pair<ConditionKey, std::string>, uint16_t> numbers_;
};

// One value of a key, and what it means as something else: nullopt = it is no such thing. For one
// thread.
class RequestValue {
 public:
  explicit RequestValue(std::string text) : text_(std::move(text)) {}

  const std::string& text() const { return text_; }

  const std::optional<double>& number() const;
  const std::optional<int64_t>& time_us() const;  // Since 1970.
  const std::optional<IpAddress>& address() const;
  const std::optional<std::string>& bytes() const;  // Of base64.

 private:
  template <class T>
  using Once = std::optional<std::optional<T>>;

  std::string text_;
  mutable Once<double> number_;
  mutable Once<int64_t> time_us_;
  mutable Once<IpAddress> address_;
  mutable Once<std::string> bytes_;
};

// One request against one policy. For one thread; `keys` and `request` outlive it.
class RequestValues {
 public:
  RequestValues(const KeyTable& keys, const ConditionSource& request)
      : keys_(keys), request_(request), values_(keys.size()) {}

  // Empty = the key is absent.
  const std::vector<RequestValue>& of(uint16_t key) const {
    std::optional<std::vector<RequestValue>>& known = values_[key];
    return known ? *known : ask(key);
  }

  // What comparing with them has cost.
  Work& work() const { return work_; }

 private:
  const std::vector<RequestValue>& ask(uint16_t key) const;

  const KeyTable& keys_;
  const ConditionSource& request_;
  mutable std::vector<std::optional<std::vector<RequestValue>>> values_;
  mutable Work work_;
};

// As conditions write numbers: finite, decimal.
std::optional<double> parse_policy_number(std::string_view text);

}  // namespace rondel::policy
