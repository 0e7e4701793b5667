// CopyObject, UploadPartCopy. No bytes move where the new version can have the source's data key,
// or neither has one: it refers to the source's streams. Under another key they are read and
// written anew.
#include "common/base/encoding.h"
#include "common/crypto/secret.h"
#include "common/http/message.h"
#include "common/model/checksum.h"
#include "gateway/objects/copy_source.h"
#include "gateway/objects/handlers.h"
#include "gateway/objects/object_attributes.h"
#include "gateway/payload/object_checksum.h"
#include "gateway/permissions/authorization.h"
#include "gateway/permissions/commit.h"
#include "gateway/permissions/requested_acl.h"
#include "gateway/request/answers.h"
#include "gateway/request/conditions.h"
#include "gateway/request/context.h"
#include "gateway/request/object_encryption.h"
#include "gateway/request/object_headers.h"
#include "gateway/s3/encryption_headers.h"
#include "gateway/s3/error.h"
#include "gateway/s3/http_values.h"
#include "gateway/s3/xml_writer.h"
#include "identity/policy/action.h"
#include "kms/envelope.h"
#include "kms/object_keys.h"
#include "metadata/model/bucket.h"
#include "metadata/model/object.h"
#include "metadata/store/object_store.h"

namespace rondel::objects {
namespace {

using s3::ErrorCode;

// Whether the copy may have the source's data key: the same key wraps both.
bool same_key_management(const request::Context& context, const request::ObjectKey& source,
                         const request::EncryptionChoice& target) {
  using kms::Mode;
  if (source.mode() != target.wanted.mode) return false;
  const kms::ObjectKeys& keys = context.services.object_keys;
  switch (source.mode()) {
    case Mode::kNone:
    case Mode::kSseS3: return true;
    case Mode::kSseKms:
      return keys.key_name(source.envelope.key_id) == keys.key_name(target.wanted.key_id);
    case Mode::kSseC: return target.customer && source.customer_md5 == target.customer->md5;
  }
  return false;
}

// Whether a copy onto the source itself would change nothing: refused. A bucket's default
// encryption and a storage class count as changes. Source: CopyObject, S3 API reference; "Setting
// default server-side encryption behavior", S3 user guide.
bool changes_nothing(const request::Context& context, const Found& source, bool replaces_metadata,
                     bool same_encryption) {
  const bool itself = source.named.bucket == context.bucket->name &&
                      source.named.key == context.request.key && !source.named.version.given();
  if (!itself || replaces_metadata || !same_encryption) return false;
  if (context.fields().has(request::kRedirectHeader)) return false;
  return !context.fields().has("x-amz-storage-class") &&
         !context.bucket->settings.contains(metadata::SettingKind::kEncryption);
}

// x-amz-checksum-algorithm. Judged before the source is looked for.
s3::S3Result<std::optional<model::ChecksumAlgorithm>> asked_algorithm(const http::Fields& fields) {
  const auto name = fields.find("x-amz-checksum-algorithm");
  if (!name) return std::nullopt;
  const auto algorithm = model::parse_checksum_algorithm(*name);
  if (!algorithm) return s3::fail(ErrorCode::kInvalidRequest, payload::kUnsupportedChecksum);
  return algorithm;
}

// The algorithm of a checksum that the copy needs and its source lacks: the one that the request
// names, or the source's own where that is of its parts, for a copy is not made of parts. Source:
// "Checking object integrity", S3 user guide.
std::optional<model::ChecksumAlgorithm> missing_checksum(
    std::optional<model::ChecksumAlgorithm> asked, const metadata::ObjectVersion& object) {
  const auto algorithm = asked             ? asked
                         : object.checksum ? std::optional(object.checksum->algorithm)
                                           : std::nullopt;
  if (object.checksum && object.checksum->algorithm == algorithm &&
      object.checksum->type == model::ChecksumType::kFullObject) {
    return std::nullopt;
  }
  return algorithm;
}

// The source's checksum in full, out of those of its parts where they are of a kind that can be put
// together.
request::Answer<std::optional<std::string>> combined_checksum(request::Context& context,
                                                              const Found& source,
                                                              model::ChecksumAlgorithm algorithm) {
  const metadata::ObjectVersion& object = source.lookup.object;
  if (object.part_count == 0 || !model::has_full_object_form(algorithm)) co_return std::nullopt;
  metadata::ObjectQuery query;
  query.bucket = source.named.bucket;
  query.key = source.named.key;
  query.version = object.version;
  query.with_parts = true;
  query.parts_max = object.part_count;
  query.deadline = context.metadata_deadline();
  CO_S3(const metadata::ObjectLookup found,
        co_await context.services.objects.find_object(std::move(query)));
  std::vector<payload::PartChecksum> parts;
  for (const metadata::Part& part : found.object.parts) {
    if (part.checksums.empty() || part.checksums.front().algorithm != algorithm) {
      co_return std::nullopt;
    }
    parts.push_back({part.checksums.front().value, part.size});
  }
  if (parts.size() != object.part_count) co_return std::nullopt;
  co_return payload::full_object_checksum(algorithm, parts);
}

// x-amz-metadata-directive, x-amz-tagging-directive.
s3::S3Result<bool> replaces(const http::Fields& fields, const std::string& what) {
  const std::string name = "x-amz-" + what + "-directive";
  const auto directive = fields.find(name);
  if (!directive || *directive == "COPY") return false;
  if (*directive == "REPLACE") return true;
  return s3::fail(ErrorCode::kInvalidArgument, "Unknown " + what + " directive.",
                  {{"ArgumentName", name}, {"ArgumentValue", std::string(*directive)}});
}

using MaybeResponse = std::optional<request::Response>;

// Nothing when the source was written over before the commit.
request::Answer<MaybeResponse> copy_once(request::Context& context) {
  CO_S3_VOID(request::check_object_settings(context.fields()));
  CO_S3(const bool replace, replaces(context.fields(), "metadata"));
  CO_S3(const bool replace_tags, replaces(context.fields(), "tagging"));
  CO_S3(const auto asked_checksum, asked_algorithm(context.fields()));
  CO_S3(const metadata::Attributes attributes, requested_attributes(context));
  CO_S3(metadata::Headers headers, request::stored_headers(context.fields()));
  CO_S3(request::EncryptionChoice choice, request::choose_encryption(context));
  CO_S3(const s3::EncryptionHeaders encryption_asked,
        s3::parse_encryption_headers(context.fields()));
  CO_S3(const permissions::RequestedAcl asked_acl, co_await permissions::requested_acl(context));
  CO_S3_VOID(permissions::place_new_object(context, asked_acl));
  CO_S3_VOID(co_await permissions::authorize_conditions(
      context, request::write_conditions(context.fields()), context.request.key));
  CO_S3(Found source, co_await find_source(context, !replace_tags));
  const metadata::ObjectVersion& object = source.lookup.object;
  if (object.size > kCopyBytesMax) {
    co_return s3::fail(ErrorCode::kInvalidRequest,
                       "The specified copy source is larger than the maximum allowable size for a "
                       "copy source: 5368709120");
  }
  CO_S3(const request::ObjectKey source_key,
        co_await request::open_object_key(
            context, {object.encryption, source.lookup.bucket_id, source.named.key},
            s3::kSourcePrefix));
  const bool as_rows = same_key_management(context, source_key, choice);
  if (changes_nothing(context, source, replace, as_rows && !encryption_asked.any())) {
    co_return s3::fail(ErrorCode::kInvalidRequest,
                       "This copy request is illegal because it is trying to copy an object to "
                       "itself without changing the object's metadata, storage class, website "
                       "redirect location or encryption attributes.");
  }
  metadata::CopyObject request;
  request.put.key = context.request.key;
  static_cast<metadata::Attributes&>(request.put.version) = attributes;
  request.put.version.headers =
      replace ? std::move(headers) : request::copied_headers(object.headers, headers);
  request.put.version.checksum = object.checksum;
  request.put.conditions = request::write_conditions(context.fields());
  const auto algorithm = missing_checksum(asked_checksum, object);
  CO_S3(const request::ObjectKey target_key,
        co_await request::make_object_key(context, std::move(choice),
                                          as_rows ? source_key.data_key : crypto::Secret()));
  request.put.version.encryption = target_key.encoded();
  const SourceRange whole{object, source_key, 0, object.size};
  Rewritten written;  // Nothing, when the copy is rows.
  if (!as_rows) {
    const auto chosen = algorithm.value_or(object.checksum ? object.checksum->algorithm
                                                           : model::ChecksumAlgorithm::kCrc64Nvme);
    CO_S3(written, co_await rewrite(context, whole, chosen, target_key));
    request.put.version.size = object.size;
    request.put.version.etag = target_key.etag_of(written.digests.md5_hex);
    request.put.version.checksum = model::Checksum{chosen, model::ChecksumType::kFullObject,
                                                   std::move(written.digests.checksum)};
    request.put.version.extents = written.stream.extents(object.size);
  } else if (algorithm) {
    CO_S3(std::optional<std::string> value,
          co_await combined_checksum(context, source, *algorithm));
    if (!value) {
      CO_S3(Digests digests, co_await read_digests(context, whole, *algorithm, nullptr));
      value = std::move(digests.checksum);
      request.put.version.etag = target_key.etag_of(digests.md5_hex);
    }
    request.put.version.checksum =
        model::Checksum{*algorithm, model::ChecksumType::kFullObject, *std::move(value)};
  }
  const auto place = [&]() -> request::Answer<void> {
    CO_S3_VOID(requested_attributes(context));
    CO_S3(permissions::Placement placement, permissions::place_new_object(context, asked_acl));
    request.put.version.owner_account = std::move(placement.owner_account);
    request.put.version.acl = std::move(placement.acl);
    if (!replace_tags) request.put.version.tags = object.tags;
    request.source = source.as_decided();
    if (!replace_tags && !object.tags.empty() &&
        !permissions::may_also(context, policy::Action::kPutObjectTagging, context.request.key)) {
      co_return s3::fail(ErrorCode::kAccessDenied);
    }
    co_return co_await permissions::authorize_conditions(context, request.put.conditions,
                                                         request.put.key);
  };
  const auto decide = [&]() -> request::Answer<void> {
    CO_S3_VOID(co_await admit_source_again(context, source, !replace_tags));
    co_return co_await place();
  };
  CO_S3_VOID(co_await place());
  auto outcome = co_await permissions::commit_with(
      context,
      [&] {
        request.put.context = request::commit_context(context, written.stream);
        request.put.versioning = context.bucket->versioning;
        request.put.version.retention = retention_for(context, attributes.retention);
        if (!as_rows) request.put.copied_from = request.source;
        return source.watch(as_rows ? context.services.objects.copy_object(request)
                                    : context.services.objects.put_object(request.put));
      },
      &written.stream, decide);
  if (!outcome && source.written_over) co_return MaybeResponse();
  if (!outcome) {
    CO_S3_VOID(co_await permissions::authorize_refusal(context, outcome.error(),
                                                       request.put.conditions, request.put.key));
    co_return std::unexpected(outcome.error());
  }
  s3::XmlWriter xml("CopyObjectResult");
  write_copied(xml, outcome->etag, outcome->last_modified);
  if (request.put.version.checksum) {
    request::write_checksum(xml, *request.put.version.checksum, 0, true);
  }
  request::Response response = request::xml_response(std::move(xml));
  request::add_encryption_headers(response.head.fields, target_key, true);
  add_source_version(response, source);
  request::add_made_version_header(response.head.fields, *outcome);
  co_await add_expiration_header(response.head.fields, context, request.put.version, *outcome);
  co_return MaybeResponse(std::move(response));
}

}  // namespace

request::Answer<request::Response> copy_object(request::Context& context) {
  return copy_from_one_version(context, copy_once);
}

}  // namespace rondel::objects
