#include "metadata/postgres/node_disks.h"

#include <boost/json.hpp>

#include "common/base/encoding.h"

namespace rondel::metadata {

std::string disks_to_json(const std::vector<NodeRecord::Disk>& disks) {
  boost::json::array array;
  for (const NodeRecord::Disk& disk : disks) {
    array.push_back({{"id", disk.id.to_hex()},
                     {"capacity", disk.capacity_bytes},
                     {"status", to_base64(as_bytes(disk.status))}});
  }
  return boost::json::serialize(array);
}

Result<std::vector<NodeRecord::Disk>> disks_from_json(std::string_view text) {
  try {
    std::vector<NodeRecord::Disk> disks;
    for (const boost::json::value& value :
         boost::json::parse({text.data(), text.size()}).as_array()) {
      const boost::json::object& object = value.as_object();
      NodeRecord::Disk disk;
      disk.id = model::DiskId::from_hex(std::string_view(object.at("id").as_string())).value();
      disk.capacity_bytes = object.at("capacity").to_number<uint64_t>();
      disk.status = from_base64(std::string_view(object.at("status").as_string())).value();
      disks.push_back(std::move(disk));
    }
    return disks;
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInternal, std::string("nodes.disks: ") + error.what());
  }
}

}  // namespace rondel::metadata
