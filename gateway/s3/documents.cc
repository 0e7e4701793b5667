#include "gateway/s3/documents.h"

#include <algorithm>
#include <cstring>

#include "common/base/numbers.h"
#include "gateway/s3/xml_reader.h"

namespace rondel::s3 {
namespace {

constexpr size_t kDeleteEntriesMax = 1000;
constexpr size_t kPartsMax = 10'000;

std::string unquoted(std::string_view sent) {
  const std::string text = xml_trimmed(sent);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    return text.substr(1, text.size() - 2);
  }
  return text;
}

S3Result<DeleteEntry> parse_delete_entry(const XmlElement& element) {
  DeleteEntry entry;
  const auto key = element.child_text("Key");
  if (!key || key->empty()) return fail(ErrorCode::kMalformedXML);
  if (key->size() > 1024) return fail(ErrorCode::kMalformedXML);
  entry.key = *key;
  entry.version_id = element.child_text("VersionId");
  if (entry.version_id && entry.version_id->empty()) entry.version_id.reset();
  if (const auto etag = element.child_text("ETag")) entry.etag = unquoted(*etag);
  if (const auto time = element.child_text("LastModifiedTime")) {
    entry.last_modified = xml_trimmed(*time);
  }
  if (const auto size = element.child_text("Size")) {
    entry.size = parse_decimal(xml_trimmed(*size));
    if (!entry.size || *entry.size > INT64_MAX) return fail(ErrorCode::kMalformedXML);
  }
  return entry;
}

S3Result<CompletePart> parse_part(const XmlElement& element) {
  CompletePart part;
  bool has_etag = false;
  for (const XmlElement& child : element.children()) {
    const std::string_view name = child.name();
    if (name == "PartNumber") {
      const auto number = parse_decimal(child.trimmed_text());
      if (!number || *number < 1 || *number > kPartsMax) {
        return fail(ErrorCode::kInvalidArgument,
                    "PartNumber must be an integer between 1 and 10000, inclusive");
      }
      part.number = static_cast<uint32_t>(*number);
    } else if (name == "ETag") {
      part.etag = unquoted(child.text());
      has_etag = true;
    } else if (name.starts_with("Checksum")) {
      const auto algorithm = model::parse_checksum_algorithm(name.substr(std::strlen("Checksum")));
      if (!algorithm) continue;
      if (std::ranges::any_of(part.checksums,
                              [&](const auto& known) { return known.first == *algorithm; })) {
        return fail(ErrorCode::kMalformedXML);
      }
      part.checksums.emplace_back(*algorithm, child.trimmed_text());
    }
  }
  if (part.number == 0 || !has_etag) return fail(ErrorCode::kMalformedXML);
  return part;
}

}  // namespace

S3Result<DeleteDocument> parse_delete_document(std::string_view text) {
  const auto document = XmlDocument::parse(text, "Delete");
  if (!document) return std::unexpected(document.error());
  DeleteDocument out;
  for (const XmlElement& child : document->root().children()) {
    if (child.name() == "Quiet") out.quiet = child.trimmed_text() == "true";
    if (child.name() != "Object") continue;
    auto entry = parse_delete_entry(child);
    if (!entry) return std::unexpected(entry.error());
    out.entries.push_back(*std::move(entry));
    if (out.entries.size() > kDeleteEntriesMax) return fail(ErrorCode::kMalformedXML);
  }
  if (out.entries.empty()) return fail(ErrorCode::kMalformedXML);
  return out;
}

S3Result<std::vector<CompletePart>> parse_complete_document(std::string_view text) {
  const auto document = XmlDocument::parse(text, "CompleteMultipartUpload");
  if (!document) return std::unexpected(document.error());
  std::vector<CompletePart> parts;
  for (const XmlElement& child : document->root().children()) {
    if (child.name() != "Part") continue;
    auto part = parse_part(child);
    if (!part) return std::unexpected(part.error());
    parts.push_back(*std::move(part));
    if (parts.size() > kPartsMax) return fail(ErrorCode::kMalformedXML);
  }
  if (parts.empty()) return fail(ErrorCode::kMalformedXML);
  return parts;
}

S3Result<CreateBucketDocument> parse_create_bucket_document(std::string_view text) {
  CreateBucketDocument out;
  if (xml_trimmed(text).empty()) return out;
  const auto document = XmlDocument::parse(text, "CreateBucketConfiguration");
  if (!document) return std::unexpected(document.error());
  out.location_constraint =
      xml_trimmed(document->root().child_text("LocationConstraint").value_or(""));
  if (const auto tags = document->root().child("Tags")) {
    auto parsed = parse_tag_list(*tags, kBucketTagsMax);
    if (!parsed) return std::unexpected(parsed.error());
    out.tags = *std::move(parsed);
  }
  return out;
}

}  // namespace rondel::s3
