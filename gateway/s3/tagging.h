// Tag sets: the XML document of the ...Tagging operations and the x-amz-tagging header.
// Source: PutObjectTagging, PutBucketTagging, PutObject, S3 API reference; "Tagging: restrictions",
// AWS general reference.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/s3/error.h"
#include "gateway/s3/xml_reader.h"
#include "gateway/s3/xml_writer.h"

namespace rondel::s3 {

using Tags = std::vector<std::pair<std::string, std::string>>;  // By key; keys differ.

inline constexpr size_t kObjectTagsMax = 10;
inline constexpr size_t kBucketTagsMax = 50;

// Errors: kMalformedXML; kInvalidTag: too many, a key of other than 1 to 128 characters, a value
// above 256, a character that tags may not have, a key twice, a key that begins with "aws:".
S3Result<Tags> parse_tagging_document(std::string_view text, size_t tags_max);
// The children <Tag> of an element.
S3Result<Tags> parse_tag_list(const XmlElement& parent, size_t tags_max);
// "a=1&b=2", form-encoded. kInvalidArgument when it is not; kInvalidTag as above.
S3Result<Tags> parse_tagging_header(std::string_view text);

// <TagSet>...</TagSet>
void write_tag_set(XmlWriter& xml, const Tags& tags);

}  // namespace rondel::s3
