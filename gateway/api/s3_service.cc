#include "gateway/api/s3_service.h"

#include <random>

#include "common/async/event_loop.h"
#include "common/base/encoding.h"
#include "common/http/message.h"
#include "common/http/server.h"
#include "common/log/log.h"
#include "gateway/admission/filling.h"
#include "gateway/api/cors.h"
#include "gateway/api/dispatch.h"
#include "gateway/api/joined_exchange.h"
#include "gateway/api/post_object.h"
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
#include "gateway/signature/post_policy.h"
#include "gateway/signature/post_signature.h"
#include "metadata/model/bucket.h"

namespace rondel::api {
namespace {

using s3::ErrorCode;
using s3::Operation;

constexpr std::string_view kHostId = "rondel";
constexpr auto kAdmissionPatience = std::chrono::seconds(1);
constexpr auto kRoomPatience = std::chrono::seconds(5);

// Errors by their code, everything else in slot 0.
constexpr size_t kCodes = s3::kErrorCodesMax + 1;

// Whose answer is what the bucket is, now: no cache of another gateway's change a moment ago.
bool reads_settings(Operation operation) {
  switch (operation) {
    case Operation::kListObjects:
    case Operation::kListObjectsV2:
    case Operation::kListObjectVersions:
    case Operation::kListMultipartUploads:
    case Operation::kDeleteObjects:
    case Operation::kPostObject: return false;
    default: return s3::row(operation).level == s3::Level::kBucket;
  }
}

// Whose end is a commit. What would only be refused as not implemented says so a little later.
bool needs_commit(Operation operation) {
  const std::string_view method = s3::row(operation).method;
  return method == "PUT" || method == "POST" || method == "DELETE";
}

// Chunks that nobody signs are for the bodies of objects alone.
bool takes_unsigned_chunks(Operation operation) {
  return operation == Operation::kPutObject || operation == Operation::kUploadPart;
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

// What somebody sees who opens the endpoint in a browser.
constexpr std::string_view kBrowserLine =
    "<!DOCTYPE html><title>Rondel</title><p>This is the S3 endpoint of a Rondel object store: use "
    "it with an S3 client and an access key.</p>\n";

bool is_browser_at_root(const http::RequestHead& head, const s3::Error& error) {
  return error.code == ErrorCode::kAccessDenied && head.method == "GET" && head.path() == "/" &&
         !head.fields.has("Authorization") &&
         head.fields.find("Accept").value_or("").contains("text/html");
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

// What is known of a request by its end.
struct S3Service::Trace {
  SteadyTime begin = std::chrono::steady_clock::now();
  std::string id;
  std::optional<s3::Request> request;
  std::shared_ptr<const metadata::Bucket> bucket;
  std::string account;
  int status = 0;
  std::optional<ErrorCode> error;
  std::string reason;
  std::string version_id;              // Of the answer.
  signature::ClaimedIdentity claimed;  // Of a form.
  bool requester_charged = false;
  admission::PartyRef address;
  admission::Pool::Hold ticket;
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
  // Sixteen digits as AWS has them: a per-process seed and a counter.
  const uint64_t number =
      (request_seed_ << 32) ^ (next_request_.fetch_add(1) * 0x9e3779b97f4a7c15ull);
  std::byte raw[8];
  store_be(raw, number);
  trace.id = to_hex(raw);
  for (char& c : trace.id) c = c >= 'a' ? static_cast<char>(c - 32) : c;

  in_flight_.fetch_add(1);
  trace.address = services_.admission->parties.address(exchange.connection().peer_address);
  trace.ticket = co_await admit(trace.address, is_signed_head(exchange.head()));
  if (!trace.ticket) {
    co_await send_error(
        exchange, s3::retry_later(ErrorCode::kSlowDown, "too many requests in flight"), trace);
  } else {
    WatchedExchange watched(exchange, trace.ticket);
    auto response = co_await answer(watched, trace);
    if (response) {
      co_await send(watched, *std::move(response), trace);
    } else {
      co_await send_error(watched, response.error(), trace);
    }
    if (trace.ticket.gave_way()) trace.reason = "it gave way to others: its client moved nothing";
    trace.ticket.release();
  }
  in_flight_.fetch_sub(1);

  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - trace.begin).count();
  const http::RequestHead& head = exchange.head();
  const size_t index =
      trace.request ? static_cast<size_t>(trace.request->operation) : s3::all_operations().size();
  const std::string_view name = trace.request ? s3::row(trace.request->operation).name : "Unknown";
  metrics_->count(name, metrics_->operations[index], trace.error, seconds);
  if (!log::enabled("request", log::Level::kInfo)) co_return;
  const http::ConnectionInfo& connection = exchange.connection();
  signature::ClaimedIdentity claimed = std::move(trace.claimed);
  if (claimed.authentication == "none") {
    static const std::vector<std::pair<std::string, std::string>> kNoQuery;
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
  if (!lists) co_return co_await answer_once(exchange, trace);
  JoinedExchange joined(exchange, *std::move(lists));
  co_return co_await answer_once(joined, trace);
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
  if (needs_commit(routed.operation)) CO_S3_VOID(request::check_database(services_));
  if (routed.operation == Operation::kPostObject) co_return co_await answer_form(exchange, trace);
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
    co_return std::unexpected(metrics_->refused(request::to_s3(identity.error())));
  }
  if (identity->payload_form == signature::PayloadForm::kStreamingUnsignedTrailer &&
      !takes_unsigned_chunks(routed.operation)) {
    co_return std::unexpected(unsigned_chunks());
  }

  // Version 2 signs no parameter but those that select: what else is in its query is nobody's word.
  const bool signs_query =
      !identity->anonymous() && identity->presigned && identity->signature_version == 4;
  if (!signs_query) co_return co_await answer_as(*std::move(identity), exchange, routed, trace);
  auto presigned = s3::with_presigned_headers(head.fields, routed.query);
  if (!presigned) co_return std::unexpected(presigned.error());
  if (!*presigned) co_return co_await answer_as(*std::move(identity), exchange, routed, trace);
  // What the signature vouches for as query is a header for everybody behind it: also one that
  // makes a copy.
  JoinedExchange merged(exchange, *std::move(*presigned));
  auto again = s3::route(merged.head(), services_.settings.router);
  if (!again) co_return std::unexpected(again.error());
  trace.request = *std::move(again);
  co_return co_await answer_as(*std::move(identity), merged, *trace.request, trace);
}

// A form is signed by its fields; then it is a PutObject.
async::Task<s3::S3Result<request::Response>> S3Service::answer_form(http::Exchange& exchange,
                                                                    Trace& trace) {
  CO_S3(const std::unique_ptr<PostForm> form,
        co_await PostForm::open(exchange, services_.admission->documents, trace.address));
  trace.claimed = signature::claimed_by_form(form->fields());
  auto posted = co_await signature::authenticate_post(
      services_.identities, services_.authenticator.options(), form->fields(),
      deadline_in(services_.settings.metadata_timeout));
  if (!posted) co_return std::unexpected(metrics_->refused(request::to_s3(posted.error())));
  if (posted->policy) {
    const auto policy = signature::parse_post_policy(*posted->policy);
    if (!policy) co_return s3::fail(ErrorCode::kInvalidPolicyDocument, policy.error());
    if (const auto allowed = signature::check_post_policy(
            *policy, form->fields(), trace.request->bucket, services_.clock.now());
        !allowed) {
      co_return s3::fail(ErrorCode::kAccessDenied, allowed.error());
    }
    form->set_size_range(policy->size_min, policy->size_max);
  }
  if (!posted->identity.anonymous() && !form->count_to(services_.admission->parties.account(
                                           posted->identity.credential->account.id))) {
    co_return std::unexpected(
        s3::retry_later(ErrorCode::kSlowDown, "the account's share is used up"));
  }
  const s3::Request request{Operation::kPostObject, trace.request->bucket, form->key(), {}};
  auto response = co_await answer_as(std::move(posted->identity), *form, request, trace);
  if (!response && form->refusal()) co_return std::unexpected(*form->refusal());
  if (!response) co_return response;
  co_return form->answer(*std::move(response), exchange.head(), *trace.bucket);
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
  if (reads_settings(request.operation)) services_.bucket_cache.forget_bucket(request.bucket);
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

async::Task<void> S3Service::send(http::Exchange& exchange, request::Response response,
                                  Trace& trace) {
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
    co_return;
  }
  if (!response.stream) {
    co_await send_document(exchange, std::move(response), trace);
    co_return;
  }
  // Bytes that nobody reads are not kept for long while others wait.
  response.stream->on_give_way([&exchange] { exchange.abort(); });
  // The first bytes decide whether it is an answer or an error.
  auto bytes = co_await response.stream->next();
  if (!bytes) {
    co_await send_error(exchange, s3::from(bytes.error()), trace);
    co_return;
  }
  if (auto started =
          co_await exchange.start_response(std::move(response.head), response.stream_length);
      !started) {
    trace.reason = started.error().message;
    co_return;
  }
  uint64_t sent = 0;
  while (bytes && !bytes->empty()) {
    sent += bytes->size();
    if (auto written = co_await exchange.write_body(*std::move(bytes)); !written) {
      trace.reason = written.error().message;
      co_return;
    }
    if (sent == response.stream_length) co_return;
    bytes = co_await response.stream->next();
  }
  // Too late for an error document: the cut connection tells.
  trace.reason = bytes ? "the stream ended early" : to_string(bytes.error());
  log::error("operations", "an answer was cut short",
             {{"request", trace.id}, {"error", trace.reason}});
  exchange.abort();
}

// A large one counts as held until its client has read it.
async::Task<void> S3Service::send_document(http::Exchange& exchange, request::Response response,
                                           Trace& trace) {
  admission::Pool::Hold memory;
  const auto alive = std::make_shared<http::Exchange*>(&exchange);
  if (response.body.size() > admission::Filling::kFirstBytes) {
    auto taken = co_await services_.admission->documents.take(
        trace.ticket.party(), response.body.size(), deadline_in(kRoomPatience));
    if (!taken) {
      response = {};
      co_await send_error(exchange, s3::retry_later(ErrorCode::kSlowDown, "no room for the answer"),
                          trace);
      co_return;
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
