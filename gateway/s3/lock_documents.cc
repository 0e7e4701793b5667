#include "gateway/s3/lock_documents.h"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/s3/http_values.h"
#include "gateway/s3/xml_reader.h"
#include "gateway/s3/xml_writer.h"

namespace rondel::s3 {
namespace {

constexpr uint32_t kYearsMax = 100;
constexpr uint32_t kDaysMax = 36'500;
constexpr uint32_t kYearMax = 9999;

// The text of `name`, which may stand once.
S3Result<std::optional<std::string>> single_text(const XmlElement& parent, std::string_view name) {
  const auto found = parent.children(name);
  if (found.size() > 1) return fail(ErrorCode::kMalformedXML);
  if (found.empty()) return std::optional<std::string>();
  return std::optional(found.front().trimmed_text());
}

S3Result<uint32_t> parse_period(const std::string& text, uint32_t max) {
  const auto number = parse_decimal(text.starts_with('-') ? std::string_view(text).substr(1)
                                                          : std::string_view(text));
  if (!number) return fail(ErrorCode::kMalformedXML);
  if (text.starts_with('-') || *number == 0) {
    return fail(ErrorCode::kInvalidRetentionPeriod,
                "Default retention period must be a positive integer value.");
  }
  if (*number > max) {
    return fail(ErrorCode::kInvalidRetentionPeriod,
                "Default retention period too large. Maximum is " + std::to_string(max));
  }
  return static_cast<uint32_t>(*number);
}

S3Result<DefaultRetention> parse_default_retention(const XmlElement& element) {
  DefaultRetention retention;
  const auto mode = single_text(element, "Mode");
  const auto days = single_text(element, "Days");
  const auto years = single_text(element, "Years");
  if (!mode || !days || !years || !*mode) return fail(ErrorCode::kMalformedXML);
  const auto known = parse_lock_mode(**mode);
  if (!known || days->has_value() == years->has_value()) return fail(ErrorCode::kMalformedXML);
  retention.mode = *known;
  const auto period = parse_period(*days ? **days : **years, *days ? kDaysMax : kYearsMax);
  if (!period) return std::unexpected(period.error());
  (*days ? retention.days : retention.years) = *period;
  return retention;
}

}  // namespace

std::string_view to_string(LockMode mode) {
  return mode == LockMode::kGovernance ? "GOVERNANCE" : "COMPLIANCE";
}

std::optional<LockMode> parse_lock_mode(std::string_view text) {
  for (const LockMode mode : {LockMode::kGovernance, LockMode::kCompliance}) {
    if (text == to_string(mode)) return mode;
  }
  return std::nullopt;
}

S3Result<VersioningDocument> parse_versioning_document(std::string_view text) {
  const auto document = XmlDocument::parse(text, "VersioningConfiguration");
  if (!document) return std::unexpected(document.error());
  const auto status = single_text(document->root(), "Status");
  const auto mfa = single_text(document->root(), "MfaDelete");
  if (!status || !mfa) return fail(ErrorCode::kMalformedXML);
  if (!*status) return fail(ErrorCode::kIllegalVersioningConfigurationException);
  VersioningDocument out;
  if (**status != "Enabled" && **status != "Suspended") return fail(ErrorCode::kMalformedXML);
  out.enabled = **status == "Enabled";
  if (*mfa) {
    if (**mfa != "Enabled" && **mfa != "Disabled") return fail(ErrorCode::kMalformedXML);
    out.mfa_delete = **mfa == "Enabled";
  }
  return out;
}

// A year is a calendar year: the same day, or the last of February.
SystemTime DefaultRetention::until(SystemTime made) const {
  if (days > 0) {
    return saturating_later(
        made, saturating_times(std::chrono::milliseconds(std::chrono::days(1)), days));
  }
  const SystemTime from = std::clamp(made, kFirstTime, kLastTime);
  const auto midnight = std::chrono::floor<std::chrono::days>(from);
  std::chrono::year_month_day date(midnight);
  if (years > kYearMax - static_cast<uint32_t>(static_cast<int>(date.year()))) return kLastTime;
  date += std::chrono::years(years);
  if (!date.ok()) date = date.year() / date.month() / std::chrono::last;
  return std::chrono::sys_days(date) + (from - midnight);
}

S3Result<ObjectLockDocument> parse_object_lock_document(std::string_view text) {
  const auto document = XmlDocument::parse(text, "ObjectLockConfiguration");
  if (!document) return std::unexpected(document.error());
  const auto enabled = single_text(document->root(), "ObjectLockEnabled");
  if (!enabled || (*enabled && **enabled != "Enabled")) return fail(ErrorCode::kMalformedXML);
  ObjectLockDocument out;
  const auto rules = document->root().children("Rule");
  if (rules.size() > 1 || (rules.empty() && !*enabled)) return fail(ErrorCode::kMalformedXML);
  if (rules.empty()) return out;
  const auto retention = rules.front().children("DefaultRetention");
  if (retention.size() != 1) return fail(ErrorCode::kMalformedXML);
  auto parsed = parse_default_retention(retention.front());
  if (!parsed) return std::unexpected(parsed.error());
  out.rule = *parsed;
  return out;
}

std::string write_object_lock_document(const ObjectLockDocument& document) {
  XmlWriter xml("ObjectLockConfiguration");
  xml.text("ObjectLockEnabled", "Enabled");
  if (document.rule) {
    xml.open("Rule");
    xml.open("DefaultRetention");
    xml.text("Mode", to_string(document.rule->mode));
    if (document.rule->days > 0) xml.number("Days", document.rule->days);
    if (document.rule->years > 0) xml.number("Years", document.rule->years);
    xml.close();
    xml.close();
  }
  return std::move(xml).finish();
}

S3Result<RetentionDocument> parse_retention_document(std::string_view text) {
  const auto document = XmlDocument::parse(text, "Retention");
  if (!document) return std::unexpected(document.error());
  const auto mode = single_text(document->root(), "Mode");
  const auto date = single_text(document->root(), "RetainUntilDate");
  if (!mode || !date || mode->has_value() != date->has_value()) {
    return fail(ErrorCode::kMalformedXML);
  }
  RetentionDocument out;
  if (!*mode) return out;
  out.mode = parse_lock_mode(**mode);
  const auto until = parse_date(**date);
  if (!out.mode || !until) return fail(ErrorCode::kMalformedXML);
  out.until = *until;
  return out;
}

S3Result<bool> parse_legal_hold_document(std::string_view text) {
  const auto document = XmlDocument::parse(text, "LegalHold");
  if (!document) return std::unexpected(document.error());
  const auto status = single_text(document->root(), "Status");
  if (!status || !*status || (**status != "ON" && **status != "OFF")) {
    return fail(ErrorCode::kMalformedXML);
  }
  return **status == "ON";
}

S3Result<bool> parse_request_payment_document(std::string_view text) {
  const auto document = XmlDocument::parse(text, "RequestPaymentConfiguration");
  if (!document) return std::unexpected(document.error());
  const auto payer = single_text(document->root(), "Payer");
  if (!payer || !*payer || (**payer != "Requester" && **payer != "BucketOwner")) {
    return fail(ErrorCode::kMalformedXML);
  }
  return **payer == "Requester";
}

std::string format_retain_until(SystemTime time) {
  const SystemTime known = std::clamp(time, kFirstTime, kLastTime);
  const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(known) -
                            std::chrono::floor<std::chrono::seconds>(known);
  std::string text = format_iso_date(known);
  return text.substr(0, text.size() - 4) + fmt::format("{:03}Z", milliseconds.count());
}

}  // namespace rondel::s3
