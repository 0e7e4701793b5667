// Settings of the storage node: docs/settings.md.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/config/config.h"

namespace rondel::node {

const config::Schema& settings_schema();

struct DiskSetting {
  std::string path;
  uint64_t capacity_bytes = 0;   // 0 = what the file system has.
};

// kInvalidArgument: no disk, or two with one path.
Result<std::vector<DiskSetting>> disk_settings(const config::Settings& settings);

}  // namespace rondel::node
