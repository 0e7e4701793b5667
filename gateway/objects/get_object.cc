// GetObject, HeadObject, GetObjectAttributes.
#include <algorithm>
#include <array>

#include "common/http/message.h"
#include "common/model/checksum.h"
#include "gateway/objects/handlers.h"
#include "gateway/objects/object_attributes.h"
#include "gateway/permissions/object_lookup.h"
#include "gateway/request/answers.h"
#include "gateway/request/conditions.h"
#include "gateway/request/context.h"
#include "gateway/request/object_encryption.h"
#include "gateway/request/object_headers.h"
#include "gateway/s3/encryption_headers.h"
#include "gateway/s3/error.h"
#include "gateway/s3/http_values.h"
#include "gateway/s3/xml_writer.h"
#include "metadata/model/bucket.h"
#include "metadata/model/object.h"
#include "metadata/store/object_store.h"

namespace rondel::objects {
namespace {

using metadata::ExtentRange;
using s3::ErrorCode;

struct Wanted {
  ExtentRange range;
  std::optional<s3::ByteRange> bytes;
  std::optional<uint32_t> part;
};

s3::S3Result<Wanted> wanted_of(const request::Context& context, bool with_bytes) {
  Wanted wanted;
  wanted.range.kind = with_bytes ? ExtentRange::Kind::kAll : ExtentRange::Kind::kNone;
  if (const auto range = context.fields().find("Range")) wanted.bytes = s3::parse_range(*range);
  if (const auto text = context.request.query.find("partNumber")) {
    const auto number = s3::parse_decimal(*text);
    if (!number || *number < 1 || *number > 10'000) {
      return s3::fail(ErrorCode::kInvalidArgument,
                      "Part number must be an integer between 1 and 10000, inclusive",
                      {{"ArgumentName", "partNumber"}, {"ArgumentValue", std::string(*text)}});
    }
    if (wanted.bytes) {
      return s3::fail(ErrorCode::kInvalidRequest,
                      "Cannot specify both Range header and partNumber query parameter");
    }
    wanted.part = static_cast<uint32_t>(*number);
    wanted.range = {ExtentRange::Kind::kPart, *number, 0};
    return wanted;
  }
  // If-Range may ask for the whole after all.
  if (!wanted.bytes || !with_bytes || context.fields().has("If-Range")) return wanted;
  if (wanted.bytes->first) {
    wanted.range = {ExtentRange::Kind::kOffsets, *wanted.bytes->first,
                    wanted.bytes->last.value_or(UINT64_MAX)};
  } else {
    wanted.range = {ExtentRange::Kind::kSuffix, *wanted.bytes->last, 0};
  }
  return wanted;
}

// The part of the object that is sent.
struct Slice {
  uint64_t offset = 0;
  uint64_t length = 0;
  bool partial = false;
};

std::unexpected<s3::Error> unsatisfiable(const request::Context& context, uint64_t size) {
  auto error =
      s3::fail(ErrorCode::kInvalidRange, {},
               {{"RangeRequested", std::string(context.fields().find("Range").value_or(""))},
                {"ActualObjectSize", std::to_string(size)}});
  error.error().headers = {{"Content-Range", "bytes */" + std::to_string(size)}};
  return error;
}

bool if_range_holds(const request::Context& context, const metadata::ObjectVersion& object) {
  const auto value = context.fields().find("If-Range");
  if (!value) return true;
  if (const auto date = s3::parse_date(*value)) {
    return std::chrono::floor<std::chrono::seconds>(object.last_modified) <= *date;
  }
  const auto etags = s3::parse_etags(*value);
  return etags.size() == 1 && etags.front() == object.etag;
}

s3::S3Result<Slice> slice_of(const request::Context& context, const Wanted& wanted,
                             const metadata::ObjectLookup& found) {
  const uint64_t size = found.object.size;
  if (wanted.part) {
    if (found.object.part_count == 0) {
      if (*wanted.part == 1) return Slice{0, size, size > 0};
    } else if (found.part) {
      return Slice{found.part_start, found.part->size, true};
    }
    return s3::fail(ErrorCode::kInvalidPartNumber, {},
                    {{"PartNumberRequested", std::to_string(*wanted.part)},
                     {"ActualPartCount", std::to_string(std::max(1u, found.object.part_count))}});
  }
  if (!wanted.bytes || !if_range_holds(context, found.object)) return Slice{0, size, false};
  if (!wanted.bytes->first) {
    const uint64_t count = std::min(*wanted.bytes->last, size);
    if (*wanted.bytes->last == 0) return unsatisfiable(context, size);
    // The last bytes of nothing are the whole of it.
    if (count == 0) return Slice{};
    return Slice{size - count, count, true};
  }
  if (*wanted.bytes->first >= size) return unsatisfiable(context, size);
  const uint64_t last = std::min(wanted.bytes->last.value_or(UINT64_MAX), size - 1);
  return Slice{*wanted.bytes->first, last - *wanted.bytes->first + 1, true};
}

// With the fields of the 200 that a cache refreshes what it has by. Source: RFC 9110
// section 15.4.5.
request::Response not_modified(const request::Context& context,
                               const metadata::ObjectVersion& object) {
  static constexpr std::array<std::string_view, 5> kKept{"etag", "last-modified", "cache-control",
                                                         "expires", "x-amz-version-id"};
  http::Fields whole;
  request::add_object_headers(whole, object, *context.bucket, context.request.query);
  request::Response response = request::empty_response(304);
  for (const auto& [name, value] : whole) {
    const auto is_name = [&name = name](std::string_view kept) {
      return http::iequals(kept, name);
    };
    if (std::ranges::any_of(kKept, is_name)) response.head.fields.add(name, value);
  }
  return response;
}

// A part's own checksum, with the type of the object's. One of the whole object says nothing of its
// parts: AWS's HEAD sends none then, and ceph/s3-tests wants its GET to. Source: GetObject, S3 API
// reference (partNumber, x-amz-checksum-type).
void add_part_checksum_headers(http::Fields& fields, const metadata::Part& part,
                               const model::Checksum& object, bool with_bytes) {
  if (object.type == model::ChecksumType::kFullObject && !with_bytes) return;
  const auto own = std::ranges::find(part.checksums, object.algorithm, &model::Checksum::algorithm);
  if (own == part.checksums.end()) return;
  fields.add(std::string(model::header_name(own->algorithm)), request::checksum_text(*own, 0));
  fields.add("x-amz-checksum-type", std::string(model::to_string(object.type)));
}

// Whoever is allowed to read unsigned could make a page of any object for others to open.
// Source: GetObject, S3 API reference ("Overriding response header values through the request").
s3::S3Result<void> check_overrides(const request::Context& context) {
  if (!context.identity.anonymous()) return request::check_header_overrides(context.request.query);
  const auto overrides = [](const auto& parameter) {
    return request::is_header_override(parameter.first);
  };
  if (std::ranges::none_of(context.request.query.parameters, overrides)) return {};
  return s3::fail(ErrorCode::kInvalidRequest,
                  "Request specific response headers cannot be used for anonymous GET requests.");
}

request::Answer<request::Response> answer_object(request::Context& context, bool with_bytes) {
  CO_S3_VOID(check_overrides(context));
  CO_S3_VOID(s3::refuse_encryption_headers(context.fields()));
  CO_S3(const Wanted wanted, wanted_of(context, with_bytes));
  metadata::ObjectQuery query;
  query.range = wanted.range;
  CO_S3(const metadata::ObjectLookup found,
        co_await permissions::look_up_object(context, std::move(query)));
  const metadata::ObjectVersion& object = found.object;
  CO_S3(const request::ObjectKey object_key,
        co_await request::open_object_key(context,
                                          {object.encryption, found.bucket_id, context.request.key},
                                          s3::kTargetPrefix, with_bytes));
  const request::Verdict verdict =
      request::judge(request::read_conditions(context.fields()), object);
  if (verdict == request::Verdict::kPreconditionFailed) {
    co_return s3::fail(
        ErrorCode::kPreconditionFailed, {},
        {{"Condition", context.fields().has("If-Match") ? "If-Match" : "If-Unmodified-Since"}});
  }
  if (verdict == request::Verdict::kNotModified) {
    co_return not_modified(context, object);
  }
  CO_S3(const Slice slice, slice_of(context, wanted, found));
  request::Response response = request::empty_response(slice.partial ? 206 : 200);
  http::Fields& fields = response.head.fields;
  request::add_object_headers(fields, object, *context.bucket, context.request.query);
  add_attribute_headers(fields, object);
  request::add_encryption_headers(fields, object_key);
  if (!context.request.query.has("versionId")) {
    co_await add_expiration_header(fields, context, object);
  }
  if (slice.partial && slice.length > 0) {
    fields.add("Content-Range", "bytes " + std::to_string(slice.offset) + "-" +
                                    std::to_string(slice.offset + slice.length - 1) + "/" +
                                    std::to_string(object.size));
  }
  if (wanted.part && object.part_count > 0) {
    fields.add("x-amz-mp-parts-count", std::to_string(object.part_count));
  }
  const auto mode = context.fields().find("x-amz-checksum-mode");
  if (mode && http::iequals(*mode, "ENABLED")) {
    const bool whole = !slice.partial || slice.length == object.size;
    if (wanted.part && object.part_count > 0) {
      if (object.checksum) {
        add_part_checksum_headers(fields, *found.part, *object.checksum, with_bytes);
      }
    } else if (whole && object.checksum) {
      request::add_checksum_headers(fields, *object.checksum, object.part_count);
    }
  }
  if (!with_bytes) {
    response.head_content_length = slice.length;
    co_return response;
  }
  response.stream_length = slice.length;
  if (slice.length > 0) {
    CO_S3(response.stream, request::open_object_reader(context, object_key, object.extents,
                                                       slice.offset, slice.length));
  }
  co_return response;
}

struct Attributes {
  bool etag = false, checksum = false, parts = false, storage_class = false, size = false;
};

s3::S3Result<Attributes> attributes_of(const http::Fields& fields) {
  Attributes wanted;
  bool any = false;
  for (std::string_view list : fields.find_all("x-amz-object-attributes")) {
    while (!list.empty()) {
      const size_t comma = list.find(',');
      const std::string_view name = s3::trim(list.substr(0, comma));
      list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
      if (name.empty()) continue;
      any = true;
      if (name == "ETag")
        wanted.etag = true;
      else if (name == "Checksum")
        wanted.checksum = true;
      else if (name == "ObjectParts")
        wanted.parts = true;
      else if (name == "StorageClass")
        wanted.storage_class = true;
      else if (name == "ObjectSize")
        wanted.size = true;
      else
        return s3::fail(
            ErrorCode::kInvalidArgument, "Invalid attribute name specified.",
            {{"ArgumentName", "x-amz-object-attributes"}, {"ArgumentValue", std::string(name)}});
    }
  }
  if (!any) {
    return s3::fail(ErrorCode::kInvalidRequest,
                    "The x-amz-object-attributes header specifying the attributes to be retrieved "
                    "is either missing or empty");
  }
  return wanted;
}

}  // namespace

request::Answer<request::Response> get_object(request::Context& context) {
  return answer_object(context, true);
}

request::Answer<request::Response> head_object(request::Context& context) {
  return answer_object(context, false);
}

request::Answer<request::Response> get_object_attributes(request::Context& context) {
  CO_S3(const Attributes wanted, attributes_of(context.fields()));
  CO_S3(const uint64_t max_parts,
        request::number_parameter(context.fields().find("x-amz-max-parts"), "x-amz-max-parts", 1000,
                                  1000));
  CO_S3(const uint64_t marker,
        request::number_parameter(context.fields().find("x-amz-part-number-marker"),
                                  "x-amz-part-number-marker", 0, 10'000));
  metadata::ObjectQuery query;
  query.with_parts = wanted.parts;
  query.parts_after = static_cast<uint32_t>(marker);
  query.parts_max = static_cast<uint32_t>(max_parts);
  CO_S3(const metadata::ObjectLookup found,
        co_await permissions::look_up_object(context, std::move(query)));
  const metadata::ObjectVersion& object = found.object;
  CO_S3(const request::ObjectKey object_key,
        co_await request::open_object_key(context,
                                          {object.encryption, found.bucket_id, context.request.key},
                                          s3::kTargetPrefix, false));
  s3::XmlWriter xml("GetObjectAttributesResponse");
  if (wanted.etag) xml.text("ETag", object.etag);
  if (wanted.checksum && object.checksum) {
    xml.open("Checksum");
    request::write_checksum(xml, *object.checksum, object.part_count, true);
    xml.close();
  }
  if (wanted.parts && object.part_count > 0) {
    xml.open("ObjectParts");
    xml.number("PartsCount", object.part_count);
    xml.number("PartNumberMarker", marker);
    xml.number("NextPartNumberMarker", object.parts.empty() ? 0 : object.parts.back().number);
    xml.number("MaxParts", max_parts);
    xml.boolean("IsTruncated", found.parts_truncated);
    for (const metadata::Part& part : object.parts) {
      xml.open("Part");
      xml.number("PartNumber", part.number);
      xml.number("Size", part.size);
      if (object.checksum && !part.checksums.empty()) {
        xml.text(
            "Checksum" + std::string(model::to_string(part.checksums.front().algorithm)),
            request::checksum_text({part.checksums.front().algorithm,
                                    model::ChecksumType::kFullObject, part.checksums.front().value},
                                   0));
      }
      xml.close();
    }
    xml.close();
  }
  if (wanted.storage_class) xml.text("StorageClass", "STANDARD");
  if (wanted.size) xml.number("ObjectSize", object.size);
  request::Response response = request::xml_response(std::move(xml));
  response.head.fields.add("Last-Modified", s3::format_http_date(object.last_modified));
  if (context.bucket->versioning != metadata::Versioning::kNever) {
    response.head.fields.add("x-amz-version-id",
                             request::version_text(object.version, object.is_null));
  }
  co_return response;
}

}  // namespace rondel::objects
