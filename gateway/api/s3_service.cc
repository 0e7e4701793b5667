#include "gateway/api/s3_service.h"

#include <random>

#include "common/async/event_loop.h"
#include "common/base/encoding.h"
#include "common/http/message.h"
#include "common/http/server.h"
#include "common/log/log.h"
#include "gateway/api/cors.h"
#include "gateway/api/dispatch.h"
#include "gateway/api/joined_exchange.h"
#include "gateway/api/trace.h"
#include "gateway/api/watched_exchange.h"
#include "gateway/permissions/authorization.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/request/payer.h"
#include "gateway/request/refusals.h"
#include "gateway/s3/error.h"
#include "gateway/s3/http_values.h"
#include "gateway/s3/operation.h"
#include "gateway/s3/presigned_headers.h"
#include "gateway/s3/repeated.h"
#include "gateway/s3/request.h"
#include "gateway/signature/authenticator.h"
#include "gateway/signature/claimed_identity.h"
#include "metadata/model/bucket.h"

namespace rondel::api {
namespace {

using s3::ErrorCode;
using s3::Operation;

constexpr auto kAdmissionPatience = std::chrono::seconds(1);

// Errors by their code, everything else in slot 0.
constexpr size_t kCodes = s3::kErrorCodesMax + 1;

// Chunks that nobody signs are for the bodies of objects alone.
bool takes_unsigned_chunks(Operation operation) {
  return s3::row(operation).body == s3::Body::kObject;
}

s3::Error unsigned_chunks() {
  return {ErrorCode::kInvalidRequest,
          "The value of x-amz-content-sha256 header is invalid.",
          {},
          {},
          {}};
}

// Whether the head alone says who asks. A form's body says it.
bool is_signed_head(const http::RequestHead& head) {
  const std::string_view type = s3::trim(head.fields.find("Content-Type").value_or(""));
  constexpr std::string_view kForm = "multipart/";
  if (head.method == "POST" && http::iequals(type.substr(0, kForm.size()), kForm)) return false;
  return head.fields.has("Authorization") || head.query().contains("Signature=");
}

size_t slot_of(std::optional<ErrorCode> code) { return code ? static_cast<size_t>(*code) + 1 : 0; }

}  // namespace

// Handles, made when first needed: a hundred operations with every code would be series nobody
// sees.
struct S3Service::Metrics {
  struct PerOperation {
    std::array<std::atomic<metrics::Counter*>, kCodes> requests{};
    std::atomic<metrics::Histogram*> seconds{nullptr};
  };

  explicit Metrics(metrics::Registry& registry_) : registry(registry_) {}

  void count(std::string_view name, PerOperation& slots, std::optional<ErrorCode> error,
             double seconds) {
    std::atomic<metrics::Counter*>& slot = slots.requests[slot_of(error)];
    metrics::Counter* counter = slot.load();
    if (counter == nullptr) {
      const std::string code = error ? std::string(s3::name(*error)) : "OK";
      counter =
          &registry.counter("rondel_requests_total", "S3 requests by operation and error code.",
                            {{"operation", std::string(name)}, {"code", code}});
      slot = counter;
    }
    counter->add();
    metrics::Histogram* histogram = slots.seconds.load();
    if (histogram == nullptr) {
      histogram = &registry.histogram("rondel_request_seconds",
                                      "From the head of a request to the end of its answer.",
                                      {{"operation", std::string(name)}});
      slots.seconds = histogram;
    }
    histogram->observe(seconds);
  }

  // Somebody who said who he is was not believed.
  s3::Error refused(s3::Error failure) {
    const size_t slot = slot_of(failure.code);
    metrics::Counter* counter = refusals[slot].load();
    if (counter == nullptr) {
      counter =
          &registry.counter("rondel_authentication_failures_total",
                            "Requests whose credentials or signature were refused, by error code.",
                            {{"reason", std::string(s3::name(failure.code))}});
      refusals[slot] = counter;
    }
    counter->add();
    return failure;
  }

