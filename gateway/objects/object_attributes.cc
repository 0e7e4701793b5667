#include "gateway/objects/object_attributes.h"

#include "common/base/dates.h"
#include "common/base/encoding.h"
#include "common/http/message.h"
#include "gateway/permissions/authorization.h"
#include "gateway/request/context.h"
#include "gateway/request/documents.h"
#include "gateway/s3/error.h"
#include "gateway/s3/http_values.h"
#include "gateway/s3/lock_documents.h"
#include "gateway/s3/operation.h"
#include "gateway/s3/tagging.h"
#include "identity/policy/action.h"
#include "jobs/lifecycle/decision.h"
#include "metadata/model/bucket.h"
#include "metadata/model/object.h"
#include "metadata/store/commit_result.h"

namespace rondel::objects {
namespace {

using metadata::Retention;
using s3::ErrorCode;

constexpr std::string_view kMode = "x-amz-object-lock-mode";
constexpr std::string_view kUntil = "x-amz-object-lock-retain-until-date";
constexpr std::string_view kHold = "x-amz-object-lock-legal-hold";

std::unexpected<s3::Error> invalid_argument(std::string message, std::string_view name,
                                            std::string_view value) {
  return s3::fail(ErrorCode::kInvalidArgument, std::move(message),
                  {{"ArgumentName", std::string(name)}, {"ArgumentValue", std::string(value)}});
}

Retention::Mode stored_mode(s3::LockMode mode) {
  return mode == s3::LockMode::kGovernance ? Retention::Mode::kGovernance
                                           : Retention::Mode::kCompliance;
}

s3::S3Result<Retention> requested_retention(const request::Context& context) {
  const auto mode = context.fields().find(kMode);
  const auto until = context.fields().find(kUntil);
  if (!mode && !until) return Retention{};
  if (!mode || !until) {
    return invalid_argument(
        "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
        mode ? kUntil : kMode, "");
  }
  const auto known = s3::parse_lock_mode(*mode);
  if (!known) return invalid_argument("Unknown wormMode directive.", kMode, *mode);
  const auto date = parse_iso_date(*until);
  if (!date) {
    return invalid_argument("The retain until date must be provided in ISO 8601 format", kUntil,
                            *until);
  }
  if (*date <= context.services.clock.now()) {
    return invalid_argument("The retain until date must be in the future!", kUntil, *until);
  }
  return Retention{stored_mode(*known), *date};
}

s3::S3Result<std::optional<bool>> requested_hold(const request::Context& context) {
  const auto hold = context.fields().find(kHold);
  if (!hold) return std::optional<bool>();
  if (*hold != "ON" && *hold != "OFF") {
    return invalid_argument("Legal Hold must be either of 'ON' or 'OFF'", kHold, *hold);
  }
  return std::optional(*hold == "ON");
}

std::optional<s3::DefaultRetention> default_rule(const metadata::Bucket& bucket) {
  if (!bucket.object_lock) return std::nullopt;
  const auto setting = bucket.settings.find(metadata::SettingKind::kObjectLock);
  if (setting == bucket.settings.end()) return std::nullopt;
  const auto document = s3::parse_object_lock_document(setting->second);
  return document ? document->rule : std::nullopt;
}

}  // namespace

s3::S3Result<metadata::Attributes> requested_attributes(const request::Context& context) {
  metadata::Attributes attributes;
  if (const auto text = context.fields().find("x-amz-tagging")) {
    auto tags = s3::parse_tagging_header(*text);
    if (!tags) return std::unexpected(tags.error());
    attributes.tags = *std::move(tags);
  }
  const auto retention = requested_retention(context);
  if (!retention) return std::unexpected(retention.error());
  const auto hold = requested_hold(context);
  if (!hold) return std::unexpected(hold.error());
  attributes.retention = *retention;
  attributes.legal_hold = *hold;
  const bool asked = attributes.retention.mode != Retention::Mode::kNone || attributes.legal_hold;
  if (asked && !context.bucket->object_lock) {
    return s3::fail(ErrorCode::kInvalidRequest, "Bucket is missing Object Lock Configuration");
  }
  const bool has_body = context.request.operation == s3::Operation::kPutObject;
  if (has_body && (asked || default_rule(*context.bucket)) &&
      !request::has_integrity_header(context.fields())) {
    return s3::fail(ErrorCode::kInvalidRequest,
                    "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object "
                    "requests with Object Lock parameters");
  }
  return attributes;
}

Retention retention_for(const request::Context& context, const Retention& asked) {
  if (asked.mode != Retention::Mode::kNone) return asked;
  const auto rule = default_rule(*context.bucket);
  if (!rule) return {};
  const Clock& clock =
      context.services.stamps != nullptr ? *context.services.stamps : context.services.clock;
  return {stored_mode(rule->mode), rule->until(clock.now())};
}

void add_attribute_headers(http::Fields& out, const metadata::Attributes& attributes) {
  if (attributes.retention.mode != Retention::Mode::kNone) {
    out.add(std::string(kMode), attributes.retention.mode == Retention::Mode::kGovernance
                                    ? "GOVERNANCE"
                                    : "COMPLIANCE");
    out.add(std::string(kUntil), s3::format_retain_until(attributes.retention.until));
  }
  if (attributes.legal_hold) out.add(std::string(kHold), *attributes.legal_hold ? "ON" : "OFF");
  if (!attributes.tags.empty()) {
    out.add("x-amz-tagging-count", std::to_string(attributes.tags.size()));
  }
}

async::Task<void> add_expiration_header(http::Fields& out, const request::Context& context,
                                        const metadata::ObjectVersion& object) {
  if (!context.bucket->has_lifecycle) co_return;
  const std::shared_ptr<const metadata::Bucket> bucket = context.bucket;
  const auto read = co_await context.services.lifecycle_rules->of(
      context.services.buckets, *context.services.documents, *bucket, context.metadata_deadline());
  // An answer does not fail for the sake of a hint.
  if (!read || *read == nullptr) co_return;
  const auto& rules = *read;
  lifecycle::Subject subject;
  subject.key = context.request.key;
  subject.size = object.size;
  subject.tags = &object.tags;
  subject.created = object.last_modified;
  const auto expiry = lifecycle::expiry_of(*rules, subject);
  if (!expiry) co_return;
  out.add("x-amz-expiration", "expiry-date=\"" + s3::format_http_date(expiry->date) +
                                  "\", rule-id=\"" + percent_encode(expiry->rule, false) + "\"");
}

async::Task<void> add_expiration_header(http::Fields& out, const request::Context& context,
                                        const metadata::ObjectVersion& object,
                                        const metadata::CommitOutcome& outcome) {
  if (!context.bucket->has_lifecycle) co_return;
  metadata::ObjectVersion made;
  made.size = outcome.size;
  made.last_modified = outcome.last_modified;
  made.tags = object.tags;
  co_await add_expiration_header(out, context, made);
}

bool asks_governance_bypass(const request::Context& context) {
  const auto value = context.fields().find("x-amz-bypass-governance-retention");
  return value && http::iequals(*value, "true");
}

bool bypasses_governance(const request::Context& context, std::string_view key) {
  return asks_governance_bypass(context) &&
         permissions::may_also(context, policy::Action::kBypassGovernanceRetention, key);
}

}  // namespace rondel::objects
