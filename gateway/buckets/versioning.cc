// GetBucketVersioning, PutBucketVersioning.
#include "gateway/buckets/handlers.h"
#include "gateway/permissions/documents.h"
#include "gateway/permissions/settings_commit.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/s3/documents.h"
#include "gateway/s3/error.h"
#include "gateway/s3/lock_documents.h"
#include "gateway/s3/xml_writer.h"
#include "metadata/model/bucket.h"
#include "metadata/store/bucket_store.h"

namespace rondel::buckets {

using metadata::Versioning;
using s3::ErrorCode;

request::Answer<request::Response> get_bucket_versioning(request::Context& context) {
  s3::XmlWriter xml("VersioningConfiguration");
  if (context.bucket->versioning != Versioning::kNever) {
    xml.text("Status",
             context.bucket->versioning == Versioning::kEnabled ? "Enabled" : "Suspended");
  }
  co_return request::xml_response(std::move(xml));
}

// There are no devices for MFA delete: what would turn it on is refused in AWS's words, to turn it
// off changes nothing.
request::Answer<request::Response> put_bucket_versioning(request::Context& context) {
  CO_S3(const std::string text,
        co_await permissions::read_document(context, s3::kSmallDocumentBytesMax));
  if (text.empty()) co_return s3::fail(ErrorCode::kMissingRequestBodyError);
  CO_S3(const s3::VersioningDocument document, s3::parse_versioning_document(text));
  if (document.mfa_delete.value_or(false)) {
    if (context.fields().has("x-amz-mfa")) {
      co_return s3::fail(ErrorCode::kNotImplemented, {}, {{"Header", "x-amz-mfa"}});
    }
    co_return s3::fail(ErrorCode::kInvalidRequest,
                       "DevPay and Mfa are mutually exclusive authorization methods.");
  }
  const Versioning wanted = document.enabled ? Versioning::kEnabled : Versioning::kSuspended;
  const auto change = [&]() -> request::Answer<metadata::BucketOutcome> {
    co_return request::as_s3(co_await context.services.buckets.set_bucket_versioning(
        request::commit_context(context), wanted));
  };
  CO_S3(const metadata::BucketOutcome outcome,
        co_await permissions::change_bucket(context, change));
  if (outcome.status == metadata::BucketStatus::kWrongState) {
    co_return s3::fail(ErrorCode::kInvalidBucketState,
                       "An Object Lock configuration is present on this bucket, so the versioning "
                       "state cannot be changed.");
  }
  co_return request::empty_response(200);
}

}  // namespace rondel::buckets
