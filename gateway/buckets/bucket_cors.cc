// Get, Put, DeleteBucketCors.
#include "gateway/buckets/handlers.h"
#include "gateway/permissions/documents.h"
#include "gateway/permissions/settings_commit.h"
#include "gateway/request/answers.h"
#include "gateway/request/bucket_settings.h"
#include "gateway/request/context.h"
#include "gateway/s3/cors.h"
#include "gateway/s3/documents.h"
#include "gateway/s3/error.h"
#include "metadata/model/bucket.h"

namespace rondel::buckets {

using metadata::SettingKind;
using s3::ErrorCode;

request::Answer<request::Response> put_bucket_cors(request::Context& context) {
  CO_S3(const std::string text,
        co_await permissions::read_document(context, s3::kSmallDocumentBytesMax));
  if (text.empty()) co_return s3::fail(ErrorCode::kMissingRequestBodyError);
  CO_S3(const s3::CorsConfiguration configuration, s3::parse_cors_document(text));
  CO_S3_VOID(co_await permissions::store_setting(context, SettingKind::kCors,
                                                 s3::cors_document(configuration)));
  co_return request::empty_response(200);
}

request::Answer<request::Response> get_bucket_cors(request::Context& context) {
  const std::string* text = request::find_setting(context, SettingKind::kCors);
  if (text == nullptr) {
    co_return s3::fail(ErrorCode::kNoSuchCORSConfiguration, {},
                       {{"BucketName", context.request.bucket}});
  }
  request::Response response = request::empty_response(200);
  response.head.fields.add("Content-Type", "application/xml");
  response.body = *text;
  co_return response;
}

request::Answer<request::Response> delete_bucket_cors(request::Context& context) {
  CO_S3_VOID(co_await permissions::store_setting(context, SettingKind::kCors, std::nullopt));
  co_return request::empty_response(204);
}

}  // namespace rondel::buckets
