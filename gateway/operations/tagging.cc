// Tag sets of buckets and objects.
#include "gateway/s3/tagging.h"

#include "gateway/operations/handlers.h"
#include "gateway/operations/settings_handlers.h"
#include "gateway/s3/documents.h"

namespace rondel::operations {

using metadata::SettingKind;
using s3::ErrorCode;

// Stored as it is answered.
Answer<Response> get_bucket_tagging(Context& context) {
  const std::string* document = find_setting(context, SettingKind::kTagging);
  if (document == nullptr) co_return s3::fail(ErrorCode::kNoSuchTagSet, {}, {{"BucketName", context.request.bucket}});
  Response response = empty_response(200);
  response.head.fields.add("Content-Type", "application/xml");
  response.body = *document;
  co_return response;
}

Answer<Response> put_bucket_tagging(Context& context) {
  CO_S3(const std::string text, co_await read_document(context, s3::kSmallDocumentBytesMax));
  CO_S3(const s3::Tags tags, s3::parse_tagging_document(text, s3::kBucketTagsMax));
  if (tags.empty()) {
    CO_S3_VOID(co_await store_setting(context, SettingKind::kTagging, std::nullopt));
  } else {
    CO_S3_VOID(co_await store_setting(context, SettingKind::kTagging, tagging_document(tags)));
  }
  co_return empty_response(204);
}

Answer<Response> delete_bucket_tagging(Context& context) {
  CO_S3_VOID(co_await store_setting(context, SettingKind::kTagging, std::nullopt));
  co_return empty_response(204);
}

Answer<Response> get_object_tagging(Context& context) {
  CO_S3(const metadata::ObjectLookup found, co_await look_up_object(context, {}));
  s3::XmlWriter xml("Tagging");
  s3::write_tag_set(xml, found.object.tags);
  Response response = xml_response(std::move(xml));
  add_version_header(response.head.fields, context, found.object.version, found.object.is_null);
  co_return response;
}

Answer<Response> put_object_tagging(Context& context) {
  CO_S3(const std::string text, co_await read_document(context, s3::kSmallDocumentBytesMax));
  metadata::UpdateVersion request;
  CO_S3(request.tags, s3::parse_tagging_document(text, s3::kObjectTagsMax));
  CO_S3(const metadata::CommitOutcome outcome, co_await update_version(context, std::move(request)));
  co_return updated_response(context, outcome, 200);
}

Answer<Response> delete_object_tagging(Context& context) {
  metadata::UpdateVersion request;
  request.tags.emplace();
  CO_S3(const metadata::CommitOutcome outcome, co_await update_version(context, std::move(request)));
  co_return updated_response(context, outcome, 204);
}

std::string tagging_document(const s3::Tags& tags) {
  s3::XmlWriter xml("Tagging");
  s3::write_tag_set(xml, tags);
  return std::move(xml).finish();
}

}  // namespace rondel::operations
