#include "gateway/request/object_headers.h"

#include <algorithm>
#include <array>

#include "common/base/encoding.h"
#include "common/http/head_writer.h"
#include "common/http/message.h"
#include "gateway/request/answers.h"
#include "gateway/s3/error.h"
#include "gateway/s3/http_values.h"
#include "gateway/s3/request.h"
#include "metadata/model/bucket.h"
#include "metadata/model/object.h"

namespace rondel::request {
namespace {

// Query parameters that stand for a header of the answer.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kOverrides{
    {{"response-content-type", "content-type"},
     {"response-cache-control", "cache-control"},
     {"response-content-disposition", "content-disposition"},
     {"response-content-encoding", "content-encoding"},
     {"response-content-language", "content-language"},
     {"response-expires", "expires"}}};

using s3::ErrorCode;

constexpr size_t kMetadataBytesMax = 2048;
constexpr size_t kHeaderBytesMax = 8192;
constexpr std::string_view kMetaPrefix = "x-amz-meta-";
constexpr std::array<std::string_view, 7> kStored{
    kRedirectHeader,    "content-type",     "cache-control", "content-disposition",
    "content-encoding", "content-language", "expires"};

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return out;
}

// aws-chunked is about the transfer, not about the object. The other codings stay as they were
// written.
std::string without_aws_chunked(std::string_view value) {
  std::string out;
  for (std::string_view rest = value; !rest.empty();) {
    const size_t comma = rest.find(',');
    const std::string_view coding = rest.substr(0, comma);
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    if (s3::trim(coding).empty() || http::iequals(s3::trim(coding), "aws-chunked")) continue;
    if (!out.empty()) out += ",";
    out += out.empty() ? s3::trim(coding) : coding;
  }
  return out;
}

// Whether every character has a code up to U+00FF. REQUIRES: valid UTF-8.
bool fits_latin_1(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0xc4;  // From here on the first byte of a longer code.
  });
}

constexpr size_t kEncodedWordMax = 75;  // RFC 2047 section 2.

// Of valid UTF-8 beyond ASCII the encoded words of RFC 2047, cut between characters; anything else
// as it is.
std::string as_encoded_words(const std::string& value) {
  constexpr std::string_view kBegin = "=?UTF-8?B?", kEnd = "?=";
  constexpr size_t kBytesMax = (kEncodedWordMax - kBegin.size() - kEnd.size()) / 4 * 3;
  const bool ascii =
      std::ranges::all_of(value, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii || !is_valid_utf8(value)) return value;
  std::string out;
  for (std::string_view rest = value; !rest.empty();) {
    size_t count = std::min(kBytesMax, rest.size());
    while (count < rest.size() && (static_cast<unsigned char>(rest[count]) & 0xc0) == 0x80) --count;
    if (!out.empty()) out += ' ';
    out += kBegin;
    out += to_base64(as_bytes(rest.substr(0, count)));
    out += kEnd;
    rest.remove_prefix(count);
  }
  return out;
}

}  // namespace

s3::S3Result<metadata::Headers> stored_headers(const http::Fields& fields) {
  metadata::Headers stored;
  size_t metadata_bytes = 0;
  size_t system_bytes = 0;
  size_t bytes = 0;
  for (const auto& [name, value] : fields) {
    std::string key = lower(name);
    const bool meta = key.starts_with(kMetaPrefix);
    if (!meta && std::ranges::find(kStored, std::string_view(key)) == kStored.end()) continue;
    if (!http::is_field_name(key) || has_control_character(value)) {
      return s3::fail(
          ErrorCode::kInvalidArgument,
          "A header that is kept with the object contains a character that no header can carry.",
          {{"ArgumentName", key}});
    }
    std::string kept = key == "content-encoding" ? without_aws_chunked(value) : value;
    if (kept.empty() && !meta) continue;
    if (meta) metadata_bytes += key.size() - kMetaPrefix.size() + kept.size();
    if (key == kRedirectHeader) system_bytes += key.size() + kept.size();
    bytes += key.size() + kept.size();
    const auto same = std::ranges::find(stored, key, &std::pair<std::string, std::string>::first);
    if (same != stored.end()) {
      same->second += "," + kept;
    } else {
      stored.emplace_back(std::move(key), std::move(kept));
    }
  }
  if (metadata_bytes > kMetadataBytesMax || system_bytes > kMetadataBytesMax ||
      bytes > kHeaderBytesMax) {
    return s3::fail(ErrorCode::kMetadataTooLarge, {},
                    {{"Size", std::to_string(std::max(metadata_bytes, system_bytes))},
                     {"MaxSizeAllowed", std::to_string(kMetadataBytesMax)}});
  }
  return stored;
}

