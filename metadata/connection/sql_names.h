// Numbers that SQL and C++ share have one list: the enums. SQL says `:CommitStatus.kNoSuchKey`, and
// whoever hands it to PostgreSQL puts the number there, so that a name costs nothing at run time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace rondel::metadata {

// Which version of a key a request means.
enum class VersionChoice : uint8_t { kCurrent = 0, kNamed = 1, kNull = 2 };

// Bounds that commits are held to.
struct Limit {
  static constexpr int64_t kPartBytesMin = 5 << 20;   // Of all parts but the last.
  static constexpr int64_t kExtentsMax = 10'000;      // Of an object that is appended to.
};

// `sql` with the number in place of every `:Group.kName`. kInvalidArgument: there is no such name.
Result<std::string> with_names(std::string_view sql);

// The same of a statement of the program. REQUIRES: its names exist.
std::string named_sql(std::string_view sql);

}  // namespace rondel::metadata
