#include "gateway/auth/request_conditions.h"

#include <algorithm>

#include "common/base/encoding.h"
#include "common/sigv4/sigv4.h"
#include "gateway/auth/credential_scope.h"
#include "gateway/auth/policy_time.h"
#include "gateway/auth/principal.h"

namespace rondel::auth {
namespace {

using Values = std::vector<std::string>;

Values some(std::optional<std::string_view> value) {
  if (!value) return {};
  return {std::string(*value)};
}

Values truth(bool value) { return {value ? "true" : "false"}; }

Values header(const RequestFacts& facts, std::string_view name) { return some(facts.fields->find(name)); }

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
    const auto value = percent_decode(equals == std::string_view::npos ? "" : pair.substr(equals + 1), true);
    if (key && value && !key->empty()) tags.emplace_back(*key, *value);
  }
  return tags;
}

metadata::Tags request_tags(const RequestFacts& facts) {
  if (facts.request_tags) return *facts.request_tags;
  return tags_of_header(facts.fields->find("x-amz-tagging").value_or(""));
}

Values tag_value(const metadata::Tags& tags, const std::string& key) {
  const auto found = std::ranges::find(tags, key, [](const auto& tag) -> const std::string& { return tag.first; });
  if (found == tags.end()) return {};
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
  if (facts.retention) return facts.retention->mode == metadata::Retention::Mode::kNone ? std::nullopt : std::optional(facts.retention->until);
  const auto text = facts.fields->find("x-amz-object-lock-retain-until-date");
  return text ? parse_iso_time(*text) : std::nullopt;
}

std::string epoch_seconds(SystemTime time) { return std::to_string(std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count()); }

Values retention_days(const RequestFacts& facts) {
  const auto until = retain_until(facts);
  if (!until) return {};
  return {std::to_string(std::chrono::ceil<std::chrono::days>(*until - facts.now).count())};
}

Values signature_age(const RequestFacts& facts) {
  if (facts.identity->anonymous()) return {};
  const auto signed_at = sigv4::parse_timestamp(facts.identity->timestamp);
  if (!signed_at) return {};
  return {std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(facts.now - *signed_at).count())};
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

Values RequestConditions::values(const KeyName& name) const {
  const bool anonymous = facts.identity->anonymous();
  switch (name.key) {
    case ConditionKey::kPrefix: return parameter(facts, "prefix");
    case ConditionKey::kDelimiter: return parameter(facts, "delimiter");
    case ConditionKey::kMaxKeys: return parameter(facts, "max-keys");
    case ConditionKey::kVersionId:
      if (facts.names_version) return parameter(facts, "versionId");
      return facts.version_id ? Values{*facts.version_id} : Values{};
    case ConditionKey::kExistingObjectTag: return facts.existing_tags != nullptr ? tag_value(*facts.existing_tags, name.tag) : Values{};
    case ConditionKey::kRequestObjectTag: return tag_value(request_tags(facts), name.tag);
    case ConditionKey::kRequestObjectTagKeys: {
      Values keys;
      for (const auto& [key, value] : request_tags(facts)) keys.push_back(key);
      return keys;
    }
    case ConditionKey::kObjectLockMode: return lock_mode(facts);
    case ConditionKey::kObjectLockLegalHold:
      return facts.legal_hold ? Values{*facts.legal_hold ? "ON" : "OFF"} : header(facts, "x-amz-object-lock-legal-hold");
    case ConditionKey::kObjectLockRetainUntilDate: {
      const auto until = retain_until(facts);
      return until ? Values{epoch_seconds(*until)} : Values{};
    }
    case ConditionKey::kObjectLockRemainingRetentionDays: return retention_days(facts);
    case ConditionKey::kSignatureVersion: return signature_version(facts);
    case ConditionKey::kAuthType: return auth_type(facts);
    case ConditionKey::kSignatureAge: return signature_age(facts);
    case ConditionKey::kTlsVersion: return facts.connection->tls ? Values{facts.connection->tls_version} : Values{};
    case ConditionKey::kResourceAccount:
    case ConditionKey::kResourceAccountGlobal: return {std::string(facts.bucket_owner_account)};
    case ConditionKey::kIfMatch: return header(facts, "If-Match");
    case ConditionKey::kIfNoneMatch: return header(facts, "If-None-Match");
    case ConditionKey::kObjectCreationOperation: return truth(facts.creates_object);
    case ConditionKey::kAcl:
    case ConditionKey::kGrantRead:
    case ConditionKey::kGrantWrite:
    case ConditionKey::kGrantReadAcp:
    case ConditionKey::kGrantWriteAcp:
    case ConditionKey::kGrantFullControl:
    case ConditionKey::kCopySource:
    case ConditionKey::kMetadataDirective:
    case ConditionKey::kServerSideEncryption:
    case ConditionKey::kServerSideEncryptionKmsKeyId:
    case ConditionKey::kServerSideEncryptionCustomerAlgorithm:
    case ConditionKey::kStorageClass:
    case ConditionKey::kWebsiteRedirectLocation:
    case ConditionKey::kObjectOwnership:
    case ConditionKey::kContentSha256: return header(facts, name_of(name.key).substr(3));   // "s3:" and the header's name.
    case ConditionKey::kSourceIp: return {facts.connection->peer_address};
    case ConditionKey::kSecureTransport: return truth(facts.connection->tls);
    case ConditionKey::kCurrentTime: return {format_iso_time(facts.now)};   // As policies write dates: strings and variables may ask for it too.
    case ConditionKey::kEpochTime: return {epoch_seconds(facts.now)};
    case ConditionKey::kUserAgent: return header(facts, "User-Agent");
    case ConditionKey::kReferer: return header(facts, "Referer");
    case ConditionKey::kPrincipalArn: return principal(facts, "arn:aws:iam::", ":root");
    case ConditionKey::kPrincipalAccount: return principal(facts, "", "");
    case ConditionKey::kPrincipalType: return {anonymous ? "Anonymous" : "Account"};
    case ConditionKey::kUserid: return anonymous ? Values{"anonymous"} : principal(facts, "", "");
    case ConditionKey::kPrincipalIsAWSService:
    case ConditionKey::kViaAWSService: return truth(false);
    case ConditionKey::kRequestedRegion: return {std::string(facts.region)};
    // Of things that are not here: sessions, users, organisations, VPCs, access points, services, tags of buckets for access control.
    default: return {};
  }
}

}  // namespace rondel::auth
