// Changes of a bucket: commits that carry what they were decided under, like those of objects.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "gateway/permissions/commit.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/s3/error.h"
#include "metadata/model/bucket.h"
#include "metadata/store/bucket_store.h"

namespace rondel::permissions {

// Runs a change of the request's bucket until what it was decided under holds; this gateway's next
// request sees it. `change`: () -> request::Answer<metadata::BucketOutcome>; decides on the bucket
// as it is in the context, each time. Answers every other status than kNoSuchBucket, which is an
// error.
template <class Change>
request::Answer<metadata::BucketOutcome> change_bucket(request::Context& context, Change change) {
  Attempts attempts(context);
  for (;;) {
    CO_S3(metadata::BucketOutcome outcome, co_await change());
    context.services.bucket_cache.forget_bucket(context.request.bucket);
    if (outcome.status == metadata::BucketStatus::kNoSuchBucket) {
      co_return s3::fail(s3::ErrorCode::kNoSuchBucket, {},
                         {{"BucketName", context.request.bucket}});
    }
    const auto old = old_of(outcome.status);
    if (!old) co_return outcome;
    if (attempts.end()) co_return s3::fail(s3::ErrorCode::kOperationAborted);
    co_await attempts.rest();
    CO_S3_VOID(co_await admit_commit_again(context, *old));
  }
}

// Replaces (nullopt: removes) a document of the bucket.
request::Answer<void> store_setting(request::Context& context, metadata::SettingKind kind,
                                    std::optional<std::string> document);
// The same, where what is stored, or whether, rests on what the bucket is: asked each time.
using DecideSetting = std::function<s3::S3Result<std::optional<std::string>>()>;
request::Answer<void> store_decided_setting(request::Context& context, metadata::SettingKind kind,
                                            DecideSetting decide);

}  // namespace rondel::permissions
