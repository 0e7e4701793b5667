// The block on public access and the ownership controls of a bucket.
#include "gateway/operations/access_handlers.h"
#include "gateway/operations/settings_handlers.h"
#include "gateway/s3/access_documents.h"
#include "gateway/s3/documents.h"

namespace rondel::operations {
namespace {

using metadata::SettingKind;
using s3::ErrorCode;

Response document_response(std::string document) {
  Response response = empty_response(200);
  response.head.fields.add("Content-Type", "application/xml");
  response.body = std::move(document);
  return response;
}

}  // namespace

Answer<Response> get_public_access_block(Context& context) {
  const std::string* stored = find_setting(context, SettingKind::kPublicAccessBlock);
  if (stored == nullptr) co_return s3::fail(ErrorCode::kNoSuchPublicAccessBlockConfiguration, {}, {{"BucketName", context.request.bucket}});
  const access::PublicAccessBlock block = access::decode_block(*stored);
  co_return document_response(s3::write_public_access_block_document(
      {block.block_public_acls, block.ignore_public_acls, block.block_public_policy, block.restrict_public_buckets}));
}

Answer<Response> put_public_access_block(Context& context) {
  CO_S3(const std::string text, co_await read_document(context, s3::kSmallDocumentBytesMax));
  CO_S3(const s3::PublicAccessBlockDocument asked, s3::parse_public_access_block_document(text));
  const access::PublicAccessBlock block{asked.block_public_acls, asked.ignore_public_acls, asked.block_public_policy, asked.restrict_public_buckets};
  CO_S3_VOID(co_await store_setting(context, SettingKind::kPublicAccessBlock, access::encode_block(block)));
  co_return empty_response(200);
}

Answer<Response> delete_public_access_block(Context& context) {
  CO_S3_VOID(co_await store_setting(context, SettingKind::kPublicAccessBlock, std::nullopt));
  co_return empty_response(204);
}

Answer<Response> get_ownership_controls(Context& context) {
  const std::string* stored = find_setting(context, SettingKind::kOwnership);
  if (stored == nullptr) co_return s3::fail(ErrorCode::kOwnershipControlsNotFoundError, {}, {{"BucketName", context.request.bucket}});
  co_return document_response(s3::write_ownership_document(access::ownership_name(context.access.bucket->ownership)));
}

Answer<Response> put_ownership_controls(Context& context) {
  CO_S3(const std::string text, co_await read_document(context, s3::kSmallDocumentBytesMax));
  CO_S3(const std::string name, s3::parse_ownership_document(text));
  const auto ownership = access::find_ownership(name);
  if (!ownership) co_return s3::fail(ErrorCode::kMalformedXML);
  // An ACL that gives others something would lose its meaning unseen.
  const access::BucketAccess& access = *context.access.bucket;
  if (*ownership == access::Ownership::kBucketOwnerEnforced && access.acls_enabled() && access.acl != access::private_acl(access.owner_canonical_id)) {
    co_return s3::fail(ErrorCode::kInvalidBucketAclWithObjectOwnership, "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting");
  }
  CO_S3_VOID(co_await store_setting(context, SettingKind::kOwnership, std::string(access::ownership_name(*ownership))));
  co_return empty_response(200);
}

Answer<Response> delete_ownership_controls(Context& context) {
  CO_S3_VOID(co_await store_setting(context, SettingKind::kOwnership, std::nullopt));
  co_return empty_response(204);
}

}  // namespace rondel::operations
