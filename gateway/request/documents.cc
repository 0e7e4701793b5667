#include "gateway/request/documents.h"

#include <algorithm>

#include "common/async/event_loop.h"
#include "common/http/message.h"
#include "gateway/admission/filling.h"
#include "gateway/payload/payload_reader.h"
#include "gateway/payload/promised_digests.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/request/refusals.h"
#include "gateway/s3/error.h"
#include "gateway/s3/operation.h"
#include "gateway/signature/authenticator.h"

namespace rondel::request {

using s3::ErrorCode;
using s3::Operation;

// What is wrong with such a header is told where the body is read.
bool has_integrity_header(const http::Fields& fields) {
  if (fields.has("Content-MD5") || fields.has("x-amz-trailer")) return true;
  const auto checksum = payload::find_checksum_header(fields);
  return !checksum || checksum->has_value();
}

s3::S3Result<void> check_integrity_header(const http::Fields& fields) {
  if (has_integrity_header(fields)) return {};
  return s3::fail(ErrorCode::kInvalidRequest,
                  "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
}

namespace {

constexpr auto kRoomPatience = std::chrono::seconds(5);

s3::Error retry_document() {
  return s3::retry_later(ErrorCode::kSlowDown, "no room for a document");
}

// Memory for a body that is read whole. It gives way by cutting the connection.
struct Room {
  explicit Room(http::Exchange& exchange) : alive(std::make_shared<http::Exchange*>(&exchange)) {}

  admission::Filling fill(Context& context, uint64_t expected) const {
    const auto give_way = [loop = async::EventLoop::current(), weak = std::weak_ptr(alive)] {
      loop->post([weak] {
        if (const auto exchange = weak.lock()) (*exchange)->abort();
      });
    };
    return {context.services.admission->documents, context.payer, expected, give_way};
  }

  const std::shared_ptr<http::Exchange*> alive;
};

}  // namespace

async::Task<s3::S3Result<std::string>> read_document(Context& context, size_t bytes_max) {
  payload::PayloadOptions options;
  options.size_max = bytes_max;
  options.compute_md5 = false;
  options.checksum_headers = context.request.operation != Operation::kCompleteMultipartUpload;
  auto reader = payload::PayloadReader::open(context.exchange, context.identity, options);
  const Room room(context.exchange);
  if (reader) {
    context.document =
        room.fill(context, std::min<uint64_t>(bytes_max, (*reader)->size().value_or(bytes_max)));
  }
  std::string text;
  while (reader) {
    auto bytes = co_await (*reader)->read();
    if (!bytes) {
      if (bytes.error().refusal == payload::PayloadRefusal::kTooLarge) {
        co_return s3::fail(ErrorCode::kMaxMessageLengthExceeded);
      }
      co_return std::unexpected(to_s3(bytes.error()));
    }
    if (bytes->empty()) {
      if (!context.document.complete()) co_return std::unexpected(retry_document());
      co_return text;
    }
    if (!co_await context.document.take(bytes->size(), deadline_in(kRoomPatience))) {
      co_return std::unexpected(retry_document());
    }
    text += as_text(*bytes);
  }
  if (reader.error().refusal == payload::PayloadRefusal::kTooLarge) {
    co_return s3::fail(ErrorCode::kMaxMessageLengthExceeded);
  }
  co_return std::unexpected(to_s3(reader.error()));
}

Answer<std::string> read_vouched_document(Context& context, size_t bytes_max) {
  if (context.identity.payload_form != signature::PayloadForm::kHash) {
    CO_S3_VOID(check_integrity_header(context.fields()));
  }
  co_return co_await read_document(context, bytes_max);
}

}  // namespace rondel::request
