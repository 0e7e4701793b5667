#include "gateway/permissions/request_conditions.h"

#include "common/base/dates.h"
#include "common/base/encoding.h"
#include "common/sigv4/sigv4.h"
#include "gateway/permissions/request_conditions.h"
#include "gateway/signature/credential_scope.h"
#include "identity/policy/condition_key.h"
#include "identity/policy/principal.h"
#include "metadata/model/object.h"

#include <algorithm>
#include <map>

namespace rondel::permissions {
namespace {

using Values = std::vector<std::string>;

Values some(std::optional<std::string_view> value) {
  if (!value) return {};
  return {std::string(*value)};
}

Values truth(bool value) { return {value ? "true" : "false"}; }

Values header(const RequestFacts& facts, std::string_view name) {
  return some(facts.fields->find(name));
}

Values parameter(const RequestFacts& facts, std::string_view name) {
  for (const auto& [key, value] : *facts.query) {
    if (key == name) return {value};
  }
  return {};
}

// "a=1&b=2" as x-amz-tagging has it; what is malformed is refused elsewhere.
metadata::Tags tags_of_header(std::string_view text) {
  metadata::Tags tags;
  while (!text.empty()) {
    const size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const size_t equals = pair.find('=');
    const auto key = percent_decode(pair.substr(0, equals), true);
    const auto value =
        percent_decode(equals == std::string_view::npos ? "" : pair.substr(equals + 1), true);
    if (key && value && !key->empty()) tags.emplace_back(*key, *value);
  }
  return tags;
}

// By key. A policy may ask for hundreds, and a header hold thousands.
const metadata::Tags& request_tags(const RequestFacts& facts) {
  if (!facts.tags_by_key) {
    // Of one that stands there twice the first counts.
    std::map<std::string, std::string> by_key;
    for (auto& [key, value] :
         facts.request_tags ? *facts.request_tags
                            : tags_of_header(facts.fields->find("x-amz-tagging").value_or(""))) {
      by_key.try_emplace(key, value);
    }
    facts.tags_by_key.emplace(by_key.begin(), by_key.end());
  }
  return *facts.tags_by_key;
}

Values tag_value(const metadata::Tags& tags, const std::string& key) {
  const auto found =
      std::ranges::find(tags, key, [](const auto& tag) -> const std::string& { return tag.first; });
  if (found == tags.end()) return {};
  return {found->second};
}

Values request_tag_value(const RequestFacts& facts, const std::string& key) {
  const metadata::Tags& tags = request_tags(facts);
  const auto found = std::ranges::lower_bound(tags, key, {}, &metadata::Tags::value_type::first);
  if (found == tags.end() || found->first != key) return {};
  return {found->second};
}

Values lock_mode(const RequestFacts& facts) {
  if (!facts.retention) return header(facts, "x-amz-object-lock-mode");
  switch (facts.retention->mode) {
    case metadata::Retention::Mode::kNone: return {};
    case metadata::Retention::Mode::kGovernance: return {"GOVERNANCE"};
    case metadata::Retention::Mode::kCompliance: return {"COMPLIANCE"};
  }
  return {};
}

std::optional<SystemTime> retain_until(const RequestFacts& facts) {
  if (facts.retention) {
    return facts.retention->mode == metadata::Retention::Mode::kNone
               ? std::nullopt
               : std::optional(facts.retention->until);
  }
  const auto text = facts.fields->find("x-amz-object-lock-retain-until-date");
  return text ? parse_iso_date(*text) : std::nullopt;
}

std::string epoch_seconds(SystemTime time) {
  return std::to_string(std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count());
}

Values retention_days(const RequestFacts& facts) {
  const auto until = retain_until(facts);
  if (!until) return {};
  return {std::to_string(std::chrono::ceil<std::chrono::days>(*until - facts.now).count())};
}

Values signature_age(const RequestFacts& facts) {
  if (facts.identity->anonymous()) return {};
  const auto signed_at = sigv4::parse_timestamp(facts.identity->timestamp);
  if (!signed_at) return {};
  return {std::to_string(
      std::chrono::duration_cast<std::chrono::milliseconds>(facts.now - *signed_at).count())};
}

Values signature_version(const RequestFacts& facts) {
  if (facts.identity->anonymous()) return {};
  return {facts.identity->signature_version == 2 ? "AWS" : std::string(sigv4::kAlgorithm)};
}

Values auth_type(const RequestFacts& facts) {
  if (facts.identity->posted) return {"POST"};
  if (facts.identity->anonymous()) return {};
  return {facts.identity->presigned ? "REST-QUERY-STRING" : "REST-HEADER"};
}

Values principal(const RequestFacts& facts, std::string_view before, std::string_view after) {
  if (facts.identity->anonymous()) return {};
  return {std::string(before) + facts.identity->credential->account.id + std::string(after)};
}

}  // namespace

Values RequestConditions::values(const policy::KeyName& name) const {
  const bool anonymous = facts.identity->anonymous();
  switch (name.key) {
    case policy::ConditionKey::kPrefix: return parameter(facts, "prefix");
    case policy::ConditionKey::kDelimiter: return parameter(facts, "delimiter");
    case policy::ConditionKey::kMaxKeys: return parameter(facts, "max-keys");
    case policy::ConditionKey::kVersionId:
      if (facts.names_version) return parameter(facts, "versionId");
      return facts.version_id ? Values{*facts.version_id} : Values{};
    case policy::ConditionKey::kExistingObjectTag:
      return facts.existing_tags != nullptr ? tag_value(*facts.existing_tags, name.tag) : Values{};
    case policy::ConditionKey::kRequestObjectTag: return request_tag_value(facts, name.tag);
    case policy::ConditionKey::kRequestObjectTagKeys: {
      Values keys;
      for (const auto& [key, value] : request_tags(facts)) keys.push_back(key);
      return keys;
    }
    case policy::ConditionKey::kObjectLockMode: return lock_mode(facts);
    case policy::ConditionKey::kObjectLockLegalHold:
      return facts.legal_hold ? Values{*facts.legal_hold ? "ON" : "OFF"}
                              : header(facts, "x-amz-object-lock-legal-hold");
    case policy::ConditionKey::kObjectLockRetainUntilDate: {
      const auto until = retain_until(facts);
      return until ? Values{epoch_seconds(*until)} : Values{};
    }
    case policy::ConditionKey::kObjectLockRemainingRetentionDays: return retention_days(facts);
    case policy::ConditionKey::kSignatureVersion: return signature_version(facts);
    case policy::ConditionKey::kAuthType: return auth_type(facts);
    case policy::ConditionKey::kSignatureAge: return signature_age(facts);
    // A proxy may say that its client came over TLS without saying which.
    case policy::ConditionKey::kTlsVersion:
      return facts.connection->tls_version.empty() ? Values{}
                                                   : Values{facts.connection->tls_version};
    case policy::ConditionKey::kResourceAccount:
    case policy::ConditionKey::kResourceAccountGlobal:
      return {std::string(facts.bucket_owner_account)};
    case policy::ConditionKey::kIfMatch: return header(facts, "If-Match");
    case policy::ConditionKey::kIfNoneMatch: return header(facts, "If-None-Match");
    case policy::ConditionKey::kObjectCreationOperation: return truth(facts.creates_object);
    case policy::ConditionKey::kAcl:
    case policy::ConditionKey::kGrantRead:
    case policy::ConditionKey::kGrantWrite:
    case policy::ConditionKey::kGrantReadAcp:
    case policy::ConditionKey::kGrantWriteAcp:
    case policy::ConditionKey::kGrantFullControl:
    case policy::ConditionKey::kCopySource:
    case policy::ConditionKey::kMetadataDirective:
    case policy::ConditionKey::kServerSideEncryption:
    case policy::ConditionKey::kServerSideEncryptionKmsKeyId:
    case policy::ConditionKey::kServerSideEncryptionCustomerAlgorithm:
    case policy::ConditionKey::kStorageClass:
    case policy::ConditionKey::kWebsiteRedirectLocation:
    case policy::ConditionKey::kObjectOwnership:
    // "s3:" and the header's name.
    case policy::ConditionKey::kContentSha256:
      return header(facts, policy::name_of(name.key).substr(3));
    case policy::ConditionKey::kSourceIp: return {facts.connection->peer_address};
    case policy::ConditionKey::kSecureTransport: return truth(facts.connection->tls);
    // As policies write dates: strings and variables may ask for it too.
    case policy::ConditionKey::kCurrentTime: return {signature::format_iso_time(facts.now)};
    case policy::ConditionKey::kEpochTime: return {epoch_seconds(facts.now)};
    case policy::ConditionKey::kUserAgent: return header(facts, "User-Agent");
    case policy::ConditionKey::kReferer: return header(facts, "Referer");
    case policy::ConditionKey::kPrincipalArn: return principal(facts, "arn:aws:iam::", ":root");
    case policy::ConditionKey::kPrincipalAccount: return principal(facts, "", "");
    case policy::ConditionKey::kPrincipalType: return {anonymous ? "Anonymous" : "Account"};
    case policy::ConditionKey::kUserid:
      return anonymous ? Values{"anonymous"} : principal(facts, "", "");
    case policy::ConditionKey::kPrincipalIsAWSService:
    case policy::ConditionKey::kViaAWSService: return truth(false);
    case policy::ConditionKey::kRequestedRegion: return {std::string(facts.region)};
    // Of things that are not here: sessions, users, organisations, VPCs, access points, services,
    // tags of buckets for access control.
    default: return {};
  }
}

}  // namespace rondel::permissions
