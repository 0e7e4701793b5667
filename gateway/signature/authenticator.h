// Who sent this request, and may its bytes be believed.
//
// SigV4 in header and query; payload forms: one hash, UNSIGNED-PAYLOAD, the four streaming forms.
// Every x-amz-* header that is present must be signed; skew, expiry, region and service are
// checked; comparisons are constant-time. No Beast, no S3 XML here: refusals are values that
// operations maps to S3 codes. Source: "Authenticating Requests (AWS Signature Version 4)", S3 API
// reference.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/http/server.h"
#include "common/model/checksum.h"
#include "common/sigv4/sigv4.h"
#include "metadata/cache/identity_cache.h"

namespace rondel::signature {

enum class Refusal {
  kAccessDenied,  // No credentials where they are needed, or an expired presigned URL.
  kAuthorizationHeaderMalformed,
  kAuthorizationQueryParametersError,
  kInvalidAccessKeyId,
  kAccessKeyDisabled,
  kSignatureDoesNotMatch,
  kRequestTimeTooSkewed,
  kInvalidRequest,         // No x-amz-content-sha256; chunks that are signed by nobody.
  kInvalidToken,           // A security token, well signed: none was ever issued.
  kUnsignedHeader,         // An x-amz-* header outside SignedHeaders.
  kInvalidPayloadHash,     // x-amz-content-sha256 is neither a hash nor a known form.
  kMissingDecodedLength,   // Streaming form without x-amz-decoded-content-length.
  kUnsupportedVersion,     // Signature version 2.
  kUnavailable,            // Credentials cannot be looked up now.
  kInvalidPolicyDocument,  // POST: the policy cannot be read.
  kInvalidArgument,  // An Authorization header, or a field of a form, that is missing or is none.
};

struct RefusalDetail {
  Refusal refusal = Refusal::kAccessDenied;
  std::string message;  // For the client; AWS's words where known.
  // AWSAccessKeyId, StringToSign, CanonicalRequest, ...
  std::vector<std::pair<std::string, std::string>> details;
  Error cause = {};  // kUnavailable: of the look-up.
};

// How the body is protected.
enum class PayloadForm {
  kHash,
  kUnsigned,
  kStreamingSigned,
  kStreamingSignedTrailer,
  kStreamingUnsignedTrailer
};

struct Identity {
  // Null for an anonymous request.
  std::shared_ptr<const metadata::Credential> credential;
  bool presigned = false;
  bool posted = false;  // By the fields of a form.
  int signature_version = 4;
  PayloadForm payload_form = PayloadForm::kUnsigned;
  std::string payload_hash;  // kHash: hexadecimal, as sent.
  // For the chunk signatures of the streaming forms.
  std::string signing_key;
  std::string seed_signature;
  std::string timestamp;
  sigv4::Scope scope;

  bool anonymous() const { return credential == nullptr; }
};

// Whether the head says that its body is chunks that nobody signs.
bool has_unsigned_chunks(const http::Fields& fields);

struct AuthenticatorOptions {
  std::string region = "us-east-1";
  Duration skew_max = std::chrono::minutes(15);
  const Clock* clock = &real_clock();
  bool signature_v2 = false;  // Also the older signature is taken.
};

// Safe for concurrent use. Signing keys are cached per access key, day and region in a bounded
// number.
class Authenticator {
 public:
  Authenticator(metadata::IdentityCache& identities, AuthenticatorOptions options);
  ~Authenticator();

  const AuthenticatorOptions& options() const;
  // Of the signing keys that are kept.
  size_t cache_bytes() const;

  // `query`: decoded parameters in order of arrival. `virtual_bucket`: the bucket that the host
  // names, if it does.
  async::Task<std::expected<Identity, RefusalDetail>> authenticate(
      const http::RequestHead& head, const std::vector<std::pair<std::string, std::string>>& query,
      Deadline deadline, std::string_view virtual_bucket = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rondel::signature
