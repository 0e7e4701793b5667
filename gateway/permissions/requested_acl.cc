#include "gateway/permissions/requested_acl.h"

#include "common/http/message.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/s3/access_documents.h"
#include "gateway/s3/error.h"
#include "identity/access/access_settings.h"
#include "identity/access/acl.h"
#include "identity/access/authorization.h"
#include "identity/access/bucket_access.h"
#include "identity/access/grant_header.h"
#include "identity/policy/principal.h"
#include "metadata/model/account.h"

namespace rondel::permissions {
namespace {

using access::Grantee;
using access::NamedGrantee;
using s3::ErrorCode;

std::unexpected<s3::Error> invalid(std::string message, std::string name, std::string value) {
  return s3::fail(ErrorCode::kInvalidArgument, std::move(message),
                  {{"ArgumentName", std::move(name)}, {"ArgumentValue", std::move(value)}});
}

request::Answer<access::Grant> resolve(request::Context& context, const NamedGrantee& named) {
  if (named.by == NamedGrantee::By::kUri) {
    const auto group = access::find_group(named.value);
    if (!group) co_return invalid("Invalid group uri", "Group/URI", named.value);
    co_return access::Grant{*group, {}, named.permission};
  }
  const bool by_email = named.by == NamedGrantee::By::kEmail;
  using Kind = metadata::AccountName::Kind;
  CO_S3(
      const auto account,
      co_await find_account(context, {by_email ? Kind::kEmail : Kind::kCanonicalId, named.value}));
  if (!account && by_email) {
    co_return s3::fail(ErrorCode::kUnresolvableGrantByEmailAddress, {},
                       {{"EmailAddress", named.value}});
  }
  const bool well_known =
      named.value == policy::kAnonymousCanonicalId || named.value == access::kExecCanonicalId;
  if (!account && !well_known) co_return invalid("Invalid id", "CanonicalUser/ID", named.value);
  co_return access::Grant{Grantee::kCanonicalUser, account ? account->canonical_id : named.value,
                          named.permission};
}

request::Answer<std::vector<access::Grant>> resolve_all(request::Context& context,
                                                        const std::vector<NamedGrantee>& named) {
  std::vector<access::Grant> grants;
  for (const NamedGrantee& grantee : named) {
    CO_S3(access::Grant grant, co_await resolve(context, grantee));
    grants.push_back(std::move(grant));
  }
  co_return grants;
}

s3::S3Result<std::vector<NamedGrantee>> grants_of_headers(const http::Fields& fields) {
  std::vector<NamedGrantee> named;
  for (const auto& [name, value] : fields) {
    const auto permission = access::grant_header_permission(name);
    if (!permission) continue;
    auto grantees = access::parse_grant_header(value, *permission);
    if (!grantees) return invalid("Argument format not recognized", name, grantees.error());
    named.insert(named.end(), grantees->begin(), grantees->end());
  }
  if (named.size() > access::kGrantsMax) {
    return s3::fail(ErrorCode::kInvalidRequest, "The ACL has more than 100 grants");
  }
  return named;
}

NamedGrantee::By by(s3::AclGrant::By how) {
  switch (how) {
    case s3::AclGrant::By::kId: return NamedGrantee::By::kId;
    case s3::AclGrant::By::kEmail: return NamedGrantee::By::kEmail;
    case s3::AclGrant::By::kUri: return NamedGrantee::By::kUri;
  }
  return NamedGrantee::By::kId;
}

}  // namespace

request::Answer<std::shared_ptr<const metadata::Account>> find_account(request::Context& context,
                                                                       metadata::AccountName name) {
  co_return request::as_s3(co_await context.services.identities.find_account(
      std::move(name), context.metadata_deadline()));
}

request::Answer<RequestedAcl> requested_acl(request::Context& context) {
  RequestedAcl requested;
  const auto canned = context.fields().find("x-amz-acl");
  if (canned && !canned->empty()) {
    requested.canned = access::find_canned(*canned);
    if (!requested.canned) co_return invalid({}, "x-amz-acl", std::string(*canned));
  }
  CO_S3(const std::vector<NamedGrantee> named, grants_of_headers(context.fields()));
  if (named.empty()) co_return requested;
  if (requested.canned) {
    co_return s3::fail(ErrorCode::kInvalidRequest,
                       "Specifying both Canned ACLs and Header Grants is not allowed");
  }
  CO_S3(requested.grants, co_await resolve_all(context, named));
  co_return requested;
}

request::Answer<std::vector<access::Grant>> resolve_grants(request::Context& context,
                                                           const s3::AclDocument& document) {
  std::vector<NamedGrantee> named;
  for (const s3::AclGrant& grant : document.grants) {
    named.push_back(
        {by(grant.by), grant.grantee, access::find_permission(grant.permission).value()});
  }
  co_return co_await resolve_all(context, named);
}

bool is_owner_full_control(const RequestedAcl& requested, std::string_view bucket_owner) {
  if (requested.canned) return *requested.canned == access::CannedAcl::kBucketOwnerFullControl;
  return !requested.grants || access::Acl{*requested.grants} == access::private_acl(bucket_owner);
}

s3::S3Result<void> check_public(const access::Acl& acl, const access::PublicAccessBlock& block) {
  if (block.block_public_acls && acl.is_public()) return s3::fail(ErrorCode::kAccessDenied);
  return {};
}

s3::S3Result<Placement> place_new_object(const request::Context& context,
                                         const RequestedAcl& requested) {
  const access::BucketAccess& bucket = *context.access.bucket;
  Placement placement;
  placement.owner_account =
      access::owner_of_new_object(bucket, context.access.caller,
                                  requested.canned == access::CannedAcl::kBucketOwnerFullControl);
  if (!bucket.acls_enabled()) {
    // What the bucket's owner calls private is the bucket owner's full control, said in other
    // words.
    const bool owners_private = requested.canned == access::CannedAcl::kPrivate &&
                                context.access.caller.account_id == bucket.owner_account;
    if (!owners_private && !is_owner_full_control(requested, bucket.owner_canonical_id)) {
      return s3::fail(ErrorCode::kAccessControlListNotSupported);
    }
    return placement;
  }
  if (requested.canned == access::CannedAcl::kLogDeliveryWrite) {
    return invalid({}, "x-amz-acl", "log-delivery-write");
  }
  if (!requested.given()) return placement;
  const std::string_view owner = placement.owner_account == bucket.owner_account
                                     ? std::string_view(bucket.owner_canonical_id)
                                     : context.access.caller.canonical_id;
  const access::Acl acl =
      requested.grants ? access::Acl{*requested.grants}
                       : access::expand_canned(*requested.canned, owner, bucket.owner_canonical_id);
  if (auto fine = check_public(acl, bucket.block); !fine) return std::unexpected(fine.error());
  placement.acl = access::encode_acl(acl, owner);
  return placement;
}

}  // namespace rondel::permissions
