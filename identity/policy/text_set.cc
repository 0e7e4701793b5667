#include "identity/policy/text_set.h"

#include <algorithm>

namespace rondel::policy {
namespace {

// A search costs more than so many comparisons.
constexpr size_t kFew = 4;

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

}  // namespace

void TextSet::add(PolicyText text) {
  if (text.has_variables()) {
    with_variables_.push_back(std::move(text));
  } else if (!text.pattern().is_literal()) {
    by_prefix_.add(text.pattern().literal_prefix());
    demands_.push_back(BytePairs::demand_of(text.pattern().literal_runs()));
    patterns_.push_back(text.pattern());
  } else {
    longest_ = std::max(longest_, text.pattern().text().size());
    literals_.push_back(ignore_case_ ? lowered(text.pattern().text()) : text.pattern().text());
  }
}

void TextSet::seal() {
  std::ranges::sort(literals_);
  by_prefix_.seal();
}

bool TextSet::has_literal(std::string_view text, Work& work) const {
  if (literals_.empty() || text.size() > longest_) return false;
  work.add(text.size() / 8 + 1);
  if (ignore_case_) return std::ranges::binary_search(literals_, lowered(text));
  if (literals_.size() <= kFew) return std::ranges::find(literals_, text) != literals_.end();
  return std::ranges::binary_search(
      literals_, text, {}, [](const std::string& literal) { return std::string_view(literal); });
}

bool TextSet::has_pattern(std::string_view text, Work& work) const {
  const auto matches = [&](const Wildcard& pattern) {
    return !work.over() && pattern.matches(text, work);
  };
  if (patterns_.size() <= kFew) return std::ranges::any_of(patterns_, matches);
  std::optional<BytePairs> pairs;
  size_t tried = 0;
  return by_prefix_.any(text, [&](uint32_t number) {
    work.add(1);
    if (++tried == kFew) {
      work.add(text.size());
      pairs.emplace(text);
    }
    return (!pairs || pairs->may_hold(demands_[number])) && matches(patterns_[number]);
  });
}

bool TextSet::matches(std::string_view text, const RequestValues& request) const {
  Work& work = request.work();
  return has_literal(text, work) || has_pattern(text, work) ||
         std::ranges::any_of(with_variables_, [&](const PolicyText& pattern) {
           return !work.over() && pattern.matches(text, request, ignore_case_);
         });
}

bool TextSet::resolves(const RequestValues& request) const {
  return std::ranges::all_of(with_variables_,
                             [&](const PolicyText& text) { return text.resolves(request); });
}

size_t TextSet::memory_bytes() const {
  size_t bytes = literals_.capacity() * sizeof(std::string) +
                 patterns_.capacity() * sizeof(Wildcard) +
                 demands_.capacity() * sizeof(BytePairs::Demand) + by_prefix_.memory_bytes() +
                 with_variables_.capacity() * sizeof(PolicyText);
  for (const std::string& literal : literals_) bytes += literal.capacity();
  for (const Wildcard& pattern : patterns_) bytes += pattern.memory_bytes();
  for (const PolicyText& text : with_variables_) bytes += text.memory_bytes();
  return bytes;
}

bool TextSet::uses(ConditionKey key) const {
  return std::ranges::any_of(with_variables_,
                             [key](const PolicyText& text) { return text.uses(key); });
}

}  // namespace rondel::policy
