// The status document of the admin API as a person wants to read it.
#pragma once

#include <string>

#include "common/base/result.h"

namespace rondel::cli {

// kInvalidArgument: not a document of /admin/v1/status.
Result<std::string> format_status(const std::string& document);

}  // namespace rondel::cli
