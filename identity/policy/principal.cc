#include "identity/policy/principal.h"

#include <algorithm>

namespace rondel::policy {

bool is_account_id(std::string_view text) {
  return text.size() == 12 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

namespace {

constexpr std::string_view kRootSuffix = ":root";

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '@' || c == '+' || c == '=';
}

// The id or name in arn:aws:iam::ID:root; empty when it is something else.
std::string_view account_of_root(std::string_view arn) {
  for (const std::string_view prefix :
       {"arn:aws:iam::", "arn:aws-cn:iam::", "arn:aws-us-gov:iam::"}) {
    if (!arn.starts_with(prefix) || !arn.ends_with(kRootSuffix) ||
        arn.size() <= prefix.size() + kRootSuffix.size()) {
      continue;
    }
    const std::string_view account =
        arn.substr(prefix.size(), arn.size() - prefix.size() - kRootSuffix.size());
    if (std::ranges::all_of(account, is_name_character)) return account;
  }
  return {};
}

bool contains(const std::vector<std::string>& sorted, std::string_view value) {
  const auto found = std::lower_bound(sorted.begin(), sorted.end(), value);
  return found != sorted.end() && *found == value;
}

}  // namespace

bool PrincipalSet::add(std::string_view kind, std::string_view value) {
  if (kind == "AWS") {
    if (value == "*") {
      everybody_ = true;
      return true;
    }
    const std::string_view account = is_account_id(value) ? value : account_of_root(value);
    if (!is_account_id(account)) return false;  // A name can be given to another account later.
    accounts_.emplace_back(account);
    return true;
  }
  if (kind == "CanonicalUser") {
    if (value.empty() || value.find_first_of("*?") != std::string_view::npos) return false;
    canonical_ids_.emplace_back(value);
    return true;
  }
  // No service calls this system: its grants are true of nobody.
  return kind == "Service" && value.ends_with(".amazonaws.com") &&
         std::ranges::all_of(value, is_name_character);
}

bool PrincipalSet::is_nobody(std::string_view kind, std::string_view value) {
  const std::string_view account = kind == "AWS" ? account_of_root(value) : std::string_view();
  return !account.empty() && !is_account_id(account);
}

void PrincipalSet::seal() {
  for (auto* list : {&accounts_, &canonical_ids_}) {
    std::ranges::sort(*list);
    list->erase(std::unique(list->begin(), list->end()), list->end());
  }
}

bool PrincipalSet::matches(const Caller& caller) const {
  if (everybody_) return true;
  if (caller.anonymous) return false;
  return contains(accounts_, caller.account_id) || contains(canonical_ids_, caller.canonical_id);
}

}  // namespace rondel::policy
