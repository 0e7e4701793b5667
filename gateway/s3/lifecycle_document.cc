#include "gateway/s3/lifecycle_document.h"

#include <algorithm>
#include <array>
#include <set>

#include "common/base/encoding.h"
#include "gateway/s3/http_values.h"
#include "gateway/s3/tagging.h"
#include "gateway/s3/xml_reader.h"
#include "gateway/s3/xml_writer.h"

namespace rondel::s3 {
namespace {

using lifecycle::Filter;
using lifecycle::Rule;

constexpr size_t kIdCharactersMax = 255;
constexpr size_t kPrefixBytesMax = 1024;
constexpr uint32_t kNewerNoncurrentMax = 100;
constexpr std::array<std::string_view, 7> kOtherClasses{
    "GLACIER",      "STANDARD_IA", "ONEZONE_IA",        "INTELLIGENT_TIERING",
    "DEEP_ARCHIVE", "GLACIER_IR",  "REDUCED_REDUNDANCY"};

std::unexpected<Error> malformed() { return fail(ErrorCode::kMalformedXML); }

// Every child is one of `names` and stands once.
bool has_only(const XmlElement& element, std::initializer_list<std::string_view> names) {
  std::set<std::string_view> seen;
  return std::ranges::all_of(element.children(), [&](const XmlElement& child) {
    return std::ranges::find(names, child.name()) != names.end() &&
           seen.insert(child.name()).second;
  });
}

S3Result<uint32_t> positive(const XmlElement& element, std::string_view action) {
  const std::string text = element.trimmed_text();
  const bool negative = text.starts_with('-');
  const auto number =
      parse_decimal(negative ? std::string_view(text).substr(1) : std::string_view(text));
  if (!number) return malformed();
  if (negative || *number == 0) {
    return fail(ErrorCode::kInvalidArgument,
                "'" + std::string(element.name()) + "' for " + std::string(action) +
                    " action must be a positive integer",
                {{"ArgumentName", std::string(element.name())}, {"ArgumentValue", text}});
  }
  if (*number > INT32_MAX) return malformed();
  return static_cast<uint32_t>(*number);
}

// "2030-01-02" and "2030-01-02T00:00:00Z" alike.
S3Result<SystemTime> midnight(const XmlElement& element) {
  std::string text = element.trimmed_text();
  if (text.size() == 10) text += "T00:00:00Z";
  const auto date = parse_date(text);
  if (!date) return malformed();
  if (std::chrono::floor<std::chrono::days>(*date) != *date) {
    return fail(ErrorCode::kInvalidArgument, "'Date' must be at midnight GMT",
                {{"ArgumentName", "Date"}, {"ArgumentValue", text}});
  }
  return *date;
}

S3Result<void> read_prefix(const XmlElement& element, Filter& filter) {
  if (filter.prefix || !element.children().empty()) return malformed();
  filter.prefix = element.text();
  if (filter.prefix->size() > kPrefixBytesMax) {
    return fail(ErrorCode::kInvalidRequest, "The maximum size of a prefix is 1024.");
  }
  return {};
}

S3Result<void> read_predicate(const XmlElement& element, Filter& filter) {
  const std::string_view name = element.name();
  if (name == "Prefix") return read_prefix(element, filter);
  if (name != "ObjectSizeGreaterThan" && name != "ObjectSizeLessThan") return malformed();
  auto& field = name == "ObjectSizeGreaterThan" ? filter.size_greater_than : filter.size_less_than;
  const auto number = parse_decimal(element.trimmed_text());
  if (field || !number || *number > INT64_MAX) return malformed();
  field = *number;
  return {};
}

S3Result<void> read_tags(const std::vector<XmlElement>& tags, Filter& filter) {
  // No object has more.
  if (tags.size() > kObjectTagsMax) {
    return fail(ErrorCode::kInvalidTag, "Object tags cannot be greater than 10");
  }
  for (const XmlElement& tag : tags) {
    const auto key = tag.child_text("Key");
    const auto value = tag.child_text("Value");
    if (!key || !value || !has_only(tag, {"Key", "Value"})) return malformed();
    const bool twice =
        std::ranges::find(filter.tags, *key, &std::pair<std::string, std::string>::first) !=
        filter.tags.end();
    if (twice) return fail(ErrorCode::kInvalidRequest, "Duplicate Tag Keys are not allowed.");
    if (key->empty() || key->size() > 4 * 128 || value->size() > 4 * 256) {
      return fail(ErrorCode::kInvalidTag, "The TagKey you have provided is invalid");
    }
    filter.tags.emplace_back(*key, *value);
  }
  return {};
}

S3Result<void> read_predicates(const std::vector<XmlElement>& predicates, Filter& filter) {
  std::vector<XmlElement> tags;
  for (const XmlElement& predicate : predicates) {
    if (predicate.name() == "Tag") {
      tags.push_back(predicate);
    } else if (auto read = read_predicate(predicate, filter); !read) {
      return read;
    }
  }
  if (auto read = read_tags(tags, filter); !read) return read;
  if (filter.size_greater_than && filter.size_less_than &&
      *filter.size_greater_than >= *filter.size_less_than) {
    return fail(ErrorCode::kInvalidRequest,
                "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.");
  }
  return {};
}

// The predicates of a filter: several side by side mean the same as inside its And, and may stand
// beside it. Two prefixes are the longer one when it begins with the other. nullopt: an And that is
// empty or stands twice, prefixes that nothing can have.
std::optional<std::vector<XmlElement>> joined(const std::vector<XmlElement>& children) {
  std::vector<XmlElement> out;
  std::optional<XmlElement> prefix;
  bool and_seen = false;
  const auto take = [&](const XmlElement& predicate) {
    if (predicate.name() != "Prefix") {
      out.push_back(predicate);
      return true;
    }
    const bool longer = !prefix || predicate.text().starts_with(prefix->text());
    const bool fits = longer || prefix->text().starts_with(predicate.text());
    if (longer) prefix = predicate;
    return fits;
  };
  for (const XmlElement& child : children) {
    if (child.name() != "And") {
      if (!take(child)) return std::nullopt;
      continue;
    }
    if (std::exchange(and_seen, true) || child.children().empty() ||
        child.children("Prefix").size() > 1) {
      return std::nullopt;
    }
    if (!std::ranges::all_of(child.children(), take)) return std::nullopt;
  }
  if (prefix) out.push_back(*prefix);
  return out;
}

S3Result<void> read_filter(const XmlElement& element, Filter& filter) {
  const auto children = element.children();
  if (children.empty()) {
    filter.form = Filter::Form::kEmpty;
    return {};
  }
  const bool single = children.size() == 1 && children.front().name() != "And";
  filter.form = single ? Filter::Form::kSingle : Filter::Form::kAnd;
  if (element.children("Prefix").size() > 1) return malformed();
  const auto predicates = joined(children);
  return predicates ? read_predicates(*predicates, filter) : malformed();
}

// Days or Date, or ExpiredObjectDeleteMarker, or one of the former beside the latter where it says
// that it asks for nothing: clients send that with every rule.
S3Result<void> read_expiration(const XmlElement& element, Rule& rule) {
  if (!has_only(element, {"Days", "Date", "ExpiredObjectDeleteMarker"}) ||
      element.children().empty()) {
    return malformed();
  }
  if (const auto child = element.child("Days")) {
    const auto days = positive(*child, "Expiration");
    if (!days) return std::unexpected(days.error());
    rule.days = *days;
  }
  if (const auto child = element.child("Date")) {
    const auto date = midnight(*child);
    if (!date) return std::unexpected(date.error());
    rule.date = *date;
  }
  if (const auto child = element.child("ExpiredObjectDeleteMarker")) {
    const std::string text = child->trimmed_text();
    if (text != "true" && text != "false") return malformed();
    rule.lone_markers = text == "true";
    rule.keeps_lone_markers = text == "false";
  }
  const int asked = (rule.days ? 1 : 0) + (rule.date ? 1 : 0) + (rule.lone_markers ? 1 : 0);
  return asked > 1 ? malformed() : S3Result<void>{};
}

S3Result<void> read_noncurrent(const XmlElement& element, Rule& rule) {
  if (!has_only(element, {"NoncurrentDays", "NewerNoncurrentVersions"})) return malformed();
  const auto days = element.child("NoncurrentDays");
  if (!days) return malformed();
  const auto number = positive(*days, "NoncurrentVersionExpiration");
  if (!number) return std::unexpected(number.error());
  rule.noncurrent_days = *number;
  if (const auto newer = element.child("NewerNoncurrentVersions")) {
    const auto count = positive(*newer, "NoncurrentVersionExpiration");
    if (!count) return std::unexpected(count.error());
    if (*count > kNewerNoncurrentMax) {
      return fail(ErrorCode::kInvalidArgument,
                  "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be "
                  "between 1 and 100");
    }
    rule.newer_noncurrent = *count;
  }
  return {};
}

S3Result<void> read_abort(const XmlElement& element, Rule& rule) {
  const auto days = element.child("DaysAfterInitiation");
  if (!days || !has_only(element, {"DaysAfterInitiation"})) return malformed();
  const auto number = positive(*days, "AbortIncompleteMultipartUpload");
  if (!number) return std::unexpected(number.error());
  rule.abort_days = *number;
  return {};
}

// There is one storage class: a move is never to be promised.
S3Result<void> refuse_transition(const XmlElement& element) {
  if (const auto date = element.child("Date")) {
    if (const auto read = midnight(*date); !read) return std::unexpected(read.error());
  }
  const std::string storage_class = xml_trimmed(element.child_text("StorageClass").value_or(""));
  if (storage_class.empty()) return malformed();
  if (std::ranges::find(kOtherClasses, storage_class) == kOtherClasses.end()) {
    return fail(ErrorCode::kInvalidStorageClass);
  }
  return fail(ErrorCode::kNotImplemented,
              "Transitions between storage classes are not implemented");
}

S3Result<void> read_action(const XmlElement& element, Rule& rule) {
  const std::string_view name = element.name();
  if (name == "Expiration") return read_expiration(element, rule);
  if (name == "NoncurrentVersionExpiration") return read_noncurrent(element, rule);
  if (name == "AbortIncompleteMultipartUpload") return read_abort(element, rule);
  if (name == "Transition" || name == "NoncurrentVersionTransition") {
    return refuse_transition(element);
  }
  return malformed();
}

S3Result<void> check_rule(const Rule& rule) {
  const auto forbidden = [&](std::string_view action) {
    const std::string with = rule.filter.tags.empty() ? "Object Size." : "Tags.";
    return fail(ErrorCode::kInvalidRequest,
                std::string(action) + " cannot be specified with " + with);
  };
  if (!rule.days && !rule.date && !rule.lone_markers && !rule.keeps_lone_markers &&
      !rule.noncurrent_days && !rule.abort_days) {
    return fail(ErrorCode::kInvalidRequest, "At least one action needs to be specified in a rule");
  }
  if (rule.abort_days && !rule.filter.by_prefix_alone()) {
    return forbidden("AbortIncompleteMultipartUpload");
  }
  if ((rule.lone_markers || rule.keeps_lone_markers) && !rule.filter.by_prefix_alone()) {
    return forbidden("ExpiredObjectDeleteMarker");
  }
  return {};
}

S3Result<Rule> parse_rule(const XmlElement& element) {
  if (!has_only(element, {"ID", "Status", "Prefix", "Filter", "Expiration",
                          "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"})) {
    // Transitions may stand several times; anything else may not.
    const bool transitions =
        element.child("Transition") || element.child("NoncurrentVersionTransition");
    if (!transitions) return malformed();
  }
  Rule rule;
  const auto prefix = element.child("Prefix");
  const auto filter = element.child("Filter");
  const std::string status = xml_trimmed(element.child_text("Status").value_or(""));
  if (prefix.has_value() == filter.has_value() || (status != "Enabled" && status != "Disabled")) {
    return malformed();
  }
  rule.enabled = status == "Enabled";
  rule.id = element.child_text("ID").value_or("");
  if (rule.id.size() > kIdCharactersMax) {
    return fail(ErrorCode::kInvalidArgument, "ID length should not exceed allowed limit of 255",
                {{"ArgumentName", "ID"}, {"ArgumentValue", rule.id}});
  }
  if (has_control_character(rule.id)) {
    return fail(ErrorCode::kInvalidArgument, "ID contains a control character",
                {{"ArgumentName", "ID"}});
  }
  rule.filter.form = Filter::Form::kPrefixElement;
  auto read = prefix ? read_prefix(*prefix, rule.filter) : read_filter(*filter, rule.filter);
  for (const XmlElement& child : element.children()) {
    const std::string_view name = child.name();
    if (!read) break;
    if (name != "ID" && name != "Status" && name != "Prefix" && name != "Filter") {
      read = read_action(child, rule);
    }
  }
  if (read) read = check_rule(rule);
  if (!read) return std::unexpected(read.error());
  return rule;
}

void write_filter(XmlWriter& xml, const Filter& filter) {
  const auto prefix = [&] {
    if (filter.prefix) xml.text("Prefix", *filter.prefix);
  };
  if (filter.form == Filter::Form::kPrefixElement) return prefix();
  xml.open("Filter");
  if (filter.form == Filter::Form::kAnd) xml.open("And");
  prefix();
  for (const auto& [key, value] : filter.tags) {
    xml.open("Tag");
    xml.text("Key", key);
    xml.text("Value", value);
    xml.close();
  }
  if (filter.size_greater_than) xml.number("ObjectSizeGreaterThan", *filter.size_greater_than);
  if (filter.size_less_than) xml.number("ObjectSizeLessThan", *filter.size_less_than);
  if (filter.form == Filter::Form::kAnd) xml.close();
  xml.close();
}

void write_actions(XmlWriter& xml, const Rule& rule) {
  if (rule.days || rule.date || rule.lone_markers || rule.keeps_lone_markers) {
    xml.open("Expiration");
    if (rule.days) xml.number("Days", *rule.days);
    if (rule.date) xml.text("Date", format_iso_date(*rule.date));
    if (rule.lone_markers || rule.keeps_lone_markers) {
      xml.boolean("ExpiredObjectDeleteMarker", rule.lone_markers);
    }
    xml.close();
  }
  if (rule.noncurrent_days) {
    xml.open("NoncurrentVersionExpiration");
    xml.number("NoncurrentDays", *rule.noncurrent_days);
    if (rule.newer_noncurrent) xml.number("NewerNoncurrentVersions", *rule.newer_noncurrent);
    xml.close();
  }
  if (rule.abort_days) {
    xml.open("AbortIncompleteMultipartUpload");
    xml.number("DaysAfterInitiation", *rule.abort_days);
    xml.close();
  }
}

}  // namespace

S3Result<lifecycle::Configuration> parse_lifecycle_document(std::string_view text,
                                                            std::string_view id_seed) {
  const auto document = XmlDocument::parse(text, "LifecycleConfiguration");
  if (!document) return std::unexpected(document.error());
  const auto elements = document->root().children();
  if (elements.empty()) return malformed();
  if (elements.size() > kLifecycleRulesMax) {
    return fail(ErrorCode::kInvalidRequest,
                "The number of lifecycle rules must not exceed the allowed limit of 1000 rules");
  }
  lifecycle::Configuration out;
  std::set<std::string> ids;
  for (const XmlElement& element : elements) {
    if (element.name() != "Rule") return malformed();
    auto rule = parse_rule(element);
    if (!rule) return std::unexpected(rule.error());
    if (rule->id.empty()) {
      rule->id = std::string(id_seed) + "-" + std::to_string(out.rules.size() + 1);
    }
    if (!ids.insert(rule->id).second) {
      return fail(ErrorCode::kInvalidArgument,
                  "Rule ID must be unique. Found same ID for more than one rule",
                  {{"ArgumentName", "ID"}, {"ArgumentValue", rule->id}});
    }
    out.rules.push_back(*std::move(rule));
  }
  return out;
}

std::string write_lifecycle_document(const lifecycle::Configuration& configuration) {
  XmlWriter xml("LifecycleConfiguration");
  for (const Rule& rule : configuration.rules) {
    xml.open("Rule");
    xml.text("ID", rule.id);
    write_filter(xml, rule.filter);
    xml.text("Status", rule.enabled ? "Enabled" : "Disabled");
    write_actions(xml, rule);
    xml.close();
  }
  return std::move(xml).finish();
}

}  // namespace rondel::s3
