#include "gateway/request/conditions.h"

#include <algorithm>

#include "common/http/message.h"
#include "gateway/s3/error.h"
#include "gateway/s3/http_values.h"
#include "metadata/model/object.h"
#include "metadata/store/commit_context.h"

namespace rondel::request {
namespace {

bool matches(const std::vector<std::string>& etags, const std::string& etag) {
  return std::ranges::any_of(etags,
                             [&](const std::string& one) { return one == "*" || one == etag; });
}

SystemTime whole_seconds(SystemTime time) { return std::chrono::floor<std::chrono::seconds>(time); }

}  // namespace

metadata::Conditions read_conditions(const http::Fields& fields, std::string_view prefix) {
  metadata::Conditions conditions;
  const auto find = [&](const char* name) { return fields.find(std::string(prefix) + name); };
  if (const auto value = find("if-match")) conditions.if_match = s3::parse_etags(*value);
  if (const auto value = find("if-none-match")) conditions.if_none_match = s3::parse_etags(*value);
  if (const auto value = find("if-modified-since")) {
    conditions.if_modified_since = s3::parse_date(*value);
  }
  if (const auto value = find("if-unmodified-since")) {
    conditions.if_unmodified_since = s3::parse_date(*value);
  }
  return conditions;
}

metadata::Conditions write_conditions(const http::Fields& fields) {
  metadata::Conditions conditions;
  if (const auto value = fields.find("If-Match")) conditions.if_match = s3::parse_etags(*value);
  if (const auto value = fields.find("If-None-Match")) {
    conditions.if_none_match = s3::parse_etags(*value);
  }
  return conditions;
}

s3::S3Result<metadata::Conditions> delete_conditions(const http::Fields& fields) {
  metadata::Conditions conditions = write_conditions(fields);
  if (const auto value = fields.find("x-amz-if-match-size")) {
    conditions.if_match_size = s3::parse_decimal(*value);
    if (!conditions.if_match_size || *conditions.if_match_size > INT64_MAX) {
      return s3::fail(
          s3::ErrorCode::kInvalidArgument, {},
          {{"ArgumentName", "x-amz-if-match-size"}, {"ArgumentValue", std::string(*value)}});
    }
  }
  if (const auto value = fields.find("x-amz-if-match-last-modified-time")) {
    conditions.if_match_last_modified = s3::parse_date(*value);
    if (!conditions.if_match_last_modified) {
      return s3::fail(s3::ErrorCode::kInvalidArgument, {},
                      {{"ArgumentName", "x-amz-if-match-last-modified-time"},
                       {"ArgumentValue", std::string(*value)}});
    }
  }
  return conditions;
}

Verdict judge(const metadata::Conditions& conditions, const metadata::ObjectVersion& object) {
  const SystemTime modified = whole_seconds(object.last_modified);
  if (!conditions.if_match.empty()) {
    if (!matches(conditions.if_match, object.etag)) return Verdict::kPreconditionFailed;
  } else if (conditions.if_unmodified_since && modified > *conditions.if_unmodified_since) {
    return Verdict::kPreconditionFailed;
  }
  if (!conditions.if_none_match.empty()) {
    if (matches(conditions.if_none_match, object.etag)) return Verdict::kNotModified;
  } else if (conditions.if_modified_since && modified <= *conditions.if_modified_since) {
    return Verdict::kNotModified;
  }
  return Verdict::kProceed;
}

}  // namespace rondel::request
