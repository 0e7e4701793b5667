// The status document of the admin API as a person wants to read it.
#pragma once

#include <string>

#include "cli/answer.h"

namespace rondel::cli {

// The document as text, and as it came. Its status is 0 when the verdict is "healthy", 3 otherwise.
// kInvalidArgument: not a document of /admin/v1/status.
Result<Answer> status_answer(const std::string& document);

}  // namespace rondel::cli
