#include "gateway/s3/cors.h"

#include <algorithm>
#include <array>

#include "common/base/encoding.h"
#include "common/http/head_writer.h"
#include "gateway/s3/http_values.h"
#include "gateway/s3/xml_reader.h"
#include "gateway/s3/xml_writer.h"

namespace rondel::s3 {
namespace {

constexpr size_t kRulesMax = 100;
constexpr size_t kIdBytesMax = 255;
constexpr std::array<std::string_view, 5> kMethods{"GET", "PUT", "HEAD", "POST", "DELETE"};

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return out;
}

std::vector<std::string> texts(const XmlElement& rule, std::string_view name) {
  std::vector<std::string> found;
  for (const XmlElement& element : rule.children(name)) found.push_back(element.trimmed_text());
  return found;
}

S3Result<void> check_wildcards(std::string_view element, const std::vector<std::string>& values) {
  for (const std::string& value : values) {
    if (value.empty()) return fail(ErrorCode::kMalformedXML);
    if (std::ranges::count(value, '*') > 1) {
      return fail(ErrorCode::kInvalidRequest,
                  std::string(element) + " \"" + value + "\" can not have more than one wildcard.");
    }
  }
  return {};
}

S3Result<std::optional<uint32_t>> max_age_of(const XmlElement& rule) {
  const auto element = rule.child("MaxAgeSeconds");
  if (!element) return std::nullopt;
  const auto seconds = parse_decimal(element->trimmed_text());
  if (!seconds || *seconds > INT32_MAX) return fail(ErrorCode::kMalformedXML);
  return static_cast<uint32_t>(*seconds);
}

// All of them may stand in a header of an answer, or decide about one.
S3Result<void> check_characters(std::string_view element, const std::vector<std::string>& values) {
  if (std::ranges::none_of(values,
                           [](const std::string& value) { return has_control_character(value); })) {
    return {};
  }
  return fail(ErrorCode::kInvalidRequest, std::string(element) + " contains a control character.");
}

S3Result<void> check_rule(const CorsRule& rule) {
  if (auto checked = check_characters("ID", {rule.id}); !checked) return checked;
  if (auto checked = check_characters("AllowedOrigin", rule.allowed_origins); !checked) {
    return checked;
  }
  if (auto checked = check_characters("AllowedMethod", rule.allowed_methods); !checked) {
    return checked;
  }
  if (auto checked = check_characters("AllowedHeader", rule.allowed_headers); !checked) {
    return checked;
  }
  if (auto checked = check_characters("ExposeHeader", rule.expose_headers); !checked) {
    return checked;
  }
  if (rule.allowed_methods.empty() || rule.allowed_origins.empty()) {
    return fail(ErrorCode::kMalformedXML);
  }
  if (rule.id.size() > kIdBytesMax) {
    return fail(ErrorCode::kInvalidRequest,
                "The ID of a CORS rule must not be longer than 255 characters.");
  }
  for (const std::string& method : rule.allowed_methods) {
    if (!is_cors_method(method)) {
      return fail(ErrorCode::kInvalidRequest,
                  "Found unsupported HTTP method in CORS config. Unsupported method is " + method);
    }
  }
  if (auto checked = check_wildcards("AllowedOrigin", rule.allowed_origins); !checked) {
    return checked;
  }
  if (auto checked = check_wildcards("AllowedHeader", rule.allowed_headers); !checked) {
    return checked;
  }
  for (const std::string& header : rule.expose_headers) {
    if (header.contains('*')) {
      return fail(
          ErrorCode::kInvalidRequest,
          "ExposeHeader \"" + header +
              "\" contains wildcard. We currently do not support wildcard for ExposeHeader.");
    }
  }
  return {};
}

S3Result<CorsRule> parse_rule(const XmlElement& element) {
  CorsRule rule;
  rule.id = element.child_text("ID").value_or("");
  rule.allowed_origins = texts(element, "AllowedOrigin");
  rule.allowed_methods = texts(element, "AllowedMethod");
  rule.allowed_headers = texts(element, "AllowedHeader");
  rule.expose_headers = texts(element, "ExposeHeader");
  auto max_age = max_age_of(element);
  if (!max_age) return std::unexpected(max_age.error());
  rule.max_age_seconds = *max_age;
  if (auto checked = check_rule(rule); !checked) return std::unexpected(checked.error());
  return rule;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : ", ") + part;
  return out;
}

}  // namespace

bool is_cors_method(std::string_view method) {
  return std::ranges::find(kMethods, method) != kMethods.end();
}

S3Result<CorsConfiguration> parse_cors_document(std::string_view text) {
  const auto document = XmlDocument::parse(text, "CORSConfiguration");
  if (!document) return std::unexpected(document.error());
  CorsConfiguration configuration;
  for (const XmlElement& element : document->root().children()) {
    if (element.name() != "CORSRule") return fail(ErrorCode::kMalformedXML);
    if (configuration.size() == kRulesMax) {
      return fail(ErrorCode::kInvalidRequest,
                  "The number of CORS rules should not exceed allowed limit of 100 rules.");
    }
    auto rule = parse_rule(element);
    if (!rule) return std::unexpected(rule.error());
    configuration.push_back(*std::move(rule));
  }
  if (configuration.empty()) return fail(ErrorCode::kMalformedXML);
  return configuration;
}

