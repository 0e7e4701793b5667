// The operating system's files. One object serves the whole process.
#pragma once

#include "common/fs/file_system.h"

namespace rondel::fs {

// Linux. direct_durable opens with O_DIRECT|O_DSYNC; where the file system refuses that (tmpfs,
// some overlays), each write is followed by fdatasync. read_cached_at is preadv2 with RWF_NOWAIT;
// where that is unknown it answers kUnavailable. Files that it makes are for their owner alone
// (0600), folders too (0700).
FileSystem& posix_file_system();

// Makes the folder, and those above it, unless they are there, and closes it to everybody but its
// owner. False: it is somebody else's and stays as it is. kPermissionDenied: it cannot be made.
Result<bool> make_private_folder(const std::string& path);

}  // namespace rondel::fs
