// ListObjects, ListObjectsV2, ListObjectVersions.
#include "common/async/turn.h"
#include "common/base/encoding.h"
#include "common/model/checksum.h"
#include "common/model/ids.h"
#include "gateway/listing/handlers.h"
#include "gateway/permissions/owners.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/request/listing_turn.h"
#include "gateway/s3/error.h"
#include "gateway/s3/http_values.h"
#include "gateway/s3/request.h"
#include "gateway/s3/xml_writer.h"
#include "metadata/model/object.h"
#include "metadata/store/listing_store.h"

namespace rondel::listing {
namespace {

using s3::ErrorCode;

constexpr uint64_t kKeysMax = 1000;

// What the three listings have in common.
struct Listing {
  std::string prefix;
  std::string delimiter;
  uint32_t max = kKeysMax;
  bool url = false;

  std::string name(std::string_view text) const {
    return url ? percent_encode(text, true) : std::string(text);
  }

  // Of the first version, where some clients undo the encoding of the prefix and others do not:
  // what XML can carry stays as it is, but for what the former would take for an encoding.
  std::string first_prefix() const {
    if (!url || !s3::fits_xml(prefix)) return name(prefix);
    std::string out;
    for (const char c : prefix) out += c == '%' ? "%25" : c == '+' ? "%2B" : std::string(1, c);
    return out;
  }
};

s3::S3Result<Listing> listing_of(const s3::Query& query) {
  Listing listing;
  listing.prefix = query.find("prefix").value_or("");
  listing.delimiter = query.find("delimiter").value_or("");
  if (const auto encoding = query.find("encoding-type")) {
    if (*encoding != "url") {
      return s3::fail(
          ErrorCode::kInvalidArgument, "Invalid Encoding Method specified in Request",
          {{"ArgumentName", "encoding-type"}, {"ArgumentValue", std::string(*encoding)}});
    }
    listing.url = true;
  }
  auto max = request::number_parameter(query.find("max-keys"), "max-keys", kKeysMax, kKeysMax);
  if (!max) return std::unexpected(max.error());
  listing.max = static_cast<uint32_t>(*max);
  return listing;
}

metadata::ListQuery query_of(const request::Context& context, const Listing& listing) {
  metadata::ListQuery query;
  query.bucket_id = context.bucket->id;
  query.prefix = listing.prefix;
  query.delimiter = listing.delimiter;
  query.max = listing.max;
  query.deadline = context.metadata_deadline();
  return query;
}

// A marker that is a common prefix itself passes over everything under it.
void start_after(metadata::ListQuery& query, std::string_view marker) {
  const bool is_prefix =
      !query.delimiter.empty() && marker.size() > query.prefix.size() &&
      marker.starts_with(query.prefix) &&
      marker.find(query.delimiter, query.prefix.size()) == marker.size() - query.delimiter.size();
  (is_prefix ? query.after_prefix : query.after_key) = marker;
}

request::Answer<permissions::Owners> owners_of(request::Context& context,
                                               const metadata::ListPage& page) {
  std::vector<std::string_view> accounts;
  for (const metadata::ListedVersion& entry : page.entries) {
    accounts.push_back(entry.object.owner_account);
  }
  co_return co_await permissions::Owners::of_objects(context, accounts);
}

void write_owner(s3::XmlWriter& xml, const permissions::Owners& owners,
                 const metadata::ListedVersion& entry) {
  const permissions::Person& owner = owners.find(entry.object.owner_account);
  request::write_person(xml, "Owner", owner.canonical_id, owner.display_name);
}

// `owners`: null when they are not asked for.
void write_entry(s3::XmlWriter& xml, const Listing& listing, const metadata::ListedVersion& entry,
                 const permissions::Owners* owners) {
  xml.open("Contents");
  xml.text("Key", listing.name(entry.key));
  xml.text("LastModified", s3::format_iso_date(entry.object.last_modified));
  xml.text("ETag", request::quoted(entry.object.etag));
  if (entry.object.checksum) {
    xml.text("ChecksumAlgorithm", model::to_string(entry.object.checksum->algorithm));
    xml.text("ChecksumType", model::to_string(entry.object.checksum->type));
  }
  xml.number("Size", entry.object.size);
  if (owners != nullptr) write_owner(xml, *owners, entry);
  xml.text("StorageClass", "STANDARD");
  xml.close();
}

async::Task<void> write_prefixes(s3::XmlWriter& xml, const Listing& listing,
                                 const metadata::ListPage& page) {
  async::Turn turn;
  for (const std::string& prefix : page.common_prefixes) {
    if (turn.over()) co_await turn.next();
    xml.open("CommonPrefixes");
    xml.text("Prefix", listing.name(prefix));
    xml.close();
  }
}

async::Task<void> write_entries(s3::XmlWriter& xml, const Listing& listing,
                                const metadata::ListPage& page, const permissions::Owners* owners) {
  async::Turn turn;
  for (const metadata::ListedVersion& entry : page.entries) {
    if (turn.over()) co_await turn.next();
    write_entry(xml, listing, entry, owners);
  }
}

// Opaque to clients: 'k' and the last key, or 'p' and the last common prefix.
std::string encode_token(const metadata::ListPage& page) {
  return to_base64url(
      as_bytes(page.next_prefix.empty() ? "k" + page.next_key : "p" + page.next_prefix));
}

s3::S3Result<void> apply_token(metadata::ListQuery& query, std::string_view token) {
  if (token.empty()) return {};
  const auto text = from_base64url(token);
  if (!text || text->empty() || (text->front() != 'k' && text->front() != 'p')) {
    return s3::fail(
        ErrorCode::kInvalidArgument, "The continuation token provided is incorrect",
        {{"ArgumentName", "continuation-token"}, {"ArgumentValue", std::string(token)}});
  }
  (text->front() == 'p' ? query.after_prefix : query.after_key) = text->substr(1);
  return {};
}

s3::S3Result<bool> fetch_owner(const s3::Query& query) {
  const auto text = query.find("fetch-owner");
  if (!text || text->empty() || *text == "false") return false;
  if (*text == "true") return true;
  return s3::fail(ErrorCode::kInvalidArgument, {},
                  {{"ArgumentName", "fetch-owner"}, {"ArgumentValue", std::string(*text)}});
}

}  // namespace

request::Answer<request::Response> list_objects(request::Context& context) {
  const s3::Query& parameters = context.request.query;
  CO_S3(const Listing listing, listing_of(parameters));
  metadata::ListQuery query = query_of(context, listing);
  const std::string marker(parameters.find("marker").value_or(""));
  start_after(query, marker);
  CO_S3(const metadata::ListPage page,
        co_await request::in_listing_turn(context, context.services.listing.list(query)));
  s3::XmlWriter xml("ListBucketResult");
  xml.text("Name", context.bucket->name);
  xml.text("Prefix", listing.first_prefix());
  xml.text("Marker", listing.name(marker));
  xml.number("MaxKeys", listing.max);
  if (!listing.delimiter.empty()) xml.text("Delimiter", listing.name(listing.delimiter));
  if (listing.url) xml.text("EncodingType", "url");
  xml.boolean("IsTruncated", page.truncated);
  if (page.truncated && !listing.delimiter.empty()) {
    xml.text("NextMarker",
             listing.name(page.next_prefix.empty() ? page.next_key : page.next_prefix));
  }
  CO_S3(const permissions::Owners owners, co_await owners_of(context, page));
  co_await write_entries(xml, listing, page, &owners);
  co_await write_prefixes(xml, listing, page);
  co_return request::xml_response(std::move(xml));
}

request::Answer<request::Response> list_objects_v2(request::Context& context) {
  const s3::Query& parameters = context.request.query;
  CO_S3(const Listing listing, listing_of(parameters));
  CO_S3(const bool with_owner, fetch_owner(parameters));
  metadata::ListQuery query = query_of(context, listing);
  const auto token = parameters.find("continuation-token");
  const std::string start(parameters.find("start-after").value_or(""));
  if (token) {
    CO_S3_VOID(apply_token(query, *token));
  } else {
    start_after(query, start);
  }
  CO_S3(const metadata::ListPage page,
        co_await request::in_listing_turn(context, context.services.listing.list(query)));
  s3::XmlWriter xml("ListBucketResult");
  xml.text("Name", context.bucket->name);
  xml.text("Prefix", listing.name(listing.prefix));
  if (token) xml.text("ContinuationToken", *token);
  if (page.truncated) xml.text("NextContinuationToken", encode_token(page));
  if (!start.empty()) xml.text("StartAfter", listing.name(start));
  xml.number("KeyCount", page.entries.size() + page.common_prefixes.size());
  xml.number("MaxKeys", listing.max);
  if (!listing.delimiter.empty()) xml.text("Delimiter", listing.name(listing.delimiter));
  if (listing.url) xml.text("EncodingType", "url");
  xml.boolean("IsTruncated", page.truncated);
  permissions::Owners owners;
  if (with_owner) {
    CO_S3(owners, co_await owners_of(context, page));
  }
  co_await write_entries(xml, listing, page, with_owner ? &owners : nullptr);
  co_await write_prefixes(xml, listing, page);
  co_return request::xml_response(std::move(xml));
}

request::Answer<request::Response> list_object_versions(request::Context& context) {
  const s3::Query& parameters = context.request.query;
  CO_S3(const Listing listing, listing_of(parameters));
  metadata::ListQuery query = query_of(context, listing);
  query.versions = true;
  const std::string key_marker(parameters.find("key-marker").value_or(""));
  const auto version_marker = parameters.find("version-id-marker");
  start_after(query, key_marker);
  if (version_marker && !version_marker->empty()) {
    if (key_marker.empty()) {
      co_return s3::fail(
          ErrorCode::kInvalidArgument,
          "A version-id marker cannot be specified without a key marker.",
          {{"ArgumentName", "version-id-marker"}, {"ArgumentValue", std::string(*version_marker)}});
    }
    query.after_version = model::VersionId::from_hex(*version_marker);
    if (!query.after_version && *version_marker != "null") {
      co_return s3::fail(
          ErrorCode::kInvalidArgument, "Invalid version id specified",
          {{"ArgumentName", "version-id-marker"}, {"ArgumentValue", std::string(*version_marker)}});
    }
  }
  CO_S3(const metadata::ListPage page,
        co_await request::in_listing_turn(context, context.services.listing.list(query)));
  s3::XmlWriter xml("ListVersionsResult");
  xml.text("Name", context.bucket->name);
  xml.text("Prefix", listing.name(listing.prefix));
  xml.text("KeyMarker", listing.name(key_marker));
  xml.text("VersionIdMarker", version_marker.value_or(""));
  xml.number("MaxKeys", listing.max);
  if (!listing.delimiter.empty()) xml.text("Delimiter", listing.name(listing.delimiter));
  if (listing.url) xml.text("EncodingType", "url");
  xml.boolean("IsTruncated", page.truncated);
  if (page.truncated) {
    xml.text("NextKeyMarker",
             listing.name(page.next_prefix.empty() ? page.next_key : page.next_prefix));
    if (page.next_prefix.empty()) xml.text("NextVersionIdMarker", page.next_version.to_hex());
  }
  CO_S3(const permissions::Owners owners, co_await owners_of(context, page));
  async::Turn turn;
  for (const metadata::ListedVersion& entry : page.entries) {
    if (turn.over()) co_await turn.next();
    const metadata::ObjectVersion& object = entry.object;
    xml.open(object.delete_marker ? "DeleteMarker" : "Version");
    xml.text("Key", listing.name(entry.key));
    xml.text("VersionId", request::version_text(object.version, object.is_null));
    xml.boolean("IsLatest", entry.latest);
    xml.text("LastModified", s3::format_iso_date(object.last_modified));
    if (!object.delete_marker) {
      xml.text("ETag", request::quoted(object.etag));
      if (object.checksum) {
        xml.text("ChecksumAlgorithm", model::to_string(object.checksum->algorithm));
        xml.text("ChecksumType", model::to_string(object.checksum->type));
      }
      xml.number("Size", object.size);
      xml.text("StorageClass", "STANDARD");
    }
    write_owner(xml, owners, entry);
    xml.close();
  }
  co_await write_prefixes(xml, listing, page);
  co_return request::xml_response(std::move(xml));
}

}  // namespace rondel::listing
