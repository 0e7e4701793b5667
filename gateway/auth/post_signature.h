// Who signed the policy of a POST upload: signature version 4, or the older HMAC-SHA1 one.
#pragma once

#include "gateway/auth/authenticator.h"
#include "gateway/auth/post_policy.h"

namespace rondel::auth {

struct PostIdentity {
  Identity identity;      // Anonymous when the form has no policy.
  std::string policy;     // JSON; empty when there is none.
};

// Looks at the fields policy, x-amz-algorithm, x-amz-credential, x-amz-date, x-amz-signature, awsaccesskeyid, signature.
async::Task<std::expected<PostIdentity, RefusalDetail>> authenticate_post(metadata::Directory& directory, const AuthenticatorOptions& options,
                                                                          const FormFields& fields, Deadline deadline);

}  // namespace rondel::auth
