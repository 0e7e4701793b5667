#include "gateway/objects/copy_source.h"

#include "common/base/encoding.h"
#include "common/crypto/digest.h"
#include "common/http/message.h"
#include "common/model/checksum.h"
#include "gateway/blobs/blob_store.h"
#include "gateway/payload/object_checksum.h"
#include "gateway/permissions/admission.h"
#include "gateway/permissions/authorization.h"
#include "gateway/request/answers.h"
#include "gateway/request/conditions.h"
#include "gateway/request/context.h"
#include "gateway/request/object_encryption.h"
#include "gateway/request/pending_stream.h"
#include "gateway/s3/error.h"
#include "gateway/s3/http_values.h"
#include "gateway/s3/request.h"
#include "gateway/s3/xml_writer.h"
#include "metadata/model/bucket.h"
#include "metadata/store/commit_context.h"
#include "metadata/store/object_store.h"

namespace rondel::objects {

using s3::ErrorCode;

namespace {

permissions::SourceQuestion question_of(const Found& source) {
  const request::VersionName& version = source.named.version;
  return {
      *source.bucket, source.named.key,
      version.given() ? std::optional(version.null ? "null" : version.id->to_hex()) : std::nullopt};
}

request::Answer<void> find_source_bucket(request::Context& context, Found& source) {
  CO_S3(source.bucket, co_await context.services.bucket_cache.find_bucket(
                           source.named.bucket, context.metadata_deadline()));
  if (!source.bucket) {
    co_return s3::fail(ErrorCode::kNoSuchBucket, {}, {{"BucketName", source.named.bucket}});
  }
  co_return permissions::admit_source(context, *source.bucket);
}

s3::S3Result<void> authorize_found(request::Context& context, const Found& source, bool with_tags) {
  return permissions::authorize_source(context, question_of(source), source.lookup.object,
                                       with_tags && !source.lookup.object.tags.empty());
}

}  // namespace

s3::S3Result<SourceName> parse_copy_source(const http::Fields& fields) {
  const auto invalid = [&] {
    return s3::fail(
        ErrorCode::kInvalidArgument, "Invalid copy source object key",
        {{"ArgumentName", "x-amz-copy-source"},
         {"ArgumentValue", std::string(fields.find("x-amz-copy-source").value_or(""))}});
  };
  std::string_view text = fields.find("x-amz-copy-source").value_or("");
  std::optional<std::string_view> version;
  if (const size_t question = text.rfind("?versionId="); question != std::string_view::npos) {
    version = text.substr(question + 11);
    text = text.substr(0, question);
  }
  // As AWS reads it: '+' is a blank, "%2B" a plus.
  const auto decoded = percent_decode(text, true);
  if (!decoded) return invalid();
  std::string_view path = *decoded;
  if (path.starts_with('/')) path.remove_prefix(1);
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == path.size()) return invalid();
  SourceName source;
  source.bucket = path.substr(0, slash);
  source.key = path.substr(slash + 1);
  if (!s3::is_valid_bucket_name(source.bucket) || source.key.size() > 1024 ||
      !is_valid_utf8(source.key) || s3::climbs_above_bucket(source.key)) {
    return invalid();
  }
  auto name = request::parse_version(version);
  if (!name) return std::unexpected(name.error());
  source.version = *name;
  return source;
}

// `with_tags`: they are copied too.
request::Answer<Found> find_source(request::Context& context, bool with_tags) {
  Found source;
  CO_S3(source.named, parse_copy_source(context.fields()));
  CO_S3_VOID(co_await find_source_bucket(context, source));
  metadata::ObjectQuery query;
  query.bucket = source.named.bucket;
  query.key = source.named.key;
  query.version = source.named.version.id;
  query.null_version = source.named.version.null;
  query.range.kind = metadata::ExtentRange::Kind::kAll;
  query.deadline = context.metadata_deadline();
  CO_S3(source.lookup, co_await context.services.objects.find_object(std::move(query)));
  switch (source.lookup.status) {
    case metadata::LookupStatus::kFound: break;
    case metadata::LookupStatus::kNoSuchBucket:
      co_return s3::fail(ErrorCode::kNoSuchBucket, {}, {{"BucketName", source.named.bucket}});
    case metadata::LookupStatus::kNoSuchKey:
    case metadata::LookupStatus::kNoSuchVersion: {
      const bool key = source.lookup.status == metadata::LookupStatus::kNoSuchKey;
      s3::Error error{key ? ErrorCode::kNoSuchKey : ErrorCode::kNoSuchVersion,
                      {},
                      {{"Key", source.named.key}},
                      {},
                      {}};
      co_return std::unexpected(
          permissions::absent_source(context, question_of(source), std::move(error)));
    }
  }
  if (source.lookup.settings_version != source.bucket->settings_version ||
      source.lookup.bucket_id != source.bucket->id) {
    context.services.bucket_cache.forget_bucket(source.named.bucket);
    CO_S3_VOID(co_await find_source_bucket(context, source));
  }
  if (source.lookup.object.delete_marker) {
    s3::Error error{ErrorCode::kNoSuchKey, {}, {{"Key", source.named.key}}, {}, {}};
    if (source.named.version.given()) {
      error = {ErrorCode::kInvalidRequest,
               "The source of a copy request may not specifically refer to a delete marker by "
               "version id.",
               {},
               {},
               {}};
    }
    co_return std::unexpected(
        permissions::absent_source(context, question_of(source), std::move(error)));
  }
  CO_S3_VOID(authorize_found(context, source, with_tags));
  if (request::judge(request::read_conditions(context.fields(), "x-amz-copy-source-"),
                     source.lookup.object) != request::Verdict::kProceed) {
    co_return s3::fail(ErrorCode::kPreconditionFailed);
  }
  co_return source;
}