  metrics::Registry& registry;
  std::array<std::atomic<metrics::Counter*>, kCodes> refusals{};
  std::vector<PerOperation> operations{s3::all_operations().size() + 1};
};

S3Service::S3Service(request::Services services, metrics::Registry& registry)
    : services_(std::move(services)),
      metrics_(std::make_unique<Metrics>(registry)),
      request_seed_(std::random_device{}()) {
  registry.callback(metrics::Type::kGauge, "rondel_requests_in_flight",
                    "S3 requests being answered.", {},
                    [this] { return static_cast<double>(in_flight_.load()); });
  registry.callback(metrics::Type::kCounter, "rondel_requests_rejected_total",
                    "Requests answered 503 because too many were in flight.", {}, [this] {
                      const admission::PoolStatus requests = services_.admission->requests.status();
                      return static_cast<double>(requests.refused[0] + requests.refused[1]);
                    });
  registry.collector(metrics::Type::kGauge, "rondel_cache_bytes",
                     "Memory held by what is kept from one request to the next.", [this] {
                       const std::pair<const char*, size_t> caches[] = {
                           {"buckets", services_.bucket_cache.bytes()},
                           {"identities", services_.identities.bytes()},
                           {"access", services_.bucket_access->bytes()},
                           {"lifecycle", services_.lifecycle_rules->bytes()},
                           {"cors", services_.cors_rules->bytes()},
                           {"signing_keys", services_.authenticator.cache_bytes()},
                       };
                       std::vector<metrics::Sample> samples;
                       for (const auto& [name, bytes] : caches) {
                         samples.push_back({{{"cache", name}}, static_cast<double>(bytes)});
                       }
                       return samples;
                     });
}

S3Service::~S3Service() = default;

std::string S3Service::refusal_body(const http::Refusal& refusal, http::ResponseHead& head) {
  using Kind = http::Refusal::Kind;
  s3::Error error;
  switch (refusal.kind) {
    case Kind::kTooLarge:
      error.code = ErrorCode::kRequestHeaderSectionTooLarge;
      error.details = {{"MaxSizeAllowed", std::to_string(refusal.head_bytes_max)}};
      break;
    case Kind::kTooSlow: error.code = ErrorCode::kRequestTimeout; break;
    case Kind::kUnsupported:
      error = {ErrorCode::kNotImplemented, refusal.reason, {}, {}, {}};
      break;
    case Kind::kMalformed: error = {ErrorCode::kInvalidRequest, refusal.reason, {}, {}, {}}; break;
  }
  // 505 says more than the 501 of its code.
  if (refusal.kind != Kind::kUnsupported) head.status = s3::http_status(error.code);
  head.fields.add("Content-Type", "application/xml");
  return s3::error_document(error, "", "", kHostId);
}

async::Task<void> S3Service::handle(http::Exchange& exchange) {
  Trace trace;
  trace.id = next_request_id();
  in_flight_.fetch_add(1);
  trace.address = services_.admission->parties.address(exchange.connection().peer_address);
  trace.ticket = co_await admit(trace.address, is_signed_head(exchange.head()));

  std::optional<WatchedExchange> watched;
  s3::S3Result<request::Response> response;
  if (trace.ticket) {
    watched.emplace(exchange, trace.ticket);
    response = co_await answer(*watched, trace);
  } else {
    response =
        std::unexpected(s3::retry_later(ErrorCode::kSlowDown, "too many requests in flight"));
  }
  if (response) {
    auto sent = co_await send(*watched, *std::move(response), trace);
    if (!sent) response = std::unexpected(std::move(sent.error()));
  }
  if (!response) {
    http::Exchange& refused = watched ? *watched : exchange;
    co_await send_error(refused, response.error(), trace);
  }

  if (trace.ticket.gave_way()) trace.reason = "it gave way to others: its client moved nothing";
  trace.ticket.release();
  in_flight_.fetch_sub(1);
  count_and_log(exchange, trace);
}

// Sixteen digits as AWS has them: a per-process seed and a counter.
std::string S3Service::next_request_id() {
  const uint64_t number =
      (request_seed_ << 32) ^ (next_request_.fetch_add(1) * 0x9e3779b97f4a7c15ull);
  std::byte raw[8];
  store_be(raw, number);
  std::string id = to_hex(raw);
  for (char& c : id) c = c >= 'a' ? static_cast<char>(c - 32) : c;
  return id;
}

s3::Error S3Service::count_refusal(s3::Error refusal) {
  return metrics_->refused(std::move(refusal));
}

void S3Service::count_and_log(const http::Exchange& exchange, const Trace& trace) {
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - trace.begin).count();
  const size_t index =
      trace.request ? static_cast<size_t>(trace.request->operation) : s3::all_operations().size();
  const std::string_view name = trace.request ? s3::row(trace.request->operation).name : "Unknown";
  metrics_->count(name, metrics_->operations[index], trace.error, seconds);
  if (!log::enabled("request", log::Level::kInfo)) return;

