#include "gateway/permissions/settings_commit.h"

#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "metadata/model/bucket.h"
#include "metadata/store/bucket_store.h"

namespace rondel::permissions {

request::Answer<void> store_decided_setting(request::Context& context, metadata::SettingKind kind,
                                            DecideSetting decide) {
  const auto change = [&]() -> request::Answer<metadata::BucketOutcome> {
    CO_S3(std::optional<std::string> document, decide());
    co_return request::as_s3(co_await context.services.buckets.set_bucket_setting(
        request::commit_context(context), kind, std::move(document)));
  };
  CO_S3_VOID(co_await change_bucket(context, change));
  co_return s3::S3Result<void>{};
}

request::Answer<void> store_setting(request::Context& context, metadata::SettingKind kind,
                                    std::optional<std::string> document) {
  return store_decided_setting(context, kind,
                               [document = std::move(document)] { return document; });
}

}  // namespace rondel::permissions
