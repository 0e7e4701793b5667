#include "gateway/s3/error.h"

#include <array>

#include "gateway/s3/xml_writer.h"

namespace rondel::s3 {
namespace {

struct Row {
  ErrorCode code;
  std::string_view name;
  int status;
  std::string_view message;
};

// In the order of the enumeration.
constexpr Row kRows[] = {
    {ErrorCode::kAccessDenied, "AccessDenied", 403, "Access Denied"},
    {ErrorCode::kAccountProblem, "AccountProblem", 403,
     "There is a problem with your AWS account that prevents the action from completing "
     "successfully."},
    {ErrorCode::kAuthorizationHeaderMalformed, "AuthorizationHeaderMalformed", 400,
     "The authorization header that you provided is not valid."},
    {ErrorCode::kAuthorizationQueryParametersError, "AuthorizationQueryParametersError", 400,
     "The authorization query parameters that you provided are not valid."},
    {ErrorCode::kBadDigest, "BadDigest", 400,
     "The Content-MD5 you specified did not match what we received."},
    {ErrorCode::kBucketAlreadyExists, "BucketAlreadyExists", 409,
     "The requested bucket name is not available. The bucket namespace is shared by all users of "
     "the system. Please select a different "
     "name and try again."},
    {ErrorCode::kBucketAlreadyOwnedByYou, "BucketAlreadyOwnedByYou", 409,
     "Your previous request to create the named bucket succeeded and you already own it."},
    {ErrorCode::kBucketNotEmpty, "BucketNotEmpty", 409,
     "The bucket you tried to delete is not empty"},
    {ErrorCode::kConditionalRequestConflict, "ConditionalRequestConflict", 409,
     "The conditional request cannot succeed due to a conflicting operation against this "
     "resource."},
    {ErrorCode::kEntityTooLarge, "EntityTooLarge", 400,
     "Your proposed upload exceeds the maximum allowed size"},
    {ErrorCode::kEntityTooSmall, "EntityTooSmall", 400,
     "Your proposed upload is smaller than the minimum allowed size"},
    {ErrorCode::kExpiredToken, "ExpiredToken", 400, "The provided token has expired."},
    {ErrorCode::kIllegalLocationConstraintException, "IllegalLocationConstraintException", 400,
     "The unspecified location constraint is incompatible for the region specific endpoint this "
     "request was sent to."},
    {ErrorCode::kIncompleteBody, "IncompleteBody", 400,
     "You did not provide the number of bytes specified by the Content-Length HTTP header"},
    {ErrorCode::kInternalError, "InternalError", 500,
     "We encountered an internal error. Please try again."},
    {ErrorCode::kInvalidAccessKeyId, "InvalidAccessKeyId", 403,
     "The AWS Access Key Id you provided does not exist in our records."},
    {ErrorCode::kInvalidArgument, "InvalidArgument", 400, "Invalid Argument"},
    {ErrorCode::kInvalidBucketName, "InvalidBucketName", 400, "The specified bucket is not valid."},
    {ErrorCode::kInvalidBucketState, "InvalidBucketState", 409,
     "The request is not valid with the current state of the bucket."},
    {ErrorCode::kInvalidDigest, "InvalidDigest", 400, "The Content-MD5 you specified was invalid."},
    {ErrorCode::kInvalidEncryptionAlgorithmError, "InvalidEncryptionAlgorithmError", 400,
     "The encryption request that you specified is not valid. The valid value is AES256."},
    {ErrorCode::kInvalidLocationConstraint, "InvalidLocationConstraint", 400,
     "The specified location-constraint is not valid"},
    {ErrorCode::kInvalidObjectState, "InvalidObjectState", 403,
     "The operation is not valid for the object's storage class"},
    {ErrorCode::kInvalidPart, "InvalidPart", 400,
     "One or more of the specified parts could not be found.  The part may not have been uploaded, "
     "or the specified entity tag may not "
     "match the part's entity tag."},
    {ErrorCode::kInvalidPartNumber, "InvalidPartNumber", 416,
     "The requested partnumber is not satisfiable"},
    {ErrorCode::kInvalidPartOrder, "InvalidPartOrder", 400,
     "The list of parts was not in ascending order. Parts must be ordered by part number."},
    {ErrorCode::kInvalidRange, "InvalidRange", 416, "The requested range is not satisfiable"},
    {ErrorCode::kInvalidRequest, "InvalidRequest", 400, "Invalid Request"},
    {ErrorCode::kInvalidStorageClass, "InvalidStorageClass", 400,
     "The storage class you specified is not valid"},
    {ErrorCode::kInvalidTag, "InvalidTag", 400, "The tag provided was not a valid tag."},
    {ErrorCode::kInvalidToken, "InvalidToken", 400,
     "The provided token is malformed or otherwise invalid."},
    {ErrorCode::kInvalidURI, "InvalidURI", 400, "Couldn't parse the specified URI."},
    {ErrorCode::kInvalidWriteOffset, "InvalidWriteOffset", 400,
     "The write offset value that you specified does not match the current object size."},
    {ErrorCode::kKeyTooLongError, "KeyTooLongError", 400, "Your key is too long"},
    {ErrorCode::kMalformedTrailerError, "MalformedTrailerError", 400,
     "The request contained trailing data that was not well-formed or did not conform to our "
     "published schema."},
    {ErrorCode::kMalformedXML, "MalformedXML", 400,
     "The XML you provided was not well-formed or did not validate against our published schema"},
    {ErrorCode::kMaxMessageLengthExceeded, "MaxMessageLengthExceeded", 400,
     "Your request was too big."},
    {ErrorCode::kMetadataTooLarge, "MetadataTooLarge", 400,
     "Your metadata headers exceed the maximum allowed metadata size"},
    {ErrorCode::kMethodNotAllowed, "MethodNotAllowed", 405,
     "The specified method is not allowed against this resource."},
    {ErrorCode::kMissingContentLength, "MissingContentLength", 411,
     "You must provide the Content-Length HTTP header."},
    {ErrorCode::kMissingRequestBodyError, "MissingRequestBodyError", 400, "Request Body is empty"},
    {ErrorCode::kMissingSecurityHeader, "MissingSecurityHeader", 400,
     "Your request was missing a required header"},
    {ErrorCode::kNoSuchBucket, "NoSuchBucket", 404, "The specified bucket does not exist"},
    {ErrorCode::kNoSuchBucketPolicy, "NoSuchBucketPolicy", 404, "The bucket policy does not exist"},
    {ErrorCode::kNoSuchCORSConfiguration, "NoSuchCORSConfiguration", 404,
     "The CORS configuration does not exist"},
    {ErrorCode::kNoSuchKey, "NoSuchKey", 404, "The specified key does not exist."},
    {ErrorCode::kNoSuchLifecycleConfiguration, "NoSuchLifecycleConfiguration", 404,
     "The lifecycle configuration does not exist"},
    {ErrorCode::kNoSuchObjectLockConfiguration, "NoSuchObjectLockConfiguration", 404,
     "The specified object does not have a ObjectLock configuration"},
    {ErrorCode::kNoSuchPublicAccessBlockConfiguration, "NoSuchPublicAccessBlockConfiguration", 404,
     "The public access block configuration was not found"},
    {ErrorCode::kNoSuchTagSet, "NoSuchTagSet", 404, "The TagSet does not exist"},
    {ErrorCode::kNoSuchUpload, "NoSuchUpload", 404,
     "The specified upload does not exist. The upload ID may be invalid, or the upload may have "
     "been aborted or completed."},
    {ErrorCode::kNoSuchVersion, "NoSuchVersion", 404, "The specified version does not exist."},
    {ErrorCode::kNoSuchWebsiteConfiguration, "NoSuchWebsiteConfiguration", 404,
     "The specified bucket does not have a website configuration"},
    {ErrorCode::kNotImplemented, "NotImplemented", 501,
     "A header you provided implies functionality that is not implemented"},
    {ErrorCode::kNotModified, "NotModified", 304, "Not Modified"},
    {ErrorCode::kObjectLockConfigurationNotFoundError, "ObjectLockConfigurationNotFoundError", 404,
     "Object Lock configuration does not exist for this bucket"},
    {ErrorCode::kOperationAborted, "OperationAborted", 409,
     "A conflicting conditional operation is currently in progress against this resource. Please "
     "try again."},
    {ErrorCode::kOwnershipControlsNotFoundError, "OwnershipControlsNotFoundError", 404,
     "The bucket ownership controls were not found"},
    {ErrorCode::kPreconditionFailed, "PreconditionFailed", 412,
     "At least one of the pre-conditions you specified did not hold"},
    {ErrorCode::kReplicationConfigurationNotFoundError, "ReplicationConfigurationNotFoundError",
     404, "The replication configuration was not found"},
    {ErrorCode::kRequestHeaderSectionTooLarge, "RequestHeaderSectionTooLarge", 400,
     "Your request header section exceeds the maximum allowed size."},
    {ErrorCode::kRequestTimeout, "RequestTimeout", 400,
     "Your socket connection to the server was not read from or written to within the timeout "
     "period. Idle connections will be closed."},
    {ErrorCode::kRequestTimeTooSkewed, "RequestTimeTooSkewed", 403,
     "The difference between the request time and the current time is too large."},
    {ErrorCode::kServerSideEncryptionConfigurationNotFoundError,
     "ServerSideEncryptionConfigurationNotFoundError", 404,
     "The server side encryption configuration was not found"},
    {ErrorCode::kServiceUnavailable, "ServiceUnavailable", 503,
     "Service is unable to handle request."},
    {ErrorCode::kSignatureDoesNotMatch, "SignatureDoesNotMatch", 403,
     "The request signature we calculated does not match the signature you provided. Check your "
     "key and signing method."},
    {ErrorCode::kSlowDown, "SlowDown", 503, "Please reduce your request rate."},
    {ErrorCode::kTooManyBuckets, "TooManyBuckets", 400,
     "You have attempted to create more buckets than allowed"},
    {ErrorCode::kTooManyParts, "TooManyParts", 400,
     "You have attempted to add more parts than the maximum allowed."},
    {ErrorCode::kUnexpectedContent, "UnexpectedContent", 400,
     "This request does not support content"},
    {ErrorCode::kXAmzContentChecksumMismatch, "BadDigest", 400,
     "The checksum you specified did not match the calculated checksum."},
    {ErrorCode::kXAmzContentSHA256Mismatch, "XAmzContentSHA256Mismatch", 400,
     "The provided 'x-amz-content-sha256' header does not match what was computed."},
    {ErrorCode::kInvalidChunkSizeError, "InvalidChunkSizeError", 403,
     "Only the last chunk is allowed to have a size less than 8192 bytes"},
    {ErrorCode::kNoSuchTagSetError, "NoSuchTagSetError", 404,
     "There is no tag set associated with the bucket."},
    {ErrorCode::kAccessForbidden, "AccessForbidden", 403, "Access forbidden"},
    {ErrorCode::kBadRequest, "BadRequest", 400, "Bad Request"},
    {ErrorCode::kIncorrectNumberOfFilesInPostRequest, "IncorrectNumberOfFilesInPostRequest", 400,
     "POST requires exactly one file upload per request."},
    {ErrorCode::kInvalidPolicyDocument, "InvalidPolicyDocument", 400,
     "The content of the form does not meet the conditions specified in the policy document."},
    {ErrorCode::kMalformedPOSTRequest, "MalformedPOSTRequest", 400,
     "The body of your POST request is not well-formed multipart/form-data."},
    {ErrorCode::kMaxPostPreDataLengthExceededError, "MaxPostPreDataLengthExceededError", 400,
     "Your POST request fields preceding the upload file were too large."},
    {ErrorCode::kIllegalVersioningConfigurationException, "IllegalVersioningConfigurationException",
     400, "The Versioning element must be specified"},
    {ErrorCode::kInvalidRetentionPeriod, "InvalidRetentionPeriod", 400,
     "The retention period specified is not valid"},
    {ErrorCode::kAccessControlListNotSupported, "AccessControlListNotSupported", 400,
     "The bucket does not allow ACLs"},
    {ErrorCode::kInvalidBucketAclWithObjectOwnership, "InvalidBucketAclWithObjectOwnership", 400,
     "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"},
    {ErrorCode::kMalformedACLError, "MalformedACLError", 400,
     "The XML you provided was not well-formed or did not validate against our published schema"},
    {ErrorCode::kMalformedPolicy, "MalformedPolicy", 400, "The policy is malformed"},
    {ErrorCode::kUnresolvableGrantByEmailAddress, "UnresolvableGrantByEmailAddress", 400,
     "The e-mail address you provided does not match any account on record."},
    {ErrorCode::kKmsNotFoundException, "KMS.NotFoundException", 400,
     "The specified KMS key does not exist."},
    {ErrorCode::kKmsDisabledException, "KMS.DisabledException", 400,
     "The specified KMS key is disabled."},
    {ErrorCode::kNoLoggingStatusForKey, "NoLoggingStatusForKey", 400,
     "There is no such thing as the ?logging sub-resource for a key"},
    {ErrorCode::kInvalidRedirectLocation, "InvalidRedirectLocation", 400,
     "The website redirect location must have a prefix of 'http://' or 'https://' or '/'."},
    {ErrorCode::kInsufficientStorage, "InsufficientStorage", 507, "The storage is full."},
};

const Row& row_of(ErrorCode code) { return kRows[static_cast<size_t>(code)]; }

constexpr bool in_order() {
  for (size_t i = 0; i < std::size(kRows); ++i) {
    if (kRows[i].code != static_cast<ErrorCode>(i)) return false;
  }
  return true;
}

static_assert(in_order());
static_assert(std::size(kRows) <= kErrorCodesMax);

}  // namespace

std::string_view name(ErrorCode code) { return row_of(code).name; }

int http_status(ErrorCode code) { return row_of(code).status; }

std::string_view default_message(ErrorCode code) { return row_of(code).message; }

std::unexpected<Error> fail(ErrorCode code, std::string message,
                            std::vector<std::pair<std::string, std::string>> details) {
  return std::unexpected(Error{code, std::move(message), std::move(details), {}, {}});
}

Error retry_later(ErrorCode code, std::string log_message, std::string message) {
  return {code, std::move(message), {}, {{"Retry-After", "1"}}, std::move(log_message)};
}

Error from(const rondel::Error& error) {
  Error out;
  out.log_message = to_string(error);
  switch (error.code) {
    case rondel::ErrorCode::kUnavailable:
    case rondel::ErrorCode::kDeadlineExceeded:
    case rondel::ErrorCode::kOutcomeUnknown:
      out = retry_later(ErrorCode::kServiceUnavailable, std::move(out.log_message));
      break;
    case rondel::ErrorCode::kResourceExhausted:
      out = retry_later(ErrorCode::kSlowDown, std::move(out.log_message));
      break;
    // Waiting is no help, so there is no Retry-After.
    case rondel::ErrorCode::kStorageFull: out.code = ErrorCode::kInsufficientStorage; break;
    case rondel::ErrorCode::kCancelled: out.code = ErrorCode::kRequestTimeout; break;
    default: out.code = ErrorCode::kInternalError;
  }
  return out;
}

std::string error_document(const Error& error, std::string_view resource,
                           std::string_view request_id, std::string_view host_id) {
  XmlWriter xml("Error", "", Quotes::kPlain);
  xml.text("Code", name(error.code));
  xml.text("Message",
           error.message.empty() ? default_message(error.code) : std::string_view(error.message));
  for (const auto& [key, value] : error.details) xml.text(key, value);
  xml.text("Resource", resource);
  xml.text("RequestId", request_id);
  xml.text("HostId", host_id);
  return std::move(xml).finish();
}

}  // namespace rondel::s3
