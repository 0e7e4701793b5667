#include "gateway/s3/tagging.h"

#include <algorithm>
#include <set>

#include "common/base/encoding.h"
#include "common/http/message.h"

namespace rondel::s3 {
namespace {

constexpr size_t kKeyCharactersMax = 128;
constexpr size_t kValueCharactersMax = 256;
constexpr std::string_view kPunctuation = " +-=._:/@";

// Letters, digits and spaces of any script, and a few signs. REQUIRES: valid UTF-8.
bool has_tag_characters(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       kPunctuation.contains(text[i]);
    // U+0080 to U+009F are controls.
    const bool control =
        c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (c < 0x80 ? !plain : control) return false;
  }
  return true;
}

size_t characters(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool is_system_key(std::string_view key) {
  constexpr std::string_view kPrefix = "aws:";
  return key.size() >= kPrefix.size() && http::iequals(key.substr(0, kPrefix.size()), kPrefix);
}

S3Result<void> check_tag(const std::string& key, const std::string& value) {
  if (key.empty() || !is_valid_utf8(key) || characters(key) > kKeyCharactersMax ||
      !has_tag_characters(key)) {
    return fail(ErrorCode::kInvalidTag, "The TagKey you have provided is invalid",
                {{"TagKey", is_valid_utf8(key) ? key : ""}});
  }
  if (!is_valid_utf8(value) || characters(value) > kValueCharactersMax ||
      !has_tag_characters(value)) {
    return fail(ErrorCode::kInvalidTag, "The TagValue you have provided is invalid",
                {{"TagKey", key}, {"TagValue", is_valid_utf8(value) ? value : ""}});
  }
  if (is_system_key(key)) {
    return fail(ErrorCode::kInvalidTag, "System tags cannot be added/updated by requester",
                {{"TagKey", key}});
  }
  return {};
}

// Of too many: each place has its own words, as AWS has them. (A document of an object: s3-tests.)
Error too_many(size_t tags_max, bool in_header) {
  if (tags_max == kBucketTagsMax) {
    return {ErrorCode::kBadRequest, "Bucket tag count cannot be greater than 50", {}, {}, {}};
  }
  return {in_header ? ErrorCode::kBadRequest : ErrorCode::kInvalidTag,
          "Object tags cannot be greater than 10",
          {},
          {},
          {}};
}

S3Result<Tags> checked(Tags tags, size_t tags_max, bool in_header = false) {
  if (tags.size() > tags_max) return std::unexpected(too_many(tags_max, in_header));
  std::set<std::string_view> keys;
  for (const auto& [key, value] : tags) {
    if (auto good = check_tag(key, value); !good) return std::unexpected(good.error());
    if (!keys.insert(key).second) {
      return fail(ErrorCode::kInvalidTag, "Cannot provide multiple Tags with the same key",
                  {{"TagKey", key}});
    }
  }
  std::ranges::sort(tags);
  return tags;
}

S3Result<std::pair<std::string, std::string>> parse_tag(const XmlElement& tag) {
  std::optional<std::string> key, value;
  for (const XmlElement& child : tag.children()) {
    std::optional<std::string>* const field = child.name() == "Key"     ? &key
                                              : child.name() == "Value" ? &value
                                                                        : nullptr;
    if (field == nullptr || *field || !child.children().empty()) {
      return fail(ErrorCode::kMalformedXML);
    }
    *field = child.text();
  }
  if (!key || !value) return fail(ErrorCode::kMalformedXML);
  return std::pair(*std::move(key), *std::move(value));
}

}  // namespace

S3Result<Tags> parse_tag_list(const XmlElement& parent, size_t tags_max) {
  Tags tags;
  for (const XmlElement& child : parent.children()) {
    if (child.name() != "Tag") return fail(ErrorCode::kMalformedXML);
    auto tag = parse_tag(child);
    if (!tag) return std::unexpected(tag.error());
    tags.push_back(*std::move(tag));
  }
  return checked(std::move(tags), tags_max);
}

S3Result<Tags> parse_tagging_document(std::string_view text, size_t tags_max) {
  const auto document = XmlDocument::parse(text, "Tagging");
  if (!document) return std::unexpected(document.error());
  const auto children = document->root().children();
  if (children.size() != 1 || children.front().name() != "TagSet") {
    return fail(ErrorCode::kMalformedXML);
  }
  return parse_tag_list(children.front(), tags_max);
}

S3Result<Tags> parse_tagging_header(std::string_view text) {
  const auto invalid = [&] {
    return fail(ErrorCode::kInvalidArgument,
                "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
                "parameters without tag name duplicates.",
                {{"ArgumentName", "x-amz-tagging"},
                 {"ArgumentValue", is_valid_utf8(text) ? std::string(text) : ""}});
  };
  Tags tags;
  std::set<std::string> keys;
  while (!text.empty()) {
    const size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (pair.empty()) continue;
    const size_t equal = pair.find('=');
    auto key = percent_decode(pair.substr(0, equal), true);
    auto value = percent_decode(
        equal == std::string_view::npos ? std::string_view() : pair.substr(equal + 1), true);
    if (!key || key->empty() || !value || !is_valid_utf8(*key) || !is_valid_utf8(*value)) {
      return invalid();
    }
    if (equal != std::string_view::npos && pair.find('=', equal + 1) != std::string_view::npos) {
      return invalid();
    }
    if (!keys.insert(*key).second) return invalid();
    tags.emplace_back(*std::move(key), *std::move(value));
  }
  return checked(std::move(tags), kObjectTagsMax, true);
}

void write_tag_set(XmlWriter& xml, const Tags& tags) {
  xml.open("TagSet");
  for (const auto& [key, value] : tags) {
    xml.open("Tag");
    xml.text("Key", key);
    xml.text("Value", value);
    xml.close();
  }
  xml.close();
}

}  // namespace rondel::s3
