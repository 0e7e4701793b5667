// The block on public access and the ownership controls of a bucket.
#include "gateway/permissions/documents.h"
#include "gateway/permissions/handlers.h"
#include "gateway/permissions/settings_commit.h"
#include "gateway/request/answers.h"
#include "gateway/request/bucket_settings.h"
#include "gateway/request/context.h"
#include "gateway/s3/access_documents.h"
#include "gateway/s3/documents.h"
#include "gateway/s3/error.h"
#include "identity/access/access_settings.h"
#include "identity/access/acl.h"
#include "identity/access/bucket_access.h"
#include "metadata/model/bucket.h"

namespace rondel::permissions {
namespace {

using metadata::SettingKind;
using s3::ErrorCode;

request::Response document_response(std::string document) {
  request::Response response = request::empty_response(200);
  response.head.fields.add("Content-Type", "application/xml");
  response.body = std::move(document);
  return response;
}

}  // namespace

request::Answer<request::Response> get_public_access_block(request::Context& context) {
  const std::string* stored = request::find_setting(context, SettingKind::kPublicAccessBlock);
  if (stored == nullptr) {
    co_return s3::fail(ErrorCode::kNoSuchPublicAccessBlockConfiguration, {},
                       {{"BucketName", context.request.bucket}});
  }
  const access::PublicAccessBlock block = access::decode_block(*stored);
  co_return document_response(s3::write_public_access_block_document(
      {block.block_public_acls, block.ignore_public_acls, block.block_public_policy,
       block.restrict_public_buckets}));
}

request::Answer<request::Response> put_public_access_block(request::Context& context) {
  CO_S3(const std::string text,
        co_await permissions::read_document(context, s3::kSmallDocumentBytesMax));
  CO_S3(const s3::PublicAccessBlockDocument asked, s3::parse_public_access_block_document(text));
  const access::PublicAccessBlock block{asked.block_public_acls, asked.ignore_public_acls,
                                        asked.block_public_policy, asked.restrict_public_buckets};
  CO_S3_VOID(co_await permissions::store_setting(context, SettingKind::kPublicAccessBlock,
                                                 access::encode_block(block)));
  co_return request::empty_response(200);
}

request::Answer<request::Response> delete_public_access_block(request::Context& context) {
  CO_S3_VOID(
      co_await permissions::store_setting(context, SettingKind::kPublicAccessBlock, std::nullopt));
  co_return request::empty_response(204);
}

request::Answer<request::Response> get_ownership_controls(request::Context& context) {
  const std::string* stored = request::find_setting(context, SettingKind::kOwnership);
  if (stored == nullptr) {
    co_return s3::fail(ErrorCode::kOwnershipControlsNotFoundError, {},
                       {{"BucketName", context.request.bucket}});
  }
  co_return document_response(
      s3::write_ownership_document(access::ownership_name(context.access.bucket->ownership)));
}

request::Answer<request::Response> put_ownership_controls(request::Context& context) {
  CO_S3(const std::string text,
        co_await permissions::read_document(context, s3::kSmallDocumentBytesMax));
  CO_S3(const std::string name, s3::parse_ownership_document(text));
  const auto ownership = access::find_ownership(name);
  if (!ownership) co_return s3::fail(ErrorCode::kMalformedXML);
  const auto decide = [&]() -> s3::S3Result<std::optional<std::string>> {
    // An ACL that gives others something would lose its meaning unseen.
    const access::BucketAccess& access = *context.access.bucket;
    if (*ownership == access::Ownership::kBucketOwnerEnforced && access.acls_enabled() &&
        access.acl != access::private_acl(access.owner_canonical_id)) {
      return s3::fail(
          ErrorCode::kInvalidBucketAclWithObjectOwnership,
          "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting");
    }
    return std::string(access::ownership_name(*ownership));
  };
  CO_S3_VOID(co_await store_decided_setting(context, SettingKind::kOwnership, decide));
  co_return request::empty_response(200);
}

request::Answer<request::Response> delete_ownership_controls(request::Context& context) {
  CO_S3_VOID(co_await permissions::store_setting(context, SettingKind::kOwnership, std::nullopt));
  co_return request::empty_response(204);
}

}  // namespace rondel::permissions
