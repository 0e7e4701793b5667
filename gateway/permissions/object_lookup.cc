#include "gateway/permissions/object_lookup.h"

#include "gateway/permissions/authorization.h"
#include "gateway/permissions/commit.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/s3/error.h"
#include "gateway/s3/http_values.h"
#include "metadata/model/bucket.h"
#include "metadata/model/object.h"
#include "metadata/store/commit_context.h"
#include "metadata/store/object_store.h"

namespace rondel::permissions {

using s3::ErrorCode;

namespace {

// Where keys have versions the answer says that not even a delete marker is left.
s3::Error no_such_key(const request::Context& context) {
  s3::Error error = s3::fail(ErrorCode::kNoSuchKey, {}, {{"Key", context.request.key}}).error();
  if (context.bucket->versioning != metadata::Versioning::kNever) {
    error.headers = {{"x-amz-delete-marker", "false"}};
  }
  return error;
}

std::unexpected<s3::Error> marker_error(const request::Context& context,
                                        const metadata::ObjectVersion& marker, bool by_version) {
  auto error =
      by_version
          ? s3::fail(ErrorCode::kMethodNotAllowed, {},
                     {{"Method", context.exchange.head().method}, {"ResourceType", "DeleteMarker"}})
          : s3::fail(ErrorCode::kNoSuchKey, {}, {{"Key", context.request.key}});
  error.error().headers = {
      {"x-amz-delete-marker", "true"},
      {"x-amz-version-id", request::version_text(marker.version, marker.is_null)}};
  if (by_version) {
    error.error().headers.emplace_back("Last-Modified", s3::format_http_date(marker.last_modified));
    error.error().headers.emplace_back("Allow", "DELETE");
  }
  return error;
}

}  // namespace

request::Answer<metadata::ObjectLookup> look_up_object(request::Context& context,
                                                       metadata::ObjectQuery query) {
  CO_S3(const request::VersionName version,
        request::parse_version(context.request.query.find("versionId")));
  query.bucket = context.bucket->name;
  query.key = context.request.key;
  query.version = version.id;
  query.null_version = version.null;
  query.deadline = context.metadata_deadline();
  CO_S3(metadata::ObjectLookup found,
        co_await context.services.objects.find_object(std::move(query)));
  switch (found.status) {
    case metadata::LookupStatus::kFound: break;
    case metadata::LookupStatus::kNoSuchBucket:
      context.services.bucket_cache.forget_bucket(context.bucket->name);
      co_return s3::fail(ErrorCode::kNoSuchBucket, {}, {{"BucketName", context.request.bucket}});
    case metadata::LookupStatus::kNoSuchKey:
      co_return std::unexpected(absent(context, no_such_key(context)));
    case metadata::LookupStatus::kNoSuchVersion: {
      const std::string version_id(context.request.query.find("versionId").value_or(""));
      co_return std::unexpected(
          absent(context, s3::fail(ErrorCode::kNoSuchVersion, {},
                                   {{"Key", context.request.key}, {"VersionId", version_id}})
                              .error()));
    }
  }
  // Another bucket of this name than the one that was checked: look again.
  if (found.bucket_id != context.bucket->id ||
      found.settings_version != context.bucket->settings_version) {
    CO_S3_VOID(co_await admit_again(context, Old::kBucket));
  }
  if (found.object.delete_marker) {
    co_return std::unexpected(
        absent(context, marker_error(context, found.object, version.given()).error()));
  }
  CO_S3_VOID(authorize_object(context, found.object));
  co_return found;
}

std::optional<metadata::ObjectAccess> deciding_access(const request::Context& context) {
  const auto& object = context.access.object;
  return object ? std::optional(metadata::ObjectAccess::of(*object)) : std::nullopt;
}

request::Answer<void> authorize_object_again(request::Context& context) {
  if (!context.access.object) co_return s3::S3Result<void>{};
  metadata::ObjectQuery query;
  query.bucket = context.bucket->name;
  query.key = context.request.key;
  query.version = context.access.object->version;
  query.deadline = context.metadata_deadline();
  CO_S3(const metadata::ObjectLookup found,
        co_await context.services.objects.find_object(std::move(query)));
  if (found.status != metadata::LookupStatus::kFound) {
    co_return std::unexpected(no_such_key(context));
  }
  context.access.undecided = true;
  co_return authorize_object(context, found.object);
}

}  // namespace rondel::permissions
