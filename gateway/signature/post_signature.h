// Who signed the policy of a POST upload: signature version 4, or the older HMAC-SHA1 one.
#pragma once

#include <optional>
#include <string_view>

#include "gateway/signature/authenticator.h"
#include "gateway/signature/post_policy.h"

namespace rondel::signature {

struct PostIdentity {
  Identity identity;                  // Anonymous when the form has no policy.
  std::optional<std::string> policy;  // JSON, which may be empty; none when the form has no policy.
};

// The owner of a key. kInvalidAccessKeyId, kUnavailable.
async::Task<std::expected<std::shared_ptr<const metadata::Credential>, RefusalDetail>> find_signer(
    metadata::IdentityCache& identities, std::string access_key, Deadline deadline);
// kInvalidToken, as AWS answers a token that it does not know.
inline constexpr std::string_view kSecurityToken = "x-amz-security-token";
std::unexpected<RefusalDetail> refuse_token(std::string_view token);
// kAccessKeyDisabled.
std::expected<void, RefusalDetail> check_enabled(const metadata::Credential& credential);

// Looks at the fields policy, x-amz-algorithm, x-amz-credential, x-amz-date, x-amz-signature,
// awsaccesskeyid, signature.
async::Task<std::expected<PostIdentity, RefusalDetail>> authenticate_post(
    metadata::IdentityCache& identities, const AuthenticatorOptions& options,
    const FormFields& fields, Deadline deadline);

}  // namespace rondel::signature
