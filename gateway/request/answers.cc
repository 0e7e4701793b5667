#include "gateway/request/answers.h"

#include "common/base/encoding.h"
#include "common/http/message.h"
#include "common/model/checksum.h"
#include "common/model/ids.h"
#include "gateway/request/context.h"
#include "gateway/request/pending_stream.h"
#include "gateway/request/refusals.h"
#include "gateway/s3/error.h"
#include "gateway/s3/http_values.h"
#include "gateway/s3/operation.h"
#include "gateway/s3/xml_writer.h"
#include "metadata/model/bucket.h"
#include "metadata/store/commit_context.h"
#include "metadata/store/commit_result.h"

namespace rondel::request {

using s3::ErrorCode;

Response empty_response(int status) {
  Response response;
  response.head.status = status;
  return response;
}

Response xml_response(s3::XmlWriter xml) {
  Response response;
  response.head.fields.add("Content-Type", "application/xml");
  response.body = std::move(xml).finish();
  return response;
}

std::string quoted(std::string_view etag) { return "\"" + std::string(etag) + "\""; }

s3::Error to_s3(const metadata::CommitOutcome& outcome, const Context& context) {
  using Status = metadata::CommitStatus;
  s3::Error error;
  switch (outcome.status) {
    case Status::kCommitted:
    case Status::kUploadCompleted: break;
    case Status::kNoSuchBucket:
      error.code = ErrorCode::kNoSuchBucket;
      error.details = {{"BucketName", context.request.bucket}};
      break;
    case Status::kSettingsChanged:
    case Status::kAccessChanged:
    case Status::kCredentialChanged: error.code = ErrorCode::kOperationAborted; break;
    case Status::kEpochFenced:
      error = s3::retry_later(ErrorCode::kSlowDown, "the bytes were placed under a fenced epoch");
      break;
    // As a body is answered that came too slowly: clients send it again.
    case Status::kStreamTooOld:
      error.code = ErrorCode::kRequestTimeout;
      error.log_message = "the bytes were begun longer ago than half of gc.orphan_age";
      break;
    case Status::kPreconditionFailed: error.code = ErrorCode::kPreconditionFailed; break;
    case Status::kNoSuchKey:
      error.code = ErrorCode::kNoSuchKey;
      error.details = {{"Key", context.request.key}};
      if (outcome.delete_marker) {
        error.headers = {{"x-amz-delete-marker", "true"},
                         {"x-amz-version-id", version_text(outcome.version, outcome.is_null)}};
      }
      break;
    case Status::kSourceChanged: error.code = ErrorCode::kPreconditionFailed; break;
    case Status::kNoSuchUpload:
      error.code = ErrorCode::kNoSuchUpload;
      error.details = {
          {"UploadId", std::string(context.request.query.find("uploadId").value_or(""))}};
      break;
    case Status::kInvalidPart:
      error.code = ErrorCode::kInvalidPart;
      if (!outcome.detail.empty()) error.details = {{"PartNumber", outcome.detail}};
      break;
    case Status::kInvalidPartOrder: error.code = ErrorCode::kInvalidPartOrder; break;
    case Status::kEntityTooSmall:
      error.code = ErrorCode::kEntityTooSmall;
      error.details = {{"MinSizeAllowed", "5242880"}, {"PartNumber", outcome.detail}};
      break;
    case Status::kOffsetMismatch: error.code = ErrorCode::kInvalidWriteOffset; break;
    case Status::kWrongState: error.code = ErrorCode::kInvalidBucketState; break;
    case Status::kQuotaExceeded: error.code = ErrorCode::kAccessDenied; break;
    case Status::kInvalidChecksum: error.code = ErrorCode::kBadDigest; break;
    // Renames seal anew and ask again; a second time somebody else was quicker.
    case Status::kEncrypted: error.code = ErrorCode::kOperationAborted; break;
    case Status::kObjectLocked:
      error.code = ErrorCode::kAccessDenied;
      error.message = "Access Denied because object protected by object lock.";
      break;
  }
  return error;
}

s3::Error not_implemented(s3::Operation operation) {
  const std::string name(s3::row(operation).name);
  return {ErrorCode::kNotImplemented,
          "A header or query you provided implies functionality that is not implemented: " + name,
          {{"Operation", name}},
          {},
          {}};
}

s3::S3Result<void> check_database(const Services& services) {
  if (services.database.available()) return {};
  return std::unexpected(s3::retry_later(ErrorCode::kServiceUnavailable, "the database is away"));
}

metadata::CommitContext commit_context(const Context& context, const PendingStream& bytes) {
  const auto& credential = context.identity.credential;
  return {context.bucket->id, context.bucket->settings_version,
          bytes.ring_epoch(), context.metadata_deadline(),
          bytes.first_time(), credential == nullptr ? 0 : credential->epoch};
}

Answer<void> reload_bucket(Context& context) {
  context.services.bucket_cache.forget_bucket(context.bucket->name);
  CO_S3(auto bucket, co_await context.services.bucket_cache.find_bucket(
                         context.bucket->name, context.metadata_deadline()));
  if (!bucket) {
    co_return s3::fail(ErrorCode::kNoSuchBucket, {}, {{"BucketName", context.request.bucket}});
  }
  context.bucket = std::move(bucket);
  co_return s3::S3Result<void>{};
}

s3::S3Result<VersionName> parse_version(std::optional<std::string_view> text) {
  VersionName name;
  if (!text) return name;
  if (*text == "null") {
    name.null = true;
    return name;
  }
  name.id = model::VersionId::from_hex(*text);
  if (!name.id) {
    return s3::fail(
        ErrorCode::kInvalidArgument,
        text->empty() ? "Version id cannot be the empty string" : "Invalid version id specified",
        {{"ArgumentName", "versionId"}, {"ArgumentValue", std::string(*text)}});
  }
  return name;
}

void add_made_version_header(http::Fields& fields, const metadata::CommitOutcome& outcome) {
  if (!outcome.is_null) fields.add("x-amz-version-id", version_text(outcome.version, false));
}

void add_version_header(http::Fields& fields, const Context& context,
                        const model::VersionId& version, bool is_null) {
  if (context.bucket->versioning != metadata::Versioning::kNever) {
    fields.add("x-amz-version-id", version_text(version, is_null));
  }
}

std::string version_text(const model::VersionId& version, bool is_null) {
  return is_null ? "null" : version.to_hex();
}

void write_person(s3::XmlWriter& xml, std::string_view element, std::string_view canonical_id,
                  std::string_view display_name) {
  xml.open(element);
  xml.text("ID", canonical_id);
  xml.text("DisplayName", display_name);
  xml.close();
}

std::string checksum_text(const model::Checksum& checksum, uint32_t part_count) {
  std::string text = to_base64(as_bytes(checksum.value));
  if (checksum.type == model::ChecksumType::kComposite) text += "-" + std::to_string(part_count);
  return text;
}

void add_checksum_headers(http::Fields& fields, const model::Checksum& checksum,
                          uint32_t part_count) {
  fields.add(std::string(model::header_name(checksum.algorithm)),
             checksum_text(checksum, part_count));
  fields.add("x-amz-checksum-type", std::string(model::to_string(checksum.type)));
}

void write_checksum(s3::XmlWriter& xml, const model::Checksum& checksum, uint32_t part_count,
                    bool with_type) {
  xml.text("Checksum" + std::string(model::to_string(checksum.algorithm)),
           checksum_text(checksum, part_count));
  if (with_type) xml.text("ChecksumType", model::to_string(checksum.type));
}

s3::S3Result<uint64_t> number_parameter(std::optional<std::string_view> text, std::string_view name,
                                        uint64_t otherwise, uint64_t max) {
  if (!text || text->empty()) return otherwise;
  const auto value = s3::parse_decimal(*text);
  if (!value || *value > INT32_MAX) {
    return s3::fail(ErrorCode::kInvalidArgument,
                    "Provided " + std::string(name) + " not an integer or within integer range",
                    {{"ArgumentName", std::string(name)}, {"ArgumentValue", std::string(*text)}});
  }
  return std::min(*value, max);
}

}  // namespace rondel::request
