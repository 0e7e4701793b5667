// Which disk was found in which folder: so that an empty mount point is not taken for a new disk.
#pragma once

#include <map>
#include <string>

#include "common/base/result.h"
#include "common/model/ids.h"

namespace rondel::node {

// By folder. Empty when the file is not there; kCorruption.
Result<std::map<std::string, model::DiskId>> read_known_disks(const std::string& path);
Result<void> write_known_disks(const std::string& path,
                               const std::map<std::string, model::DiskId>& known);

}  // namespace rondel::node
