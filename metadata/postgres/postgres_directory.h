// Directory over a MetadataStore, told of changes by PostgreSQL's LISTEN on channel rondel_directory.
#pragma once

#include <memory>
#include <string>

#include "metadata/store/directory.h"
#include "metadata/store/metadata_store.h"

namespace rondel::metadata {

// `store` outlives it.
std::unique_ptr<Directory> make_postgres_directory(MetadataStore& store, std::string dsn, const Clock& clock);

}  // namespace rondel::metadata
