// Rows of buckets. Internal to metadata/postgres.
#pragma once

#include <string>

#include "metadata/connection/pg_connection.h"
#include "metadata/model/bucket.h"

namespace rondel::metadata {

// What read_bucket reads, of `buckets b join accounts a`.
const std::string& bucket_columns();

// Such a row.
Bucket read_bucket(const PgResult& row, size_t i);

}  // namespace rondel::metadata