std::string cors_document(const CorsConfiguration& configuration) {
  XmlWriter xml("CORSConfiguration");
  for (const CorsRule& rule : configuration) {
    xml.open("CORSRule");
    if (!rule.id.empty()) xml.text("ID", rule.id);
    for (const std::string& header : rule.allowed_headers) xml.text("AllowedHeader", header);
    for (const std::string& method : rule.allowed_methods) xml.text("AllowedMethod", method);
    for (const std::string& origin : rule.allowed_origins) xml.text("AllowedOrigin", origin);
    for (const std::string& header : rule.expose_headers) xml.text("ExposeHeader", header);
    if (rule.max_age_seconds) xml.number("MaxAgeSeconds", *rule.max_age_seconds);
    xml.close();
  }
  return std::move(xml).finish();
}

bool CorsRules::Pattern::matches(std::string_view text) const {
  return text.size() >= head.size() + tail.size() && text.starts_with(head) && text.ends_with(tail);
}

CorsRules::Names::Names(const std::vector<std::string>& all, bool ignore_case) {
  for (const std::string& sent : all) {
    const std::string one = ignore_case ? lower(sent) : sent;
    const size_t star = one.find('*');
    if (star == std::string::npos) {
      literals.push_back(one);
    } else if (one.size() == 1) {
      any = true;
    } else {
      patterns.push_back({one.substr(0, star), one.substr(star + 1)});
    }
  }
  std::ranges::sort(literals);
}

bool CorsRules::Names::has(std::string_view text, uint64_t& steps) const {
  ++steps;
  if (any || std::ranges::binary_search(literals, text, {}, [](const std::string& one) {
        return std::string_view(one);
      })) {
    return true;
  }
  return std::ranges::any_of(patterns, [&](const Pattern& pattern) {
    ++steps;
    return pattern.matches(text);
  });
}

CorsRules::CorsRules(CorsConfiguration configuration) : configuration_(std::move(configuration)) {
  memory_bytes_ = sizeof(CorsRules);
  for (const CorsRule& rule : configuration_) {
    prepared_.push_back({Names(rule.allowed_origins, false), Names(rule.allowed_headers, true)});
    memory_bytes_ += sizeof(CorsRule) + sizeof(Prepared) + rule.id.size();
    for (const auto* list : {&rule.allowed_origins, &rule.allowed_methods, &rule.allowed_headers,
                             &rule.expose_headers}) {
      // As it is written and, at most, in two parts.
      for (const std::string& text : *list) {
        memory_bytes_ += 3 * sizeof(std::string) + 2 * text.size();
      }
    }
  }
}

const CorsRule* CorsRules::find(std::string_view origin, std::string_view method,
                                const std::vector<std::string>& headers, uint64_t* steps) const {
  uint64_t uncounted = 0;
  uint64_t& count = steps == nullptr ? uncounted : *steps;
  // What is allowed is said again in the answer: only what can stand there.
  if (headers.size() > kPreflightNamesMax || has_control_character(origin) ||
      !std::ranges::all_of(headers, http::is_field_name)) {
    return nullptr;
  }
  for (size_t i = 0; i < configuration_.size(); ++i) {
    const CorsRule& rule = configuration_[i];
    if (std::ranges::find(rule.allowed_methods, method) == rule.allowed_methods.end() ||
        !prepared_[i].origins.has(origin, count)) {
      continue;
    }
    if (std::ranges::all_of(headers, [&](const std::string& name) {
          return prepared_[i].headers.has(name, count);
        })) {
      return &rule;
    }
  }
  return nullptr;
}

std::vector<std::string> parse_header_names(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const size_t comma = list.find(',');
    const std::string_view name = trim(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    if (!name.empty()) names.push_back(lower(name));
  }
  return names;
}

std::vector<std::pair<std::string, std::string>> cors_fields(
    const CorsRule& rule, std::string_view origin, const std::vector<std::string>& headers) {
  std::vector<std::pair<std::string, std::string>> fields;
  // A rule for everybody lets nobody send credentials.
  const bool everybody = std::ranges::find(rule.allowed_origins, "*") != rule.allowed_origins.end();
  fields.emplace_back("Access-Control-Allow-Origin", everybody ? "*" : std::string(origin));
  fields.emplace_back("Access-Control-Allow-Methods", joined(rule.allowed_methods));
  if (!headers.empty()) fields.emplace_back("Access-Control-Allow-Headers", joined(headers));
  if (!rule.expose_headers.empty()) {
    fields.emplace_back("Access-Control-Expose-Headers", joined(rule.expose_headers));
  }
  if (rule.max_age_seconds) {
    fields.emplace_back("Access-Control-Max-Age", std::to_string(*rule.max_age_seconds));
  }
  if (!everybody) fields.emplace_back("Access-Control-Allow-Credentials", "true");
  return fields;
}

}  // namespace rondel::s3
