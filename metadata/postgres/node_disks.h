// A node's disks as the jsonb column nodes.disks: [{"id": hex, "capacity": bytes, "status":
// base64}].
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "metadata/store/node_store.h"

namespace rondel::metadata {

std::string disks_to_json(const std::vector<NodeRecord::Disk>& disks);
// kInternal when it was not written by disks_to_json.
Result<std::vector<NodeRecord::Disk>> disks_from_json(std::string_view text);

}  // namespace rondel::metadata
