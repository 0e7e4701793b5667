// Settings of the storage node: docs/settings.md.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/config/config.h"
#include "common/grpc/credentials.h"

namespace rondel::node {

const config::Schema& settings_schema();

struct DiskSetting {
  std::string path;
  uint64_t capacity_bytes = 0;  // 0 = what the file system has.
};

// Of calls between nodes and gateways.
rpc::TlsFiles tls_files(const config::Settings& settings);

// What the types cannot say: no disk, two with one path, a plain listener for other machines. Reads
// no file.
Result<void> check_settings(const config::Settings& settings);
// Reads what the settings name: certificates and keys. kInvalidArgument, in one line.
Result<void> check_files(const config::Settings& settings);

// kInvalidArgument: no disk, or two with one path.
Result<std::vector<DiskSetting>> disk_settings(const config::Settings& settings);

}  // namespace rondel::node
