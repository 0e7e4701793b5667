// ListBuckets, CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation.
#include "common/async/turn.h"
#include "common/base/encoding.h"
#include "common/http/message.h"
#include "gateway/buckets/handlers.h"
#include "gateway/permissions/documents.h"
#include "gateway/permissions/requested_acl.h"
#include "gateway/permissions/settings_commit.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/request/listing_turn.h"
#include "gateway/request/tagging_document.h"
#include "gateway/s3/documents.h"
#include "gateway/s3/error.h"
#include "gateway/s3/http_values.h"
#include "gateway/s3/lock_documents.h"
#include "gateway/s3/request.h"
#include "gateway/s3/xml_writer.h"
#include "identity/access/access_settings.h"
#include "identity/access/acl.h"
#include "metadata/model/account.h"
#include "metadata/model/bucket.h"
#include "metadata/store/bucket_store.h"
#include "metadata/store/listing_store.h"

namespace rondel::buckets {
namespace {

using metadata::BucketStatus;
using s3::ErrorCode;

constexpr std::string_view kLockEnabled = "x-amz-bucket-object-lock-enabled";
constexpr uint64_t kBucketsMax = 10'000;
constexpr std::string_view kFirstRegion = "us-east-1";  // Its location constraint is the empty one.

s3::S3Result<void> check_bucket_settings(const http::Fields& fields) {
  if (const auto lock = fields.find(kLockEnabled);
      lock && !http::iequals(*lock, "false") && !http::iequals(*lock, "true")) {
    return s3::fail(
        ErrorCode::kInvalidArgument, {},
        {{"ArgumentName", std::string(kLockEnabled)}, {"ArgumentValue", std::string(*lock)}});
  }
  return {};
}

// Ownership controls and ACL of a new bucket, as its settings.
request::Answer<void> choose_access(request::Context& context, metadata::CreateBucket& request) {
  access::Ownership ownership = context.services.settings.default_ownership;
  if (const auto name = context.fields().find("x-amz-object-ownership")) {
    const auto asked = access::find_ownership(*name);
    if (!asked) {
      co_return s3::fail(
          ErrorCode::kInvalidArgument,
          "Invalid x-amz-object-ownership header: " + std::string(*name),
          {{"ArgumentName", "x-amz-object-ownership"}, {"ArgumentValue", std::string(*name)}});
    }
    ownership = *asked;
  }
  request.settings[metadata::SettingKind::kOwnership] = access::ownership_name(ownership);
  request.settings.erase(metadata::SettingKind::kAcl);
  CO_S3(const permissions::RequestedAcl requested, co_await permissions::requested_acl(context));
  if (!requested.given()) co_return s3::S3Result<void>{};
  const std::string_view owner = context.access.caller.canonical_id;
  const access::Acl acl = requested.grants ? access::Acl{*requested.grants}
                                           : access::expand_canned(*requested.canned, owner, owner);
  const std::string encoded = access::encode_acl(acl, owner);
  if (encoded.empty()) co_return s3::S3Result<void>{};
  if (ownership == access::Ownership::kBucketOwnerEnforced) {
    co_return s3::fail(
        ErrorCode::kInvalidBucketAclWithObjectOwnership,
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting");
  }
  CO_S3_VOID(permissions::check_public(
      acl,
      access::PublicAccessBlock::of(context.identity.credential->account.public_access_block)));
  request.settings[metadata::SettingKind::kAcl] = encoded;
  co_return s3::S3Result<void>{};
}

// Source: ListBuckets, S3 API reference (MaxBuckets, valid range).
s3::S3Result<uint64_t> buckets_asked(const s3::Query& parameters) {
  const auto text = parameters.find("max-buckets");
  if (!text || text->empty()) return kBucketsMax;
  const auto number = s3::parse_decimal(*text);
  if (number && *number >= 1 && *number <= kBucketsMax) return *number;
  return s3::fail(ErrorCode::kInvalidArgument,
                  "Argument max-buckets must be an integer between 1 and 10000.",
                  {{"ArgumentName", "max-buckets"}, {"ArgumentValue", std::string(*text)}});
}

std::string bucket_arn(std::string_view name) { return "arn:aws:s3:::" + std::string(name); }

}  // namespace

request::Answer<request::Response> list_buckets(request::Context& context) {
  const s3::Query& parameters = context.request.query;
  CO_S3(const uint64_t max, buckets_asked(parameters));
  metadata::ListBucketsQuery query;
  query.owner_account = context.account();
  query.prefix = parameters.find("prefix").value_or("");
  query.region = parameters.find("bucket-region").value_or("");
  query.max = static_cast<uint32_t>(max) + 1;
  if (const auto token = parameters.find("continuation-token"); token && !token->empty()) {
    const auto name = from_base64url(*token);
    if (!name || !metadata::can_be_bucket_name(*name)) {
      co_return s3::fail(ErrorCode::kInvalidArgument,
                         "The continuation token provided is incorrect",
                         {{"ArgumentName", "continuation-token"}});
    }
    query.after_name = *name;
  }
  CO_S3(auto buckets,
        co_await request::in_listing_turn(
            context, context.services.listing.list_buckets(query, context.metadata_deadline())));
  const bool truncated = buckets.size() > max;
  if (truncated) buckets.resize(max);
  const metadata::Account& account = context.identity.credential->account;
  s3::XmlWriter xml("ListAllMyBucketsResult");
  request::write_person(xml, "Owner", account.canonical_id, account.display_name);
  xml.open("Buckets");
  async::Turn turn;
  for (const metadata::ListedBucket& bucket : buckets) {
    if (turn.over()) co_await turn.next();
    xml.open("Bucket");
    xml.text("Name", bucket.name);
    xml.text("CreationDate", s3::format_iso_date(bucket.created_at));
    xml.text("BucketArn", bucket_arn(bucket.name));
    xml.text("BucketRegion", bucket.region);
    xml.close();
  }
  xml.close();
  if (!query.prefix.empty()) xml.text("Prefix", query.prefix);
  if (truncated) xml.text("ContinuationToken", to_base64url(as_bytes(buckets.back().name)));
  co_return request::xml_response(std::move(xml));
}

request::Answer<request::Response> create_bucket(request::Context& context) {
  const std::string& region = context.services.settings.region;
  CO_S3_VOID(check_bucket_settings(context.fields()));
  CO_S3(const std::string text,
        co_await permissions::read_document(context, s3::kSmallDocumentBytesMax));
  CO_S3(const s3::CreateBucketDocument document, s3::parse_create_bucket_document(text));
  const std::string& constraint = document.location_constraint;
  if (!constraint.empty() && constraint != region &&
      !(constraint == "EU" && region == "eu-west-1")) {
    if (region == kFirstRegion) {
      co_return s3::fail(ErrorCode::kInvalidLocationConstraint, {},
                         {{"LocationConstraint", constraint}});
    }
    co_return s3::fail(ErrorCode::kIllegalLocationConstraintException,
                       "The " + constraint +
                           " location constraint is incompatible for the region specific endpoint "
                           "this request was sent to.");
  }
  metadata::CreateBucket request;
  request.name = context.request.bucket;
  request.owner_account = context.account();
  request.region = region;
  request.object_lock = http::iequals(context.fields().find(kLockEnabled).value_or(""), "true");
  if (request.object_lock) {
    request.settings[metadata::SettingKind::kObjectLock] = s3::write_object_lock_document({});
  }
  if (!document.tags.empty()) {
    request.settings[metadata::SettingKind::kTagging] = request::tagging_document(document.tags);
  }
  const auto create = [&]() -> request::Answer<metadata::BucketOutcome> {
    CO_S3_VOID(co_await choose_access(context, request));
    request.credential_epoch = context.identity.credential->epoch;
    co_return request::as_s3(
        co_await context.services.buckets.create_bucket(request, context.metadata_deadline()));
  };
  CO_S3(const metadata::BucketOutcome outcome,
        co_await permissions::change_bucket(context, create));
  switch (outcome.status) {
    case BucketStatus::kOk: break;
    case BucketStatus::kAlreadyOwnedByYou:
      // As AWS answers in its first region, for the sake of old clients.
      if (region == kFirstRegion) break;
      co_return s3::fail(ErrorCode::kBucketAlreadyOwnedByYou, {},
                         {{"BucketName", context.request.bucket}});
    case BucketStatus::kTooManyBuckets: co_return s3::fail(ErrorCode::kTooManyBuckets);
    default:
      co_return s3::fail(ErrorCode::kBucketAlreadyExists, {},
                         {{"BucketName", context.request.bucket}});
  }
  request::Response response = request::empty_response(200);
  response.head.fields.add("Location", "/" + context.request.bucket);
  response.head.fields.add("x-amz-bucket-arn", bucket_arn(context.request.bucket));
  co_return response;
}

request::Answer<request::Response> head_bucket(request::Context& context) {
  request::Response response = request::empty_response(200);
  response.head.fields.add("x-amz-bucket-region", context.bucket->region);
  response.head.fields.add("x-amz-bucket-arn", bucket_arn(context.bucket->name));
  response.head.fields.add("x-amz-access-point-alias", "false");
  response.head.fields.add("Content-Type", "application/xml");
  co_return response;
}

request::Answer<request::Response> delete_bucket(request::Context& context) {
  const auto remove = [&]() -> request::Answer<metadata::BucketOutcome> {
    co_return request::as_s3(
        co_await context.services.buckets.delete_bucket(request::commit_context(context)));
  };
  CO_S3(const metadata::BucketOutcome outcome,
        co_await permissions::change_bucket(context, remove));
  if (outcome.status == BucketStatus::kNotEmpty) {
    co_return s3::fail(ErrorCode::kBucketNotEmpty, {}, {{"BucketName", context.request.bucket}});
  }
  co_return request::empty_response(204);
}

request::Answer<request::Response> get_bucket_location(request::Context& context) {
  std::string body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint xmlns=\"" +
                     std::string(s3::kS3Namespace) + "\"";
  body += context.bucket->region == kFirstRegion
              ? "/>"
              : ">" + context.bucket->region + "</LocationConstraint>";
  request::Response response = request::empty_response(200);
  response.head.fields.add("Content-Type", "application/xml");
  response.body = std::move(body);
  co_return response;
}

}  // namespace rondel::buckets
