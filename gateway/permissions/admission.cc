#include "gateway/permissions/admission.h"

#include "gateway/permissions/authorization.h"
#include "gateway/permissions/requester_pays.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/request/object_encryption.h"
#include "gateway/request/refusals.h"
#include "gateway/s3/error.h"
#include "gateway/signature/post_signature.h"
#include "metadata/model/account.h"
#include "metadata/model/bucket.h"

namespace rondel::permissions {
namespace {

using s3::ErrorCode;
using CredentialPointer = std::shared_ptr<const metadata::Credential>;

constexpr Duration kSlowBody = std::chrono::milliseconds(10);

s3::S3Result<void> check_owner(const request::Context& context, const metadata::Bucket& bucket,
                               std::string_view header) {
  const auto expected = context.fields().find(header);
  if (!expected || *expected == bucket.owner_account) return {};
  return s3::fail(ErrorCode::kAccessDenied);
}

// What is asked whatever the operation is.
s3::S3Result<void> check_surroundings(request::Context& context) {
  if (context.bucket) {
    auto owner = check_owner(context, *context.bucket, "x-amz-expected-bucket-owner");
    if (!owner) return owner;
    const auto charged = charges_requester(context, *context.bucket);
    if (!charged) return std::unexpected(charged.error());
    context.access.requester_charged = *charged;
  }
  return request::check_customer_key_transport(context);
}

// The key that the request was signed with, as it is now: it may have been taken away.
s3::S3Result<void> take_credential(request::Context& context, CredentialPointer now) {
  const metadata::Credential& before = *context.identity.credential;
  const bool same =
      now && now->key.secret_key == before.key.secret_key && now->account.id == before.account.id;
  if (!same) {
    return s3::fail(ErrorCode::kInvalidAccessKeyId, {},
                    {{"AWSAccessKeyId", before.key.access_key}});
  }
  if (const auto enabled = signature::check_enabled(*now); !enabled) {
    return std::unexpected(request::to_s3(enabled.error()));
  }
  context.identity.credential = std::move(now);
  context.access.caller = caller_of(context.identity);
  return {};
}

request::Answer<void> read_credential_again(request::Context& context) {
  if (context.identity.anonymous()) co_return s3::S3Result<void>{};
  const metadata::Credential& known = *context.identity.credential;
  CO_S3(CredentialPointer now, co_await context.services.identities.find_newer_credential(
                                   known.key.access_key, known.epoch, context.metadata_deadline()));
  co_return take_credential(context, std::move(now));
}

s3::S3Result<void> decide_again(request::Context& context) {
  if (auto fine = check_surroundings(context); !fine) return fine;
  if (auto allowed = authorize_again(context); !allowed) return allowed;
  return request::check_encryption_again(context);
}

}  // namespace

s3::S3Result<void> admit(request::Context& context) {
  context.access.caller = caller_of(context.identity);
  if (auto fine = check_surroundings(context); !fine) return fine;
  return authorize(context);
}

s3::S3Result<void> admit_source(const request::Context& context, const metadata::Bucket& bucket) {
  auto owner = check_owner(context, bucket, "x-amz-source-expected-bucket-owner");
  if (!owner) return owner;
  const auto charged = charges_requester(context, bucket);
  return charged ? s3::S3Result<void>{} : std::unexpected(charged.error());
}

request::Answer<void> admit_again(request::Context& context, Old old) {
  if (old == Old::kObject) co_return s3::S3Result<void>{};
  if (old == Old::kCredential) CO_S3_VOID(co_await read_credential_again(context));
  if (old == Old::kBucket && context.bucket) CO_S3_VOID(co_await request::reload_bucket(context));
  co_return decide_again(context);
}

request::Answer<void> admit_after_body(request::Context& context, SteadyTime begun) {
  const request::Services& services = context.services;
  bool again = services.clock.steady_now() - begun > kSlowBody;
  // Both caches have forgotten by now what was changed meanwhile, and mostly answer at once.
  if (!context.identity.anonymous()) {
    const CredentialPointer& known = context.identity.credential;
    CO_S3(CredentialPointer now, co_await services.identities.find_credential(
                                     known->key.access_key, context.metadata_deadline()));
    again = again || now != known;
    if (now != known) CO_S3_VOID(take_credential(context, std::move(now)));
  }
  if (context.bucket) {
    CO_S3(auto now, co_await services.bucket_cache.find_bucket(context.bucket->name,
                                                               context.metadata_deadline()));
    if (!now) {
      co_return s3::fail(ErrorCode::kNoSuchBucket, {}, {{"BucketName", context.request.bucket}});
    }
    again = again || now->id != context.bucket->id ||
            now->settings_version != context.bucket->settings_version;
    context.bucket = std::move(now);
  }
  if (again) CO_S3_VOID(decide_again(context));
  co_return s3::S3Result<void>{};
}

}  // namespace rondel::permissions