s3::S3Result<void> check_object_settings(const http::Fields& fields) {
  static constexpr std::array kClasses{"REDUCED_REDUNDANCY",
                                       "STANDARD_IA",
                                       "ONEZONE_IA",
                                       "INTELLIGENT_TIERING",
                                       "GLACIER",
                                       "DEEP_ARCHIVE",
                                       "OUTPOSTS",
                                       "GLACIER_IR",
                                       "SNOW",
                                       "EXPRESS_ONEZONE",
                                       "FSX_OPENZFS"};
  if (const auto storage = fields.find("x-amz-storage-class"); storage && *storage != "STANDARD") {
    if (std::ranges::find(kClasses, *storage) == kClasses.end()) {
      return s3::fail(ErrorCode::kInvalidStorageClass);
    }
    return s3::fail(ErrorCode::kNotImplemented, {}, {{"Header", "x-amz-storage-class"}});
  }
  if (const auto redirect = fields.find(kRedirectHeader);
      redirect && !has_control_character(*redirect)) {
    const auto begins = [&](std::string_view prefix) { return redirect->starts_with(prefix); };
    if (!begins("/") && !begins("http://") && !begins("https://")) {
      return s3::fail(ErrorCode::kInvalidRedirectLocation);
    }
  }
  return {};
}

metadata::Headers copied_headers(const metadata::Headers& source, const metadata::Headers& asked) {
  metadata::Headers out;
  for (const auto& header : source) {
    if (header.first != kRedirectHeader) out.push_back(header);
  }
  for (const auto& header : asked) {
    if (header.first == kRedirectHeader) out.push_back(header);
  }
  return out;
}

bool is_header_override(std::string_view parameter) {
  return std::ranges::any_of(kOverrides, [&](const auto& pair) { return pair.first == parameter; });
}

s3::S3Result<void> check_header_overrides(const s3::Query& query) {
  for (const auto& [parameter, value] : query.parameters) {
    if (!is_header_override(parameter)) continue;
    if (has_control_character(value)) {
      return s3::fail(ErrorCode::kInvalidArgument, "Header value contains a control character.",
                      {{"ArgumentName", parameter}});
    }
    if (is_valid_utf8(value) && !fits_latin_1(value)) {
      return s3::fail(ErrorCode::kInvalidArgument,
                      "Header value cannot be represented using ISO-8859-1.",
                      {{"ArgumentName", parameter}, {"ArgumentValue", value}});
    }
  }
  return {};
}

void add_object_headers(http::Fields& out, const metadata::ObjectVersion& object,
                        const metadata::Bucket& bucket, const s3::Query& query) {
  out.add("ETag", quoted(object.etag));
  out.add("Last-Modified", s3::format_http_date(object.last_modified));
  out.add("Accept-Ranges", "bytes");
  if (bucket.versioning != metadata::Versioning::kNever) {
    out.add("x-amz-version-id", version_text(object.version, object.is_null));
  }
  bool has_type = false;
  for (const auto& [name, value] : object.headers) {
    const auto overridden = [&, &key = name](const auto& pair) {
      return pair.second == key && query.has(pair.first);
    };
    if (std::ranges::any_of(kOverrides, overridden)) continue;
    has_type = has_type || name == "content-type";
    out.add(name, name.starts_with(kMetaPrefix) ? as_encoded_words(value) : value);
  }
  for (const auto& [parameter, header] : kOverrides) {
    const auto value = query.find(parameter);
    if (!value) continue;
    has_type = has_type || header == "content-type";
    out.add(std::string(header), std::string(*value));
  }
  if (!has_type) out.add("Content-Type", "binary/octet-stream");
}

}  // namespace rondel::request