metadata::CopySource Found::as_decided() const {
  const metadata::ObjectVersion& object = lookup.object;
  return {lookup.bucket_id,         named.key,
          object.version,           object.etag,
          bucket->settings_version, metadata::ObjectAccess::of(object)};
}

async::Task<metadata::CommitResult> Found::watch(async::Task<metadata::CommitResult> commit) {
  metadata::CommitResult result = co_await std::move(commit);
  written_over = result && result->status == metadata::CommitStatus::kSourceChanged;
  co_return result;
}

request::Answer<void> admit_source_again(request::Context& context, Found& source, bool with_tags) {
  const int64_t id = source.bucket->id;
  // Its settings may be what moved.
  context.services.bucket_cache.forget_bucket(source.named.bucket);
  CO_S3_VOID(co_await find_source_bucket(context, source));
  if (source.bucket->id != id) {
    co_return s3::fail(ErrorCode::kNoSuchBucket, {}, {{"BucketName", source.named.bucket}});
  }
  metadata::ObjectQuery query;
  query.bucket = source.named.bucket;
  query.key = source.named.key;
  query.version = source.lookup.object.version;
  query.deadline = context.metadata_deadline();
  CO_S3(metadata::ObjectLookup now,
        co_await context.services.objects.find_object(std::move(query)));
  if (now.status != metadata::LookupStatus::kFound) co_return s3::S3Result<void>{};
  source.lookup.object.acl = std::move(now.object.acl);
  source.lookup.object.tags = std::move(now.object.tags);
  co_return authorize_found(context, source, with_tags);
}

// `writer`: also takes the bytes; null = nobody.
request::Answer<Digests> read_digests(request::Context& context, SourceRange range,
                                      model::ChecksumAlgorithm algorithm,
                                      blobs::StreamWriter* writer) {
  crypto::Digest md5(crypto::DigestAlgorithm::kMd5);
  payload::ObjectChecksum checksum(algorithm);
  if (range.length > 0) {
    CO_S3(const auto reader, request::open_object_reader(context, range.key, range.object.extents,
                                                         range.offset, range.length));
    for (;;) {
      CO_S3(const ByteSlice bytes, co_await reader->next());
      if (bytes.empty()) break;
      md5.update(bytes.view());
      checksum.update(bytes.view());
      if (writer != nullptr) CO_S3_VOID(co_await writer->write(bytes.view()));
    }
  }
  co_return Digests{to_hex(as_bytes(md5.finish())), checksum.finish()};
}

// The range as a stream of its own under `target`. 503 before a byte is read while the database is
// away.
request::Answer<Rewritten> rewrite(request::Context& context, SourceRange range,
                                   model::ChecksumAlgorithm algorithm,
                                   const request::ObjectKey& target) {
  CO_S3_VOID(request::check_database(context.services));
  Rewritten out;
  out.stream = request::PendingStream(context.services.releases,
                                      request::open_object_writer(context, target, range.length));
  CO_S3(out.digests, co_await read_digests(context, range, algorithm, &out.stream.writer()));
  CO_S3(const blobs::WrittenStream written, co_await out.stream.writer().finish());
  out.stream.written(written);
  co_return out;
}

void write_copied(s3::XmlWriter& xml, const std::string& etag, SystemTime modified) {
  xml.text("LastModified", s3::format_iso_date(modified));
  xml.text("ETag", request::quoted(etag));
}

void add_source_version(request::Response& response, const Found& source) {
  if (source.bucket->versioning == metadata::Versioning::kNever) return;
  response.head.fields.add(
      "x-amz-copy-source-version-id",
      request::version_text(source.lookup.object.version, source.lookup.object.is_null));
}

}  // namespace rondel::objects
