// Multipart uploads.
#include <algorithm>
#include <map>

#include "common/async/turn.h"
#include "common/base/encoding.h"
#include "common/crypto/digest.h"
#include "common/http/message.h"
#include "common/model/checksum.h"
#include "common/model/ids.h"
#include "gateway/multipart/handlers.h"
#include "gateway/objects/body.h"
#include "gateway/objects/object_attributes.h"
#include "gateway/payload/object_checksum.h"
#include "gateway/payload/payload_reader.h"
#include "gateway/payload/promised_digests.h"
#include "gateway/permissions/authorization.h"
#include "gateway/permissions/commit.h"
#include "gateway/permissions/documents.h"
#include "gateway/permissions/owners.h"
#include "gateway/permissions/requested_acl.h"
#include "gateway/request/answers.h"
#include "gateway/request/beside.h"
#include "gateway/request/conditions.h"
#include "gateway/request/context.h"
#include "gateway/request/listing_turn.h"
#include "gateway/request/object_encryption.h"
#include "gateway/request/object_headers.h"
#include "gateway/request/refusals.h"
#include "gateway/s3/documents.h"
#include "gateway/s3/error.h"
#include "gateway/s3/http_values.h"
#include "gateway/s3/request.h"
#include "gateway/s3/xml_writer.h"
#include "identity/access/acl.h"
#include "identity/access/bucket_access.h"
#include "kms/envelope.h"
#include "metadata/model/object.h"
#include "metadata/model/version_clock.h"
#include "metadata/store/commit_context.h"
#include "metadata/store/commit_result.h"
#include "metadata/store/listing_store.h"
#include "metadata/store/upload_store.h"

