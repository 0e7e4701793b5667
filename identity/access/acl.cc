#include "identity/access/acl.h"

#include <algorithm>
#include <array>

namespace rondel::access {
namespace {

constexpr std::array<std::pair<Grantee, std::string_view>, 3> kGroups{{
    {Grantee::kAllUsers, "http://acs.amazonaws.com/groups/global/AllUsers"},
    {Grantee::kAuthenticatedUsers, "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"},
    {Grantee::kLogDelivery, "http://acs.amazonaws.com/groups/s3/LogDelivery"},
}};

constexpr std::array<std::pair<policy::Permission, std::string_view>, 5> kPermissions{{
    {policy::Permission::kRead, "READ"},
    {policy::Permission::kWrite, "WRITE"},
    {policy::Permission::kReadAcp, "READ_ACP"},
    {policy::Permission::kWriteAcp, "WRITE_ACP"},
    {policy::Permission::kFullControl, "FULL_CONTROL"},
}};

constexpr std::array<std::pair<CannedAcl, std::string_view>, 8> kCanned{{
    {CannedAcl::kPrivate, "private"},
    {CannedAcl::kPublicRead, "public-read"},
    {CannedAcl::kPublicReadWrite, "public-read-write"},
    {CannedAcl::kAuthenticatedRead, "authenticated-read"},
    {CannedAcl::kAwsExecRead, "aws-exec-read"},
    {CannedAcl::kBucketOwnerRead, "bucket-owner-read"},
    {CannedAcl::kBucketOwnerFullControl, "bucket-owner-full-control"},
    {CannedAcl::kLogDeliveryWrite, "log-delivery-write"},
}};

constexpr char kFormat = 1;

// Who grants to the owner of unsigned requests' objects grants to everybody who sends none.
bool is_public(const Grant& grant) {
  if (grant.grantee == Grantee::kCanonicalUser) return grant.id == policy::kAnonymousCanonicalId;
  return grant.grantee == Grantee::kAllUsers || grant.grantee == Grantee::kAuthenticatedUsers;
}

bool means(const Grant& grant, const policy::Caller& caller, bool ignore_public) {
  switch (grant.grantee) {
    case Grantee::kAllUsers: return !ignore_public;
    case Grantee::kAuthenticatedUsers: return !ignore_public && !caller.anonymous;
    case Grantee::kCanonicalUser:
      return grant.id == caller.canonical_id && !(ignore_public && is_public(grant));
    case Grantee::kLogDelivery: return false;
  }
  return false;
}

template <class Table, class Key>
auto value_of(const Table& table, const Key& key) {
  return std::ranges::find(table, key, [](const auto& row) { return row.first; })->second;
}

template <class Key, size_t size>
std::optional<Key> key_of(const std::array<std::pair<Key, std::string_view>, size>& table,
                          std::string_view value) {
  const auto found = std::ranges::find(table, value, [](const auto& row) { return row.second; });
  if (found == table.end()) return std::nullopt;
  return found->first;
}

}  // namespace

bool Acl::allows(policy::Permission permission, const policy::Caller& caller,
                 bool ignore_public) const {
  if (permission == policy::Permission::kNothing) return false;
  const auto wanted = static_cast<uint8_t>(permission);
  return std::ranges::any_of(grants, [&](const Grant& grant) {
    return (static_cast<uint8_t>(grant.permission) & wanted) == wanted &&
           means(grant, caller, ignore_public);
  });
}

bool Acl::is_public() const {
  return std::ranges::any_of(grants, [](const Grant& grant) { return access::is_public(grant); });
}

std::string_view group_uri(Grantee group) { return value_of(kGroups, group); }

std::optional<Grantee> find_group(std::string_view uri) { return key_of(kGroups, uri); }

std::string_view permission_name(policy::Permission permission) {
  return value_of(kPermissions, permission);
}

std::optional<policy::Permission> find_permission(std::string_view name) {
  return key_of(kPermissions, name);
}

std::optional<CannedAcl> find_canned(std::string_view name) { return key_of(kCanned, name); }

Acl private_acl(std::string_view owner) {
  return {{{Grantee::kCanonicalUser, std::string(owner), policy::Permission::kFullControl}}};
}

Acl expand_canned(CannedAcl canned, std::string_view owner, std::string_view bucket_owner) {
  Acl acl;
  const auto group = [&acl](Grantee grantee, policy::Permission permission) {
    acl.grants.push_back({grantee, {}, permission});
  };
  const auto user = [&acl](std::string_view id, policy::Permission permission) {
    acl.grants.push_back({Grantee::kCanonicalUser, std::string(id), permission});
  };
  switch (canned) {
    case CannedAcl::kPrivate: break;
    case CannedAcl::kPublicRead: group(Grantee::kAllUsers, policy::Permission::kRead); break;
    case CannedAcl::kPublicReadWrite:
      group(Grantee::kAllUsers, policy::Permission::kRead);
      group(Grantee::kAllUsers, policy::Permission::kWrite);
      break;
    case CannedAcl::kAuthenticatedRead:
      group(Grantee::kAuthenticatedUsers, policy::Permission::kRead);
      break;
    case CannedAcl::kAwsExecRead: user(kExecCanonicalId, policy::Permission::kRead); break;
    case CannedAcl::kBucketOwnerRead:
      if (owner != bucket_owner) user(bucket_owner, policy::Permission::kRead);
      break;
    case CannedAcl::kBucketOwnerFullControl:
      if (owner != bucket_owner) user(bucket_owner, policy::Permission::kFullControl);
      break;
    case CannedAcl::kLogDeliveryWrite:
      group(Grantee::kLogDelivery, policy::Permission::kWrite);
      group(Grantee::kLogDelivery, policy::Permission::kReadAcp);
      break;
  }
  user(owner, policy::Permission::kFullControl);
  return acl;
}

std::string encode_acl(const Acl& acl, std::string_view owner) {
  if (acl == private_acl(owner)) return {};
  std::string out(1, kFormat);
  for (const Grant& grant : acl.grants) {
    out += static_cast<char>(grant.grantee);
    out += static_cast<char>(grant.permission);
    out += static_cast<char>(grant.id.size() >> 8);
    out += static_cast<char>(grant.id.size() & 0xff);
    out += grant.id;
  }
  return out;
}

Acl decode_acl(std::string_view encoded, std::string_view owner) {
  if (encoded.empty()) return private_acl(owner);
  Acl acl;
  if (encoded.front() != kFormat) return acl;
  encoded.remove_prefix(1);
  while (!encoded.empty()) {
    if (encoded.size() < 4) return {};
    const auto grantee = static_cast<uint8_t>(encoded[0]);
    const auto permission = static_cast<policy::Permission>(encoded[1]);
    const size_t length = static_cast<size_t>(static_cast<uint8_t>(encoded[2])) << 8 |
                          static_cast<uint8_t>(encoded[3]);
    const bool known =
        grantee >= 1 && grantee <= 4 &&
        std::ranges::any_of(kPermissions, [&](const auto& row) { return row.first == permission; });
    if (!known || encoded.size() < 4 + length) return {};
    acl.grants.push_back(
        {static_cast<Grantee>(grantee), std::string(encoded.substr(4, length)), permission});
    encoded.remove_prefix(4 + length);
  }
  return acl;
}

}  // namespace rondel::access
