// A tag set as it is stored and answered.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace rondel::request {

// A whole document with this tag set.
std::string tagging_document(const std::vector<std::pair<std::string, std::string>>& tags);

}  // namespace rondel::request
