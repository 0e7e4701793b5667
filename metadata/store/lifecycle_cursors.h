// LifecycleCursors: where each rule of each bucket has got to.
//
// Cursors need no fence: whoever moves one has looked at all that lies behind it, and looking again
// changes nothing. Errors as commit_context.h says of every seam. A bucket that is gone has no
// cursors, and none is made.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace rondel::metadata {

// Values are stored: never renumber.
enum class LifecycleScan : uint8_t { kCurrent = 1, kReplaced = 2, kArrived = 3 };

class LifecycleCursors {
 public:
  virtual ~LifecycleCursors() = default;

  // `rule` is the rule's stored line: a changed rule begins anew. Empty = not begun.
  virtual async::Task<Result<std::string>> cursor(int64_t bucket_id, LifecycleScan scan,
                                                  std::string rule, Deadline deadline) = 0;
  virtual async::Task<Result<void>> move_cursor(int64_t bucket_id, LifecycleScan scan,
                                                std::string rule, std::string position,
                                                Deadline deadline) = 0;
  // Forgets the cursors of other rules than these.
  virtual async::Task<Result<void>> keep_cursors(int64_t bucket_id, std::vector<std::string> rules,
                                                 Deadline deadline) = 0;
};

}  // namespace rondel::metadata
