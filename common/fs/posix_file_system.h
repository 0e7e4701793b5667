// The operating system's files. One object serves the whole process.
#pragma once

#include "common/fs/file_system.h"

namespace rondel::fs {

// Linux. direct_durable opens with O_DIRECT|O_DSYNC; where the file system refuses that (tmpfs, some overlays), each write
// is followed by fdatasync. read_cached_at is preadv2 with RWF_NOWAIT; where that is unknown it answers kUnavailable.
FileSystem& posix_file_system();

}  // namespace rondel::fs
