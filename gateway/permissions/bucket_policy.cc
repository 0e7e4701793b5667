// GetBucketPolicy, PutBucketPolicy, DeleteBucketPolicy, GetBucketPolicyStatus.

#include "gateway/permissions/documents.h"
#include "gateway/permissions/handlers.h"
#include "gateway/permissions/requested_acl.h"
#include "gateway/permissions/settings_commit.h"
#include "gateway/request/answers.h"
#include "gateway/request/bucket_settings.h"
#include "gateway/request/context.h"
#include "gateway/s3/error.h"
#include "gateway/s3/xml_writer.h"
#include "identity/policy/policy.h"
#include "metadata/model/account.h"
#include "metadata/model/bucket.h"

namespace rondel::permissions {
namespace {

using metadata::SettingKind;
using s3::ErrorCode;

// Room to say that a policy is too large, rather than that the body is.
constexpr size_t kBodyBytesMax = 4 * policy::kPolicyBytesMax;

std::unexpected<s3::Error> malformed(std::string reason) {
  return s3::fail(ErrorCode::kMalformedPolicy, std::move(reason));
}

request::Answer<bool> all_exist(request::Context& context, metadata::AccountName::Kind kind,
                                const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    CO_S3(const auto account, co_await find_account(context, {kind, name}));
    if (!account) co_return false;
  }
  co_return true;
}

}  // namespace

request::Answer<request::Response> get_bucket_policy(request::Context& context) {
  const std::string* document = request::find_setting(context, SettingKind::kPolicy);
  if (document == nullptr) {
    co_return s3::fail(ErrorCode::kNoSuchBucketPolicy, {},
                       {{"BucketName", context.request.bucket}});
  }
  request::Response response = request::empty_response(200);
  response.head.fields.add("Content-Type", "application/json");
  response.body = *document;
  // As it was put, but for a version that it lacks.
  const auto policy = policy::Policy::parse(*document, context.bucket->name);
  if (policy && (*policy)->lacks_version()) response.body.insert(1, R"("Version":"2008-10-17",)");
  co_return response;
}

request::Answer<request::Response> put_bucket_policy(request::Context& context) {
  CO_S3(const std::string text, co_await permissions::read_document(context, kBodyBytesMax));
  if (text.empty()) co_return s3::fail(ErrorCode::kMissingRequestBodyError);
  const auto policy = policy::Policy::parse(text, context.bucket->name);
  if (!policy) co_return malformed(policy.error());
  CO_S3(const bool accounts,
        co_await all_exist(context, metadata::AccountName::Kind::kId, (*policy)->named_accounts()));
  CO_S3(const bool canonical, co_await all_exist(context, metadata::AccountName::Kind::kCanonicalId,
                                                 (*policy)->named_canonical_ids()));
  if (!accounts || !canonical) co_return malformed("Invalid principal in policy");
  const auto decide = [&]() -> s3::S3Result<std::optional<std::string>> {
    if (context.access.bucket->block.block_public_policy && (*policy)->is_public()) {
      return s3::fail(ErrorCode::kAccessDenied);
    }
    return text;
  };
  CO_S3_VOID(co_await store_decided_setting(context, SettingKind::kPolicy, decide));
  co_return request::empty_response(204);
}

request::Answer<request::Response> delete_bucket_policy(request::Context& context) {
  CO_S3_VOID(co_await permissions::store_setting(context, SettingKind::kPolicy, std::nullopt));
  co_return request::empty_response(204);
}

// Also of a bucket without a policy: its ACL may make it public.
request::Answer<request::Response> get_bucket_policy_status(request::Context& context) {
  s3::XmlWriter xml("PolicyStatus");
  xml.boolean("IsPublic", context.access.bucket->is_public());
  co_return request::xml_response(std::move(xml));
}

}  // namespace rondel::permissions
