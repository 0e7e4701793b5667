// Sub-resources that cannot be set yet: what AWS answers where nothing is set. Setters are not here: 501.
#include "gateway/operations/handlers.h"

namespace rondel::operations {
namespace {

using s3::ErrorCode;
using s3::Operation;

template <ErrorCode code>
Answer<Response> absent(Context& context) {
  co_return s3::fail(code, {}, {{"BucketName", context.request.bucket}});
}

// Removing what is not there.
Answer<Response> nothing_to_remove(Context&) { co_return empty_response(204); }

template <const char* const& root>
Answer<Response> empty_document(Context&) {
  co_return xml_response(s3::XmlWriter(root));
}

constexpr const char* kLogging = "BucketLoggingStatus";
constexpr const char* kNotification = "NotificationConfiguration";
constexpr const char* kAccelerate = "AccelerateConfiguration";

struct Default {
  Operation operation;
  Handler handler;
};

constexpr Default kDefaults[] = {
    {Operation::kGetBucketLogging, empty_document<kLogging>},
    {Operation::kGetBucketWebsite, absent<ErrorCode::kNoSuchWebsiteConfiguration>},
    {Operation::kDeleteBucketWebsite, nothing_to_remove},
    {Operation::kGetBucketNotificationConfiguration, empty_document<kNotification>},
    {Operation::kGetBucketReplication, absent<ErrorCode::kReplicationConfigurationNotFoundError>},
    {Operation::kDeleteBucketReplication, nothing_to_remove},
    {Operation::kGetBucketAccelerateConfiguration, empty_document<kAccelerate>},
};

}  // namespace

Handler find_default_handler(Operation operation) {
  for (const Default& row : kDefaults) {
    if (row.operation == operation) return row.handler;
  }
  return nullptr;
}

}  // namespace rondel::operations
