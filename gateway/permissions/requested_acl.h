// The ACL that a request asks for, in headers or a document, and what a bucket makes of it.
#pragma once

#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/s3/access_documents.h"
#include "gateway/s3/error.h"
#include "identity/access/access_settings.h"
#include "identity/access/acl.h"
#include "metadata/model/account.h"

namespace rondel::permissions {

// What x-amz-acl and x-amz-grant-* ask for; accounts are looked up, groups known.
struct RequestedAcl {
  std::optional<access::CannedAcl> canned;
  std::optional<std::vector<access::Grant>> grants;

  bool given() const { return canned || grants; }
};

// kInvalidArgument, kInvalidRequest (both kinds of headers), kUnresolvableGrantByEmailAddress.
request::Answer<RequestedAcl> requested_acl(request::Context& context);
// The grants of a document, in the same way.
request::Answer<std::vector<access::Grant>> resolve_grants(request::Context& context,
                                                           const s3::AclDocument& document);

// Owner and stored ACL of a new version or upload in the context's bucket.
// kAccessControlListNotSupported: the bucket has no ACLs and another one than the owner's full
// control was asked for. kAccessDenied: it is public, and the block forbids that.
struct Placement {
  std::string owner_account;
  std::string acl;
};

s3::S3Result<Placement> place_new_object(const request::Context& context,
                                         const RequestedAcl& requested);

// The canonical id an owner goes by. Null pointer where the account is gone.
request::Answer<std::shared_ptr<const metadata::Account>> find_account(request::Context& context,
                                                                       metadata::AccountName name);

// The rules for ACLs of a bucket without them: true of bucket-owner-full-control and of the same
// said in grants.
bool is_owner_full_control(const RequestedAcl& requested,
                           std::string_view bucket_owner_canonical_id);
// kAccessDenied when `acl` is public and `block` forbids that.
s3::S3Result<void> check_public(const access::Acl& acl, const access::PublicAccessBlock& block);

}  // namespace rondel::permissions
