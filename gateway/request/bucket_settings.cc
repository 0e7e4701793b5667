#include "gateway/request/bucket_settings.h"

#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/s3/error.h"
#include "metadata/model/bucket.h"
#include "metadata/store/bucket_store.h"

namespace rondel::request {

using s3::ErrorCode;

Answer<void> store_setting(Context& context, metadata::SettingKind kind, std::optional<std::string> document) {
  CO_S3(const metadata::BucketOutcome outcome,
        co_await context.services.buckets.set_bucket_setting(context.bucket->id, kind, std::move(document), context.metadata_deadline()));
  context.services.bucket_cache.forget_bucket(context.bucket->name);
  if (outcome.status != metadata::BucketStatus::kOk) co_return s3::fail(ErrorCode::kNoSuchBucket, {}, {{"BucketName", context.request.bucket}});
  co_return s3::S3Result<void>{};
}

const std::string* find_setting(const Context& context, metadata::SettingKind kind) {
  const auto found = context.bucket->settings.find(kind);
  return found == context.bucket->settings.end() ? nullptr : &found->second;
}

}  // namespace rondel::request
