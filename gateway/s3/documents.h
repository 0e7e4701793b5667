// XML documents that clients send. Bounded, without entities or document types; unknown elements
// are passed over where AWS does. Errors: kMalformedXML and what the element's own rules say.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/model/checksum.h"
#include "gateway/s3/error.h"
#include "gateway/s3/tagging.h"

namespace rondel::s3 {

// Largest request documents, in bytes. DeleteObjects: 1000 keys of 1024 bytes, escaped.
inline constexpr size_t kDeleteDocumentBytesMax = 8 << 20;
inline constexpr size_t kCompleteDocumentBytesMax = 8 << 20;
inline constexpr size_t kSmallDocumentBytesMax = 64 << 10;

struct DeleteEntry {
  std::string key;
  std::optional<std::string> version_id;
  std::optional<std::string> etag;
  std::optional<std::string> last_modified;
  std::optional<uint64_t> size;
};

struct DeleteDocument {
  std::vector<DeleteEntry> entries;  // 1 to 1000.
  bool quiet = false;
};

S3Result<DeleteDocument> parse_delete_document(std::string_view text);

struct CompletePart {
  uint32_t number = 0;
  std::string etag;                                                         // Without quotes.
  std::vector<std::pair<model::ChecksumAlgorithm, std::string>> checksums;  // As sent, base64.
};

// 1 to 10,000 parts, in the order sent.
S3Result<std::vector<CompletePart>> parse_complete_document(std::string_view text);

struct CreateBucketDocument {
  std::string location_constraint;
  Tags tags;  // Of the new bucket.
};

// An empty text is an empty document.
S3Result<CreateBucketDocument> parse_create_bucket_document(std::string_view text);

}  // namespace rondel::s3
