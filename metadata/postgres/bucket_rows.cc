#include "metadata/postgres/bucket_rows.h"

#include <algorithm>

#include "metadata/postgres/pg_codec.h"

namespace rondel::metadata {
namespace {

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

Bucket read_bucket(const PgResult& row, size_t i) {
  Bucket bucket;
  bucket.id = row.bigint(i, 0);
  bucket.name = row.text(i, 1);
  bucket.owner_account = row.text(i, 2);
  bucket.owner_canonical_id = row.text(i, 3);
  bucket.owner_display_name = row.text(i, 4);
  bucket.region = row.text(i, 5);
  bucket.created_at = from_microseconds(row.bigint(i, 6));
  bucket.versioning = static_cast<Versioning>(row.smallint(i, 7));
  bucket.object_lock = row.boolean(i, 8);
  bucket.settings_version = row.bigint(i, 9);
  bucket.owner_public_access_block = static_cast<uint8_t>(row.smallint(i, 10));
  bucket.settings = unpack_settings(row.bytes(i, 11));
  return bucket;
}

}  // namespace rondel::metadata
