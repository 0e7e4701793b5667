#include "storage-node/main/known_disks.h"

#include <sstream>

#include "common/fs/posix_file_system.h"

namespace rondel::node {

// Lines: disk id, a blank, folder.
Result<std::map<std::string, model::DiskId>> read_known_disks(const std::string& path) {
  std::map<std::string, model::DiskId> known;
  const auto text = fs::read_file(fs::posix_file_system(), path);
  if (!text && text.error().code == ErrorCode::kNotFound) return known;
  TRY_VOID(text);
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const auto id = model::DiskId::from_hex(std::string_view(line).substr(0, 32));
    if (!id || line.size() < 34) return fail(ErrorCode::kCorruption, path + " is damaged");
    known[line.substr(33)] = *id;
  }
  return known;
}

Result<void> write_known_disks(const std::string& path,
                               const std::map<std::string, model::DiskId>& known) {
  std::string text;
  for (const auto& [folder, id] : known) text += id.to_hex() + " " + folder + "\n";
  return fs::write_file_atomically(fs::posix_file_system(), path, as_bytes(text));
}

}  // namespace rondel::node
