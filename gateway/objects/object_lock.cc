// Object lock: retention and legal hold of versions.
#include "gateway/objects/handlers.h"
#include "gateway/objects/object_attributes.h"
#include "gateway/permissions/documents.h"
#include "gateway/permissions/object_lookup.h"
#include "gateway/permissions/version_update.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/s3/documents.h"
#include "gateway/s3/error.h"
#include "gateway/s3/lock_documents.h"
#include "gateway/s3/xml_writer.h"
#include "metadata/model/object.h"
#include "metadata/store/commit_result.h"
#include "metadata/store/object_store.h"

namespace rondel::objects {
namespace {

using metadata::Retention;
using s3::ErrorCode;

s3::S3Result<void> needs_lock(const request::Context& context) {
  if (context.bucket->object_lock) return {};
  return s3::fail(ErrorCode::kInvalidRequest, "Bucket is missing Object Lock Configuration");
}

std::unexpected<s3::Error> no_lock_on(const request::Context& context) {
  return s3::fail(ErrorCode::kNoSuchObjectLockConfiguration, {}, {{"Key", context.request.key}});
}

}  // namespace

request::Answer<request::Response> get_object_retention(request::Context& context) {
  CO_S3_VOID(needs_lock(context));
  CO_S3(const metadata::ObjectLookup found, co_await permissions::look_up_object(context, {}));
  const Retention& retention = found.object.retention;
  if (retention.mode == Retention::Mode::kNone) co_return no_lock_on(context);
  s3::XmlWriter xml("Retention");
  xml.text("Mode", retention.mode == Retention::Mode::kGovernance ? "GOVERNANCE" : "COMPLIANCE");
  xml.text("RetainUntilDate", s3::format_retain_until(retention.until));
  co_return request::xml_response(std::move(xml));
}

request::Answer<request::Response> put_object_retention(request::Context& context) {
  CO_S3(const std::string text,
        co_await permissions::read_vouched_document(context, s3::kSmallDocumentBytesMax));
  CO_S3(const s3::RetentionDocument document, s3::parse_retention_document(text));
  CO_S3_VOID(needs_lock(context));
  metadata::UpdateVersion request;
  request.bypass_governance = bypasses_governance(context, context.request.key);
  request.retention.emplace();
  if (document.mode) {
    if (document.until <= context.services.clock.now()) {
      co_return s3::fail(ErrorCode::kInvalidArgument,
                         "The retain until date must be in the future!",
                         {{"ArgumentName", "RetainUntilDate"}});
    }
    request.retention->mode = *document.mode == s3::LockMode::kGovernance
                                  ? Retention::Mode::kGovernance
                                  : Retention::Mode::kCompliance;
    request.retention->until = document.until;
  }
  CO_S3(const metadata::CommitOutcome outcome,
        co_await permissions::update_version(context, std::move(request)));
  co_return permissions::updated_response(context, outcome, 200);
}

request::Answer<request::Response> get_object_legal_hold(request::Context& context) {
  CO_S3_VOID(needs_lock(context));
  CO_S3(const metadata::ObjectLookup found, co_await permissions::look_up_object(context, {}));
  if (!found.object.legal_hold) co_return no_lock_on(context);
  s3::XmlWriter xml("LegalHold");
  xml.text("Status", *found.object.legal_hold ? "ON" : "OFF");
  co_return request::xml_response(std::move(xml));
}

request::Answer<request::Response> put_object_legal_hold(request::Context& context) {
  CO_S3(const std::string text,
        co_await permissions::read_vouched_document(context, s3::kSmallDocumentBytesMax));
  metadata::UpdateVersion request;
  CO_S3(request.legal_hold, s3::parse_legal_hold_document(text));
  CO_S3_VOID(needs_lock(context));
  CO_S3(const metadata::CommitOutcome outcome,
        co_await permissions::update_version(context, std::move(request)));
  co_return permissions::updated_response(context, outcome, 200);
}

}  // namespace rondel::objects
