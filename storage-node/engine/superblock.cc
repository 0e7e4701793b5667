#include "storage-node/engine/superblock.h"

#include <algorithm>
#include <array>
#include <optional>

#include "common/hash/hash64.h"

namespace rondel::engine {
namespace {

constexpr uint64_t kMagic = 0x314b53494445444e;  // "NDEDISK1"
constexpr size_t kBytes = 56;

// Two, so that one sector does not cost the disk.
std::array<std::string, 2> paths_of(const std::string& folder) {
  return {folder + "/superblock", folder + "/superblock.copy"};
}

Result<Superblock> read_one(fs::FileSystem& fs, const std::string& path) {
  TRY(const std::string text, fs::read_file(fs, path));
  const ByteView bytes = as_bytes(text);
  if (bytes.size() != kBytes || load_le<uint64_t>(bytes.data()) != kMagic ||
      load_le<uint64_t>(bytes.data() + 48) != hash::hash64(bytes.first(48))) {
    return fail(ErrorCode::kCorruption, path + " is damaged");
  }
  Superblock superblock;
  superblock.cluster = model::ClusterId::from_bytes(bytes.subspan(8, 16)).value();
  superblock.disk = model::DiskId::from_bytes(bytes.subspan(24, 16)).value();
  superblock.segment_bytes = load_le<uint64_t>(bytes.data() + 40);
  return superblock;
}

}  // namespace

Result<Superblock> read_superblock(fs::FileSystem& fs, const std::string& folder) {
  std::optional<Error> damage;
  for (const std::string& path : paths_of(folder)) {
    auto read = read_one(fs, path);
    if (read) return read;
    if (read.error().code != ErrorCode::kNotFound) damage = read.error();
  }
  if (!damage) return fail(ErrorCode::kNotFound, folder + " has no superblock");
  return fail(ErrorCode::kCorruption, damage->message);
}

Result<void> write_superblock(fs::FileSystem& fs, const std::string& folder,
                              const Superblock& superblock) {
  std::string text(kBytes, '\0');
  auto* out = reinterpret_cast<std::byte*>(text.data());
  store_le(out, kMagic);
  std::ranges::copy(superblock.cluster.bytes, out + 8);
  std::ranges::copy(superblock.disk.bytes, out + 24);
  store_le(out + 40, superblock.segment_bytes);
  store_le(out + 48, hash::hash64({out, 48}));
  for (const std::string& path : paths_of(folder)) {
    TRY_VOID(fs::write_file_atomically(fs, path, as_bytes(text)));
  }
  return {};
}

}  // namespace rondel::engine
