// Opening the disks of a node: side by side, each on a thread of its own, so that one that hangs,
// takes long (its index is made again) or is bad is left out alone. It joins as soon as it opens,
// whether it was known or not.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage-node/engine/engine.h"

namespace rondel::node {

// Opens one disk; waits for it as long as it takes. Called on any thread, for several disks at
// once.
using OpenDisk =
    std::function<Result<std::unique_ptr<engine::Engine>>(const engine::EngineOptions&)>;

struct OpenDisksOptions {
  // For all disks together; then the node starts without the rest, if there is any other.
  Duration patience = std::chrono::seconds(30);
  // A disk that could not be opened is tried again.
  Duration retry_period = std::chrono::seconds(30);
  // Told of each disk that joins after open_disks() has returned, before calls reach it; on another
  // thread, and perhaps when all else is gone: it holds what it uses.
  std::function<void(const std::string& path, const model::DiskId& disk)> on_join = {};
};

struct OpenedDisk {
  std::string path;
  // Never null. With an `error` it answers kUnavailable, and its state is failed, until the disk is
  // open; the id of a disk that was not known is zero until then.
  std::unique_ptr<engine::Engine> engine;
  std::optional<Error> error;  // Why it is not open yet; kUnavailable: it is still being opened.
};

// As many as were given, in their order. `disk` of the options is what the folder held before;
// zero: nothing is known of it. Returns when all are open or have failed, or after the patience;
// while there is no engine at all, as long as a disk is still being opened: a disk that is not
// known and takes long has none to stand in.
std::vector<OpenedDisk> open_disks(std::vector<engine::EngineOptions> disks, const OpenDisk& open,
                                   const OpenDisksOptions& options);

}  // namespace rondel::node
