#include "gateway/permissions/commit.h"

#include "gateway/permissions/admission.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/s3/error.h"

namespace rondel::permissions {

request::Answer<void> admit_commit_again(request::Context& context, Old old) {
  const int64_t id = context.bucket ? context.bucket->id : 0;
  CO_S3_VOID(co_await admit_again(context, old));
  if (context.bucket && context.bucket->id != id) {
    co_return s3::fail(s3::ErrorCode::kNoSuchBucket, {}, {{"BucketName", context.request.bucket}});
  }
  co_return s3::S3Result<void>{};
}

}  // namespace rondel::permissions
