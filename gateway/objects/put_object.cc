// PutObject, append by x-amz-write-offset-bytes, RenameObject.
#include <algorithm>
#include <array>

#include "common/base/encoding.h"
#include "common/crypto/digest.h"
#include "common/http/message.h"
#include "common/model/checksum.h"
#include "gateway/objects/body.h"
#include "gateway/objects/handlers.h"
#include "gateway/objects/object_attributes.h"
#include "gateway/payload/object_checksum.h"
#include "gateway/payload/payload_reader.h"
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
#include "identity/policy/action.h"
#include "kms/envelope.h"
#include "metadata/model/bucket.h"
#include "metadata/model/object.h"
#include "metadata/store/commit_context.h"
#include "metadata/store/commit_result.h"
#include "metadata/store/object_store.h"

namespace rondel::objects {
namespace {

using s3::ErrorCode;

// Its owner and ACL, by the bucket as it is now.
s3::S3Result<void> place(const request::Context& context, const permissions::RequestedAcl& asked,
                         metadata::ObjectVersion& version) {
  auto placement = permissions::place_new_object(context, asked);
  if (!placement) return std::unexpected(placement.error());
  version.owner_account = std::move(placement->owner_account);
  version.acl = std::move(placement->acl);
  return {};
}

metadata::ObjectVersion new_version(permissions::Placement placement, metadata::Headers headers,
                                    metadata::Attributes attributes, const ReceivedBody& body) {
  metadata::ObjectVersion version;
  static_cast<metadata::Attributes&>(version) = std::move(attributes);
  version.size = body.summary.size;
  version.etag = body.etag;
  version.owner_account = std::move(placement.owner_account);
  version.acl = std::move(placement.acl);
  version.checksum = body.summary.checksum;
  version.headers = std::move(headers);
  version.extents = body.extents();
  return version;
}

// The CRC of the whole after `added` bytes with checksum `tail`; none when the algorithms differ or
// have no such form.
std::optional<model::Checksum> appended_checksum(const metadata::ObjectVersion& object,
                                                 const payload::PayloadSummary& added) {
  if (object.size == 0) return added.checksum;
  if (!object.checksum || !added.checksum ||
      object.checksum->algorithm != added.checksum->algorithm ||
      object.checksum->type != model::ChecksumType::kFullObject ||
      !model::has_full_object_form(object.checksum->algorithm)) {
    return std::nullopt;
  }
  const payload::PartChecksum parts[] = {{object.checksum->value, object.size},
                                         {added.checksum->value, added.size}};
  const auto value = payload::full_object_checksum(object.checksum->algorithm, parts);
  if (!value) return std::nullopt;
  return model::Checksum{object.checksum->algorithm, model::ChecksumType::kFullObject, *value};
}

// No MD5 of the whole without reading it: the digest of what it is made of, marked as AWS marks
// composed ETags.
std::string appended_etag(const metadata::ObjectVersion& object, const std::string& added_md5) {
  if (object.size == 0) return added_md5;
  const size_t dash = object.etag.find('-');
  const uint64_t parts =
      dash == std::string::npos
          ? 1
          : s3::parse_decimal(std::string_view(object.etag).substr(dash + 1)).value_or(1);
  return to_hex(as_bytes(crypto::md5(object.etag + added_md5))) + "-" + std::to_string(parts + 1);
}

async::Task<request::Response> put_response(const request::Context& context,
                                            const metadata::CommitOutcome& outcome,
                                            const metadata::ObjectVersion& version) {
  request::Response response = request::empty_response(200);
  response.head.fields.add("ETag", request::quoted(outcome.etag));
  if (version.checksum) request::add_checksum_headers(response.head.fields, *version.checksum, 0);
  request::add_made_version_header(response.head.fields, outcome);
  co_await add_expiration_header(response.head.fields, context, version, outcome);
  co_return response;
}

// Bytes behind an object are encrypted as it is: headers may ask for that, or for nothing.
request::Answer<request::ObjectKey> key_of_appended(request::Context& context,
                                                    const metadata::ObjectLookup& found) {
  CO_S3(const s3::EncryptionHeaders asked, s3::parse_encryption_headers(context.fields()));
  CO_S3(request::ObjectKey key,
        co_await request::open_object_key(
            context, {found.object.encryption, context.bucket->id, context.request.key},
            s3::kTargetPrefix));
  using kms::Mode;
  const Mode wanted = asked.sse == s3::Sse::kS3    ? Mode::kSseS3
                      : asked.sse == s3::Sse::kKms ? Mode::kSseKms
                                                   : key.mode();
  if (wanted != key.mode() || (!asked.key_id.empty() && asked.key_id != key.envelope.key_id)) {
    co_return s3::fail(ErrorCode::kInvalidRequest,
                       "The encryption parameters are not applicable to this object.");
  }
  co_return key;
}

request::Answer<request::Response> append(request::Context& context, uint64_t offset,
                                          metadata::Headers headers,
                                          metadata::Attributes attributes,
                                          const permissions::RequestedAcl& asked_acl,
                                          request::EncryptionChoice choice) {
  if (context.bucket->versioning != metadata::Versioning::kNever) {
    co_return s3::fail(ErrorCode::kInvalidBucketState);
  }
  metadata::ObjectQuery query;
  query.bucket = context.bucket->name;
  query.key = context.request.key;
  query.deadline = context.metadata_deadline();
  CO_S3(metadata::ObjectLookup found,
        co_await context.services.objects.find_object(std::move(query)));
  const bool exists = found.status == metadata::LookupStatus::kFound;
  if ((exists ? found.object.size : 0) != offset) {
    co_return s3::fail(ErrorCode::kInvalidWriteOffset);
  }
  if (exists) context.chosen_encryption.reset();  // The object decides, not the bucket.
  CO_S3(const request::ObjectKey object_key,
        exists ? co_await key_of_appended(context, found)
               : co_await request::make_object_key(context, std::move(choice)));
  payload::PayloadOptions options;
  options.size_max = context.services.settings.object_bytes_max;
  options.compute = exists && found.object.checksum ? found.object.checksum->algorithm
                                                    : model::ChecksumAlgorithm::kCrc64Nvme;
  CO_S3(ReceivedBody body, co_await receive_body(context, options, object_key));
  metadata::AppendObject request;
  request.offset = offset;
  request.expected_etag = exists ? found.object.etag : "";
  request.put.key = context.request.key;
  request.put.conditions = request::write_conditions(context.fields());
  request.put.version = new_version({}, std::move(headers), std::move(attributes), body);
  // Who may write here need not be allowed to read: what is there stays its owner's, under its ACL.
  const auto decide = [&]() -> request::Answer<void> {
    if (!exists) co_return place(context, asked_acl, request.put.version);
    request.put.version.owner_account = found.object.owner_account;
    request.put.version.acl = found.object.acl;
    co_return s3::S3Result<void>{};
  };
  CO_S3_VOID(co_await decide());
  if (exists) {
    request.put.version.etag = appended_etag(found.object, body.etag);
    request.put.version.checksum = appended_checksum(found.object, body.summary);
  }
  request.put.version.encryption = object_key.encoded();
  auto outcome = co_await permissions::commit_with(
      context,
      [&] {
        request.put.context = request::commit_context(context, body.stream);
        request.put.versioning = context.bucket->versioning;
        return context.services.objects.append_object(request);
      },
      &body.stream, decide);
  if (!outcome) {
    CO_S3_VOID(co_await permissions::authorize_refusal(context, outcome.error(),
                                                       request.put.conditions, request.put.key));
    co_return std::unexpected(outcome.error());
  }
  request::Response response = co_await put_response(context, *outcome, request.put.version);
  request::add_encryption_headers(response.head.fields, object_key, true);
  response.head.fields.add("x-amz-object-size", std::to_string(outcome->size));
  co_return response;
}

// Under another key other statements of the policy count, so who renames must be allowed to read
// what is renamed. The commit is bound to the bytes that were decided about.
// `asked`: the ETags that the client named for the source. When the row decided, the commit is
// about that row and no other.
request::Answer<void> authorize_rename(request::Context& context, metadata::RenameObject& request,
                                       const std::vector<std::string>& asked) {
  if (!permissions::may_also(context, policy::Action::kDeleteObject, request.source_key)) {
    co_return s3::fail(ErrorCode::kAccessDenied);
  }
  CO_S3(const auto decided, co_await permissions::authorize_reading(context, request.source_key));
  request.source_access.reset();
  if (decided) {
    const auto names = [&](std::string_view wanted) {
      return std::ranges::find(asked, wanted) != asked.end();
    };
    const bool meant = asked.empty() || names("*") || names(decided->etag);
    if (!meant) co_return s3::fail(ErrorCode::kPreconditionFailed);
    request.source_conditions.if_match = {decided->etag};
    request.source_access = decided->access;
  }
  CO_S3_VOID(co_await permissions::authorize_conditions(context, request.target_conditions,
                                                        request.target_key));
  co_return s3::S3Result<void>{};
}

// The envelope of the source for the target's key. SSE-C: AWS does not rename such objects.
request::Answer<void> seal_for_rename(request::Context& context, metadata::RenameObject& request) {
  metadata::ObjectQuery query;
  query.bucket = context.bucket->name;
  query.key = request.source_key;
  query.deadline = context.metadata_deadline();
  CO_S3(const metadata::ObjectLookup found,
        co_await context.services.objects.find_object(std::move(query)));
  if (found.status != metadata::LookupStatus::kFound) {
    co_return s3::fail(ErrorCode::kNoSuchKey, {}, {{"Key", request.source_key}});
  }
  if (found.object.encryption.empty()) co_return s3::S3Result<void>{};
  CO_S3(const kms::Envelope envelope, kms::decode(found.object.encryption));
  if (envelope.mode == kms::Mode::kSseC) {
    co_return s3::fail(ErrorCode::kNotImplemented,
                       "Objects encrypted with customer provided keys cannot be renamed");
  }
  CO_S3(request::ObjectKey opened,
        co_await request::open_object_key(
            context, {found.object.encryption, found.bucket_id, request.source_key},
            s3::kTargetPrefix));
  CO_S3(const request::ObjectKey sealed,
        co_await request::make_object_key(context, {envelope, std::nullopt},
                                          std::move(opened.data_key)));
  request.source_encryption = found.object.encryption;
  request.encryption = sealed.encoded();
  co_return s3::S3Result<void>{};
}

// A rename moves what is there with all it has: nothing of it can be said anew.
s3::S3Result<void> check_rename_headers(const http::Fields& fields) {
  static constexpr std::array<std::string_view, 7> kOfWrites{request::kRedirectHeader,
                                                             "x-amz-acl",
                                                             "x-amz-grant-",
                                                             "x-amz-meta-",
                                                             "x-amz-tagging",
                                                             "x-amz-object-lock-",
                                                             "x-amz-server-side-encryption"};
  for (const auto& [name, value] : fields) {
    const auto begins_so = [&name](std::string_view prefix) {
      return http::iequals(std::string_view(name).substr(0, prefix.size()), prefix);
    };
    if (std::ranges::any_of(kOfWrites, begins_so)) {
      return s3::fail(ErrorCode::kNotImplemented, {}, {{"Header", name}});
    }
  }
  return request::check_object_settings(fields);
}

}  // namespace

request::Answer<request::Response> put_object(request::Context& context) {
  CO_S3_VOID(request::check_object_settings(context.fields()));
  CO_S3(metadata::Headers headers, request::stored_headers(context.fields()));
  CO_S3(metadata::Attributes attributes, requested_attributes(context));
  CO_S3(request::EncryptionChoice choice, request::choose_encryption(context));
  CO_S3(const permissions::RequestedAcl asked_acl, co_await permissions::requested_acl(context));
  CO_S3_VOID(permissions::place_new_object(context, asked_acl));
  CO_S3_VOID(co_await permissions::authorize_conditions(
      context, request::write_conditions(context.fields()), context.request.key));
  if (const auto text = context.fields().find("x-amz-write-offset-bytes")) {
    const auto offset = s3::parse_decimal(*text);
    if (!offset) {
      co_return s3::fail(
          ErrorCode::kInvalidArgument, {},
          {{"ArgumentName", "x-amz-write-offset-bytes"}, {"ArgumentValue", std::string(*text)}});
    }
    co_return co_await append(context, *offset, std::move(headers), std::move(attributes),
                              asked_acl, std::move(choice));
  }
  CO_S3(const request::ObjectKey object_key,
        co_await request::make_object_key(context, std::move(choice)));
  attributes.encryption = object_key.encoded();
  payload::PayloadOptions options;
  options.size_max = context.services.settings.object_bytes_max;
  options.compute = model::ChecksumAlgorithm::kCrc64Nvme;
  CO_S3(ReceivedBody body, co_await receive_body(context, options, object_key));
  metadata::PutObject request;
  request.key = context.request.key;
  request.conditions = request::write_conditions(context.fields());
  const metadata::Retention asked = attributes.retention;
  request.version = new_version({}, std::move(headers), std::move(attributes), body);
  const auto decide = [&]() -> request::Answer<void> {
    CO_S3_VOID(requested_attributes(context));
    CO_S3_VOID(place(context, asked_acl, request.version));
    co_return co_await permissions::authorize_conditions(context, request.conditions, request.key);
  };
  CO_S3_VOID(place(context, asked_acl, request.version));
  auto outcome = co_await permissions::commit_with(
      context,
      [&] {
        request.context = request::commit_context(context, body.stream);
        request.versioning = context.bucket->versioning;
        request.version.retention = retention_for(context, asked);
        return context.services.objects.put_object(request);
      },
      &body.stream, decide);
  if (!outcome) {
    CO_S3_VOID(co_await permissions::authorize_refusal(context, outcome.error(), request.conditions,
                                                       request.key));
    co_return std::unexpected(outcome.error());
  }
  request::Response response = co_await put_response(context, *outcome, request.version);
  request::add_encryption_headers(response.head.fields, object_key, true);
  co_return response;
}

// The extension follows RenameObject of directory buckets: x-amz-rename-source names a key of the
// same bucket.
request::Answer<request::Response> rename_object(request::Context& context) {
  CO_S3_VOID(check_rename_headers(context.fields()));
  const auto source = context.fields().find("x-amz-rename-source");
  if (!source) {
    co_return s3::fail(ErrorCode::kInvalidRequest,
                       "Missing required header for this request: x-amz-rename-source");
  }
  auto path = percent_decode(*source);
  if (!path) co_return s3::fail(ErrorCode::kInvalidURI);
  std::string_view key = *path;
  if (key.starts_with('/')) key.remove_prefix(1);
  if (key.starts_with(context.bucket->name + "/") && source->starts_with('/')) {
    key.remove_prefix(context.bucket->name.size() + 1);
  }
  if (key.empty() || key.size() > 1024) {
    co_return s3::fail(ErrorCode::kInvalidArgument, {}, {{"ArgumentName", "x-amz-rename-source"}});
  }
  metadata::RenameObject request;
  request.source_key = key;
  request.target_key = context.request.key;
  request.source_conditions = request::read_conditions(context.fields(), "x-amz-rename-source-");
  request.target_conditions = request::read_conditions(context.fields());
  const metadata::Conditions asked = request.source_conditions;
  const auto decide = [&]() -> request::Answer<void> {
    request.source_conditions = asked;
    co_return co_await authorize_rename(context, request, asked.if_match);
  };
  CO_S3_VOID(co_await decide());
  const auto rename = [&] {
    request.context = request::commit_context(context);
    return context.services.objects.rename_object(request);
  };
  auto outcome = co_await permissions::commit_with(context, rename, nullptr, decide);
  // An envelope is bound to its key: it is sealed for the new one and the commit asked again.
  if (!outcome && outcome.error().code == ErrorCode::kOperationAborted) {
    CO_S3_VOID(co_await seal_for_rename(context, request));
    outcome = co_await permissions::commit_with(context, rename, nullptr, decide);
  }
  if (!outcome) {
    CO_S3_VOID(co_await permissions::authorize_refusal(
        context, outcome.error(), request.source_conditions, request.source_key));
    CO_S3_VOID(co_await permissions::authorize_refusal(
        context, outcome.error(), request.target_conditions, request.target_key));
    co_return std::unexpected(outcome.error());
  }
  co_return request::empty_response(200);
}

}  // namespace rondel::objects
