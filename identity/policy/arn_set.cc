#include "identity/policy/arn_set.h"

#include <algorithm>
#include <array>
#include <span>

namespace rondel::policy {
namespace {

// arn:partition:service:region:account:resource, the last with its colons. Fewer: no ARN.
struct ArnParts {
  std::array<std::string_view, 6> parts;
  size_t count = 0;
};

ArnParts split(std::string_view text) {
  ArnParts out;
  while (out.count < out.parts.size() - 1) {
    const size_t colon = text.find(':');
    if (colon == std::string_view::npos) break;
    out.parts[out.count++] = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  out.parts[out.count++] = text;
  return out;
}

}  // namespace

bool ArnSet::add(std::string_view source, PolicyText text) {
  if (text.has_variables()) {
    texts_.add(std::move(text));
    return true;
  }
  if (source == "*") {
    any_ = true;
    return true;
  }
  const ArnParts split_source = split(source);
  if (split_source.count != split_source.parts.size()) return false;
  if (text.pattern().is_literal()) {
    texts_.add(std::move(text));
    return true;
  }
  by_prefix_.add(text.pattern().literal_prefix());
  patterns_.emplace_back(split_source.parts.begin(), split_source.parts.end());
  return true;
}

void ArnSet::seal() {
  texts_.seal();
  by_prefix_.seal();
}

size_t ArnSet::memory_bytes() const {
  size_t bytes =
      texts_.memory_bytes() + by_prefix_.memory_bytes() + patterns_.capacity() * sizeof(Parts);
  for (const Parts& parts : patterns_) {
    for (const Wildcard& part : parts) bytes += sizeof(Wildcard) + part.memory_bytes();
  }
  return bytes;
}

bool ArnSet::matches(std::string_view value, const RequestValues& request) const {
  if (any_ || texts_.matches(value, request)) return true;
  Work& work = request.work();
  return by_prefix_.any(value, [&](uint32_t number) {
    if (work.over()) return false;
    work.add(value.size() / 8 + 1);
    const ArnParts split_value = split(value);
    const std::span parts(split_value.parts.begin(), split_value.count);
    return std::ranges::equal(
        patterns_[number], parts,
        [&](const Wildcard& wanted, std::string_view part) { return wanted.matches(part, work); });
  });
}

}  // namespace rondel::policy
