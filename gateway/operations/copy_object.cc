// CopyObject, UploadPartCopy. No bytes move where the new version can have the source's data key, or neither has one: it refers to
// the source's streams. Under another key they are read and written anew.
#include "common/base/encoding.h"
#include "gateway/operations/authorization.h"
#include "gateway/operations/conditions.h"
#include "gateway/operations/handlers.h"
#include "gateway/operations/object_attributes.h"
#include "gateway/operations/object_encryption.h"
#include "gateway/operations/object_headers.h"
#include "gateway/operations/requested_acl.h"
#include "gateway/operations/settings_handlers.h"
#include "gateway/s3/http_values.h"

namespace rondel::operations {
namespace {

using s3::ErrorCode;

constexpr uint64_t kCopyBytesMax = 5ull << 30;

// A source that may be copied now.
struct Found {
  CopySource named;
  metadata::ObjectLookup lookup;
  std::shared_ptr<const metadata::Bucket> bucket;
};

SourceQuestion question_of(const Found& source) {
  const VersionName& version = source.named.version;
  return {*source.bucket, source.named.key, version.given() ? std::optional(version.null ? "null" : version.id->to_hex()) : std::nullopt};
}

Answer<void> find_source_bucket(Context& context, Found& source) {
  CO_S3(source.bucket, co_await context.services.bucket_cache.find_bucket(source.named.bucket, context.metadata_deadline()));
  if (!source.bucket) co_return s3::fail(ErrorCode::kNoSuchBucket, {}, {{"BucketName", source.named.bucket}});
  co_return s3::S3Result<void>{};
}

// `with_tags`: they are copied too.
Answer<Found> find_source(Context& context, bool with_tags) {
  Found source;
  CO_S3(source.named, parse_copy_source(context.fields()));
  CO_S3_VOID(co_await find_source_bucket(context, source));
  if (const auto expected = context.fields().find("x-amz-source-expected-bucket-owner"); expected && *expected != source.bucket->owner_account) {
    co_return s3::fail(ErrorCode::kAccessDenied);
  }
  CO_S3_VOID(charges_requester(context, *source.bucket));
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
    case metadata::LookupStatus::kNoSuchBucket: co_return s3::fail(ErrorCode::kNoSuchBucket, {}, {{"BucketName", source.named.bucket}});
    case metadata::LookupStatus::kNoSuchKey:
    case metadata::LookupStatus::kNoSuchVersion: {
      const bool key = source.lookup.status == metadata::LookupStatus::kNoSuchKey;
      s3::Error error{key ? ErrorCode::kNoSuchKey : ErrorCode::kNoSuchVersion, {}, {{"Key", source.named.key}}, {}, {}};
      co_return std::unexpected(absent_source(context, question_of(source), std::move(error)));
    }
  }
  if (source.lookup.settings_version != source.bucket->settings_version || source.lookup.bucket_id != source.bucket->id) {
    context.services.bucket_cache.forget_bucket(source.named.bucket);
    CO_S3_VOID(co_await find_source_bucket(context, source));
  }
  if (source.lookup.object.delete_marker) {
    s3::Error error{ErrorCode::kNoSuchKey, {}, {{"Key", source.named.key}}, {}, {}};
    if (source.named.version.given()) error = {ErrorCode::kInvalidRequest, "The source of a copy request may not specifically refer to a delete marker by version id.", {}, {}, {}};
    co_return std::unexpected(absent_source(context, question_of(source), std::move(error)));
  }
  CO_S3_VOID(authorize_source(context, question_of(source), source.lookup.object, with_tags && !source.lookup.object.tags.empty()));
  if (judge(read_conditions(context.fields(), "x-amz-copy-source-"), source.lookup.object) != Verdict::kProceed) {
    co_return s3::fail(ErrorCode::kPreconditionFailed);
  }
  co_return source;
}

// A part of the source that is read, for its digests or to be written anew.
struct SourceRange {
  const metadata::ObjectVersion& object;
  const ObjectKey& key;
  uint64_t offset = 0;
  uint64_t length = 0;
};

struct Digests {
  std::string md5_hex;
  std::string checksum;
};

// `writer`: also takes the bytes; null = nobody.
Answer<Digests> read_digests(Context& context, SourceRange range, model::ChecksumAlgorithm algorithm, blobs::StreamWriter* writer) {
  crypto::Digest md5(crypto::DigestAlgorithm::kMd5);
  payload::ObjectChecksum checksum(algorithm);
  if (range.length > 0) {
    CO_S3(const auto reader, open_object_reader(context, range.key, range.object.extents, range.offset, range.length));
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

struct Rewritten {
  Digests digests;
  PendingStream stream;
};

// The range as a stream of its own under `target`. 503 before a byte is read while the database is away.
Answer<Rewritten> rewrite(Context& context, SourceRange range, model::ChecksumAlgorithm algorithm, const ObjectKey& target) {
  CO_S3_VOID(check_database(context.services));
  Rewritten out;
  out.stream = PendingStream(context.services.releases, open_object_writer(context, target, range.length));
  CO_S3(out.digests, co_await read_digests(context, range, algorithm, &out.stream.writer()));
  CO_S3(const blobs::WrittenStream written, co_await out.stream.writer().finish());
  out.stream.written(written);
  co_return out;
}

// Whether the copy may have the source's data key: the same key wraps both.
bool same_key_management(const Context& context, const ObjectKey& source, const EncryptionChoice& target) {
  using kms::Mode;
  if (source.mode() != target.wanted.mode) return false;
  const kms::ObjectKeys& keys = context.services.object_keys;
  switch (source.mode()) {
    case Mode::kNone:
    case Mode::kSseS3: return true;
    case Mode::kSseKms: return keys.key_name(source.envelope.key_id) == keys.key_name(target.wanted.key_id);
    case Mode::kSseC: return target.customer && source.customer_md5 == target.customer->md5;
  }
  return false;
}

// Whether a copy onto the source itself would change nothing: refused. A bucket's default encryption and a storage class count as changes.
// Source: CopyObject, S3 API reference; "Setting default server-side encryption behavior", S3 user guide.
bool changes_nothing(const Context& context, const Found& source, bool replaces_metadata, bool same_encryption) {
  const bool itself = source.named.bucket == context.bucket->name && source.named.key == context.request.key && !source.named.version.given();
  if (!itself || replaces_metadata || !same_encryption) return false;
  return !context.fields().has("x-amz-storage-class") && !context.bucket->settings.contains(metadata::SettingKind::kEncryption);
}

// The algorithm of a checksum that the copy needs and its source lacks: the one that the request names, or the source's own where that
// is of its parts, for a copy is not made of parts. Source: "Checking object integrity", S3 user guide.
s3::S3Result<std::optional<model::ChecksumAlgorithm>> missing_checksum(const http::Fields& fields, const metadata::ObjectVersion& object) {
  const auto name = fields.find("x-amz-checksum-algorithm");
  const auto algorithm = name ? model::parse_checksum_algorithm(*name) : object.checksum ? std::optional(object.checksum->algorithm) : std::nullopt;
  if (name && !algorithm) return s3::fail(ErrorCode::kInvalidRequest, payload::kUnsupportedChecksum);
  if (object.checksum && object.checksum->algorithm == algorithm && object.checksum->type == model::ChecksumType::kFullObject) return std::nullopt;
  return algorithm;
}

// The source's checksum in full, out of those of its parts where they are of a kind that can be put together.
Answer<std::optional<std::string>> combined_checksum(Context& context, const Found& source, model::ChecksumAlgorithm algorithm) {
  const metadata::ObjectVersion& object = source.lookup.object;
  if (object.part_count == 0 || !model::has_full_object_form(algorithm)) co_return std::nullopt;
  metadata::ObjectQuery query;
  query.bucket = source.named.bucket;
  query.key = source.named.key;
  query.version = object.version;
  query.with_parts = true;
  query.parts_max = object.part_count;
  query.deadline = context.metadata_deadline();
  CO_S3(const metadata::ObjectLookup found, co_await context.services.objects.find_object(std::move(query)));
  std::vector<payload::PartChecksum> parts;
  for (const metadata::Part& part : found.object.parts) {
    if (part.checksums.empty() || part.checksums.front().algorithm != algorithm) co_return std::nullopt;
    parts.push_back({part.checksums.front().value, part.size});
  }
  if (parts.size() != object.part_count) co_return std::nullopt;
  co_return payload::full_object_checksum(algorithm, parts);
}

// x-amz-metadata-directive, x-amz-tagging-directive.
s3::S3Result<bool> replaces(const http::Fields& fields, const std::string& what) {
  const std::string name = "x-amz-" + what + "-directive";
  const auto directive = fields.find(name);
  if (!directive || *directive == "COPY") return false;
  if (*directive == "REPLACE") return true;
  return s3::fail(ErrorCode::kInvalidArgument, "Unknown " + what + " directive.", {{"ArgumentName", name}, {"ArgumentValue", std::string(*directive)}});
}

void write_copied(s3::XmlWriter& xml, const std::string& etag, SystemTime modified) {
  xml.text("LastModified", s3::format_iso_date(modified));
  xml.text("ETag", quoted(etag));
}

void add_source_version(Response& response, const Found& source) {
  if (source.bucket->versioning == metadata::Versioning::kNever) return;
  response.head.fields.add("x-amz-copy-source-version-id", version_text(source.lookup.object.version, source.lookup.object.is_null));
}

}  // namespace

s3::S3Result<CopySource> parse_copy_source(const http::Fields& fields) {
  const auto invalid = [&] {
    return s3::fail(ErrorCode::kInvalidArgument, "Invalid copy source object key", {{"ArgumentName", "x-amz-copy-source"}, {"ArgumentValue", std::string(fields.find("x-amz-copy-source").value_or(""))}});
  };
  std::string_view text = fields.find("x-amz-copy-source").value_or("");
  std::optional<std::string_view> version;
  if (const size_t question = text.rfind("?versionId="); question != std::string_view::npos) {
    version = text.substr(question + 11);
    text = text.substr(0, question);
  }
  const auto decoded = percent_decode(text);
  if (!decoded) return invalid();
  std::string_view path = *decoded;
  if (path.starts_with('/')) path.remove_prefix(1);
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == path.size()) return invalid();
  CopySource source;
  source.bucket = path.substr(0, slash);
  source.key = path.substr(slash + 1);
  if (!s3::is_valid_bucket_name(source.bucket) || source.key.size() > 1024 || !is_valid_utf8(source.key)) return invalid();
  auto name = parse_version(version);
  if (!name) return std::unexpected(name.error());
  source.version = *name;
  return source;
}

Answer<Response> copy_object(Context& context) {
  CO_S3_VOID(check_object_settings(context.fields()));
  CO_S3(const bool replace, replaces(context.fields(), "metadata"));
  CO_S3(const bool replace_tags, replaces(context.fields(), "tagging"));
  CO_S3(const metadata::Attributes attributes, requested_attributes(context));
  CO_S3(metadata::Headers headers, stored_headers(context.fields()));
  CO_S3(EncryptionChoice choice, choose_encryption(context));
  CO_S3(const s3::EncryptionHeaders encryption_asked, s3::parse_encryption_headers(context.fields()));
  CO_S3(const RequestedAcl asked_acl, co_await requested_acl(context));
  CO_S3(Placement placement, place_new_object(context, asked_acl));
  CO_S3_VOID(co_await authorize_conditions(context, write_conditions(context.fields()), context.request.key));
  CO_S3(const Found source, co_await find_source(context, !replace_tags));
  const metadata::ObjectVersion& object = source.lookup.object;
  if (!replace_tags && !object.tags.empty() && !may_also(context, policy::Action::kPutObjectTagging, context.request.key)) co_return s3::fail(ErrorCode::kAccessDenied);
  if (object.size > kCopyBytesMax) co_return s3::fail(ErrorCode::kInvalidRequest, "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120");
  CO_S3(const ObjectKey source_key, co_await open_object_key(context, {object.encryption, source.lookup.bucket_id, source.named.key}, s3::kSourcePrefix));
  const bool as_rows = same_key_management(context, source_key, choice);
  if (changes_nothing(context, source, replace, as_rows && !encryption_asked.any())) {
    co_return s3::fail(ErrorCode::kInvalidRequest, "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.");
  }
  metadata::CopyObject request;
  request.put.key = context.request.key;
  static_cast<metadata::Attributes&>(request.put.version) = attributes;
  if (!replace_tags) request.put.version.tags = object.tags;
  request.put.version.owner_account = std::move(placement.owner_account);
  request.put.version.acl = std::move(placement.acl);
  request.put.version.headers = replace ? std::move(headers) : object.headers;
  request.put.version.checksum = object.checksum;
  request.put.conditions = write_conditions(context.fields());
  request.source_bucket_id = source.lookup.bucket_id;
  request.source_key = source.named.key;
  request.source_version = object.version;
  request.source_etag = object.etag;
  CO_S3(const auto algorithm, missing_checksum(context.fields(), object));
  CO_S3(const ObjectKey target_key, co_await make_object_key(context, std::move(choice), as_rows ? source_key.data_key : crypto::Secret()));
  request.put.version.encryption = target_key.encoded();
  const SourceRange whole{object, source_key, 0, object.size};
  Rewritten written;   // Nothing, when the copy is rows.
  if (!as_rows) {
    const auto chosen = algorithm.value_or(object.checksum ? object.checksum->algorithm : model::ChecksumAlgorithm::kCrc64Nvme);
    CO_S3(written, co_await rewrite(context, whole, chosen, target_key));
    request.put.version.size = object.size;
    request.put.version.etag = target_key.etag_of(written.digests.md5_hex);
    request.put.version.checksum = model::Checksum{chosen, model::ChecksumType::kFullObject, std::move(written.digests.checksum)};
    request.put.version.extents = written.stream.extents(object.size);
  } else if (algorithm) {
    CO_S3(std::optional<std::string> value, co_await combined_checksum(context, source, *algorithm));
    if (!value) {
      CO_S3(Digests digests, co_await read_digests(context, whole, *algorithm, nullptr));
      value = std::move(digests.checksum);
      request.put.version.etag = target_key.etag_of(digests.md5_hex);
    }
    request.put.version.checksum = model::Checksum{*algorithm, model::ChecksumType::kFullObject, *std::move(value)};
  }
  auto outcome = co_await commit_with(context, [&] {
    request.put.context = commit_context(context, written.stream);
    request.put.versioning = context.bucket->versioning;
    request.put.version.retention = retention_for(context, attributes.retention);
    return as_rows ? context.services.objects.copy_object(request) : context.services.objects.put_object(request.put);
  }, &written.stream);
  if (!outcome) co_return std::unexpected(outcome.error());
  s3::XmlWriter xml("CopyObjectResult");
  write_copied(xml, outcome->etag, outcome->last_modified);
  if (request.put.version.checksum) write_checksum(xml, *request.put.version.checksum, 0, true);
  Response response = xml_response(std::move(xml));
  add_encryption_headers(response.head.fields, target_key, true);
  add_source_version(response, source);
  add_made_version_header(response.head.fields, *outcome);
  add_expiration_header(response.head.fields, context, request.put.version, *outcome);
  co_return response;
}

Answer<Response> upload_part_copy(Context& context) {
  const auto upload_id = model::UploadId::from_hex(context.request.query.find("uploadId").value_or(""));
  const auto number = s3::parse_decimal(context.request.query.find("partNumber").value_or(""));
  if (!number || *number < 1 || *number > 10'000) {
    co_return s3::fail(ErrorCode::kInvalidArgument, "Part number must be an integer between 1 and 10000, inclusive", {{"ArgumentName", "partNumber"}, {"ArgumentValue", std::string(context.request.query.find("partNumber").value_or(""))}});
  }
  metadata::CommitOutcome missing;
  missing.status = metadata::CommitStatus::kNoSuchUpload;
  if (!upload_id) co_return std::unexpected(to_s3(missing, context));
  CO_S3(const Found source, co_await find_source(context, false));
  const metadata::ObjectVersion& object = source.lookup.object;
  uint64_t offset = 0;
  uint64_t length = object.size;
  if (const auto text = context.fields().find("x-amz-copy-source-range")) {
    const auto range = s3::parse_range(*text);
    if (!range || !range->first || !range->last) {
      co_return s3::fail(ErrorCode::kInvalidArgument, "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy", {{"ArgumentName", "x-amz-copy-source-range"}, {"ArgumentValue", std::string(*text)}});
    }
    if (*range->last >= object.size) {
      co_return s3::fail(ErrorCode::kInvalidRange, "Range specified is not valid for source object of size: " + std::to_string(object.size), {{"ArgumentName", "x-amz-copy-source-range"}, {"ArgumentValue", std::string(*text)}});
    }
    offset = *range->first;
    length = *range->last - offset + 1;
  }
  if (length > kCopyBytesMax) co_return s3::fail(ErrorCode::kInvalidRequest, "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120");
  CO_S3(const metadata::UploadLookup upload, co_await context.services.uploads.find_upload({context.bucket->id, *upload_id, context.request.key, 0, 0, context.metadata_deadline()}));
  if (upload.status != metadata::LookupStatus::kFound) co_return std::unexpected(to_s3(missing, context));
  const auto algorithm = upload.upload.checksum_algorithm.value_or(model::ChecksumAlgorithm::kCrc64Nvme);
  CO_S3(const ObjectKey target_key, co_await open_upload_key(context, upload.upload));
  CO_S3(const ObjectKey source_key, co_await open_object_key(context, {object.encryption, source.lookup.bucket_id, source.named.key}, s3::kSourcePrefix));
  const SourceRange range{object, source_key, offset, length};
  // An upload has one data key of its own, so only plaintext can be shared.
  const bool as_rows = source_key.plaintext() && target_key.plaintext();
  Rewritten written;
  if (as_rows) {
    CO_S3(written.digests, co_await read_digests(context, range, algorithm, nullptr));
  } else {
    CO_S3(written, co_await rewrite(context, range, algorithm, target_key));
  }
  const std::string etag = target_key.etag_of(written.digests.md5_hex);
  metadata::CopyPart request;
  request.put.upload = *upload_id;
  request.put.key = context.request.key;
  request.put.part.number = static_cast<uint32_t>(*number);
  request.put.part.size = length;
  request.put.part.etag = etag;
  request.put.part.checksums = {{algorithm, model::ChecksumType::kFullObject, written.digests.checksum}};
  request.put.extents = written.stream.extents(length);
  request.source_bucket_id = source.lookup.bucket_id;
  request.source_key = source.named.key;
  request.source_version = object.version;
  request.source_etag = object.etag;
  request.source_offset = offset;
  auto outcome = co_await commit_with(context, [&] {
    request.put.context = commit_context(context, written.stream);
    return as_rows ? context.services.uploads.copy_part(request) : context.services.uploads.put_part(request.put);
  }, &written.stream);
  if (!outcome) co_return std::unexpected(outcome.error());
  s3::XmlWriter xml("CopyPartResult");
  write_copied(xml, etag, context.services.clock.now());
  if (upload.upload.checksum_algorithm) write_checksum(xml, request.put.part.checksums.front(), 0, false);
  Response response = xml_response(std::move(xml));
  add_encryption_headers(response.head.fields, target_key);
  add_source_version(response, source);
  co_return response;
}

}  // namespace rondel::operations
