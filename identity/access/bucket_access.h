// Everything about a bucket that decides who may do what, compiled once per version of its
// settings.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "common/base/lru_cache.h"
#include "common/base/mutex.h"
#include "identity/access/access_settings.h"
#include "identity/access/acl.h"
#include "identity/policy/policy.h"
#include "metadata/model/bucket.h"

namespace rondel::access {

struct BucketAccess {
  std::string bucket;
  std::string owner_account;
  std::string owner_canonical_id;
  Ownership ownership = Ownership::kObjectWriter;
  PublicAccessBlock block;  // Of the bucket or its owner's account.
  Acl acl;
  std::shared_ptr<const policy::Policy> policy;  // Null: none.
  // A stored policy that cannot be read denies everything but reading and replacing it by the
  // owner.
  bool policy_unreadable = false;

  bool acls_enabled() const { return ownership != Ownership::kBucketOwnerEnforced; }

  // By its policy, or by its ACL where that counts.
  bool is_public() const;
};

BucketAccess compile_access(const metadata::Bucket& bucket);
// What it holds, in bytes.
size_t memory_bytes(const BucketAccess& access);

// Safe for concurrent use.
class BucketAccessCache {
 public:
  static constexpr size_t kBytesMax = 64 << 20;

  std::shared_ptr<const BucketAccess> find(const metadata::Bucket& bucket);
  size_t bytes() const;

 private:
  struct Entry {
    int64_t settings_version = 0;
    uint8_t account_block = 0;
    std::shared_ptr<const BucketAccess> access;
  };

  static constexpr size_t kShards = 16;

  struct Shard {
    mutable Mutex mutex;
    LruCache<int64_t, Entry> entries GUARDED_BY(mutex){kBytesMax / kShards};
  };

  std::array<Shard, kShards> shards_;
};

}  // namespace rondel::access
