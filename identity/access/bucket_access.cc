#include "identity/access/bucket_access.h"

namespace rondel::access {
namespace {

using metadata::SettingKind;

const std::string* setting(const metadata::Bucket& bucket, SettingKind kind) {
  const auto found = bucket.settings.find(kind);
  return found == bucket.settings.end() ? nullptr : &found->second;
}

}  // namespace

bool BucketAccess::is_public() const {
  if (policy && policy->is_public() && !block.restrict_public_buckets) return true;
  return acls_enabled() && !block.ignore_public_acls && acl.is_public();
}

BucketAccess compile_access(const metadata::Bucket& bucket) {
  BucketAccess access;
  access.bucket = bucket.name;
  access.owner_account = bucket.owner_account;
  access.owner_canonical_id = bucket.owner_canonical_id;
  access.block = PublicAccessBlock::of(bucket.owner_public_access_block);
  if (const std::string* block = setting(bucket, SettingKind::kPublicAccessBlock)) {
    access.block = access.block | decode_block(*block);
  }
  // What cannot be read is the strictest: no ACLs.
  if (const std::string* name = setting(bucket, SettingKind::kOwnership)) {
    access.ownership = find_ownership(*name).value_or(Ownership::kBucketOwnerEnforced);
  }
  const std::string* acl = setting(bucket, SettingKind::kAcl);
  access.acl = decode_acl(acl != nullptr ? std::string_view(*acl) : std::string_view(),
                          bucket.owner_canonical_id);
  if (const std::string* text = setting(bucket, SettingKind::kPolicy)) {
    if (auto policy = policy::Policy::parse(*text, bucket.name)) {
      access.policy = *std::move(policy);
    } else {
      access.policy_unreadable = true;
    }
  }
  return access;
}

size_t memory_bytes(const BucketAccess& access) {
  size_t bytes = sizeof(BucketAccess) + access.bucket.size() + access.owner_account.size() +
                 access.owner_canonical_id.size();
  for (const Grant& grant : access.acl.grants) bytes += sizeof(Grant) + grant.id.size();
  return bytes + (access.policy ? access.policy->memory_bytes() : 0);
}

std::shared_ptr<const BucketAccess> BucketAccessCache::find(const metadata::Bucket& bucket) {
  Shard& shard = shards_[static_cast<size_t>(bucket.id) % kShards];
  {
    MutexLock lock(shard.mutex);
    const Entry* const known = shard.entries.find(bucket.id);
    if (known != nullptr && known->settings_version == bucket.settings_version &&
        known->account_block == bucket.owner_public_access_block) {
      return known->access;
    }
  }
  auto access = std::make_shared<const BucketAccess>(compile_access(bucket));
  const size_t bytes = memory_bytes(*access);
  MutexLock lock(shard.mutex);
  shard.entries.put(bucket.id, {bucket.settings_version, bucket.owner_public_access_block, access},
                    bytes);
  return access;
}

size_t BucketAccessCache::bytes() const {
  size_t bytes = 0;
  for (const Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    bytes += shard.entries.bytes();
  }
  return bytes;
}

}  // namespace rondel::access
