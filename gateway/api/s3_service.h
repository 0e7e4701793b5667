// S3Service: from an HTTP exchange to an operation and back: routing, authentication,
// authorisation, answer, metrics, log line.
#pragma once

#include <array>
#include <atomic>
#include <memory>

#include "common/http/message.h"
#include "common/http/server.h"
#include "common/metrics/metrics.h"
#include "gateway/request/context.h"
#include "gateway/s3/error.h"
#include "gateway/s3/request.h"
#include "gateway/signature/authenticator.h"
#include "metadata/model/bucket.h"

namespace rondel::api {

// Safe for concurrent use; outlives its server.
class S3Service {
 public:
  S3Service(request::Services services, metrics::Registry& registry);
  ~S3Service();

  async::Task<void> handle(http::Exchange& exchange);

  // Requests in flight.
  size_t in_flight() const { return in_flight_.load(); }

  // The S3 error document for a request that HTTP refuses before any operation is known.
  static std::string refusal_body(const http::Refusal& refusal, http::ResponseHead& head);

 private:
  struct Metrics;
  struct Trace;

  std::string next_request_id();
  // Counts one who said who he is and was not believed.
  s3::Error count_refusal(s3::Error refusal);
  void count_and_log(const http::Exchange& exchange, const Trace& trace);
  async::Task<admission::Pool::Hold> admit(const admission::PartyRef& address, bool may_wait);
  async::Task<s3::S3Result<request::Response>> answer(http::Exchange& exchange, Trace& trace);
  async::Task<s3::S3Result<request::Response>> answer_once(http::Exchange& exchange, Trace& trace);
  async::Task<s3::S3Result<std::shared_ptr<const metadata::Bucket>>> find_bucket(
      const s3::Request& request);
  async::Task<s3::S3Result<request::Response>> answer_form(http::Exchange& exchange, Trace& trace);
  async::Task<s3::S3Result<request::Response>> answer_as(signature::Identity identity,
                                                         http::Exchange& exchange,
                                                         const s3::Request& routed, Trace& trace);
  async::Task<s3::S3Result<request::Response>> preflight(const http::RequestHead& head);
  async::Task<void> add_cors(const http::RequestHead& head, http::Fields& answer, Trace& trace);
  async::Task<void> add_region(const http::RequestHead& head, const s3::Error& error,
                               http::Fields& answer, Trace& trace);
  // Both fail before anything is sent.
  async::Task<s3::S3Result<void>> send(http::Exchange& exchange, request::Response response,
                                       Trace& trace);
  async::Task<s3::S3Result<void>> send_document(http::Exchange& exchange,
                                                request::Response response, Trace& trace);
  async::Task<void> send_error(http::Exchange& exchange, const s3::Error& error, Trace& trace);

  request::Services services_;
  std::unique_ptr<Metrics> metrics_;
  std::atomic<size_t> in_flight_{0};
  std::atomic<uint64_t> next_request_{0};
  const uint64_t request_seed_;
};

}  // namespace rondel::api
