// Access control lists: who may read or write a bucket or object beside its owner.
//
// Stored compactly in the row: docs/formats/acl.md. Empty = the owner's full control alone
// ("private"). Source: "Access control list (ACL) overview", S3 user guide.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/policy/action.h"
#include "identity/policy/principal.h"

namespace rondel::access {

inline constexpr size_t kGrantsMax = 100;
// Amazon EC2, which fetches machine images: what aws-exec-read grants to.
inline constexpr std::string_view kExecCanonicalId =
    "6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c";

// Stored: never renumber.
enum class Grantee : uint8_t {
  kCanonicalUser = 1,
  kAllUsers = 2,
  kAuthenticatedUsers = 3,
  kLogDelivery = 4
};

struct Grant {
  Grantee grantee = Grantee::kCanonicalUser;
  std::string id;  // Canonical id; empty for groups.
  policy::Permission permission = policy::Permission::kRead;
  bool operator==(const Grant&) const = default;
};

struct Acl {
  std::vector<Grant> grants;  // In the order given; the owner's own is one of them or is not there.

  bool allows(policy::Permission permission, const policy::Caller& caller,
              bool ignore_public) const;
  // Grants something to everybody or to everybody who has an account.
  bool is_public() const;
  bool operator==(const Acl&) const = default;
};

std::string_view group_uri(Grantee group);
std::optional<Grantee> find_group(std::string_view uri);
std::string_view permission_name(policy::Permission permission);  // "READ_ACP"
std::optional<policy::Permission> find_permission(std::string_view name);

// The owner's full control alone: what an empty encoding stands for.
Acl private_acl(std::string_view owner_canonical_id);

enum class CannedAcl : uint8_t {
  kPrivate,
  kPublicRead,
  kPublicReadWrite,
  kAuthenticatedRead,
  kAwsExecRead,
  kBucketOwnerRead,
  kBucketOwnerFullControl,
  kLogDeliveryWrite,
};
std::optional<CannedAcl> find_canned(std::string_view name);
// Objects know no log-delivery-write; what a bucket's ACL gives its owner is full control anyway.
Acl expand_canned(CannedAcl canned, std::string_view owner_canonical_id,
                  std::string_view bucket_owner_canonical_id);

// Empty for private_acl(owner).
std::string encode_acl(const Acl& acl, std::string_view owner_canonical_id);
// Bytes that are no ACL give an empty list: nobody but the owner.
Acl decode_acl(std::string_view encoded, std::string_view owner_canonical_id);

}  // namespace rondel::access
