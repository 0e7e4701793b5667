// Sub-resources that cannot be set yet: what AWS answers where nothing is set. Setters are here
// where their document can ask for just that; others are 501.

#include "gateway/buckets/handlers.h"
#include "gateway/permissions/documents.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/s3/documents.h"
#include "gateway/s3/error.h"
#include "gateway/s3/operation.h"
#include "gateway/s3/xml_reader.h"
#include "gateway/s3/xml_writer.h"

namespace rondel::buckets {
namespace {

using s3::ErrorCode;

constexpr std::string_view kLogging = "BucketLoggingStatus";
constexpr std::string_view kNotification = "NotificationConfiguration";

request::Answer<request::Response> not_set(request::Context& context, ErrorCode code) {
  co_return s3::fail(code, {}, {{"BucketName", context.request.bucket}});
}

request::Answer<request::Response> nothing_removed() { co_return request::empty_response(204); }

request::Answer<request::Response> empty_document(std::string_view root) {
  co_return request::xml_response(s3::XmlWriter(root));
}

// A document without content asks for what is.
request::Answer<request::Response> put_nothing(request::Context& context, std::string_view root) {
  CO_S3(const std::string text,
        co_await permissions::read_document(context, s3::kSmallDocumentBytesMax));
  CO_S3(const s3::XmlDocument document, s3::XmlDocument::parse(text, root));
  if (!document.root().children().empty()) {
    co_return std::unexpected(request::not_implemented(context.request.operation));
  }
  co_return request::empty_response(200);
}

}  // namespace

request::Answer<request::Response> get_bucket_logging(request::Context&) {
  return empty_document(kLogging);
}

request::Answer<request::Response> put_bucket_logging(request::Context& context) {
  return put_nothing(context, kLogging);
}

request::Answer<request::Response> get_bucket_notification(request::Context&) {
  return empty_document(kNotification);
}

request::Answer<request::Response> put_bucket_notification(request::Context& context) {
  return put_nothing(context, kNotification);
}

request::Answer<request::Response> get_bucket_website(request::Context& context) {
  return not_set(context, ErrorCode::kNoSuchWebsiteConfiguration);
}

request::Answer<request::Response> delete_bucket_website(request::Context&) {
  return nothing_removed();
}

request::Answer<request::Response> get_bucket_replication(request::Context& context) {
  return not_set(context, ErrorCode::kReplicationConfigurationNotFoundError);
}

request::Answer<request::Response> delete_bucket_replication(request::Context&) {
  return nothing_removed();
}

request::Answer<request::Response> get_bucket_accelerate(request::Context&) {
  return empty_document("AccelerateConfiguration");
}

}  // namespace rondel::buckets
