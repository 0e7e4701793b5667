// The identity of a disk: file `superblock`, written once. docs/formats/segment.md.
#pragma once

#include "common/base/result.h"
#include "common/fs/file_system.h"
#include "common/model/ids.h"

namespace rondel::engine {

struct Superblock {
  model::ClusterId cluster;  // Zero until the disk has joined one.
  model::DiskId disk;
  uint64_t segment_bytes = 0;
};

// kNotFound: a fresh folder. kCorruption.
Result<Superblock> read_superblock(fs::FileSystem& fs, const std::string& folder);
Result<void> write_superblock(fs::FileSystem& fs, const std::string& folder,
                              const Superblock& superblock);

}  // namespace rondel::engine
