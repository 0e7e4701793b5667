#include "storage-node/engine/superblock.h"

#include <algorithm>

#include "common/hash/hash64.h"

namespace rondel::engine {
namespace {

constexpr uint64_t kMagic = 0x314b53494445444e;  // "NDEDISK1"
constexpr size_t kBytes = 56;

std::string path_of(const std::string& folder) { return folder + "/superblock"; }

}  // namespace

Result<Superblock> read_superblock(fs::FileSystem& fs, const std::string& folder) {
  TRY(const std::string text, fs::read_file(fs, path_of(folder)));
  const ByteView bytes = as_bytes(text);
  if (bytes.size() != kBytes || load_le<uint64_t>(bytes.data()) != kMagic ||
      load_le<uint64_t>(bytes.data() + 48) != hash::hash64(bytes.first(48))) {
    return fail(ErrorCode::kCorruption, path_of(folder) + " is damaged");
  }
  Superblock superblock;
  superblock.cluster = model::ClusterId::from_bytes(bytes.subspan(8, 16)).value();
  superblock.disk = model::DiskId::from_bytes(bytes.subspan(24, 16)).value();
  superblock.segment_bytes = load_le<uint64_t>(bytes.data() + 40);
  return superblock;
}

Result<void> write_superblock(fs::FileSystem& fs, const std::string& folder, const Superblock& superblock) {
  std::string text(kBytes, '\0');
  auto* out = reinterpret_cast<std::byte*>(text.data());
  store_le(out, kMagic);
  std::ranges::copy(superblock.cluster.bytes, out + 8);
  std::ranges::copy(superblock.disk.bytes, out + 24);
  store_le(out + 40, superblock.segment_bytes);
  store_le(out + 48, hash::hash64({out, 48}));
  return fs::write_file_atomically(fs, path_of(folder), as_bytes(text));
}

}  // namespace rondel::engine
