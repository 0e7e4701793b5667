// Rows of buckets. Internal to metadata/postgres.
#pragma once

#include "metadata/model/bucket.h"
#include "metadata/postgres/pg_connection.h"

namespace rondel::metadata {

// Of buckets b and the owner's account a.
// Settings as one column: for each, kind (2 bytes) and length (4 bytes), then the document.
inline constexpr const char* kBucketColumns =
    "b.id, b.name, b.owner_account, a.canonical_id, a.display_name, b.region, (extract(epoch from "
    "b.created_at) * 1000000)::bigint,"
    " b.versioning, b.object_lock, b.settings_version, a.public_access_block,"
    " (select string_agg(int2send(s.kind) || int4send(length(s.document)) || s.document, "
    "''::bytea) from bucket_settings s"
    "  where s.bucket_id = b.id)";

// Such a row.
Bucket read_bucket(const PgResult& row, size_t i);

}  // namespace rondel::metadata
