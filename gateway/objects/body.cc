#include "gateway/objects/body.h"

#include "gateway/blobs/blob_store.h"
#include "gateway/payload/payload_reader.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/request/object_encryption.h"
#include "gateway/request/pending_stream.h"
#include "gateway/request/refusals.h"
#include "gateway/s3/error.h"
#include "gateway/s3/operation.h"

namespace rondel::objects {

namespace {

// ceph/s3-tests wants another code of PutObject for a checksum that is none than AWS has.
s3::Error refused_by_head(const request::Context& context, const payload::PayloadError& error) {
  s3::Error out = request::to_s3(error);
  const bool malformed = error.refusal == payload::PayloadRefusal::kMalformedChecksum;
  if (malformed && context.request.operation == s3::Operation::kPutObject) {
    out.code = s3::ErrorCode::kBadDigest;
  }
  return out;
}

async::Task<std::expected<void, s3::Error>> pump(payload::PayloadReader& reader,
                                                 blobs::StreamWriter& writer) {
  for (;;) {
    auto bytes = co_await reader.read();
    if (!bytes) co_return std::unexpected(request::to_s3(bytes.error()));
    if (bytes->empty()) co_return std::expected<void, s3::Error>{};
    auto written = co_await writer.write(*bytes);
    if (!written) co_return std::unexpected(s3::from(written.error()));
  }
}

}  // namespace

request::Answer<ReceivedBody> receive_body(request::Context& context,
                                           payload::PayloadOptions options,
                                           const request::ObjectKey& key) {
  CO_S3_VOID(request::check_database(context.services));
  options.needs_length = true;
  auto opened = payload::PayloadReader::open(context.exchange, context.identity, options);
  if (!opened) co_return std::unexpected(refused_by_head(context, opened.error()));
  context.exchange.expect_body(http::BodyKind::kObject);
  payload::PayloadReader& reader = **opened;
  ReceivedBody body;
  body.stream = request::PendingStream(context.services.releases,
                                       request::open_object_writer(context, key, reader.size()));
  CO_S3_VOID(co_await pump(reader, body.stream.writer()));
  CO_S3(const blobs::WrittenStream written, co_await body.stream.writer().finish());
  body.stream.written(written);
  body.summary = reader.summary();
  body.etag = key.etag_of(body.summary.md5_hex);
  co_return body;
}

}  // namespace rondel::objects
