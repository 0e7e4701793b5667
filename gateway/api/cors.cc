#include "gateway/api/cors.h"

#include "common/http/message.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/s3/cors.h"
#include "gateway/s3/documents.h"
#include "gateway/s3/error.h"

namespace rondel::api {
namespace {

using s3::ErrorCode;

// The method that the answer will be for: of a preflight, or of a script that says it again.
std::string_view asked_method(const http::RequestHead& request) {
  return request.fields.find("Access-Control-Request-Method").value_or(request.method);
}

std::unexpected<s3::Error> forbidden(std::string message, std::string_view method,
                                     bool names_object) {
  return s3::fail(
      ErrorCode::kAccessForbidden, std::move(message),
      {{"Method", std::string(method)}, {"ResourceType", names_object ? "OBJECT" : "BUCKET"}});
}

}  // namespace

void add_cors_fields(http::Fields& answer, const http::RequestHead& request,
                     const s3::CorsRules* rules) {
  if (rules == nullptr) return;
  answer.add("Vary", std::string(s3::kCorsVary));
  const auto origin = request.fields.find("Origin");
  if (!origin) return;
  const auto headers =
      s3::parse_header_names(request.fields.find("Access-Control-Request-Headers").value_or(""));
  const s3::CorsRule* rule = rules->find(*origin, asked_method(request), headers);
  if (rule == nullptr) return;
  for (auto& [name, value] : s3::cors_fields(*rule, *origin, headers)) {
    answer.add(std::move(name), std::move(value));
  }
}

s3::S3Result<request::Response> answer_preflight(const http::RequestHead& request, bool found,
                                                 const s3::CorsRules* rules, bool names_object) {
  const auto origin = request.fields.find("Origin");
  if (!origin || origin->empty()) {
    return s3::fail(ErrorCode::kBadRequest,
                    "Insufficient information. Origin request header needed.");
  }
  const auto method = request.fields.find("Access-Control-Request-Method");
  if (!method || !s3::is_cors_method(*method)) {
    return s3::fail(ErrorCode::kBadRequest, "Invalid Access-Control-Request-Method: " +
                                                std::string(method.value_or("null")));
  }
  if (!found) return forbidden("CORSResponse: Bucket not found", *method, names_object);
  if (rules == nullptr) {
    return forbidden("CORSResponse: CORS is not enabled for this bucket.", *method, names_object);
  }
  request::Response response = request::empty_response(200);
  add_cors_fields(response.head.fields, request, rules);
  if (response.head.fields.has("Access-Control-Allow-Origin")) return response;
  return forbidden(
      "CORSResponse: This CORS request is not allowed. This is usually because the evalution of "
      "Origin, request method / "
      "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the "
      "resource's CORS spec.",
      *method, names_object);
}

}  // namespace rondel::api
