#include "common/async/event_loop.h"
#include "common/base/encoding.h"
#include "common/http/message.h"
#include "common/http/server.h"
#include "common/log/log.h"
#include "gateway/admission/filling.h"
#include "gateway/api/cors.h"
#include "gateway/api/s3_service.h"
#include "gateway/api/trace.h"
#include "gateway/request/answers.h"
#include "gateway/s3/error.h"

namespace rondel::api {
namespace {

using s3::ErrorCode;

constexpr auto kRoomPatience = std::chrono::seconds(5);

// What somebody sees who opens the endpoint in a browser.
constexpr std::string_view kBrowserLine =
    "<!DOCTYPE html><title>Rondel</title><p>This is the S3 endpoint of a Rondel object store: use "
    "it with an S3 client and an access key.</p>\n";

bool is_browser_at_root(const http::RequestHead& head, const s3::Error& error) {
  return error.code == ErrorCode::kAccessDenied && head.method == "GET" && head.path() == "/" &&
         !head.fields.has("Authorization") &&
         head.fields.find("Accept").value_or("").contains("text/html");
}

}  // namespace

// A script may read an answer, also an error, when the bucket's rules say so.
async::Task<void> S3Service::add_cors(const http::RequestHead& head, http::Fields& answer,
                                      Trace& trace) {
  if (!trace.bucket && trace.request && !trace.request->bucket.empty() &&
      head.fields.has("Origin")) {
    auto bucket = co_await services_.bucket_cache.find_bucket(
        trace.request->bucket, deadline_in(services_.settings.metadata_timeout));
    if (bucket) trace.bucket = *std::move(bucket);
  }
  if (trace.bucket) add_cors_fields(answer, head, services_.cors_rules->of(*trace.bucket).get());
}

// Of a HEAD whatever its caller may do, as nothing else of the answer tells a client where to sign
// for. Source: HeadBucket, S3 API reference (x-amz-bucket-region).
async::Task<void> S3Service::add_region(const http::RequestHead& head, const s3::Error& error,
                                        http::Fields& answer, Trace& trace) {
  const bool wrong_scope = error.code == ErrorCode::kAuthorizationHeaderMalformed ||
                           error.code == ErrorCode::kAuthorizationQueryParametersError;
  if (!trace.request || trace.request->bucket.empty() || (head.method != "HEAD" && !wrong_scope)) {
    co_return;
  }
  if (error.code == ErrorCode::kNoSuchBucket || error.code == ErrorCode::kServiceUnavailable ||
      error.code == ErrorCode::kSlowDown) {
    co_return;
  }
  if (!trace.bucket) {
    auto bucket = co_await services_.bucket_cache.find_bucket(
        trace.request->bucket, deadline_in(services_.settings.metadata_timeout));
    if (bucket) trace.bucket = *std::move(bucket);
  }
  if (trace.bucket && !answer.has("x-amz-bucket-region")) {
    answer.add("x-amz-bucket-region", trace.bucket->region);
  }
}

async::Task<s3::S3Result<void>> S3Service::send(http::Exchange& exchange,
                                                request::Response response, Trace& trace) {
  co_await add_cors(exchange.head(), response.head.fields, trace);
  response.head.fields.add("x-amz-request-id", trace.id);
  response.head.fields.add("x-amz-id-2", std::string(kHostId));
  if (trace.requester_charged) response.head.fields.add("x-amz-request-charged", "requester");
  trace.status = response.head.status;
  trace.version_id = response.head.fields.find("x-amz-version-id").value_or("");
  const bool head_only =
      exchange.head().method == "HEAD" || trace.status == 304 || trace.status == 204;
  if (head_only) {
    const auto length = trace.status == 200 || trace.status == 206
                            ? response.head_content_length.value_or(response.body.size())
                            : std::optional<uint64_t>();
    (void)co_await exchange.respond_head_only(std::move(response.head), length);
    co_return s3::S3Result<void>{};
  }
  if (!response.stream) co_return co_await send_document(exchange, std::move(response), trace);

  // Bytes that nobody reads are not kept for long while others wait.
  response.stream->on_give_way([&exchange] { exchange.abort(); });
  // The first bytes decide whether it is an answer or an error.
  auto bytes = co_await response.stream->next();
  if (!bytes) co_return std::unexpected(s3::from(bytes.error()));
  if (auto started =
          co_await exchange.start_response(std::move(response.head), response.stream_length);
      !started) {
    trace.reason = started.error().message;
    co_return s3::S3Result<void>{};
  }
  uint64_t sent = 0;
  while (bytes && !bytes->empty()) {
    sent += bytes->size();
    if (auto written = co_await exchange.write_body(*std::move(bytes)); !written) {
      trace.reason = written.error().message;
      co_return s3::S3Result<void>{};
    }
    if (sent == response.stream_length) co_return s3::S3Result<void>{};
    bytes = co_await response.stream->next();
  }
  // Too late for an error document: the cut connection tells.
  trace.reason = bytes ? "the stream ended early" : to_string(bytes.error());
  log::error("operations", "an answer was cut short",
             {{"request", trace.id}, {"error", trace.reason}});
  exchange.abort();
  co_return s3::S3Result<void>{};
}

// A large one counts as held until its client has read it.
async::Task<s3::S3Result<void>> S3Service::send_document(http::Exchange& exchange,
                                                         request::Response response, Trace& trace) {
  admission::Pool::Hold memory;
  const auto alive = std::make_shared<http::Exchange*>(&exchange);
  if (response.body.size() > admission::Filling::kFirstBytes) {
    auto taken = co_await services_.admission->documents.take(
        trace.ticket.party(), response.body.size(), deadline_in(kRoomPatience));
    if (!taken) {
      co_return std::unexpected(s3::retry_later(ErrorCode::kSlowDown, "no room for the answer"));
    }
    memory = *std::move(taken);
    memory.may_give_way([loop = async::EventLoop::current(), weak = std::weak_ptr(alive)] {
      loop->post([weak] {
        if (const auto still = weak.lock()) (*still)->abort();
      });
    });
    memory.idle();
  }

  (void)co_await exchange.respond(std::move(response.head), std::move(response.body));
  co_return s3::S3Result<void>{};
}

async::Task<void> S3Service::send_error(http::Exchange& exchange, const s3::Error& error,
                                        Trace& trace) {
  trace.status = s3::http_status(error.code);
  trace.error = error.code;
  trace.reason = error.log_message.empty() ? error.message : error.log_message;
  http::ResponseHead head;
  head.status = trace.status;
  for (const auto& [name, value] : error.headers) head.fields.add(name, value);
  co_await add_cors(exchange.head(), head.fields, trace);
  co_await add_region(exchange.head(), error, head.fields, trace);
  head.fields.add("x-amz-request-id", trace.id);
  head.fields.add("x-amz-id-2", std::string(kHostId));
  if (error.code == ErrorCode::kInternalError) {
    log::error("operations", "internal error", {{"request", trace.id}, {"error", trace.reason}});
  }
  const bool head_only = exchange.head().method == "HEAD" || trace.status == 304;
  if (head_only) {
    head.fields.add("Content-Type", "application/xml");
    (void)co_await exchange.respond_head_only(std::move(head),
                                              trace.status == 304 ? std::optional<uint64_t>() : 0);
    co_return;
  }
  if (is_browser_at_root(exchange.head(), error)) {
    head.fields.add("Content-Type", "text/html; charset=utf-8");
    (void)co_await exchange.respond(std::move(head), std::string(kBrowserLine));
    co_return;
  }
  head.fields.add("Content-Type", "application/xml");
  const auto resource = percent_decode(exchange.head().path());
  std::string body = s3::error_document(
      error, resource && is_valid_utf8(*resource) ? *resource : std::string(exchange.head().path()),
      trace.id, kHostId);
  (void)co_await exchange.respond(std::move(head), std::move(body));
}

}  // namespace rondel::api
