// Everything about a bucket that decides who may do what, compiled once per version of its settings.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

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
  PublicAccessBlock block;               // Of the bucket or its owner's account.
  Acl acl;
  std::shared_ptr<const policy::Policy> policy;  // Null: none.
  // A stored policy that cannot be read denies everything but reading and replacing it by the owner.
  bool policy_unreadable = false;

  bool acls_enabled() const { return ownership != Ownership::kBucketOwnerEnforced; }
  // By its policy, or by its ACL where that counts.
  bool is_public() const;
};

BucketAccess compile_access(const metadata::Bucket& bucket);

// Bounded: 4,096 buckets. Safe for concurrent use.
class BucketAccessCache {
 public:
  std::shared_ptr<const BucketAccess> find(const metadata::Bucket& bucket);

 private:
  struct Entry {
    int64_t settings_version = 0;
    uint8_t account_block = 0;
    std::shared_ptr<const BucketAccess> access;
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_map<int64_t, Entry> entries;
  };
  static constexpr size_t kShards = 16;
  static constexpr size_t kEntriesMax = 256;   // Of a shard.

  std::array<Shard, kShards> shards_;
};

}  // namespace rondel::access
