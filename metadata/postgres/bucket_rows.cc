#include "metadata/postgres/bucket_rows.h"

#include <algorithm>

#include "metadata/connection/pg_codec.h"
#include "metadata/connection/pg_columns.h"

namespace rondel::metadata {
namespace {

enum BucketColumn {
  kId,
  kName,
  kOwner,
  kOwnerCanonicalId,
  kOwnerDisplayName,
  kRegion,
  kCreated,
  kVersioning,
  kObjectLock,
  kSettingsVersion,
  kOwnerPublicAccessBlock,
  kSettings,
  kHasLifecycle,
};

static_assert(static_cast<int>(SettingKind::kLifecycle) == 4);
constexpr PgColumns kBucket({
    std::pair{kId, "b.id"},
    {kName, "b.name"},
    {kOwner, "b.owner_account"},
    {kOwnerCanonicalId, "a.canonical_id"},
    {kOwnerDisplayName, "a.display_name"},
    {kRegion, "b.region"},
    {kCreated, "(extract(epoch from b.created_at) * 1000000)::bigint"},
    {kVersioning, "b.versioning"},
    {kObjectLock, "b.object_lock"},
    {kSettingsVersion, "b.settings_version"},
    {kOwnerPublicAccessBlock, "a.public_access_block"},
    // For each: kind (2 bytes) and length (4 bytes), then the document.
    {kSettings,
     "(select string_agg(int2send(s.kind) || int4send(length(s.document)) || s.document, ''::bytea)"
     " from bucket_settings s where s.bucket_id = b.id and s.kind <> 4)"},
    {kHasLifecycle,
     "exists (select from bucket_settings s where s.bucket_id = b.id and s.kind = 4)"},
});

std::map<SettingKind, std::string> unpack_settings(std::string_view packed) {
  std::map<SettingKind, std::string> settings;
  while (packed.size() >= 6) {
    const auto* at = reinterpret_cast<const std::byte*>(packed.data());
    const auto kind = static_cast<SettingKind>(load_be<uint16_t>(at));
    const size_t length = load_be<uint32_t>(at + 2);
    settings[kind] = packed.substr(6, length);
    packed.remove_prefix(std::min(packed.size(), 6 + length));
  }
  return settings;
}

}  // namespace

const std::string& bucket_columns() {
  static const std::string text = kBucket.text();
  return text;
}

Bucket read_bucket(const PgResult& row, size_t i) {
  Bucket bucket;
  bucket.id = row.bigint(i, kId);
  bucket.name = row.text(i, kName);
  bucket.owner_account = row.text(i, kOwner);
  bucket.owner_canonical_id = row.text(i, kOwnerCanonicalId);
  bucket.owner_display_name = row.text(i, kOwnerDisplayName);
  bucket.region = row.text(i, kRegion);
  bucket.created_at = from_microseconds(row.bigint(i, kCreated));
  bucket.versioning = static_cast<Versioning>(row.smallint(i, kVersioning));
  bucket.object_lock = row.boolean(i, kObjectLock);
  bucket.settings_version = row.bigint(i, kSettingsVersion);
  bucket.owner_public_access_block = static_cast<uint8_t>(row.smallint(i, kOwnerPublicAccessBlock));
  bucket.settings = unpack_settings(row.bytes(i, kSettings));
  bucket.has_lifecycle = row.boolean(i, kHasLifecycle);
  return bucket;
}

}  // namespace rondel::metadata