  const http::RequestHead& head = exchange.head();
  const http::ConnectionInfo& connection = exchange.connection();
  static const std::vector<std::pair<std::string, std::string>> kNoQuery;
  signature::ClaimedIdentity claimed = trace.claimed;
  if (claimed.authentication == "none") {
    claimed = signature::claimed_identity(
        head.fields, trace.request ? trace.request->query.parameters : kNoQuery);
  }

  log::RequestLine line;
  line.request_id = trace.id;
  line.operation = name;
  line.method = head.method;
  line.path = head.path();
  line.peer = connection.peer_address;
  line.tls = !connection.tls                  ? std::string_view("none")
             : connection.tls_version.empty() ? std::string_view("unknown")
                                              : connection.tls_version;
  line.cipher = connection.tls_cipher;
  line.authentication = claimed.authentication;
  line.access_key_id = claimed.access_key_id;
  line.account = trace.account;
  line.user_agent = head.fields.find("User-Agent").value_or("");
  line.version_id = trace.version_id;
  if (trace.request) {
    line.bucket = trace.request->bucket;
    line.key = trace.request->key;
    if (line.version_id.empty()) {
      line.version_id = trace.request->query.find("versionId").value_or("");
    }
  }
  line.status = trace.status;
  if (trace.error) line.error_code = s3::name(*trace.error);
  line.reason = trace.reason;
  line.bytes_in = exchange.body_bytes_read();
  line.bytes_out = exchange.body_bytes_written();
  line.seconds = seconds;
  log::request(line);
}

// Empty: refused. Where there is room, but not for those who are not authenticated, the request
// waits for a moment: to become authenticated takes others no longer. Not so a form: how long that
// takes is its client's choice.
async::Task<admission::Pool::Hold> S3Service::admit(const admission::PartyRef& address,
                                                    bool may_wait) {
  admission::Pool& requests = services_.admission->requests;
  admission::Pool::Hold ticket = requests.try_take(address, 1);
  if (ticket) co_return ticket;
  if (!may_wait || requests.is_full()) {
    requests.count_refusal(address);
    co_return ticket;
  }
  auto waited = co_await requests.take(address, 1, deadline_in(kAdmissionPatience));
  if (waited) co_return *std::move(waited);
  co_return ticket;
}

// One value for each name, whoever asks for it: signature, policy or handler.
async::Task<s3::S3Result<request::Response>> S3Service::answer(http::Exchange& exchange,
                                                               Trace& trace) {
  const http::Fields& fields = exchange.head().fields;
  CO_S3_VOID(s3::check_repeated(fields));
  auto lists = s3::joined_lists(fields);
  std::optional<JoinedExchange> joined;
  if (lists) joined.emplace(exchange, *std::move(lists));
  // One call: a coroutine holds room for each that it may await.
  http::Exchange& asked = joined ? *joined : exchange;
  co_return co_await answer_once(asked, trace);
}

