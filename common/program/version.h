// Which build this is.
#pragma once

#include <string>
#include <string_view>

namespace rondel::program {

// "0.1.0"
std::string_view version();
// Of the sources: a commit's first 12 hexadecimal digits, with "+" behind it where files differed
// from it; "unknown" where there was no repository.
std::string_view commit();
// "rondel-gateway 0.1.0 (94d8b0612345)"
std::string version_line(std::string_view program);

}  // namespace rondel::program
