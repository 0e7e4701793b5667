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

Answer<Response> owner_acl(Context& context) {
  s3::XmlWriter xml("AccessControlPolicy");
  write_person(xml, "Owner", context.bucket->owner_canonical_id, context.bucket->owner_display_name);
  xml.open("AccessControlList");
  xml.open("Grant");
  xml.open_with("Grantee", "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\"");
  xml.text("ID", context.bucket->owner_canonical_id);
  xml.text("DisplayName", context.bucket->owner_display_name);
  xml.close();
  xml.text("Permission", "FULL_CONTROL");
  co_return xml_response(std::move(xml));
}

Answer<Response> ownership(Context&) {
  s3::XmlWriter xml("OwnershipControls");
  xml.open("Rule");
  xml.text("ObjectOwnership", "BucketOwnerEnforced");
  co_return xml_response(std::move(xml));
}

Answer<Response> object_acl(Context& context) {
  CO_S3(const metadata::ObjectLookup found, co_await look_up_object(context, {}));
  (void)found;
  co_return co_await owner_acl(context);
}

struct Default {
  Operation operation;
  Handler handler;
};

constexpr Default kDefaults[] = {
    {Operation::kGetBucketAcl, owner_acl},
    {Operation::kGetBucketPolicy, absent<ErrorCode::kNoSuchBucketPolicy>},
    {Operation::kDeleteBucketPolicy, nothing_to_remove},
    {Operation::kGetBucketPolicyStatus, absent<ErrorCode::kNoSuchBucketPolicy>},
    {Operation::kGetBucketEncryption, absent<ErrorCode::kServerSideEncryptionConfigurationNotFoundError>},
    {Operation::kDeleteBucketEncryption, nothing_to_remove},
    {Operation::kGetBucketOwnershipControls, ownership},
    {Operation::kGetPublicAccessBlock, absent<ErrorCode::kNoSuchPublicAccessBlockConfiguration>},
    {Operation::kDeletePublicAccessBlock, nothing_to_remove},
    {Operation::kGetBucketLogging, empty_document<kLogging>},
    {Operation::kGetBucketWebsite, absent<ErrorCode::kNoSuchWebsiteConfiguration>},
    {Operation::kDeleteBucketWebsite, nothing_to_remove},
    {Operation::kGetBucketNotificationConfiguration, empty_document<kNotification>},
    {Operation::kGetBucketReplication, absent<ErrorCode::kReplicationConfigurationNotFoundError>},
    {Operation::kDeleteBucketReplication, nothing_to_remove},
    {Operation::kGetBucketAccelerateConfiguration, empty_document<kAccelerate>},
    {Operation::kGetObjectAcl, object_acl},
};

}  // namespace

Handler find_default_handler(Operation operation) {
  for (const Default& row : kDefaults) {
    if (row.operation == operation) return row.handler;
  }
  return nullptr;
}

}  // namespace rondel::operations
