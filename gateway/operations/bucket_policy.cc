// GetBucketPolicy, PutBucketPolicy, DeleteBucketPolicy, GetBucketPolicyStatus.
#include "gateway/operations/access_handlers.h"
#include "gateway/operations/requested_acl.h"
#include "gateway/operations/settings_handlers.h"

namespace rondel::operations {
namespace {

using metadata::SettingKind;
using s3::ErrorCode;

// Room to say that a policy is too large, rather than that the body is.
constexpr size_t kBodyBytesMax = 4 * policy::kPolicyBytesMax;

std::unexpected<s3::Error> malformed(std::string reason) { return s3::fail(ErrorCode::kMalformedPolicy, std::move(reason)); }

Answer<bool> all_exist(Context& context, metadata::AccountName::Kind kind, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    CO_S3(const auto account, co_await find_account(context, {kind, name}));
    if (!account) co_return false;
  }
  co_return true;
}

}  // namespace

Answer<Response> get_bucket_policy(Context& context) {
  const std::string* document = find_setting(context, SettingKind::kPolicy);
  if (document == nullptr) co_return s3::fail(ErrorCode::kNoSuchBucketPolicy, {}, {{"BucketName", context.request.bucket}});
  Response response = empty_response(200);
  response.head.fields.add("Content-Type", "application/json");
  response.body = *document;
  co_return response;
}

Answer<Response> put_bucket_policy(Context& context) {
  CO_S3(std::string text, co_await read_document(context, kBodyBytesMax));
  if (text.empty()) co_return s3::fail(ErrorCode::kMissingRequestBodyError);
  const auto policy = policy::Policy::parse(text, context.bucket->name);
  if (!policy) co_return malformed(policy.error());
  CO_S3(const bool accounts, co_await all_exist(context, metadata::AccountName::Kind::kId, (*policy)->named_accounts()));
  CO_S3(const bool canonical, co_await all_exist(context, metadata::AccountName::Kind::kCanonicalId, (*policy)->named_canonical_ids()));
  if (!accounts || !canonical) co_return malformed("Invalid principal in policy");
  if (context.access.bucket->block.block_public_policy && (*policy)->is_public()) co_return s3::fail(ErrorCode::kAccessDenied);
  CO_S3_VOID(co_await store_setting(context, SettingKind::kPolicy, std::move(text)));
  co_return empty_response(204);
}

Answer<Response> delete_bucket_policy(Context& context) {
  CO_S3_VOID(co_await store_setting(context, SettingKind::kPolicy, std::nullopt));
  co_return empty_response(204);
}

// Also of a bucket without a policy: its ACL may make it public.
Answer<Response> get_bucket_policy_status(Context& context) {
  s3::XmlWriter xml("PolicyStatus");
  xml.boolean("IsPublic", context.access.bucket->is_public());
  co_return xml_response(std::move(xml));
}

}  // namespace rondel::operations
