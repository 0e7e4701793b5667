// UploadPartCopy. Plaintext is copied as rows over the source's streams; anything else is read and
// written anew.

#include "common/model/checksum.h"
#include "common/model/ids.h"
#include "gateway/multipart/handlers.h"
#include "gateway/objects/copy_source.h"
#include "gateway/permissions/commit.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/request/object_encryption.h"
#include "gateway/request/refusals.h"
#include "gateway/s3/encryption_headers.h"
#include "gateway/s3/error.h"
#include "gateway/s3/http_values.h"
#include "gateway/s3/xml_writer.h"
#include "metadata/model/object.h"
#include "metadata/store/commit_context.h"
#include "metadata/store/commit_result.h"
#include "metadata/store/upload_store.h"

namespace rondel::multipart {

using s3::ErrorCode;

namespace {

using MaybeResponse = std::optional<request::Response>;

// Nothing when the source was written over before the commit.
request::Answer<MaybeResponse> copy_once(request::Context& context) {
  const auto upload_id =
      model::UploadId::from_hex(context.request.query.find("uploadId").value_or(""));
  const auto number = s3::parse_decimal(context.request.query.find("partNumber").value_or(""));
  if (!number || *number < 1 || *number > 10'000) {
    co_return s3::fail(
        ErrorCode::kInvalidArgument,
        "Part number must be an integer between 1 and 10000, inclusive",
        {{"ArgumentName", "partNumber"},
         {"ArgumentValue", std::string(context.request.query.find("partNumber").value_or(""))}});
  }
  metadata::CommitOutcome missing;
  missing.status = metadata::CommitStatus::kNoSuchUpload;
  CO_S3_VOID(objects::parse_copy_source(context.fields()));
  if (!upload_id) co_return std::unexpected(request::to_s3(missing, context));
  CO_S3(objects::Found source, co_await objects::find_source(context, false));
  const metadata::ObjectVersion& object = source.lookup.object;
  uint64_t offset = 0;
  uint64_t length = object.size;
  if (const auto text = context.fields().find("x-amz-copy-source-range")) {
    const auto range = s3::parse_range(*text);
    if (!range || !range->first || !range->last) {
      co_return s3::fail(
          ErrorCode::kInvalidArgument,
          "The x-amz-copy-source-range value must be of the form bytes=first-last where first and "
          "last are the zero-based offsets of the first and last bytes to copy",
          {{"ArgumentName", "x-amz-copy-source-range"}, {"ArgumentValue", std::string(*text)}});
    }
    // s3-tests wants InvalidRange of a range that ends behind the source; one that begins there is
    // AWS's InvalidRequest.
    if (*range->first >= object.size) {
      co_return s3::fail(ErrorCode::kInvalidRequest,
                         "The specified copy range is invalid for the source object size");
    }
    if (*range->last >= object.size) {
      co_return s3::fail(
          ErrorCode::kInvalidRange,
          "Range specified is not valid for source object of size: " + std::to_string(object.size),
          {{"ArgumentName", "x-amz-copy-source-range"}, {"ArgumentValue", std::string(*text)}});
    }
    offset = *range->first;
    length = *range->last - offset + 1;
  }
  if (length > objects::kCopyBytesMax) {
    co_return s3::fail(ErrorCode::kInvalidRequest,
                       "The specified copy source is larger than the maximum allowable size for a "
                       "copy source: 5368709120");
  }
  CO_S3(const metadata::UploadLookup upload,
        co_await context.services.uploads.find_upload({context.bucket->id, *upload_id,
                                                       context.request.key, 0, 0,
                                                       context.metadata_deadline()}));
  if (upload.status != metadata::LookupStatus::kFound) {
    co_return std::unexpected(request::to_s3(missing, context));
  }
  const auto algorithm =
      upload.upload.checksum_algorithm.value_or(model::ChecksumAlgorithm::kCrc64Nvme);
  CO_S3(const request::ObjectKey target_key,
        co_await request::open_upload_key(context, upload.upload));
  CO_S3(const request::ObjectKey source_key,
        co_await request::open_object_key(
            context, {object.encryption, source.lookup.bucket_id, source.named.key},
            s3::kSourcePrefix));
  const objects::SourceRange range{object, source_key, offset, length};
  // An upload has one data key of its own, so only plaintext can be shared.
  const bool as_rows = source_key.plaintext() && target_key.plaintext();
  objects::Rewritten written;
  if (as_rows) {
    CO_S3(written.digests, co_await objects::read_digests(context, range, algorithm, nullptr));
  } else {
    CO_S3(written, co_await objects::rewrite(context, range, algorithm, target_key));
  }
  const std::string etag = target_key.etag_of(written.digests.md5_hex);
  metadata::CopyPart request;
  request.put.upload = *upload_id;
  request.put.key = context.request.key;
  request.put.part.number = static_cast<uint32_t>(*number);
  request.put.part.size = length;
  request.put.part.etag = etag;
  request.put.part.checksums = {
      {algorithm, model::ChecksumType::kFullObject, written.digests.checksum}};
  request.put.extents = written.stream.extents(length);
  request.source_offset = offset;
  auto outcome = co_await permissions::commit_with(
      context,
      [&] {
        request.put.context = request::commit_context(context, written.stream);
        request.source = source.as_decided();
        if (!as_rows) request.put.copied_from = request.source;
        return source.watch(as_rows ? context.services.uploads.copy_part(request)
                                    : context.services.uploads.put_part(request.put));
      },
      &written.stream, [&] { return objects::admit_source_again(context, source, false); });
  if (!outcome && source.written_over) co_return MaybeResponse();
  if (!outcome) co_return std::unexpected(outcome.error());
  s3::XmlWriter xml("CopyPartResult");
  objects::write_copied(xml, etag, context.services.clock.now());
  if (upload.upload.checksum_algorithm) {
    request::write_checksum(xml, request.put.part.checksums.front(), 0, false);
  }
  request::Response response = request::xml_response(std::move(xml));
  request::add_encryption_headers(response.head.fields, target_key);
  objects::add_source_version(response, source);
  co_return MaybeResponse(std::move(response));
}

}  // namespace

request::Answer<request::Response> upload_part_copy(request::Context& context) {
  return objects::copy_from_one_version(context, copy_once);
}

}  // namespace rondel::multipart
