#include "common/program/version.h"

#include "common/program/rondel_commit.h"

namespace rondel::program {

std::string_view version() { return RONDEL_VERSION; }

std::string_view commit() { return RONDEL_COMMIT; }

std::string version_line(std::string_view program) {
  return std::string(program) + " " + RONDEL_VERSION + " (" + RONDEL_COMMIT + ")";
}

}  // namespace rondel::program
