// ClusterStore over PostgreSQL. The coordinator's lock lives on a connection of its own.
#pragma once

#include <memory>
#include <string>

#include "metadata/store/cluster_store.h"

namespace rondel::metadata {

std::unique_ptr<ClusterStore> make_postgres_cluster_store(std::string dsn);

}  // namespace rondel::metadata