namespace rondel::multipart {
namespace {

using metadata::CommitStatus;
using model::ChecksumAlgorithm;
using model::ChecksumType;
using s3::ErrorCode;

constexpr uint32_t kPartsMax = 10'000;
constexpr uint32_t kPageMax = 1000;
constexpr size_t kCombinedAtOnce = 64;

s3::Error no_such_upload(const request::Context& context) {
  metadata::CommitOutcome outcome;
  outcome.status = CommitStatus::kNoSuchUpload;
  return request::to_s3(outcome, context);
}

request::Answer<metadata::UploadLookup> find_upload(request::Context& context, uint32_t after,
                                                    uint32_t max) {
  const auto id = model::UploadId::from_hex(context.request.query.find("uploadId").value_or(""));
  if (!id) co_return std::unexpected(permissions::absent(context, no_such_upload(context)));
  CO_S3(metadata::UploadLookup found,
        co_await context.services.uploads.find_upload({context.bucket->id, *id, context.request.key,
                                                       after, max, context.metadata_deadline()}));
  found.upload.id = *id;
  if (found.status != metadata::LookupStatus::kFound && !found.completed) {
    co_return std::unexpected(permissions::absent(context, no_such_upload(context)));
  }
  co_return found;
}

s3::S3Result<uint32_t> part_number(const request::Context& context) {
  const auto text = context.request.query.find("partNumber");
  const auto number = s3::parse_decimal(text.value_or(""));
  if (!number || *number < 1 || *number > kPartsMax) {
    return s3::fail(
        ErrorCode::kInvalidArgument,
        "Part number must be an integer between 1 and 10000, inclusive",
        {{"ArgumentName", "partNumber"}, {"ArgumentValue", std::string(text.value_or(""))}});
  }
  return static_cast<uint32_t>(*number);
}

// Algorithm and type of a new upload. Source: "Checking object integrity", table of algorithms and
// types.
s3::S3Result<void> choose_checksum(const http::Fields& fields, metadata::Upload& upload) {
  const auto name = fields.find("x-amz-checksum-algorithm");
  const auto type = fields.find("x-amz-checksum-type");
  if (!name) {
    if (type) {
      return s3::fail(ErrorCode::kInvalidRequest,
                      "The x-amz-checksum-type header can only be used with the "
                      "x-amz-checksum-algorithm header.");
    }
    upload.checksum_type = ChecksumType::kFullObject;
    return {};
  }
  upload.checksum_algorithm = model::parse_checksum_algorithm(*name);
  if (!upload.checksum_algorithm) {
    return s3::fail(ErrorCode::kInvalidRequest, payload::kUnsupportedChecksum);
  }
  const bool full_possible = model::has_full_object_form(*upload.checksum_algorithm);
  const bool composite_possible = model::has_composite_form(*upload.checksum_algorithm);
  upload.checksum_type = composite_possible ? ChecksumType::kComposite : ChecksumType::kFullObject;
  if (!type) return {};
  if (*type == "FULL_OBJECT") {
    upload.checksum_type = ChecksumType::kFullObject;
  } else if (*type == "COMPOSITE") {
    upload.checksum_type = ChecksumType::kComposite;
  } else {
    return s3::fail(ErrorCode::kInvalidRequest, "Value for x-amz-checksum-type header is invalid.");
  }
  if ((upload.checksum_type == ChecksumType::kFullObject && !full_possible) ||
      (upload.checksum_type == ChecksumType::kComposite && !composite_possible)) {
    return s3::fail(ErrorCode::kInvalidRequest,
                    "The " + std::string(*type) + " checksum type cannot be used with the " +
                        std::string(model::to_string(*upload.checksum_algorithm)) +
                        " checksum algorithm.");
  }
  return {};
}

// The algorithm that parts are stored with: the upload's, or the one every body gets.
ChecksumAlgorithm part_algorithm(const metadata::Upload& upload) {
  return upload.checksum_algorithm.value_or(ChecksumAlgorithm::kCrc64Nvme);
}

// The object's checksum out of those of its parts; none when a part lacks one.
async::Task<std::optional<model::Checksum>> combine(
    const metadata::Upload& upload, const std::vector<const metadata::Part*>& parts) {
  const ChecksumAlgorithm algorithm = part_algorithm(upload);
  const ChecksumType type =
      upload.checksum_algorithm ? upload.checksum_type : ChecksumType::kFullObject;
  std::vector<std::string> values;
  std::vector<payload::PartChecksum> sized;
  for (const metadata::Part* part : parts) {
    const auto found = std::ranges::find(part->checksums, algorithm, &model::Checksum::algorithm);
    if (found == part->checksums.end()) co_return std::nullopt;
    values.push_back(found->value);
    sized.push_back({found->value, part->size});
  }
  if (type == ChecksumType::kComposite) {
    co_return model::Checksum{algorithm, type, payload::composite_checksum(algorithm, values)};
  }
  // Some microseconds a part: a few at once, with those before them as the first.
  std::vector<payload::PartChecksum> run;
  async::Turn turn;
  for (const payload::PartChecksum& part : sized) {
    run.push_back(part);
    if (run.size() < kCombinedAtOnce && &part != &sized.back()) continue;
    const auto value = payload::full_object_checksum(algorithm, run);
    if (!value) co_return std::nullopt;
    uint64_t size = 0;
    for (const payload::PartChecksum& one : run) size += one.size;
    run.assign(1, {*value, size});
    if (turn.over()) co_await turn.next();
  }
  if (run.empty()) co_return std::nullopt;
  co_return model::Checksum{algorithm, type, run.front().value};
}

std::string combined_etag(const std::vector<const metadata::Part*>& parts) {
  std::string digests;
  for (const metadata::Part* part : parts) digests += from_hex(part->etag).value_or("");
  return to_hex(as_bytes(crypto::md5(digests))) + "-" + std::to_string(parts.size());
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return out;
}

// Of a part as the document names it: at most one checksum, which is one.
s3::S3Result<void> check_checksum_form(const s3::CompletePart& part) {
  const auto good = [](const auto& named) {
    return payload::parse_checksum(named.first, named.second).has_value();
  };
  if (part.checksums.size() <= 1 && std::ranges::all_of(part.checksums, good)) return {};
  std::vector<std::string> named;
  for (const auto& [algorithm, text] : part.checksums) {
    named.push_back(std::string(model::to_string(algorithm)) + ":" + text + ";");
  }
  std::ranges::sort(named);
  std::string value;
  for (const std::string& one : named) value += one;
  return s3::fail(ErrorCode::kInvalidArgument,
                  "Invalid Base64 or multiple checksums present in request",
                  {{"ArgumentName", "Checksum"}, {"ArgumentValue", value}});
}

// The stored parts that the document names, with the ETags and checksums it says.
request::Answer<std::vector<const metadata::Part*>> chosen_parts(
    const metadata::UploadLookup& found, const std::vector<s3::CompletePart>& named) {
  std::map<uint32_t, const metadata::Part*> stored;
  for (const metadata::Part& part : found.parts) stored[part.number] = &part;
  std::vector<const metadata::Part*> chosen;
  for (size_t i = 0; i < named.size(); ++i) {
    if (i > 0 && named[i].number <= named[i - 1].number) {
      co_return s3::fail(ErrorCode::kInvalidPartOrder);
    }
  }
  async::Turn turn;
  for (const s3::CompletePart& part : named) {
    if (turn.over()) co_await turn.next();
    CO_S3_VOID(check_checksum_form(part));
  }
  for (const s3::CompletePart& part : named) {
    if (turn.over()) co_await turn.next();
    const auto known = stored.find(part.number);
    const auto invalid = [&] {
      return s3::fail(ErrorCode::kInvalidPart, {},
                      {{"UploadId", found.upload.id.to_hex()},
                       {"PartNumber", std::to_string(part.number)},
                       {"ETag", part.etag}});
    };
    if (known == stored.end() || known->second->etag != part.etag) co_return invalid();
    for (const auto& [algorithm, text] : part.checksums) {
      const auto kept =
          std::ranges::find(known->second->checksums, algorithm, &model::Checksum::algorithm);
      if (kept == known->second->checksums.end()) {
        co_return s3::fail(ErrorCode::kBadDigest, "The " + lower(model::to_string(algorithm)) +
                                                      " you specified for part " +
                                                      std::to_string(part.number) +
                                                      " did not match what we received.");
      }
      if (kept->value != payload::parse_checksum(algorithm, text)) co_return invalid();
    }
    chosen.push_back(known->second);
  }
  co_return chosen;
}

// Of an object as x-amz-checksum-* of a Complete names it: base64, with the number of parts behind
// when it is composite.
bool names_checksum(std::string_view text, const model::Checksum& checksum, size_t part_count) {
  if (text == request::checksum_text(checksum, static_cast<uint32_t>(part_count))) return true;
  return checksum.type == ChecksumType::kComposite &&
         payload::parse_checksum(checksum.algorithm, text) == checksum.value;
}

// x-amz-checksum-*, x-amz-checksum-type and x-amz-mp-object-size of a Complete are about the
// object.
s3::S3Result<void> check_object_promises(const request::Context& context,
                                         const metadata::Upload& upload,
                                         const metadata::CompleteUpload& request) {
  if (const auto text = context.fields().find("x-amz-mp-object-size")) {
    const auto size = s3::parse_decimal(*text);
    if (!size) {
      return s3::fail(ErrorCode::kInvalidRequest,
                      "Value for x-amz-mp-object-size header is invalid.");
    }
    if (*size != request.size) {
      return s3::fail(ErrorCode::kInvalidRequest,
                      "The provided 'x-amz-mp-object-size' header value " + std::to_string(*size) +
                          " does not match what was computed: " + std::to_string(request.size));
    }
  }
  if (const auto type = context.fields().find("x-amz-checksum-type")) {
    if (*type != "COMPOSITE" && *type != "FULL_OBJECT") {
      return s3::fail(ErrorCode::kInvalidRequest,
                      "Value for x-amz-checksum-type header is invalid.");
    }
    const std::string mode(upload.checksum_algorithm ? model::to_string(upload.checksum_type)
                                                     : "null");
    if (*type != mode) {
      return s3::fail(ErrorCode::kInvalidRequest,
                      "The upload was created using the " + mode +
                          " checksum mode. The complete request must use the same checksum mode.");
    }
  }
  const auto header = payload::find_checksum_header(context.fields());
  if (!header) return std::unexpected(request::to_s3(header.error()));
  if (!*header) return {};
  const auto [algorithm, text] = **header;
  if (!payload::parse_checksum(algorithm, text.substr(0, text.find('-')))) {
    return s3::fail(ErrorCode::kBadDigest, payload::malformed_checksum(algorithm).message);
  }
  if (!request.checksum || request.checksum->algorithm != algorithm ||
      !names_checksum(text, *request.checksum, request.parts.size())) {
    return s3::fail(ErrorCode::kXAmzContentChecksumMismatch,
                    "The " + std::string(model::to_string(algorithm)) +
                        " you specified did not match the calculated checksum.");
  }
  return {};
}

request::Response complete_response(const request::Context& context, const std::string& etag,
                                    const std::optional<model::Checksum>& checksum, uint32_t parts,
                                    const metadata::CommitOutcome& outcome) {
  const auto host = context.fields().find("Host").value_or("");
  s3::XmlWriter xml("CompleteMultipartUploadResult");
  xml.text("Location", std::string(context.exchange.connection().tls ? "https://" : "http://") +
                           std::string(host) + "/" + context.bucket->name + "/" +
                           percent_encode(context.request.key, true));
  xml.text("Bucket", context.bucket->name);
  xml.text("Key", context.request.key);
  xml.text("ETag", request::quoted(etag));
  if (checksum) request::write_checksum(xml, *checksum, parts, true);
  request::Response response = request::xml_response(std::move(xml));
  request::add_made_version_header(response.head.fields, outcome);
  return response;
}

// Whether the client asked for a checksum of the object, or of one of its parts by another than the
// algorithm every body gets.
bool has_client_checksums(const metadata::Upload& upload,
                          const std::vector<const metadata::Part*>& parts) {
  const auto chosen = [](const metadata::Part* part) {
    return std::ranges::any_of(part->checksums, [](const model::Checksum& sum) {
      return sum.algorithm != ChecksumAlgorithm::kCrc64Nvme;
    });
  };
  return upload.checksum_algorithm || std::ranges::any_of(parts, chosen);
}

// What was begun before the bucket's block on public ACLs does not become public behind it.
s3::S3Result<void> check_upload_acl(const request::Context& context,
                                    const metadata::Upload& upload) {
  const access::BucketAccess& bucket = *context.access.bucket;
  if (upload.acl.empty() || !bucket.acls_enabled()) return {};
  return permissions::check_public(access::decode_acl(upload.acl, bucket.owner_canonical_id),
                                   bucket.block);
}

// Complete reads no byte, so nothing is opened but SSE-C, whose key must be given for an object
// made with checksums; those that SDKs put on parts by themselves count. Source:
// CompleteMultipartUpload, S3 API reference (SSECustomerAlgorithm); s3-tests' test_copy_part_enc.
request::Answer<request::ObjectKey> key_to_complete(
    request::Context& context, const metadata::Upload& upload,
    const std::vector<const metadata::Part*>& parts) {
  request::ObjectKey key;
  if (upload.encryption.empty()) co_return key;
  CO_S3(key.envelope, kms::decode(upload.encryption));
  if (key.mode() != kms::Mode::kSseC) co_return key;
  const bool given = context.fields().has("x-amz-server-side-encryption-customer-key");
  if (!given && !has_client_checksums(upload, parts)) co_return request::ObjectKey{};
  co_return co_await request::open_upload_key(context, upload);
}

}  // namespace

request::Answer<request::Response> create_multipart_upload(request::Context& context) {
  CO_S3_VOID(request::check_object_settings(context.fields()));
  metadata::Upload upload;
  CO_S3(upload.headers, request::stored_headers(context.fields()));
  CO_S3_VOID(choose_checksum(context.fields(), upload));
  CO_S3(static_cast<metadata::Attributes&>(upload), objects::requested_attributes(context));
  CO_S3(const permissions::RequestedAcl asked_acl, co_await permissions::requested_acl(context));
  upload.id = metadata::new_upload_id(context.services.clock.now(), context.request.key);
  upload.bucket_id = context.bucket->id;
  upload.key = context.request.key;
  upload.initiator_account = context.account();
  const auto decide = [&]() -> request::Answer<void> {
    CO_S3_VOID(objects::requested_attributes(context));
    CO_S3(permissions::Placement placement, permissions::place_new_object(context, asked_acl));
    upload.owner_account = std::move(placement.owner_account);
    upload.acl = std::move(placement.acl);
    co_return s3::S3Result<void>{};
  };
  CO_S3_VOID(co_await decide());
  CO_S3(request::EncryptionChoice choice, request::choose_encryption(context));
  CO_S3(const request::ObjectKey object_key,
        co_await request::make_object_key(context, std::move(choice)));
  upload.encryption = object_key.encoded();
  auto outcome = co_await permissions::commit_with(
      context,
      [&]() -> async::Task<metadata::CommitResult> {
        metadata::CommitOutcome made;
        CO_TRY(made.status, co_await context.services.uploads.create_upload(
                                request::commit_context(context), upload));
        co_return made;
      },
      nullptr, decide);
  if (!outcome) co_return std::unexpected(outcome.error());
  s3::XmlWriter xml("InitiateMultipartUploadResult");
  xml.text("Bucket", context.bucket->name);
  xml.text("Key", context.request.key);
  xml.text("UploadId", upload.id.to_hex());
  request::Response response = request::xml_response(std::move(xml));
  if (upload.checksum_algorithm) {
    response.head.fields.add("x-amz-checksum-algorithm",
                             std::string(model::to_string(*upload.checksum_algorithm)));
    response.head.fields.add("x-amz-checksum-type",
                             std::string(model::to_string(upload.checksum_type)));
  }
  request::add_encryption_headers(response.head.fields, object_key, true);
  co_return response;
}

request::Answer<request::Response> upload_part(request::Context& context) {
  CO_S3(const uint32_t number, part_number(context));
  CO_S3(const metadata::UploadLookup found, co_await find_upload(context, 0, 0));
  if (found.status != metadata::LookupStatus::kFound) {
    co_return std::unexpected(no_such_upload(context));
  }
  CO_S3(const request::ObjectKey object_key,
        co_await request::open_upload_key(context, found.upload));
  payload::PayloadOptions options;
  options.size_max = context.services.settings.object_bytes_max;
  options.compute = part_algorithm(found.upload);
  options.expected = found.upload.checksum_algorithm;
  options.checksum_required = found.upload.checksum_type == ChecksumType::kComposite;
  CO_S3(objects::ReceivedBody body, co_await objects::receive_body(context, options, object_key));
  metadata::PutPart request;
  request.upload = found.upload.id;
  request.key = context.request.key;
  request.part.number = number;
  request.part.size = body.summary.size;
  request.part.etag = body.etag;
  request.part.checksums = {*body.summary.checksum};
  request.extents = body.extents();
  auto outcome = co_await permissions::commit_with(
      context,
      [&] {
        request.context = request::commit_context(context, body.stream);
        return context.services.uploads.put_part(request);
      },
      &body.stream);
  if (!outcome) co_return std::unexpected(outcome.error());
  request::Response response = request::empty_response(200);
  response.head.fields.add("ETag", request::quoted(body.etag));
  request::add_encryption_headers(response.head.fields, object_key);
  if (body.summary.checksum_from_client || found.upload.checksum_algorithm) {
    response.head.fields.add(std::string(model::header_name(body.summary.checksum->algorithm)),
                             request::checksum_text(*body.summary.checksum, 0));
  }
  co_return response;
}

request::Answer<request::Response> complete_multipart_upload(request::Context& context) {
  CO_S3(std::string text,
        co_await permissions::read_document(context, s3::kCompleteDocumentBytesMax));
  if (text.empty()) co_return s3::fail(ErrorCode::kMalformedXML);
  CO_S3(const std::vector<s3::CompletePart> named,
        co_await request::read_beside(context.services, std::move(text),
                                      s3::parse_complete_document));
  CO_S3_VOID(co_await permissions::authorize_conditions(
      context, request::write_conditions(context.fields()), context.request.key));
  CO_S3(const metadata::UploadLookup found, co_await find_upload(context, 0, kPartsMax));
  if (found.completed) {
    co_return complete_response(context, found.completed->etag, found.completed->checksum,
                                static_cast<uint32_t>(named.size()), *found.completed);
  }
  CO_S3(const auto parts, co_await chosen_parts(found, named));
  CO_S3(const request::ObjectKey object_key,
        co_await key_to_complete(context, found.upload, parts));
  metadata::CompleteUpload request;
  request.upload = found.upload.id;
  request.key = context.request.key;
  for (const metadata::Part* part : parts) {
    request.parts.push_back({part->number, part->etag, {}});
    request.size += part->size;
  }
  async::Turn turn;
  request.etag = combined_etag(parts);
  if (turn.over()) co_await turn.next();
  request.checksum = co_await combine(found.upload, parts);
  if (turn.over()) co_await turn.next();
  request.conditions = request::write_conditions(context.fields());
  CO_S3_VOID(check_object_promises(context, found.upload, request));
  const auto decide = [&]() -> request::Answer<void> {
    CO_S3_VOID(check_upload_acl(context, found.upload));
    co_return co_await permissions::authorize_conditions(context, request.conditions, request.key);
  };
  CO_S3_VOID(check_upload_acl(context, found.upload));
  auto outcome = co_await permissions::commit_with(
      context,
      [&] {
        request.context = request::commit_context(context);
        request.versioning = context.bucket->versioning;
        request.default_retention = objects::retention_for(context, {});
        return context.services.uploads.complete_upload(request);
      },
      nullptr, decide);
  if (!outcome) {
    CO_S3_VOID(co_await permissions::authorize_refusal(context, outcome.error(), request.conditions,
                                                       request.key));
    co_return std::unexpected(outcome.error());
  }
  request::Response response = complete_response(context, outcome->etag, outcome->checksum,
                                                 static_cast<uint32_t>(parts.size()), *outcome);
  metadata::ObjectVersion made;
  made.tags = found.upload.tags;
  co_await objects::add_expiration_header(response.head.fields, context, made, *outcome);
  request::add_encryption_headers(response.head.fields, object_key);
  co_return response;
}

// x-amz-if-match-initiated-time of an Abort. An upload's time never changes, so it is compared
// before the commit. Source: AbortMultipartUpload, S3 API reference; a time to come counts for
// nothing, as with DeleteObject.
s3::S3Result<std::optional<SystemTime>> initiated_time(const request::Context& context) {
  constexpr const char* kName = "x-amz-if-match-initiated-time";
  const auto text = context.fields().find(kName);
  if (!text) return std::nullopt;
  const auto time = s3::parse_date(*text);
  if (!time) {
    return s3::fail(ErrorCode::kInvalidArgument, {},
                    {{"ArgumentName", kName}, {"ArgumentValue", std::string(*text)}});
  }
  if (*time > context.services.clock.now()) return std::nullopt;
  return *time;
}

request::Answer<request::Response> abort_multipart_upload(request::Context& context) {
  const auto id = model::UploadId::from_hex(context.request.query.find("uploadId").value_or(""));
  if (!id) co_return std::unexpected(permissions::absent(context, no_such_upload(context)));
  CO_S3(const std::optional<SystemTime> initiated, initiated_time(context));
  // Who began it may abort it: looked up only for those whom nothing else allows that, or for its
  // time.
  if (context.access.undecided || initiated) {
    CO_S3(const metadata::UploadLookup found, co_await find_upload(context, 0, 0));
    if (context.access.undecided) {
      CO_S3_VOID(permissions::authorize_upload(context, found.upload.initiator_account));
    }
    using std::chrono::floor, std::chrono::seconds;
    if (initiated && floor<seconds>(found.upload.initiated_at) != floor<seconds>(*initiated)) {
      co_return s3::fail(ErrorCode::kPreconditionFailed, {},
                         {{"Condition", "x-amz-if-match-initiated-time"}});
    }
  }
  auto outcome =
      co_await permissions::commit_with(context, [&]() -> async::Task<metadata::CommitResult> {
        metadata::CommitOutcome aborted;
        CO_TRY(aborted.status, co_await context.services.uploads.abort_upload(
                                   request::commit_context(context), *id, context.request.key));
        co_return aborted;
      });
  if (!outcome) co_return std::unexpected(outcome.error());
  co_return request::empty_response(204);
}

request::Answer<request::Response> list_parts(request::Context& context) {
  CO_S3(const uint64_t max, request::number_parameter(context.request.query.find("max-parts"),
                                                      "max-parts", kPageMax, kPageMax));
  CO_S3(const uint64_t marker,
        request::number_parameter(context.request.query.find("part-number-marker"),
                                  "part-number-marker", 0, INT32_MAX));
  CO_S3(const metadata::UploadLookup found,
        co_await find_upload(context, static_cast<uint32_t>(marker), static_cast<uint32_t>(max)));
  if (found.status != metadata::LookupStatus::kFound) {
    co_return std::unexpected(permissions::absent(context, no_such_upload(context)));
  }
  CO_S3_VOID(permissions::authorize_upload(context, found.upload.initiator_account));
  CO_S3(const permissions::Person initiator,
        co_await permissions::person_of(context, found.upload.initiator_account));
  CO_S3(const permissions::Person owner,
        co_await permissions::owner_of_object(context, found.upload.owner_account));
  s3::XmlWriter xml("ListPartsResult");
  xml.text("Bucket", context.bucket->name);
  xml.text("Key", context.request.key);
  xml.text("UploadId", found.upload.id.to_hex());
  request::write_person(xml, "Initiator", initiator.canonical_id, initiator.display_name);
  request::write_person(xml, "Owner", owner.canonical_id, owner.display_name);
  xml.text("StorageClass", "STANDARD");
  xml.number("PartNumberMarker", marker);
  xml.number("NextPartNumberMarker", found.parts.empty() ? 0 : found.parts.back().number);
  xml.number("MaxParts", max);
  xml.boolean("IsTruncated", found.truncated);
  if (found.upload.checksum_algorithm) {
    xml.text("ChecksumAlgorithm", model::to_string(*found.upload.checksum_algorithm));
    xml.text("ChecksumType", model::to_string(found.upload.checksum_type));
  }
  async::Turn turn;
  for (const metadata::Part& part : found.parts) {
    if (turn.over()) co_await turn.next();
    xml.open("Part");
    xml.number("PartNumber", part.number);
    xml.text("LastModified", s3::format_iso_date(part.last_modified));
    xml.text("ETag", request::quoted(part.etag));
    xml.number("Size", part.size);
    if (found.upload.checksum_algorithm && !part.checksums.empty()) {
      request::write_checksum(xml,
                              {part.checksums.front().algorithm, ChecksumType::kFullObject,
                               part.checksums.front().value},
                              0, false);
    }
    xml.close();
  }
  co_return request::xml_response(std::move(xml));
}

namespace {

struct NextUpload {
  std::string key;
  std::string id;
};

// Where the next page begins; of the last page its last upload, when no common prefix is behind it.
NextUpload next_of(const metadata::ListUploadsPage& page) {
  if (page.truncated) {
    if (!page.next_prefix.empty()) return {page.next_prefix, ""};
    return {page.next_key, page.next_upload.to_hex()};
  }
  if (page.uploads.empty()) return {};
  const metadata::Upload& last = page.uploads.back();
  if (!page.common_prefixes.empty() && page.common_prefixes.back() > last.key) return {};
  return {last.key, last.id.to_hex()};
}

}  // namespace

request::Answer<request::Response> list_multipart_uploads(request::Context& context) {
  const s3::Query& parameters = context.request.query;
  const auto encoding = parameters.find("encoding-type");
  if (encoding && *encoding != "url") {
    co_return s3::fail(
        ErrorCode::kInvalidArgument, "Invalid Encoding Method specified in Request",
        {{"ArgumentName", "encoding-type"}, {"ArgumentValue", std::string(*encoding)}});
  }
  const bool url = encoding == "url";
  const auto name = [url](std::string_view text) {
    return url ? percent_encode(text, true) : std::string(text);
  };
  CO_S3(const uint64_t max, request::number_parameter(parameters.find("max-uploads"), "max-uploads",
                                                      kPageMax, kPageMax));
  metadata::ListUploadsQuery query;
  query.bucket_id = context.bucket->id;
  query.prefix = parameters.find("prefix").value_or("");
  query.delimiter = parameters.find("delimiter").value_or("");
  query.after_key = parameters.find("key-marker").value_or("");
  query.max = static_cast<uint32_t>(max);
  query.deadline = context.metadata_deadline();
  const auto id_marker = parameters.find("upload-id-marker");
  if (id_marker && !id_marker->empty() && !query.after_key.empty()) {
    query.after_upload = model::UploadId::from_hex(*id_marker);
    if (!query.after_upload || !metadata::is_upload_of(*query.after_upload, query.after_key)) {
      co_return s3::fail(
          ErrorCode::kInvalidArgument, "Invalid uploadId marker",
          {{"ArgumentName", "upload-id-marker"}, {"ArgumentValue", std::string(*id_marker)}});
    }
  }
  const std::string key_marker = query.after_key;
  if (!query.delimiter.empty() && key_marker.size() > query.prefix.size() &&
      key_marker.starts_with(query.prefix) && key_marker.ends_with(query.delimiter)) {
    query.after_prefix = std::exchange(query.after_key, "");
  }
  CO_S3(const metadata::ListUploadsPage page,
        co_await request::in_listing_turn(context, context.services.listing.list_uploads(query)));
  s3::XmlWriter xml("ListMultipartUploadsResult");
  xml.text("Bucket", context.bucket->name);
  xml.text("KeyMarker", name(key_marker));
  xml.text("UploadIdMarker", query.after_upload ? query.after_upload->to_hex() : "");
  const NextUpload next = next_of(page);
  xml.text("NextKeyMarker", name(next.key));
  xml.text("NextUploadIdMarker", next.id);
  xml.text("Prefix", name(query.prefix));
  if (!query.delimiter.empty()) xml.text("Delimiter", name(query.delimiter));
  if (url) xml.text("EncodingType", "url");
  xml.number("MaxUploads", max);
  xml.boolean("IsTruncated", page.truncated);
  std::vector<std::string_view> initiators, owners;
  for (const metadata::Upload& upload : page.uploads) {
    initiators.push_back(upload.initiator_account);
    owners.push_back(upload.owner_account);
  }
  CO_S3(const permissions::Owners initiator_names,
        co_await permissions::Owners::of_people(context, initiators));
  CO_S3(const permissions::Owners owner_names,
        co_await permissions::Owners::of_objects(context, owners));
  async::Turn turn;
  for (const metadata::Upload& upload : page.uploads) {
    if (turn.over()) co_await turn.next();
    const permissions::Person& initiator = initiator_names.find(upload.initiator_account);
    const permissions::Person& owner = owner_names.find(upload.owner_account);
    xml.open("Upload");
    xml.text("Key", name(upload.key));
    xml.text("UploadId", upload.id.to_hex());
    request::write_person(xml, "Initiator", initiator.canonical_id, initiator.display_name);
    request::write_person(xml, "Owner", owner.canonical_id, owner.display_name);
    xml.text("StorageClass", "STANDARD");
    xml.text("Initiated", s3::format_iso_date(upload.initiated_at));
    if (upload.checksum_algorithm) {
      xml.text("ChecksumAlgorithm", model::to_string(*upload.checksum_algorithm));
      xml.text("ChecksumType", model::to_string(upload.checksum_type));
    }
    xml.close();
  }
  for (const std::string& prefix : page.common_prefixes) {
    if (turn.over()) co_await turn.next();
    xml.open("CommonPrefixes");
    xml.text("Prefix", name(prefix));
    xml.close();
  }
  co_return request::xml_response(std::move(xml));
}

}  // namespace rondel::multipart
