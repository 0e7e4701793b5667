// Object lock: the bucket's configuration, retention and legal hold of versions.
#include "gateway/operations/handlers.h"
#include "gateway/operations/object_attributes.h"
#include "gateway/operations/settings_handlers.h"
#include "gateway/s3/documents.h"
#include "gateway/s3/lock_documents.h"

namespace rondel::operations {
namespace {

using metadata::Retention;
using s3::ErrorCode;

s3::S3Result<void> needs_lock(const Context& context) {
  if (context.bucket->object_lock) return {};
  return s3::fail(ErrorCode::kInvalidRequest, "Bucket is missing Object Lock Configuration");
}

std::unexpected<s3::Error> no_lock_on(const Context& context) {
  return s3::fail(ErrorCode::kNoSuchObjectLockConfiguration, {}, {{"Key", context.request.key}});
}

}  // namespace

Answer<Response> get_object_lock_configuration(Context& context) {
  const std::string* document = find_setting(context, metadata::SettingKind::kObjectLock);
  if (!context.bucket->object_lock || document == nullptr) {
    co_return s3::fail(ErrorCode::kObjectLockConfigurationNotFoundError, {}, {{"BucketName", context.request.bucket}});
  }
  Response response = empty_response(200);
  response.head.fields.add("Content-Type", "application/xml");
  response.body = *document;
  co_return response;
}

Answer<Response> put_object_lock_configuration(Context& context) {
  if (context.fields().has("x-amz-bucket-object-lock-token")) co_return s3::fail(ErrorCode::kNotImplemented, {}, {{"Header", "x-amz-bucket-object-lock-token"}});
  CO_S3(const std::string text, co_await read_vouched_document(context, s3::kSmallDocumentBytesMax));
  CO_S3(const s3::ObjectLockDocument document, s3::parse_object_lock_document(text));
  CO_S3(const metadata::BucketOutcome outcome,
        co_await context.services.buckets.set_object_lock(context.bucket->id, s3::write_object_lock_document(document), context.metadata_deadline()));
  context.services.bucket_cache.forget_bucket(context.bucket->name);
  if (outcome.status == metadata::BucketStatus::kWrongState) {
    co_return s3::fail(ErrorCode::kInvalidBucketState, "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration");
  }
  if (outcome.status != metadata::BucketStatus::kOk) co_return s3::fail(ErrorCode::kNoSuchBucket, {}, {{"BucketName", context.request.bucket}});
  co_return empty_response(200);
}

Answer<Response> get_object_retention(Context& context) {
  CO_S3_VOID(needs_lock(context));
  CO_S3(const metadata::ObjectLookup found, co_await look_up_object(context, {}));
  const Retention& retention = found.object.retention;
  if (retention.mode == Retention::Mode::kNone) co_return no_lock_on(context);
  s3::XmlWriter xml("Retention");
  xml.text("Mode", retention.mode == Retention::Mode::kGovernance ? "GOVERNANCE" : "COMPLIANCE");
  xml.text("RetainUntilDate", s3::format_retain_until(retention.until));
  co_return xml_response(std::move(xml));
}

Answer<Response> put_object_retention(Context& context) {
  CO_S3_VOID(needs_lock(context));
  CO_S3(const std::string text, co_await read_vouched_document(context, s3::kSmallDocumentBytesMax));
  CO_S3(const s3::RetentionDocument document, s3::parse_retention_document(text));
  metadata::UpdateVersion request;
  request.bypass_governance = bypasses_governance(context, context.request.key);
  request.retention.emplace();
  if (document.mode) {
    if (document.until <= context.services.clock.now()) {
      co_return s3::fail(ErrorCode::kInvalidArgument, "The retain until date must be in the future!", {{"ArgumentName", "RetainUntilDate"}});
    }
    request.retention->mode = *document.mode == s3::LockMode::kGovernance ? Retention::Mode::kGovernance : Retention::Mode::kCompliance;
    request.retention->until = document.until;
  }
  CO_S3(const metadata::CommitOutcome outcome, co_await update_version(context, std::move(request)));
  co_return updated_response(context, outcome, 200);
}

Answer<Response> get_object_legal_hold(Context& context) {
  CO_S3_VOID(needs_lock(context));
  CO_S3(const metadata::ObjectLookup found, co_await look_up_object(context, {}));
  if (!found.object.legal_hold) co_return no_lock_on(context);
  s3::XmlWriter xml("LegalHold");
  xml.text("Status", *found.object.legal_hold ? "ON" : "OFF");
  co_return xml_response(std::move(xml));
}

Answer<Response> put_object_legal_hold(Context& context) {
  CO_S3_VOID(needs_lock(context));
  CO_S3(const std::string text, co_await read_vouched_document(context, s3::kSmallDocumentBytesMax));
  metadata::UpdateVersion request;
  CO_S3(request.legal_hold, s3::parse_legal_hold_document(text));
  CO_S3(const metadata::CommitOutcome outcome, co_await update_version(context, std::move(request)));
  co_return updated_response(context, outcome, 200);
}

}  // namespace rondel::operations
