// S3 errors: one table from code to HTTP status and message, and the XML document.
// Source: "Error responses", S3 API reference.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/error.h"

namespace rondel::s3 {

// Named as AWS names them; the table in error.cc has status and default message of each.
enum class ErrorCode {
  kAccessDenied,
  kAccountProblem,
  kAuthorizationHeaderMalformed,
  kAuthorizationQueryParametersError,
  kBadDigest,
  kBucketAlreadyExists,
  kBucketAlreadyOwnedByYou,
  kBucketNotEmpty,
  kConditionalRequestConflict,
  kEntityTooLarge,
  kEntityTooSmall,
  kExpiredToken,
  kIllegalLocationConstraintException,
  kIncompleteBody,
  kInternalError,
  kInvalidAccessKeyId,
  kInvalidArgument,
  kInvalidBucketName,
  kInvalidBucketState,
  kInvalidDigest,
  kInvalidEncryptionAlgorithmError,
  kInvalidLocationConstraint,
  kInvalidObjectState,
  kInvalidPart,
  kInvalidPartNumber,
  kInvalidPartOrder,
  kInvalidRange,
  kInvalidRequest,
  kInvalidStorageClass,
  kInvalidTag,
  kInvalidToken,
  kInvalidURI,
  kInvalidWriteOffset,
  kKeyTooLongError,
  kMalformedTrailerError,
  kMalformedXML,
  kMaxMessageLengthExceeded,
  kMetadataTooLarge,
  kMethodNotAllowed,
  kMissingContentLength,
  kMissingRequestBodyError,
  kMissingSecurityHeader,
  kNoSuchBucket,
  kNoSuchBucketPolicy,
  kNoSuchCORSConfiguration,
  kNoSuchKey,
  kNoSuchLifecycleConfiguration,
  kNoSuchObjectLockConfiguration,
  kNoSuchPublicAccessBlockConfiguration,
  kNoSuchTagSet,
  kNoSuchUpload,
  kNoSuchVersion,
  kNoSuchWebsiteConfiguration,
  kNotImplemented,
  kNotModified,
  kObjectLockConfigurationNotFoundError,
  kOperationAborted,
  kOwnershipControlsNotFoundError,
  kPreconditionFailed,
  kReplicationConfigurationNotFoundError,
  kRequestHeaderSectionTooLarge,
  kRequestTimeout,
  kRequestTimeTooSkewed,
  kServerSideEncryptionConfigurationNotFoundError,
  kServiceUnavailable,
  kSignatureDoesNotMatch,
  kSlowDown,
  kTooManyBuckets,
  kTooManyParts,
  kUnexpectedContent,
  kXAmzContentChecksumMismatch,
  kXAmzContentSHA256Mismatch,
  kInvalidChunkSizeError,
  kNoSuchTagSetError,
  kAccessForbidden,
  kBadRequest,
  kIncorrectNumberOfFilesInPostRequest,
  kInvalidPolicyDocument,
  kMalformedPOSTRequest,
  kMaxPostPreDataLengthExceededError,
  kIllegalVersioningConfigurationException,
  kInvalidRetentionPeriod,
  kAccessControlListNotSupported,
  kInvalidBucketAclWithObjectOwnership,
  kMalformedACLError,
  kMalformedPolicy,
  kUnresolvableGrantByEmailAddress,
  kKmsNotFoundException,
  kKmsDisabledException,
  kNoLoggingStatusForKey,
  kInvalidRedirectLocation,
  kInsufficientStorage,
};

// Above the number of codes.
inline constexpr size_t kErrorCodesMax = 192;

std::string_view name(ErrorCode code);  // "NoSuchKey"
int http_status(ErrorCode code);
std::string_view default_message(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternalError;
  std::string message;  // Empty = the default.
  // Further elements of the document: BucketName, Key, ArgumentName, ...
  std::vector<std::pair<std::string, std::string>> details;
  // Headers of the answer beside the usual ones (x-amz-delete-marker, Content-Range, ...).
  std::vector<std::pair<std::string, std::string>> headers;
  std::string log_message;  // The inner reason, for our log alone.
};

template <class T>
using S3Result = std::expected<T, Error>;

std::unexpected<Error> fail(ErrorCode code, std::string message = {},
                            std::vector<std::pair<std::string, std::string>> details = {});

// A 503 as all of them are: with Retry-After. REQUIRES: kServiceUnavailable (a part is away) or
// kSlowDown (a bound was reached).
Error retry_later(ErrorCode code, std::string log_message, std::string message = {});

// A lower error as the client may see it: kUnavailable, kDeadlineExceeded, kOutcomeUnknown ->
// ServiceUnavailable 503; kResourceExhausted -> SlowDown 503; kStorageFull -> InsufficientStorage
// 507, without Retry-After; kCancelled -> RequestTimeout; everything else InternalError. Never a
// reason to release bytes or to keep them: that is metadata::CommitFate.
Error from(const rondel::Error& error);

// <?xml ...><Error><Code>...; resource is the path asked for.
std::string error_document(const Error& error, std::string_view resource,
                           std::string_view request_id, std::string_view host_id);

}  // namespace rondel::s3
