#include "gateway/request/refusals.h"

#include "gateway/payload/payload_reader.h"
#include "gateway/request/answers.h"
#include "gateway/s3/error.h"
#include "gateway/signature/authenticator.h"

namespace rondel::request {

using s3::ErrorCode;

s3::Error to_s3(const payload::PayloadError& error) {
  using Refusal = payload::PayloadRefusal;
  s3::Error out;
  out.message = error.message;
  out.details = error.details;
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
    case Refusal::kInvalidChecksum:
    case Refusal::kMalformedChecksum: out.code = ErrorCode::kInvalidRequest; break;
    case Refusal::kMalformedTrailer: out.code = ErrorCode::kMalformedTrailerError; break;
    case Refusal::kMissingLength: out.code = ErrorCode::kMissingContentLength; break;
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
    case Refusal::kAuthorizationHeaderMalformed:
      out.code = ErrorCode::kAuthorizationHeaderMalformed;
      break;
    case Refusal::kAuthorizationQueryParametersError:
      out.code = ErrorCode::kAuthorizationQueryParametersError;
      break;
    case Refusal::kInvalidAccessKeyId:
    case Refusal::kAccessKeyDisabled: out.code = ErrorCode::kInvalidAccessKeyId; break;
    case Refusal::kSignatureDoesNotMatch: out.code = ErrorCode::kSignatureDoesNotMatch; break;
    case Refusal::kRequestTimeTooSkewed: out.code = ErrorCode::kRequestTimeTooSkewed; break;
    case Refusal::kInvalidRequest: out.code = ErrorCode::kInvalidRequest; break;
    case Refusal::kInvalidToken: out.code = ErrorCode::kInvalidToken; break;
    case Refusal::kInvalidPayloadHash: out.code = ErrorCode::kInvalidArgument; break;
    case Refusal::kMissingDecodedLength: out.code = ErrorCode::kMissingContentLength; break;
    case Refusal::kUnsupportedVersion: out.code = ErrorCode::kInvalidRequest; break;
    case Refusal::kInvalidArgument: out.code = ErrorCode::kInvalidArgument; break;
    case Refusal::kInvalidPolicyDocument: out.code = ErrorCode::kInvalidPolicyDocument; break;
    case Refusal::kUnavailable: return s3::from(detail.cause);
  }
  return out;
}

}  // namespace rondel::request
