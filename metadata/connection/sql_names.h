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

// What a row of a batch answers in the place of a CommitStatus when it was left out: nothing of it
// happened, as somebody else holds its bucket, or its key (the head, its history, the counts of its
// streams, or a row of the key that is not committed yet).
enum class Held : uint8_t { kBucket = 61, kKey = 62 };

// Bounds that commits are held to.
struct Limit {
  static constexpr int64_t kKeyBytesMax = 1024;      // Of an object.
  static constexpr int64_t kPartBytesMin = 5 << 20;  // Of all parts but the last.
  static constexpr int64_t kExtentsMax = 10'000;     // Of an object that is appended to.
};

// `sql` with the number in place of every `:Group.kName`. kInvalidArgument: there is no such name.
Result<std::string> with_names(std::string_view sql);

// The same of a statement of the program. REQUIRES: its names exist.
std::string named_sql(std::string_view sql);

}  // namespace rondel::metadata