async::Task<s3::S3Result<request::Response>> S3Service::answer_once(http::Exchange& exchange,
                                                                    Trace& trace) {
  const http::RequestHead& head = exchange.head();
  if (head.method == "OPTIONS") co_return co_await preflight(head);
  auto request = s3::route(head, services_.settings.router);
  if (!request) co_return std::unexpected(request.error());
  trace.request = *std::move(request);
  const s3::Request& routed = *trace.request;
  CO_S3_VOID(s3::check_repeated(routed.query));
  // Before anything of the body is read: a client that waits for 100 Continue keeps its bytes.
  const s3::OperationRow& row = s3::row(routed.operation);
  if (row.effect != s3::Effect::kReads) CO_S3_VOID(request::check_database(services_));
  if (row.body == s3::Body::kForm) co_return co_await answer_form(exchange, trace);
  auto identity = co_await services_.authenticator.authenticate(
      head, routed.query.parameters, deadline_in(services_.settings.metadata_timeout),
      routed.virtual_host ? std::string_view(routed.bucket) : std::string_view());
  if (!identity) {
    // A length that such a body lacks is not what is wrong with it.
    const bool lacks_length = identity.error().refusal == signature::Refusal::kMissingDecodedLength;
    if (lacks_length && signature::has_unsigned_chunks(head.fields) &&
        !takes_unsigned_chunks(routed.operation)) {
      co_return std::unexpected(unsigned_chunks());
    }
    co_return std::unexpected(count_refusal(request::to_s3(identity.error())));
  }
  if (identity->payload_form == signature::PayloadForm::kStreamingUnsignedTrailer &&
      !takes_unsigned_chunks(routed.operation)) {
    co_return std::unexpected(unsigned_chunks());
  }

  // Version 2 signs no parameter but those that select: what else is in its query is nobody's word.
  const bool signs_query =
      !identity->anonymous() && identity->presigned && identity->signature_version == 4;
  std::optional<JoinedExchange> merged;
  if (signs_query) {
    auto presigned = s3::with_presigned_headers(head.fields, routed.query);
    if (!presigned) co_return std::unexpected(presigned.error());
    if (*presigned) merged.emplace(exchange, *std::move(*presigned));
  }
  if (merged) {
    // What the signature vouches for as query is a header for everybody behind it: also one that
    // makes a copy.
    auto again = s3::route(merged->head(), services_.settings.router);
    if (!again) co_return std::unexpected(again.error());
    trace.request = *std::move(again);
  }
  http::Exchange& asked = merged ? *merged : exchange;
  co_return co_await answer_as(*std::move(identity), asked, *trace.request, trace);
}

// Looks at what the identity may do, and does it.
async::Task<s3::S3Result<request::Response>> S3Service::answer_as(signature::Identity identity,
                                                                  http::Exchange& exchange,
                                                                  const s3::Request& routed,
                                                                  Trace& trace) {
  request::Context context{services_, exchange, routed, std::move(identity), nullptr, trace.id};
  context.access.caller = permissions::caller_of(context.identity);
  trace.account = context.account();
  context.ticket = &trace.ticket;
  context.payer = trace.address;
  if (!context.identity.anonymous() && !request::try_charge(context)) {
    CO_S3_VOID(co_await request::charge_later(context));
  }
  if (s3::row(routed.operation).level != s3::Level::kService &&
      routed.operation != Operation::kCreateBucket) {
    auto bucket = co_await find_bucket(routed);
    if (!bucket) co_return std::unexpected(bucket.error());
    context.bucket = *std::move(bucket);
    trace.bucket = context.bucket;
  }
  auto response = co_await dispatch(context);
  trace.requester_charged = context.access.requester_charged;
  co_return response;
}

async::Task<s3::S3Result<std::shared_ptr<const metadata::Bucket>>> S3Service::find_bucket(
    const s3::Request& request) {
  if (s3::row(request.operation).settings == s3::BucketSettings::kFresh) {
    services_.bucket_cache.forget_bucket(request.bucket);
  }
  const Deadline deadline = deadline_in(services_.settings.metadata_timeout);
  auto bucket = co_await services_.bucket_cache.find_bucket(request.bucket, deadline);
  if (bucket && !*bucket && services_.bucket_cache.doubt_bucket(request.bucket)) {
    bucket = co_await services_.bucket_cache.find_bucket(request.bucket, deadline);
  }
  if (!bucket) co_return std::unexpected(s3::from(bucket.error()));
  if (!*bucket) co_return s3::fail(ErrorCode::kNoSuchBucket, {}, {{"BucketName", request.bucket}});
  co_return *std::move(bucket);
}

async::Task<s3::S3Result<request::Response>> S3Service::preflight(const http::RequestHead& head) {
  const auto address = s3::locate(head, services_.settings.router);
  if (!address) co_return std::unexpected(address.error());
  // A preflight is unsigned, and its path whatever a stranger sends: what cannot be a bucket's name
  // is asked nobody.
  if (!s3::is_valid_bucket_name(address->bucket)) {
    co_return answer_preflight(head, false, nullptr, !address->key.empty());
  }
  auto bucket = co_await services_.bucket_cache.find_bucket(
      address->bucket, deadline_in(services_.settings.metadata_timeout));
  if (!bucket) co_return std::unexpected(s3::from(bucket.error()));
  const auto rules = *bucket == nullptr ? nullptr : services_.cors_rules->of(**bucket);
  co_return answer_preflight(head, *bucket != nullptr, rules.get(), !address->key.empty());
}

}  // namespace rondel::api
