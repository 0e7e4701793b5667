// Opens the disks that the settings name.
#pragma once

#include <memory>
#include <vector>

#include "common/config/config.h"
#include "common/metrics/metrics.h"
#include "common/model/ids.h"
#include "storage-node/engine/engine.h"
#include "storage-node/service/ring_contact.h"

namespace rondel::node {

// One engine for each disk of the settings, in their order, side by side. A disk that is bad, hangs
// or takes long is left out alone, and joins when it opens. Fatal, in one line: a setting that
// counts a file system twice, and that no disk is open, known, or still being opened. What is given
// outlives the engines and the registry's last expose().
Result<std::vector<std::unique_ptr<engine::Engine>>> open_all_disks(
    const config::Settings& settings, const model::ClusterId& cluster, metrics::Registry& registry,
    const MetadataMemory& memory);

}  // namespace rondel::node
