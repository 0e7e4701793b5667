// Asks the operations listener of a process for a page.
#pragma once

#include <string>

#include "common/base/result.h"

namespace rondel::cli {

// The body of a 200, waited for at most 10 s. `url`: "http://host:port". kUnavailable: nobody
// answers there, or with another status.
Result<std::string> ask_operations(const std::string& url, const std::string& path);

}  // namespace rondel::cli
