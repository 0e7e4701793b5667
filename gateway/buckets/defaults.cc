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
using s3::Operation;

template <ErrorCode code>
request::Answer<request::Response> not_set(request::Context& context) {
  co_return s3::fail(code, {}, {{"BucketName", context.request.bucket}});
}

// Removing what is not there.
request::Answer<request::Response> nothing_to_remove(request::Context&) {
  co_return request::empty_response(204);
}

template <const char* const& root>
request::Answer<request::Response> empty_document(request::Context&) {
  co_return request::xml_response(s3::XmlWriter(root));
}

// A document without content asks for what is.
template <const char* const& root>
request::Answer<request::Response> only_nothing(request::Context& context) {
  CO_S3(const std::string text,
        co_await permissions::read_document(context, s3::kSmallDocumentBytesMax));
  CO_S3(const s3::XmlDocument document, s3::XmlDocument::parse(text, root));
  if (!document.root().children().empty()) {
    co_return std::unexpected(request::not_implemented(context.request.operation));
  }
  co_return request::empty_response(200);
}

constexpr const char* kLogging = "BucketLoggingStatus";
constexpr const char* kNotification = "NotificationConfiguration";
constexpr const char* kAccelerate = "AccelerateConfiguration";

struct Default {
  Operation operation;
  request::Handler handler;
};

constexpr Default kDefaults[] = {
    {Operation::kGetBucketLogging, empty_document<kLogging>},
    {Operation::kPutBucketLogging, only_nothing<kLogging>},
    {Operation::kPutBucketNotificationConfiguration, only_nothing<kNotification>},
    {Operation::kGetBucketWebsite, not_set<ErrorCode::kNoSuchWebsiteConfiguration>},
    {Operation::kDeleteBucketWebsite, nothing_to_remove},
    {Operation::kGetBucketNotificationConfiguration, empty_document<kNotification>},
    {Operation::kGetBucketReplication, not_set<ErrorCode::kReplicationConfigurationNotFoundError>},
    {Operation::kDeleteBucketReplication, nothing_to_remove},
    {Operation::kGetBucketAccelerateConfiguration, empty_document<kAccelerate>},
};

}  // namespace

request::Handler find_default_handler(Operation operation) {
  for (const Default& row : kDefaults) {
    if (row.operation == operation) return row.handler;
  }
  return nullptr;
}

}  // namespace rondel::buckets
