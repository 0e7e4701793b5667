// Which handler an operation has; auth's refusals as S3 errors; small bodies.
#include "gateway/operations/access_handlers.h"
#include "gateway/operations/authorization.h"
#include "gateway/operations/handlers.h"
#include "gateway/operations/object_encryption.h"
#include "gateway/operations/settings_handlers.h"

namespace rondel::operations {

using s3::ErrorCode;
using s3::Operation;

Handler find_handler(Operation operation) {
  switch (operation) {
    case Operation::kListBuckets: return list_buckets;
    case Operation::kCreateBucket: return create_bucket;
    case Operation::kDeleteBucket: return delete_bucket;
    case Operation::kHeadBucket: return head_bucket;
    case Operation::kGetBucketLocation: return get_bucket_location;
    case Operation::kListObjects: return list_objects;
    case Operation::kListObjectsV2: return list_objects_v2;
    case Operation::kListObjectVersions: return list_object_versions;
    case Operation::kListMultipartUploads: return list_multipart_uploads;
    case Operation::kDeleteObjects: return delete_objects;
    case Operation::kPutObject: return put_object;
    case Operation::kPostObject: return put_object;   // Of the form as a request of its own: post_object.h.
    case Operation::kGetObject: return get_object;
    case Operation::kHeadObject: return head_object;
    case Operation::kDeleteObject: return delete_object;
    case Operation::kCopyObject: return copy_object;
    case Operation::kRenameObject: return rename_object;
    case Operation::kGetObjectAttributes: return get_object_attributes;
    case Operation::kCreateMultipartUpload: return create_multipart_upload;
    case Operation::kUploadPart: return upload_part;
    case Operation::kUploadPartCopy: return upload_part_copy;
    case Operation::kCompleteMultipartUpload: return complete_multipart_upload;
    case Operation::kAbortMultipartUpload: return abort_multipart_upload;
    case Operation::kListParts: return list_parts;
    case Operation::kPutBucketCors: return put_bucket_cors;
    case Operation::kGetBucketCors: return get_bucket_cors;
    case Operation::kDeleteBucketCors: return delete_bucket_cors;
    case Operation::kGetBucketVersioning: return get_bucket_versioning;
    case Operation::kPutBucketVersioning: return put_bucket_versioning;
    case Operation::kGetBucketTagging: return get_bucket_tagging;
    case Operation::kPutBucketTagging: return put_bucket_tagging;
    case Operation::kDeleteBucketTagging: return delete_bucket_tagging;
    case Operation::kGetObjectTagging: return get_object_tagging;
    case Operation::kPutObjectTagging: return put_object_tagging;
    case Operation::kDeleteObjectTagging: return delete_object_tagging;
    case Operation::kGetObjectLockConfiguration: return get_object_lock_configuration;
    case Operation::kPutObjectLockConfiguration: return put_object_lock_configuration;
    case Operation::kGetObjectRetention: return get_object_retention;
    case Operation::kPutObjectRetention: return put_object_retention;
    case Operation::kGetObjectLegalHold: return get_object_legal_hold;
    case Operation::kPutObjectLegalHold: return put_object_legal_hold;
    case Operation::kGetBucketLifecycleConfiguration: return get_bucket_lifecycle;
    case Operation::kPutBucketLifecycleConfiguration: return put_bucket_lifecycle;
    case Operation::kDeleteBucketLifecycle: return delete_bucket_lifecycle;
    case Operation::kGetBucketRequestPayment: return get_bucket_request_payment;
    case Operation::kPutBucketRequestPayment: return put_bucket_request_payment;
    case Operation::kGetBucketAcl: return get_bucket_acl;
    case Operation::kPutBucketAcl: return put_bucket_acl;
    case Operation::kGetObjectAcl: return get_object_acl;
    case Operation::kPutObjectAcl: return put_object_acl;
    case Operation::kGetBucketPolicy: return get_bucket_policy;
    case Operation::kPutBucketPolicy: return put_bucket_policy;
    case Operation::kDeleteBucketPolicy: return delete_bucket_policy;
    case Operation::kGetBucketPolicyStatus: return get_bucket_policy_status;
    case Operation::kGetPublicAccessBlock: return get_public_access_block;
    case Operation::kPutPublicAccessBlock: return put_public_access_block;
    case Operation::kDeletePublicAccessBlock: return delete_public_access_block;
    case Operation::kGetBucketOwnershipControls: return get_ownership_controls;
    case Operation::kPutBucketOwnershipControls: return put_ownership_controls;
    case Operation::kDeleteBucketOwnershipControls: return delete_ownership_controls;
    case Operation::kGetBucketEncryption: return get_bucket_encryption;
    case Operation::kPutBucketEncryption: return put_bucket_encryption;
    case Operation::kDeleteBucketEncryption: return delete_bucket_encryption;
    case Operation::kUpdateObjectEncryption: return update_object_encryption;
    default: return find_default_handler(operation);
  }
}

// A new version is named by nobody but the store.
s3::S3Result<void> check_names_no_version(const Context& context) {
  const Operation operation = context.request.operation;
  const auto version = context.request.query.find("versionId");
  if (!version || (operation != Operation::kPutObject && operation != Operation::kCopyObject)) return {};
  return s3::fail(ErrorCode::kInvalidArgument, "This operation does not accept a version-id.", {{"ArgumentName", "versionId"}, {"ArgumentValue", std::string(*version)}});
}

// Another gateway may have changed a moment ago what a refusal rests on. (What is allowed by old settings is noticed by look-up and commit.)
Answer<void> authorize_fresh(Context& context) {
  auto allowed = authorize(context);
  if (allowed || !context.bucket || !context.services.bucket_cache.doubt_bucket(context.bucket->name)) co_return allowed;
  CO_S3_VOID(co_await reload_bucket(context));
  co_return authorize(context);
}

Answer<Response> dispatch(Context& context) {
  CO_S3_VOID(co_await authorize_fresh(context));
  const Handler handler = find_handler(context.request.operation);
  if (handler == nullptr) co_return s3::fail(ErrorCode::kNotImplemented, "A header or query you provided implies functionality that is not implemented");
  CO_S3_VOID(check_names_no_version(context));
  auto response = co_await handler(context);
  // A handler that forgot to ask: never an answer that nobody decided about.
  if (response && context.access.undecided) co_return std::unexpected(s3::Error{ErrorCode::kInternalError, {}, {}, {}, "nobody decided whether this was allowed"});
  co_return response;
}

s3::Error to_s3(const payload::PayloadError& error) {
  using Refusal = payload::PayloadRefusal;
  s3::Error out;
  out.message = error.message;
  switch (error.refusal) {
    case Refusal::kIncompleteBody:
    case Refusal::kClientGone: out.code = ErrorCode::kIncompleteBody; break;
    case Refusal::kTimeout: out.code = ErrorCode::kRequestTimeout; break;
    case Refusal::kContentSha256Mismatch: out.code = ErrorCode::kXAmzContentSHA256Mismatch; break;
    case Refusal::kChunkSignatureMismatch: out.code = ErrorCode::kSignatureDoesNotMatch; break;
    case Refusal::kMalformedChunk: out.code = ErrorCode::kIncompleteBody; break;
    case Refusal::kInvalidChunkSize: out.code = ErrorCode::kInvalidChunkSizeError; break;
    case Refusal::kBadDigest: out.code = ErrorCode::kBadDigest; break;
    case Refusal::kInvalidDigest: out.code = ErrorCode::kInvalidDigest; break;
    case Refusal::kChecksumMismatch: out.code = ErrorCode::kXAmzContentChecksumMismatch; break;
    case Refusal::kInvalidChecksum: out.code = ErrorCode::kInvalidRequest; break;
    case Refusal::kMalformedTrailer: out.code = ErrorCode::kInvalidRequest; break;
    case Refusal::kTooLarge: out.code = ErrorCode::kEntityTooLarge; break;
  }
  return out;
}

s3::Error to_s3(const signature::RefusalDetail& detail) {
  using signature::Refusal;
  s3::Error out;
  out.message = detail.message;
  out.details = detail.details;
  switch (detail.refusal) {
    case Refusal::kAccessDenied:
    case Refusal::kUnsignedHeader: out.code = ErrorCode::kAccessDenied; break;
    case Refusal::kAuthorizationHeaderMalformed: out.code = ErrorCode::kAuthorizationHeaderMalformed; break;
    case Refusal::kAuthorizationQueryParametersError: out.code = ErrorCode::kAuthorizationQueryParametersError; break;
    case Refusal::kInvalidAccessKeyId:
    case Refusal::kAccessKeyDisabled: out.code = ErrorCode::kInvalidAccessKeyId; break;
    case Refusal::kSignatureDoesNotMatch: out.code = ErrorCode::kSignatureDoesNotMatch; break;
    case Refusal::kRequestTimeTooSkewed: out.code = ErrorCode::kRequestTimeTooSkewed; break;
    case Refusal::kMissingSecurityHeader: out.code = ErrorCode::kMissingSecurityHeader; break;
    case Refusal::kInvalidPayloadHash: out.code = ErrorCode::kInvalidArgument; break;
    case Refusal::kMissingDecodedLength: out.code = ErrorCode::kMissingContentLength; break;
    case Refusal::kUnsupportedVersion: out.code = ErrorCode::kInvalidRequest; break;
    case Refusal::kInvalidArgument:
    case Refusal::kMissingFormField: out.code = ErrorCode::kInvalidArgument; break;
    case Refusal::kInvalidPolicyDocument: out.code = ErrorCode::kInvalidPolicyDocument; break;
    case Refusal::kUnavailable: return s3::from(detail.cause);
  }
  return out;
}

async::Task<s3::S3Result<std::string>> read_document(Context& context, size_t bytes_max) {
  payload::PayloadOptions options;
  options.size_max = bytes_max;
  options.compute_md5 = false;
  options.checksum_headers = context.request.operation != Operation::kCompleteMultipartUpload;
  auto reader = payload::PayloadReader::open(context.exchange, context.identity, options);
  std::string text;
  while (reader) {
    auto bytes = co_await (*reader)->read();
    if (!bytes) {
      if (bytes.error().refusal == payload::PayloadRefusal::kTooLarge) co_return s3::fail(ErrorCode::kMaxMessageLengthExceeded);
      co_return std::unexpected(to_s3(bytes.error()));
    }
    if (bytes->empty()) co_return text;
    text += as_text(*bytes);
  }
  if (reader.error().refusal == payload::PayloadRefusal::kTooLarge) co_return s3::fail(ErrorCode::kMaxMessageLengthExceeded);
  co_return std::unexpected(to_s3(reader.error()));
}

}  // namespace rondel::operations
