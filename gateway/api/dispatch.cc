// Which handler an operation has; auth's refusals as S3 errors; small bodies.
#include "gateway/api/dispatch.h"

#include "gateway/buckets/handlers.h"
#include "gateway/listing/handlers.h"
#include "gateway/multipart/handlers.h"
#include "gateway/objects/handlers.h"
#include "gateway/permissions/admission.h"
#include "gateway/permissions/handlers.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/request/payer.h"
#include "gateway/s3/error.h"
#include "gateway/s3/operation.h"

namespace rondel::api {

using s3::ErrorCode;
using s3::Operation;

request::Handler find_handler(Operation operation) {
  switch (operation) {
    case Operation::kListBuckets: return buckets::list_buckets;
    case Operation::kCreateBucket: return buckets::create_bucket;
    case Operation::kDeleteBucket: return buckets::delete_bucket;
    case Operation::kHeadBucket: return buckets::head_bucket;
    case Operation::kGetBucketLocation: return buckets::get_bucket_location;
    case Operation::kListObjects: return listing::list_objects;
    case Operation::kListObjectsV2: return listing::list_objects_v2;
    case Operation::kListObjectVersions: return listing::list_object_versions;
    case Operation::kListMultipartUploads: return multipart::list_multipart_uploads;
    case Operation::kDeleteObjects: return objects::delete_objects;
    case Operation::kPutObject: return objects::put_object;
    // Of the form as a request of its own: post_object.h.
    case Operation::kPostObject: return objects::put_object;
    case Operation::kGetObject: return objects::get_object;
    case Operation::kHeadObject: return objects::head_object;
    case Operation::kDeleteObject: return objects::delete_object;
    case Operation::kCopyObject: return objects::copy_object;
    case Operation::kRenameObject: return objects::rename_object;
    case Operation::kGetObjectAttributes: return objects::get_object_attributes;
    case Operation::kCreateMultipartUpload: return multipart::create_multipart_upload;
    case Operation::kUploadPart: return multipart::upload_part;
    case Operation::kUploadPartCopy: return multipart::upload_part_copy;
    case Operation::kCompleteMultipartUpload: return multipart::complete_multipart_upload;
    case Operation::kAbortMultipartUpload: return multipart::abort_multipart_upload;
    case Operation::kListParts: return multipart::list_parts;
    case Operation::kPutBucketCors: return buckets::put_bucket_cors;
    case Operation::kGetBucketCors: return buckets::get_bucket_cors;
    case Operation::kDeleteBucketCors: return buckets::delete_bucket_cors;
    case Operation::kGetBucketVersioning: return buckets::get_bucket_versioning;
    case Operation::kPutBucketVersioning: return buckets::put_bucket_versioning;
    case Operation::kGetBucketTagging: return buckets::get_bucket_tagging;
    case Operation::kPutBucketTagging: return buckets::put_bucket_tagging;
    case Operation::kDeleteBucketTagging: return buckets::delete_bucket_tagging;
    case Operation::kGetObjectTagging: return objects::get_object_tagging;
    case Operation::kPutObjectTagging: return objects::put_object_tagging;
    case Operation::kDeleteObjectTagging: return objects::delete_object_tagging;
    case Operation::kGetObjectLockConfiguration: return buckets::get_object_lock_configuration;
    case Operation::kPutObjectLockConfiguration: return buckets::put_object_lock_configuration;
    case Operation::kGetObjectRetention: return objects::get_object_retention;
    case Operation::kPutObjectRetention: return objects::put_object_retention;
    case Operation::kGetObjectLegalHold: return objects::get_object_legal_hold;
    case Operation::kPutObjectLegalHold: return objects::put_object_legal_hold;
    case Operation::kGetBucketLifecycleConfiguration: return buckets::get_bucket_lifecycle;
    case Operation::kPutBucketLifecycleConfiguration: return buckets::put_bucket_lifecycle;
    case Operation::kDeleteBucketLifecycle: return buckets::delete_bucket_lifecycle;
    case Operation::kGetBucketRequestPayment: return buckets::get_bucket_request_payment;
    case Operation::kPutBucketRequestPayment: return buckets::put_bucket_request_payment;
    case Operation::kGetBucketAcl: return permissions::get_bucket_acl;
    case Operation::kPutBucketAcl: return permissions::put_bucket_acl;
    case Operation::kGetObjectAcl: return permissions::get_object_acl;
    case Operation::kPutObjectAcl: return permissions::put_object_acl;
    case Operation::kGetBucketPolicy: return permissions::get_bucket_policy;
    case Operation::kPutBucketPolicy: return permissions::put_bucket_policy;
    case Operation::kDeleteBucketPolicy: return permissions::delete_bucket_policy;
    case Operation::kGetBucketPolicyStatus: return permissions::get_bucket_policy_status;
    case Operation::kGetPublicAccessBlock: return permissions::get_public_access_block;
    case Operation::kPutPublicAccessBlock: return permissions::put_public_access_block;
    case Operation::kDeletePublicAccessBlock: return permissions::delete_public_access_block;
    case Operation::kGetBucketOwnershipControls: return permissions::get_ownership_controls;
    case Operation::kPutBucketOwnershipControls: return permissions::put_ownership_controls;
    case Operation::kDeleteBucketOwnershipControls: return permissions::delete_ownership_controls;
    case Operation::kGetBucketEncryption: return buckets::get_bucket_encryption;
    case Operation::kPutBucketEncryption: return buckets::put_bucket_encryption;
    case Operation::kDeleteBucketEncryption: return buckets::delete_bucket_encryption;
    case Operation::kUpdateObjectEncryption: return objects::update_object_encryption;
    default: return buckets::find_default_handler(operation);
  }
}

// A new version is named by nobody but the store.
s3::S3Result<void> check_names_no_version(const request::Context& context) {
  const Operation operation = context.request.operation;
  const auto version = context.request.query.find("versionId");
  if (!version || (operation != Operation::kPutObject && operation != Operation::kCopyObject)) {
    return {};
  }
  return s3::fail(ErrorCode::kInvalidArgument, "This operation does not accept a version-id.",
                  {{"ArgumentName", "versionId"}, {"ArgumentValue", std::string(*version)}});
}

// Another gateway may have changed a moment ago what a refusal rests on. (What is allowed by old
// settings is noticed by look-up and commit.)
request::Answer<void> admit_fresh(request::Context& context) {
  auto admitted = permissions::admit(context);
  if (admitted || !context.bucket ||
      !context.services.bucket_cache.doubt_bucket(context.bucket->name)) {
    co_return admitted;
  }
  CO_S3_VOID(co_await request::reload_bucket(context));
  co_return permissions::admit(context);
}

request::Answer<request::Response> dispatch(request::Context& context) {
  CO_S3_VOID(co_await admit_fresh(context));
  if (!request::try_charge(context)) CO_S3_VOID(co_await request::charge_later(context));
  const request::Handler handler = find_handler(context.request.operation);
  if (handler == nullptr) {
    co_return std::unexpected(request::not_implemented(context.request.operation));
  }
  CO_S3_VOID(check_names_no_version(context));
  auto response = co_await handler(context);
  // A handler that forgot to ask: never an answer that nobody decided about.
  if (response && context.access.undecided) {
    co_return std::unexpected(s3::Error{
        ErrorCode::kInternalError, {}, {}, {}, "nobody decided whether this was allowed"});
  }
  co_return response;
}

}  // namespace rondel::api
