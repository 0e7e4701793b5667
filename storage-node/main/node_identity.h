// Who a node is, by its data folder: its id, the cluster that it joined, and who may read the
// folder.
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/config/config.h"
#include "common/model/ids.h"

namespace rondel::node {

// Makes `folder` this user's alone, also when it was not so before. Another user's stays as it is:
// a warning.
Result<void> make_private(const std::string& folder);

// The node's id: made once, kept in its data folder beside its disks. kCorruption: the file does
// not hold one; kInvalidArgument, naming the setting: there can be no such folder.
Result<model::NodeId> node_identity(const std::string& folder);

// The cluster the node has joined; zero before its first contact. kCorruption.
Result<model::ClusterId> joined_cluster(const config::Settings& settings);
// For the next start. A file that cannot be written is written at a later contact.
void remember_cluster(const config::Settings& settings, const model::ClusterId& cluster);

}  // namespace rondel::node
