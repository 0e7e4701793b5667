// Order of keys: that of their bytes.
#pragma once

#include <optional>
#include <string>

namespace rondel::metadata {

// The smallest string above everything that begins with `prefix`; nullopt when there is none.
inline std::optional<std::string> above_prefix(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (prefix.empty()) return std::nullopt;
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

}  // namespace rondel::metadata
