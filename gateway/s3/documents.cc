#include "gateway/s3/documents.h"

#include <charconv>
#include <cstring>
#include <pugixml.hpp>

namespace rondel::s3 {
namespace {

constexpr int kDepthMax = 16;
constexpr size_t kDeleteEntriesMax = 1000;
constexpr size_t kPartsMax = 10'000;

std::string_view local_name(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  const size_t colon = name.rfind(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

bool too_deep(std::string_view text) {
  int depth = 0;
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] != '<') continue;
    if (text[i + 1] == '/') {
      --depth;
    } else if (text[i + 1] != '?' && text[i + 1] != '!' && ++depth > kDepthMax) {
      return true;
    }
    const size_t end = text.find('>', i);
    if (end == std::string_view::npos) return false;
    if (text[end - 1] == '/') --depth;
    i = end;
  }
  return false;
}

// The root element, if it is called `root`.
S3Result<pugi::xml_node> parse(pugi::xml_document& document, std::string_view text, std::string_view root) {
  if (text.find("<!DOCTYPE") != std::string_view::npos || text.find("<!ENTITY") != std::string_view::npos || too_deep(text)) {
    return fail(ErrorCode::kMalformedXML);
  }
  const unsigned flags = pugi::parse_cdata | pugi::parse_escapes | pugi::parse_eol | pugi::parse_ws_pcdata_single;
  if (!document.load_buffer(text.data(), text.size(), flags, pugi::encoding_utf8)) return fail(ErrorCode::kMalformedXML);
  const pugi::xml_node node = document.document_element();
  if (!node || local_name(node) != root) return fail(ErrorCode::kMalformedXML);
  return node;
}

std::optional<std::string> child_text(const pugi::xml_node& node, std::string_view name) {
  for (const pugi::xml_node& child : node.children()) {
    if (local_name(child) == name) return std::string(child.text().get());
  }
  return std::nullopt;
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string trimmed(std::string text) {
  const auto space = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  while (!text.empty() && space(text.back())) text.pop_back();
  size_t begin = 0;
  while (begin < text.size() && space(text[begin])) ++begin;
  return text.substr(begin);
}

std::string unquoted(std::string text) {
  text = trimmed(std::move(text));
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') return text.substr(1, text.size() - 2);
  return text;
}

S3Result<DeleteEntry> parse_delete_entry(const pugi::xml_node& node) {
  DeleteEntry entry;
  const auto key = child_text(node, "Key");
  if (!key || key->empty()) return fail(ErrorCode::kMalformedXML);
  if (key->size() > 1024) return fail(ErrorCode::kMalformedXML);
  entry.key = *key;
  entry.version_id = child_text(node, "VersionId");
  if (entry.version_id && entry.version_id->empty()) entry.version_id.reset();
  if (auto etag = child_text(node, "ETag")) entry.etag = unquoted(*etag);
  if (auto time = child_text(node, "LastModifiedTime")) entry.last_modified = trimmed(*time);
  if (auto size = child_text(node, "Size")) {
    entry.size = parse_number<uint64_t>(trimmed(*size));
    if (!entry.size) return fail(ErrorCode::kMalformedXML);
  }
  return entry;
}

S3Result<CompletePart> parse_part(const pugi::xml_node& node) {
  CompletePart part;
  bool has_etag = false;
  for (const pugi::xml_node& child : node.children()) {
    const std::string_view name = local_name(child);
    if (name == "PartNumber") {
      const auto number = parse_number<uint32_t>(trimmed(child.text().get()));
      if (!number || *number < 1 || *number > kPartsMax) return fail(ErrorCode::kInvalidArgument, "PartNumber must be an integer between 1 and 10000, inclusive");
      part.number = *number;
    } else if (name == "ETag") {
      part.etag = unquoted(child.text().get());
      has_etag = true;
    } else if (name.starts_with("Checksum")) {
      const auto algorithm = model::parse_checksum_algorithm(name.substr(std::strlen("Checksum")));
      if (algorithm) part.checksums.emplace_back(*algorithm, trimmed(child.text().get()));
    }
  }
  if (part.number == 0 || !has_etag) return fail(ErrorCode::kMalformedXML);
  return part;
}

}  // namespace

S3Result<DeleteDocument> parse_delete_document(std::string_view text) {
  pugi::xml_document document;
  const auto root = parse(document, text, "Delete");
  if (!root) return std::unexpected(root.error());
  DeleteDocument out;
  for (const pugi::xml_node& child : root->children()) {
    if (local_name(child) == "Quiet") out.quiet = trimmed(child.text().get()) == "true";
    if (local_name(child) != "Object") continue;
    auto entry = parse_delete_entry(child);
    if (!entry) return std::unexpected(entry.error());
    out.entries.push_back(*std::move(entry));
    if (out.entries.size() > kDeleteEntriesMax) return fail(ErrorCode::kMalformedXML);
  }
  if (out.entries.empty()) return fail(ErrorCode::kMalformedXML);
  return out;
}

S3Result<std::vector<CompletePart>> parse_complete_document(std::string_view text) {
  pugi::xml_document document;
  const auto root = parse(document, text, "CompleteMultipartUpload");
  if (!root) return std::unexpected(root.error());
  std::vector<CompletePart> parts;
  for (const pugi::xml_node& child : root->children()) {
    if (local_name(child) != "Part") continue;
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
  if (trimmed(std::string(text.substr(0, kSmallDocumentBytesMax))).empty()) return out;
  pugi::xml_document document;
  const auto root = parse(document, text, "CreateBucketConfiguration");
  if (!root) return std::unexpected(root.error());
  out.location_constraint = trimmed(child_text(*root, "LocationConstraint").value_or(""));
  for (const pugi::xml_node& child : root->children()) out.has_tags = out.has_tags || local_name(child) == "Tags";
  return out;
}

}  // namespace rondel::s3
