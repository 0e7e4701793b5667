#include "gateway/signature/post_signature.h"

#include <algorithm>

#include "common/base/encoding.h"
#include "common/crypto/digest.h"
#include "gateway/signature/credential_scope.h"

namespace rondel::signature {
namespace {

template <class T>
using Checked = std::expected<T, RefusalDetail>;

std::unexpected<RefusalDetail> refuse(
    Refusal refusal, std::string message,
    std::vector<std::pair<std::string, std::string>> details = {}) {
  return std::unexpected(RefusalDetail{refusal, std::move(message), std::move(details)});
}

const std::string* find(const FormFields& fields, std::string_view name) {
  const auto found = std::ranges::find(fields, name, &FormFields::value_type::first);
  return found == fields.end() ? nullptr : &found->second;
}

std::unexpected<RefusalDetail> missing(std::string_view field) {
  return refuse(Refusal::kInvalidArgument,
                "Bucket POST must contain a field named '" + std::string(field) +
                    "'.  If it is specified, please check the order of the fields.",
                {{"ArgumentName", std::string(field)}, {"ArgumentValue", ""}});
}

std::unexpected<RefusalDetail> malformed(std::string_view field, std::string_view value,
                                         std::string message) {
  return refuse(Refusal::kInvalidArgument, std::move(message),
                {{"ArgumentName", std::string(field)}, {"ArgumentValue", std::string(value)}});
}

struct Claim {
  bool version_4 = false;
  std::string access_key;
  std::string signature;
  std::string policy;  // As sent: that is what is signed.
  sigv4::Scope scope;
};

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return out;
}

// The words are those of a query's scope, without what stands before them there.
Checked<void> check_scope(std::string_view text, const std::optional<CredentialText>& credential,
                          std::string_view date, const AuthenticatorOptions& options) {
  const auto wrong = [&](std::string message) {
    return malformed("X-Amz-Credential", text, std::move(message));
  };
  if (!credential) return wrong(std::string(kExpectedCredential));
  if (credential->region != options.region) {
    return wrong("the region '" + std::string(credential->region) + "' is wrong; expecting '" +
                 options.region + "'");
  }
  if (credential->service != "s3") {
    return wrong("incorrect service \"" + std::string(credential->service) +
                 "\". This endpoint belongs to \"s3\".");
  }
  if (credential->terminator != "aws4_request") {
    return wrong("incorrect terminal \"" + std::string(credential->terminator) +
                 "\". This endpoint uses \"aws4_request\".");
  }
  if (credential->date != date.substr(0, 8)) {
    return wrong("Invalid credential date \"" + std::string(credential->date) +
                 "\". This date is not the same as X-Amz-Date: \"" +
                 std::string(date.substr(0, 8)) + "\".");
  }
  return {};
}

Checked<void> take_version_4(const FormFields& fields, const AuthenticatorOptions& options,
                             Claim& claim) {
  for (const char* name :
       {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature"}) {
    if (find(fields, lower(name)) == nullptr) return missing(name);
  }
  const std::string& algorithm = *find(fields, "x-amz-algorithm");
  if (algorithm != sigv4::kAlgorithm) {
    return malformed("X-Amz-Algorithm", algorithm, "Only AWS4-HMAC-SHA256 is supported");
  }
  const std::string& date = *find(fields, "x-amz-date");
  if (!sigv4::parse_timestamp(date)) {
    return malformed("X-Amz-Date", date, "X-Amz-Date must be formated via ISO8601 Long format");
  }
  const auto credential = parse_credential(*find(fields, "x-amz-credential"));
  if (auto scope = check_scope(*find(fields, "x-amz-credential"), credential, date, options);
      !scope) {
    return scope;
  }
  claim.version_4 = true;
  claim.access_key = credential->access_key;
  claim.signature = *find(fields, "x-amz-signature");
  claim.scope = {std::string(credential->date), options.region, "s3"};
  return {};
}

Checked<void> take_version_2(const FormFields& fields, Claim& claim) {
  const std::string* access_key = find(fields, "awsaccesskeyid");
  const std::string* signature = find(fields, "signature");
  if (access_key == nullptr) return missing("AWSAccessKeyId");
  if (signature == nullptr) return missing("Signature");
  claim.access_key = *access_key;
  claim.signature = *signature;
  return {};
}

std::string expected_signature(const Claim& claim, const std::string& secret) {
  if (!claim.version_4) return to_base64(as_bytes(crypto::hmac_sha1(secret, claim.policy)));
  return sigv4::signature(sigv4::signing_key(secret, claim.scope), claim.policy);
}

Checked<Claim> claim_of(const FormFields& fields, const AuthenticatorOptions& options) {
  Claim claim;
  claim.policy = *find(fields, "policy");
  const bool version_4 = find(fields, "x-amz-signature") != nullptr ||
                         find(fields, "x-amz-algorithm") != nullptr ||
                         find(fields, "x-amz-credential") != nullptr;
  Checked<void> taken =
      version_4 ? take_version_4(fields, options, claim) : take_version_2(fields, claim);
  if (!taken) return std::unexpected(taken.error());
  return claim;
}

bool is_signed(const FormFields& fields) {
  return std::ranges::any_of(
      std::initializer_list<std::string_view>{"signature", "awsaccesskeyid", "x-amz-signature",
                                              "x-amz-credential"},
      [&](std::string_view name) { return find(fields, name) != nullptr; });
}

// Line breaks in it come from tools that fold base64.
std::optional<std::string> decode_policy(std::string text) {
  std::erase_if(text, [](char c) { return c == '\r' || c == '\n' || c == ' '; });
  return from_base64(text);
}

}  // namespace

async::Task<Checked<std::shared_ptr<const metadata::Credential>>> find_signer(
    metadata::IdentityCache& identities, std::string access_key, Deadline deadline) {
  auto credential = co_await identities.find_credential(access_key, deadline);
  if (!credential) {
    Error cause = credential.error();
    cause.message = "credentials cannot be looked up now: " + cause.message;
    co_return std::unexpected(RefusalDetail{Refusal::kUnavailable, {}, {}, std::move(cause)});
  }
  if (*credential == nullptr) {
    co_return refuse(Refusal::kInvalidAccessKeyId,
                     "The AWS Access Key Id you provided does not exist in our records.",
                     {{"AWSAccessKeyId", access_key}});
  }
  co_return *std::move(credential);
}

std::unexpected<RefusalDetail> refuse_token(std::string_view token) {
  return refuse(Refusal::kInvalidToken, "The provided token is malformed or otherwise invalid.",
                {{"Token-0", std::string(token)}});
}

Checked<void> check_enabled(const metadata::Credential& credential) {
  if (credential.key.enabled && credential.account.enabled) return {};
  return refuse(Refusal::kAccessKeyDisabled, "The access key or its account is disabled.",
                {{"AWSAccessKeyId", credential.key.access_key}});
}

async::Task<std::expected<PostIdentity, RefusalDetail>> authenticate_post(
    metadata::IdentityCache& identities, const AuthenticatorOptions& options,
    const FormFields& fields, Deadline deadline) {
  PostIdentity out;
  out.identity.posted = true;
  if (find(fields, "policy") == nullptr) {
    if (is_signed(fields)) co_return missing("Policy");
    co_return out;
  }
  Checked<Claim> claim = claim_of(fields, options);
  if (!claim) co_return std::unexpected(claim.error());
  auto credential = co_await find_signer(identities, claim->access_key, deadline);
  if (!credential) co_return std::unexpected(credential.error());
  if (!crypto::constant_time_equal(expected_signature(*claim, (*credential)->key.secret_key),
                                   claim->signature)) {
    co_return refuse(Refusal::kSignatureDoesNotMatch,
                     "The request signature we calculated does not match the signature you "
                     "provided. Check your key and signing method.",
                     {{"AWSAccessKeyId", claim->access_key},
                      {"StringToSign", claim->policy},
                      {"SignatureProvided", claim->signature},
                      {"StringToSignBytes", spaced_hex(claim->policy)}});
  }
  if (const std::string* token = find(fields, kSecurityToken)) co_return refuse_token(*token);
  if (const auto enabled = check_enabled(**credential); !enabled) {
    co_return std::unexpected(enabled.error());
  }
  auto policy = decode_policy(claim->policy);
  if (!policy) {
    co_return refuse(Refusal::kInvalidPolicyDocument, "Invalid Policy: it is not base64.");
  }
  out.policy = *std::move(policy);
  out.identity.credential = *std::move(credential);
  co_return out;
}

}  // namespace rondel::signature
