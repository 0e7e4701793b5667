// GetBucketAcl, PutBucketAcl, GetObjectAcl, PutObjectAcl.
#include "gateway/permissions/commit.h"
#include "gateway/permissions/documents.h"
#include "gateway/permissions/handlers.h"
#include "gateway/permissions/object_lookup.h"
#include "gateway/permissions/owners.h"
#include "gateway/permissions/requested_acl.h"
#include "gateway/permissions/settings_commit.h"
#include "gateway/permissions/version_update.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/s3/access_documents.h"
#include "gateway/s3/documents.h"
#include "gateway/s3/error.h"
#include "gateway/s3/xml_writer.h"
#include "identity/access/acl.h"
#include "identity/access/bucket_access.h"
#include "metadata/model/account.h"
#include "metadata/model/bucket.h"
#include "metadata/store/object_store.h"

namespace rondel::permissions {
namespace {

using metadata::AccountName;
using metadata::SettingKind;
using s3::ErrorCode;

constexpr std::string_view kInstance =
    "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=";
constexpr size_t kDocumentBytesMax = 256 << 10;  // 100 grants, generously.

request::Answer<void> write_grant(request::Context& context, s3::XmlWriter& xml,
                                  const access::Grant& grant) {
  xml.open("Grant");
  if (grant.grantee == access::Grantee::kCanonicalUser) {
    CO_S3(const auto account,
          co_await find_account(context, {AccountName::Kind::kCanonicalId, grant.id}));
    xml.open_with("Grantee", std::string(kInstance) + "\"CanonicalUser\"");
    xml.text("ID", grant.id);
    if (account) xml.text("DisplayName", account->display_name);
  } else {
    xml.open_with("Grantee", std::string(kInstance) + "\"Group\"");
    xml.text("URI", access::group_uri(grant.grantee));
  }
  xml.close();
  xml.text("Permission", access::permission_name(grant.permission));
  xml.close();
  co_return s3::S3Result<void>{};
}

request::Answer<request::Response> acl_response(request::Context& context, const Person& owner,
                                                const access::Acl& acl) {
  s3::XmlWriter xml("AccessControlPolicy");
  request::write_person(xml, "Owner", owner.canonical_id, owner.display_name);
  xml.open("AccessControlList");
  // Groups first, the order that clients have come to expect.
  for (const bool groups : {true, false}) {
    for (const access::Grant& grant : acl.grants) {
      if ((grant.grantee != access::Grantee::kCanonicalUser) == groups) {
        CO_S3_VOID(co_await write_grant(context, xml, grant));
      }
    }
  }
  co_return request::xml_response(std::move(xml));
}

// The ACL of a Put*Acl, from its headers or its document.
request::Answer<RequestedAcl> asked_acl(request::Context& context, std::string owner_canonical_id) {
  CO_S3(RequestedAcl requested, co_await requested_acl(context));
  CO_S3(const std::string text, co_await permissions::read_document(context, kDocumentBytesMax));
  if (requested.given() && !text.empty()) co_return s3::fail(ErrorCode::kUnexpectedContent);
  if (requested.given()) co_return requested;
  if (text.empty()) {
    co_return s3::fail(ErrorCode::kMissingSecurityHeader,
                       "Your request was missing a required header",
                       {{"MissingHeaderName", "x-amz-acl"}});
  }
  CO_S3(const s3::AclDocument document, s3::parse_acl_document(text));
  if (document.owner_id != owner_canonical_id) co_return s3::fail(ErrorCode::kAccessDenied);
  CO_S3(requested.grants, co_await resolve_grants(context, document));
  co_return requested;
}

// As it is stored in the bucket as it is now; nullopt: nothing is to be stored, for the bucket has
// no ACLs and this says what holds anyway.
s3::S3Result<std::optional<std::string>> encoded_acl(const request::Context& context,
                                                     const RequestedAcl& asked,
                                                     const std::string& owner_canonical_id) {
  const access::BucketAccess& bucket = *context.access.bucket;
  if (!bucket.acls_enabled()) {
    if (!is_owner_full_control(asked, bucket.owner_canonical_id)) {
      return s3::fail(ErrorCode::kAccessControlListNotSupported);
    }
    return std::nullopt;
  }
  const access::Acl acl = asked.grants ? access::Acl{*asked.grants}
                                       : access::expand_canned(*asked.canned, owner_canonical_id,
                                                               bucket.owner_canonical_id);
  if (auto fine = check_public(acl, bucket.block); !fine) return std::unexpected(fine.error());
  return access::encode_acl(acl, owner_canonical_id);
}

}  // namespace

request::Answer<request::Response> get_bucket_acl(request::Context& context) {
  const access::BucketAccess& bucket = *context.access.bucket;
  const Person owner{context.bucket->owner_canonical_id, context.bucket->owner_display_name};
  const access::Acl acl =
      bucket.acls_enabled() ? bucket.acl : access::private_acl(bucket.owner_canonical_id);
  co_return co_await acl_response(context, owner, acl);
}

request::Answer<request::Response> put_bucket_acl(request::Context& context) {
  CO_S3(const RequestedAcl asked, co_await asked_acl(context, context.bucket->owner_canonical_id));
  const auto store = [&]() -> request::Answer<metadata::BucketOutcome> {
    CO_S3(std::optional<std::string> encoded,
          encoded_acl(context, asked, context.bucket->owner_canonical_id));
    if (!encoded) co_return metadata::BucketOutcome{};
    // The owner's alone, which is what a bucket without has.
    if (encoded->empty()) encoded.reset();
    co_return request::as_s3(co_await context.services.buckets.set_bucket_setting(
        request::commit_context(context), SettingKind::kAcl, std::move(encoded)));
  };
  CO_S3_VOID(co_await change_bucket(context, store));
  co_return request::empty_response(200);
}

request::Answer<request::Response> get_object_acl(request::Context& context) {
  CO_S3(const metadata::ObjectLookup found, co_await look_up_object(context, {}));
  CO_S3(const Person owner, co_await owner_of_object(context, found.object.owner_account));
  const bool enabled = context.access.bucket->acls_enabled();
  CO_S3(request::Response response,
        co_await acl_response(context, owner,
                              enabled ? access::decode_acl(found.object.acl, owner.canonical_id)
                                      : access::private_acl(owner.canonical_id)));
  request::add_version_header(response.head.fields, context, found.object.version,
                              found.object.is_null);
  co_return response;
}

request::Answer<request::Response> put_object_acl(request::Context& context) {
  CO_S3(const metadata::ObjectLookup found, co_await look_up_object(context, {}));
  CO_S3(const Person owner, co_await owner_of_object(context, found.object.owner_account));
  CO_S3(const RequestedAcl asked, co_await asked_acl(context, owner.canonical_id));
  metadata::UpdateVersion request;
  // The version that was looked at, whatever came meanwhile.
  request.key = context.request.key;
  request.version = found.object.version;
  const auto encode = [&]() -> s3::S3Result<void> {
    auto encoded = encoded_acl(context, asked, owner.canonical_id);
    if (!encoded) return std::unexpected(encoded.error());
    request.acl = *std::move(encoded);
    return {};
  };
  CO_S3_VOID(encode());
  const auto decide = [&]() -> request::Answer<void> {
    CO_S3_VOID(co_await authorize_object_again(context));
    co_return encode();
  };
  const auto update = [&]() -> async::Task<metadata::CommitResult> {
    metadata::CommitOutcome as_it_is;
    as_it_is.version = found.object.version;
    as_it_is.is_null = found.object.is_null;
    if (!request.acl) co_return as_it_is;
    request.context = request::commit_context(context);
    request.expected_access = deciding_access(context);
    co_return co_await context.services.objects.update_version(request);
  };
  auto outcome = co_await commit_with(context, update, nullptr, decide);
  if (!outcome) co_return std::unexpected(outcome.error());
  co_return updated_response(context, *outcome, 200);
}

}  // namespace rondel::permissions
