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

constexpr const char* kVersioning = "VersioningConfiguration";
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

Answer<Response> request_payment(Context&) {
  s3::XmlWriter xml("RequestPaymentConfiguration");
  xml.text("Payer", "BucketOwner");
  co_return xml_response(std::move(xml));
}

// Sub-resources of an object exist when the object does.
Answer<void> object_exists(Context& context) {
  CO_S3(const VersionName version, parse_version(context.request.query.find("versionId")));
  metadata::ObjectQuery query;
  query.bucket = context.bucket->name;
  query.key = context.request.key;
  query.version = version.id;
  query.null_version = version.null;
  query.deadline = context.metadata_deadline();
  CO_S3(const metadata::ObjectLookup found, co_await context.services.store.find_object(std::move(query)));
  if (found.status == metadata::LookupStatus::kNoSuchVersion) co_return s3::fail(ErrorCode::kNoSuchVersion, {}, {{"Key", context.request.key}});
  if (found.status != metadata::LookupStatus::kFound || found.object.delete_marker) co_return s3::fail(ErrorCode::kNoSuchKey, {}, {{"Key", context.request.key}});
  co_return s3::S3Result<void>{};
}

Answer<Response> object_acl(Context& context) {
  CO_S3_VOID(co_await object_exists(context));
  co_return co_await owner_acl(context);
}

Answer<Response> object_tags(Context& context) {
  CO_S3_VOID(co_await object_exists(context));
  s3::XmlWriter xml("Tagging");
  xml.open("TagSet");
  co_return xml_response(std::move(xml));
}

Answer<Response> no_object_tags_to_remove(Context& context) {
  CO_S3_VOID(co_await object_exists(context));
  co_return empty_response(204);
}

Answer<Response> no_object_lock(Context& context) {
  CO_S3_VOID(co_await object_exists(context));
  co_return s3::fail(ErrorCode::kInvalidRequest, "Bucket is missing Object Lock Configuration");
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
    {Operation::kGetBucketLifecycleConfiguration, absent<ErrorCode::kNoSuchLifecycleConfiguration>},
    {Operation::kDeleteBucketLifecycle, nothing_to_remove},
    {Operation::kGetBucketEncryption, absent<ErrorCode::kServerSideEncryptionConfigurationNotFoundError>},
    {Operation::kDeleteBucketEncryption, nothing_to_remove},
    {Operation::kGetBucketTagging, absent<ErrorCode::kNoSuchTagSet>},
    {Operation::kDeleteBucketTagging, nothing_to_remove},
    {Operation::kGetBucketVersioning, empty_document<kVersioning>},
    {Operation::kGetBucketOwnershipControls, ownership},
    {Operation::kGetPublicAccessBlock, absent<ErrorCode::kNoSuchPublicAccessBlockConfiguration>},
    {Operation::kDeletePublicAccessBlock, nothing_to_remove},
    {Operation::kGetObjectLockConfiguration, absent<ErrorCode::kObjectLockConfigurationNotFoundError>},
    {Operation::kGetBucketRequestPayment, request_payment},
    {Operation::kGetBucketLogging, empty_document<kLogging>},
    {Operation::kGetBucketWebsite, absent<ErrorCode::kNoSuchWebsiteConfiguration>},
    {Operation::kDeleteBucketWebsite, nothing_to_remove},
    {Operation::kGetBucketNotificationConfiguration, empty_document<kNotification>},
    {Operation::kGetBucketReplication, absent<ErrorCode::kReplicationConfigurationNotFoundError>},
    {Operation::kDeleteBucketReplication, nothing_to_remove},
    {Operation::kGetBucketAccelerateConfiguration, empty_document<kAccelerate>},
    {Operation::kGetObjectAcl, object_acl},
    {Operation::kGetObjectTagging, object_tags},
    {Operation::kDeleteObjectTagging, no_object_tags_to_remove},
    {Operation::kGetObjectRetention, no_object_lock},
    {Operation::kGetObjectLegalHold, no_object_lock},
};

}  // namespace

Handler find_default_handler(Operation operation) {
  for (const Default& row : kDefaults) {
    if (row.operation == operation) return row.handler;
  }
  return nullptr;
}

}  // namespace rondel::operations
