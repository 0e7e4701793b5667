// Documents and headers of object lock and versioning, and who pays.
// Source: PutBucketVersioning, PutObjectLockConfiguration, PutObjectRetention, PutObjectLegalHold,
// PutBucketRequestPayment, S3 API reference.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "gateway/s3/error.h"

namespace rondel::s3 {

enum class LockMode { kGovernance, kCompliance };
std::string_view to_string(LockMode mode);  // "GOVERNANCE"
std::optional<LockMode> parse_lock_mode(std::string_view text);

struct VersioningDocument {
  bool enabled = false;  // Otherwise suspended.
  std::optional<bool> mfa_delete;
};

// kIllegalVersioningConfigurationException: no Status.
S3Result<VersioningDocument> parse_versioning_document(std::string_view text);

// Days or years, counted from the making of a version.
struct DefaultRetention {
  LockMode mode = LockMode::kGovernance;
  uint32_t days = 0;
  uint32_t years = 0;
  SystemTime until(SystemTime made) const;  // At most the end of the year 9999.
};

struct ObjectLockDocument {
  std::optional<DefaultRetention> rule;
};

// kMalformedXML: both days and years, neither, another mode; kInvalidRetentionPeriod: not within 1
// day and 100 years.
S3Result<ObjectLockDocument> parse_object_lock_document(std::string_view text);
std::string write_object_lock_document(const ObjectLockDocument& document);

struct RetentionDocument {
  std::optional<LockMode> mode;  // Absent: retention is to be removed.
  SystemTime until;
};

S3Result<RetentionDocument> parse_retention_document(std::string_view text);
S3Result<bool> parse_legal_hold_document(std::string_view text);

// True: the requester pays.
S3Result<bool> parse_request_payment_document(std::string_view text);

// "2030-01-02T03:04:05.678Z"
std::string format_retain_until(SystemTime time);

}  // namespace rondel::s3
