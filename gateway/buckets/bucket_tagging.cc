// Tag sets of buckets.
#include "gateway/buckets/handlers.h"
#include "gateway/permissions/documents.h"
#include "gateway/permissions/settings_commit.h"
#include "gateway/request/answers.h"
#include "gateway/request/bucket_settings.h"
#include "gateway/request/context.h"
#include "gateway/request/tagging_document.h"
#include "gateway/s3/documents.h"
#include "gateway/s3/error.h"
#include "gateway/s3/tagging.h"
#include "metadata/model/bucket.h"

namespace rondel::buckets {

using metadata::SettingKind;
using s3::ErrorCode;

// Stored as it is answered.
request::Answer<request::Response> get_bucket_tagging(request::Context& context) {
  const std::string* document = request::find_setting(context, SettingKind::kTagging);
  if (document == nullptr) {
    co_return s3::fail(ErrorCode::kNoSuchTagSet, {}, {{"BucketName", context.request.bucket}});
  }
  request::Response response = request::empty_response(200);
  response.head.fields.add("Content-Type", "application/xml");
  response.body = *document;
  co_return response;
}

request::Answer<request::Response> put_bucket_tagging(request::Context& context) {
  CO_S3(const std::string text,
        co_await permissions::read_document(context, s3::kSmallDocumentBytesMax));
  CO_S3(const s3::Tags tags, s3::parse_tagging_document(text, s3::kBucketTagsMax));
  if (tags.empty()) {
    CO_S3_VOID(co_await permissions::store_setting(context, SettingKind::kTagging, std::nullopt));
  } else {
    CO_S3_VOID(co_await permissions::store_setting(context, SettingKind::kTagging,
                                                   request::tagging_document(tags)));
  }
  co_return request::empty_response(204);
}

request::Answer<request::Response> delete_bucket_tagging(request::Context& context) {
  CO_S3_VOID(co_await permissions::store_setting(context, SettingKind::kTagging, std::nullopt));
  co_return request::empty_response(204);
}

}  // namespace rondel::buckets
