// Every operation of the table by everybody who may ask: what is answered, and that nothing is
// changed by who is refused.
#include <set>

#include "gateway/api/dispatch.h"
#include "tests/unit/gateway/api/access_fixture.h"

namespace rondel::api {
namespace {

using access::CannedAcl;
using metadata::SettingKind;
using policy::Permission;
using s3::Operation;
using Actions = std::vector<std::string>;

// Who decides about an operation: what each column answers, 'Y' for allowed. Groups: policy; ACL of
// the bucket (READ, WRITE, READ_ACP, WRITE_ACP, FULL_CONTROL); ACL of the object (the same without
// WRITE); unsigned; denied; RestrictPublicBuckets; IgnorePublicAcls; ACLs switched off; owners of
// objects; unreadable policy; s3:ExistingObjectTag.
using Expected = std::string;
const Expected kAccount = "YYYYYY YYYYY YYYY ---- YY -YY- -Y Y YYY Y YYYY";
const Expected kBucket = "Y-YY-- ----- ---- -Y-- -- --Y- -- - -YY - ----";
const Expected kBucketRead = "Y-YY-- Y---Y ---- -YY- -- --Y- -- - -YY - ----";
const Expected kBucketAclR = "Y-YY-- --Y-Y ---- -Y-- -- --Y- -- - -YY - ----";
const Expected kBucketAclW = "Y-YY-- ---YY ---- -Y-- -- --Y- -- - -YY - ----";
const Expected kPolicy = "Y----- ----- ---- ---- Y- --Y- -- - -Y- Y --YY";
const Expected kWrite = "Y-YY-- -Y--Y ---- -YY- -- --Y- -- - -YY - ----";
// Writes the bucket and reads the object.
const Expected kRename = "Y-YY-- ----- ---- -Y-- -- --Y- -- - --- - ----";
const Expected kKey = "Y-YY-- ----- ---- -Y-- -- --Y- -- - -YY - ----";
const Expected kUpload = "Y-YY-- ----- ---- -Y-- -- --Y- -- - YYY - ----";
const Expected kObjectRead = "Y-YY-- ----- Y--Y -Y-Y -- --Y- -- - Y-- - Y--Y";
const Expected kObjectAclR = "Y-YY-- ----- -Y-Y -Y-- -- --Y- -- - Y-- - Y--Y";
const Expected kObjectAclW = "Y-YY-- ----- --YY -Y-- -- --Y- -- - Y-- - Y--Y";
const Expected kStored = "Y-YY-- ----- ---- -Y-- -- --Y- -- - YYY - Y--Y";

const Expected kUnimplementedRead = "YYYYYY YYYYY YYYY YYYY -- --Y- -Y Y YYY - YYYY";

struct Row {
  Operation operation;
  Actions actions;  // All of them are needed.
  Expected expected;
  Asked asked;
};

const std::string kUploadQuery = "uploadId=" + std::string(32, 'a');
const std::string kTagging =
    "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
const std::string kRetention =
    "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate></"
    "Retention>";
const std::string kHold = "<LegalHold><Status>ON</Status></LegalHold>";
const std::string kParts =
    "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>e</ETag></Part></"
    "CompleteMultipartUpload>";
const std::string kDelete = "<Delete><Object><Key>k</Key></Object></Delete>";
const std::string kDeleteVersion =
    "<Delete><Object><Key>k</Key><VersionId>null</VersionId></Object></Delete>";
const std::pair<std::string, std::string> kOpenSource{"x-amz-copy-source", "/open/k"};
const std::pair<std::string, std::string> kNoTags{"x-amz-tagging-directive", "REPLACE"};

#define BUCKET_ROWS(get, put, remove, query, get_action, put_action) \
  {Operation::get, {get_action}, kBucket, {"/box?" query}},          \
      {Operation::put, {put_action}, kBucket, {"/box?" query}}, {    \
    Operation::remove, {put_action}, kBucket, { "/box?" query }      \
  }

// Operations, and under them what a query or header makes of the action.
const std::vector<Row> kRows = {
    {Operation::kListBuckets, {"s3:ListAllMyBuckets"}, kAccount, {"/"}},
    {Operation::kCreateBucket, {"s3:CreateBucket"}, kAccount, {"/brand-new"}},
    {Operation::kDeleteBucket, {"s3:DeleteBucket"}, kBucket, {"/box"}},
    {Operation::kHeadBucket, {"s3:ListBucket"}, kBucketRead, {"/box"}},
    {Operation::kListObjects, {"s3:ListBucket"}, kBucketRead, {"/box"}},
    {Operation::kListObjectsV2, {"s3:ListBucket"}, kBucketRead, {"/box?list-type=2"}},
    {Operation::kListObjectVersions, {"s3:ListBucketVersions"}, kBucketRead, {"/box?versions"}},
    {Operation::kListMultipartUploads,
     {"s3:ListBucketMultipartUploads"},
     kBucketRead,
     {"/box?uploads"}},
    {Operation::kDeleteObjects, {"s3:DeleteObject"}, kWrite, {"/box?delete", {}, kDelete}},
    {Operation::kDeleteObjects,
     {"s3:DeleteObjectVersion"},
     kKey,
     {"/box?delete", {}, kDeleteVersion}},
    {Operation::kPostObject, {"s3:PutObject"}, kWrite, {"/box/k"}},
    {Operation::kPostObject,
     {"s3:PutObject", "s3:PutObjectTagging"},
     kKey,
     {"/box/k", {{"x-amz-tagging", "a=b"}}}},
    {Operation::kGetBucketLocation, {"s3:GetBucketLocation"}, kBucket, {"/box?location"}},
    {Operation::kGetBucketAcl, {"s3:GetBucketAcl"}, kBucketAclR, {"/box?acl"}},
    {Operation::kPutBucketAcl,
     {"s3:PutBucketAcl"},
     kBucketAclW,
     {"/box?acl", {{"x-amz-acl", "private"}}}},
    {Operation::kGetBucketPolicy, {"s3:GetBucketPolicy"}, kPolicy, {"/box?policy"}},
    {Operation::kPutBucketPolicy, {"s3:PutBucketPolicy"}, kPolicy, {"/box?policy", {}, "{}"}},
    {Operation::kDeleteBucketPolicy, {"s3:DeleteBucketPolicy"}, kPolicy, {"/box?policy"}},
    {Operation::kGetBucketPolicyStatus,
     {"s3:GetBucketPolicyStatus"},
     kBucket,
     {"/box?policyStatus"}},
    BUCKET_ROWS(kGetBucketCors, kPutBucketCors, kDeleteBucketCors, "cors", "s3:GetBucketCORS",
                "s3:PutBucketCORS"),
    BUCKET_ROWS(kGetBucketLifecycleConfiguration, kPutBucketLifecycleConfiguration,
                kDeleteBucketLifecycle, "lifecycle", "s3:GetLifecycleConfiguration",
                "s3:PutLifecycleConfiguration"),
    BUCKET_ROWS(kGetBucketEncryption, kPutBucketEncryption, kDeleteBucketEncryption, "encryption",
                "s3:GetEncryptionConfiguration", "s3:PutEncryptionConfiguration"),
    BUCKET_ROWS(kGetBucketTagging, kPutBucketTagging, kDeleteBucketTagging, "tagging",
                "s3:GetBucketTagging", "s3:PutBucketTagging"),
    {Operation::kGetBucketVersioning, {"s3:GetBucketVersioning"}, kBucket, {"/box?versioning"}},
    {Operation::kPutBucketVersioning, {"s3:PutBucketVersioning"}, kBucket, {"/box?versioning"}},
    BUCKET_ROWS(kGetBucketOwnershipControls, kPutBucketOwnershipControls,
                kDeleteBucketOwnershipControls, "ownershipControls",
                "s3:GetBucketOwnershipControls", "s3:PutBucketOwnershipControls"),
    BUCKET_ROWS(kGetPublicAccessBlock, kPutPublicAccessBlock, kDeletePublicAccessBlock,
                "publicAccessBlock", "s3:GetBucketPublicAccessBlock",
                "s3:PutBucketPublicAccessBlock"),
    {Operation::kGetObjectLockConfiguration,
     {"s3:GetBucketObjectLockConfiguration"},
     kBucket,
     {"/box?object-lock"}},
    {Operation::kPutObjectLockConfiguration,
     {"s3:PutBucketObjectLockConfiguration"},
     kBucket,
     {"/box?object-lock"}},
    {Operation::kGetBucketRequestPayment,
     {"s3:GetBucketRequestPayment"},
     kBucket,
     {"/box?requestPayment"}},
    {Operation::kPutBucketRequestPayment,
     {"s3:PutBucketRequestPayment"},
     kBucket,
     {"/box?requestPayment"}},
    {Operation::kGetBucketLogging, {"s3:GetBucketLogging"}, kBucket, {"/box?logging"}},
    {Operation::kPutBucketLogging, {"s3:PutBucketLogging"}, kBucket, {"/box?logging"}},
    {Operation::kGetBucketWebsite, {"s3:GetBucketWebsite"}, kBucket, {"/box?website"}},
    {Operation::kPutBucketWebsite, {"s3:PutBucketWebsite"}, kBucket, {"/box?website"}},
    {Operation::kDeleteBucketWebsite, {"s3:DeleteBucketWebsite"}, kBucket, {"/box?website"}},
    {Operation::kGetBucketNotificationConfiguration,
     {"s3:GetBucketNotification"},
     kBucket,
     {"/box?notification"}},
    {Operation::kPutBucketNotificationConfiguration,
     {"s3:PutBucketNotification"},
     kBucket,
     {"/box?notification"}},
    BUCKET_ROWS(kGetBucketReplication, kPutBucketReplication, kDeleteBucketReplication,
                "replication", "s3:GetReplicationConfiguration", "s3:PutReplicationConfiguration"),
    {Operation::kGetBucketAccelerateConfiguration,
     {"s3:GetAccelerateConfiguration"},
     kBucket,
     {"/box?accelerate"}},
    {Operation::kPutBucketAccelerateConfiguration,
     {"s3:PutAccelerateConfiguration"},
     kBucket,
     {"/box?accelerate"}},
    BUCKET_ROWS(kGetBucketAnalyticsConfiguration, kPutBucketAnalyticsConfiguration,
                kDeleteBucketAnalyticsConfiguration, "analytics&id=1",
                "s3:GetAnalyticsConfiguration", "s3:PutAnalyticsConfiguration"),
    BUCKET_ROWS(kGetBucketInventoryConfiguration, kPutBucketInventoryConfiguration,
                kDeleteBucketInventoryConfiguration, "inventory&id=1",
                "s3:GetInventoryConfiguration", "s3:PutInventoryConfiguration"),
    BUCKET_ROWS(kGetBucketMetricsConfiguration, kPutBucketMetricsConfiguration,
                kDeleteBucketMetricsConfiguration, "metrics&id=1", "s3:GetMetricsConfiguration",
                "s3:PutMetricsConfiguration"),
    BUCKET_ROWS(kGetBucketIntelligentTieringConfiguration,
                kPutBucketIntelligentTieringConfiguration,
                kDeleteBucketIntelligentTieringConfiguration, "intelligent-tiering&id=1",
                "s3:GetIntelligentTieringConfiguration", "s3:PutIntelligentTieringConfiguration"),
    {Operation::kGetBucketAbac, {"s3:GetBucketAbac"}, kBucket, {"/box?abac"}},
    {Operation::kPutBucketAbac, {"s3:PutBucketAbac"}, kBucket, {"/box?abac"}},
    {Operation::kCreateBucketMetadataConfiguration,
     {"s3:CreateBucketMetadataTableConfiguration"},
     kBucket,
     {"/box?metadataConfiguration"}},
    {Operation::kGetBucketMetadataConfiguration,
     {"s3:GetBucketMetadataTableConfiguration"},
     kBucket,
     {"/box?metadataConfiguration"}},
    {Operation::kDeleteBucketMetadataConfiguration,
     {"s3:DeleteBucketMetadataTableConfiguration"},
     kBucket,
     {"/box?metadataConfiguration"}},
    {Operation::kCreateBucketMetadataTableConfiguration,
     {"s3:CreateBucketMetadataTableConfiguration"},
     kBucket,
     {"/box?metadataTable"}},
    {Operation::kGetBucketMetadataTableConfiguration,
     {"s3:GetBucketMetadataTableConfiguration"},
     kBucket,
     {"/box?metadataTable"}},
    {Operation::kDeleteBucketMetadataTableConfiguration,
     {"s3:DeleteBucketMetadataTableConfiguration"},
     kBucket,
     {"/box?metadataTable"}},

    {Operation::kPutObject, {"s3:PutObject"}, kWrite, {"/box/k", {}, "bytes"}},
    {Operation::kPutObject,
     {"s3:PutObject"},
     kWrite,
     {"/box/k", {{"x-amz-acl", "bucket-owner-full-control"}}}},
    {Operation::kPutObject,
     {"s3:PutObject", "s3:PutObjectTagging"},
     kKey,
     {"/box/k", {{"x-amz-tagging", "a=b"}}}},
    {Operation::kPutObject,
     {"s3:PutObject", "s3:PutObjectRetention"},
     kKey,
     {"/box/k",
      {{"x-amz-object-lock-mode", "GOVERNANCE"},
       {"x-amz-object-lock-retain-until-date", "2030-01-01T00:00:00Z"}}}},
    {Operation::kPutObject,
     {"s3:PutObject", "s3:PutObjectLegalHold"},
     kKey,
     {"/box/k", {{"x-amz-object-lock-legal-hold", "ON"}}}},
    {Operation::kGetObject, {"s3:GetObject"}, kObjectRead, {"/box/k"}},
    {Operation::kGetObject, {"s3:GetObjectVersion"}, kObjectRead, {"/box/k?versionId=null"}},
    {Operation::kHeadObject, {"s3:GetObject"}, kObjectRead, {"/box/k"}},
    {Operation::kHeadObject, {"s3:GetObjectVersion"}, kObjectRead, {"/box/k?versionId=null"}},
    {Operation::kDeleteObject, {"s3:DeleteObject"}, kWrite, {"/box/k"}},
    {Operation::kDeleteObject, {"s3:DeleteObjectVersion"}, kKey, {"/box/k?versionId=null"}},
    {Operation::kCopyObject, {"s3:PutObject"}, kWrite, {"/box/k", {kOpenSource}}},
    {Operation::kCopyObject,
     {"s3:PutObject", "s3:PutObjectTagging"},
     kKey,
     {"/box/k", {kOpenSource, kNoTags, {"x-amz-tagging", "a=b"}}}},
    {Operation::kCopyObject,
     {"s3:GetObject"},
     kObjectRead,
     {"/free/k", {{"x-amz-copy-source", "/box/k"}, kNoTags}}},
    {Operation::kCopyObject,
     {"s3:GetObjectVersion"},
     kObjectRead,
     {"/free/k", {{"x-amz-copy-source", "/box/k?versionId=null"}, kNoTags}}},
    {Operation::kCreateMultipartUpload, {"s3:PutObject"}, kWrite, {"/box/k?uploads"}},
    {Operation::kCreateMultipartUpload,
     {"s3:PutObject", "s3:PutObjectTagging"},
     kKey,
     {"/box/k?uploads", {{"x-amz-tagging", "a=b"}}}},
    {Operation::kUploadPart,
     {"s3:PutObject"},
     kWrite,
     {"/box/k?partNumber=1&" + kUploadQuery, {}, "bytes"}},
    {Operation::kUploadPartCopy,
     {"s3:PutObject"},
     kWrite,
     {"/box/k?partNumber=1&" + kUploadQuery, {kOpenSource}}},
    {Operation::kUploadPartCopy,
     {"s3:GetObject"},
     kObjectRead,
     {"/free/k?partNumber=1&" + kUploadQuery, {{"x-amz-copy-source", "/box/k"}}}},
    {Operation::kCompleteMultipartUpload,
     {"s3:PutObject"},
     kWrite,
     {"/box/k?" + kUploadQuery, {}, kParts}},
    {Operation::kAbortMultipartUpload,
     {"s3:AbortMultipartUpload"},
     kUpload,
     {"/box/k?" + kUploadQuery}},
    {Operation::kListParts, {"s3:ListMultipartUploadParts"}, kUpload, {"/box/k?" + kUploadQuery}},
    {Operation::kGetObjectAttributes,
     {"s3:GetObjectAttributes", "s3:GetObject"},
     kObjectRead,
     {"/box/k?attributes", {{"x-amz-object-attributes", "ETag"}}}},
    {Operation::kGetObjectAttributes,
     {"s3:GetObjectVersionAttributes", "s3:GetObjectVersion"},
     kObjectRead,
     {"/box/k?attributes&versionId=null", {{"x-amz-object-attributes", "ETag"}}}},
    {Operation::kGetObjectAcl, {"s3:GetObjectAcl"}, kObjectAclR, {"/box/k?acl"}},
    {Operation::kGetObjectAcl,
     {"s3:GetObjectVersionAcl"},
     kObjectAclR,
     {"/box/k?acl&versionId=null"}},
    {Operation::kPutObjectAcl,
     {"s3:PutObjectAcl"},
     kObjectAclW,
     {"/box/k?acl", {{"x-amz-acl", "private"}}}},
    {Operation::kPutObjectAcl,
     {"s3:PutObjectVersionAcl"},
     kObjectAclW,
     {"/box/k?acl&versionId=null", {{"x-amz-acl", "private"}}}},
    {Operation::kGetObjectTagging, {"s3:GetObjectTagging"}, kStored, {"/box/k?tagging"}},
    {Operation::kGetObjectTagging,
     {"s3:GetObjectVersionTagging"},
     kStored,
     {"/box/k?tagging&versionId=null"}},
    {Operation::kPutObjectTagging,
     {"s3:PutObjectTagging"},
     kStored,
     {"/box/k?tagging", {}, kTagging}},
    {Operation::kPutObjectTagging,
     {"s3:PutObjectVersionTagging"},
     kStored,
     {"/box/k?tagging&versionId=null", {}, kTagging}},
    {Operation::kDeleteObjectTagging, {"s3:DeleteObjectTagging"}, kStored, {"/box/k?tagging"}},
    {Operation::kDeleteObjectTagging,
     {"s3:DeleteObjectVersionTagging"},
     kStored,
     {"/box/k?tagging&versionId=null"}},
    {Operation::kGetObjectRetention, {"s3:GetObjectRetention"}, kKey, {"/box/k?retention"}},
    {Operation::kPutObjectRetention,
     {"s3:PutObjectRetention"},
     kKey,
     {"/box/k?retention", {}, kRetention}},
    {Operation::kGetObjectLegalHold, {"s3:GetObjectLegalHold"}, kKey, {"/box/k?legal-hold"}},
    {Operation::kPutObjectLegalHold,
     {"s3:PutObjectLegalHold"},
     kKey,
     {"/box/k?legal-hold", {}, kHold}},
    // Not implemented. Objects are not looked up to say so.
    {Operation::kGetObjectTorrent, {"s3:GetObject"}, kUnimplementedRead, {"/box/k?torrent"}},
    {Operation::kRestoreObject, {"s3:RestoreObject"}, kKey, {"/box/k?restore"}},
    {Operation::kSelectObjectContent,
     {"s3:GetObject"},
     kUnimplementedRead,
     {"/box/k?select&select-type=2"}},
    {Operation::kUpdateObjectEncryption,
     {"s3:UpdateObjectEncryption"},
     kKey,
     {"/box/k?encryption"}},
    {Operation::kRenameObject,
     {"s3:PutObject", "s3:DeleteObject", "s3:GetObject"},
     kRename,
     {"/box/k?renameObject", {{"x-amz-rename-source", "k2"}}}},
};

#undef BUCKET_ROWS

std::string list_of(const Actions& actions) {
  std::string list;
  for (const std::string& action : actions) list += (list.empty() ? "\"" : ",\"") + action + "\"";
  return "[" + list + "]";
}

const std::string kOther = R"({"AWS":"333333333333"})";
const std::string kEverybody = R"("*")";
const std::string kWhole = R"("Resource":["arn:aws:s3:::box","arn:aws:s3:::box/*"])";

std::string statement(const std::string& effect, const std::string& principal,
                      const std::string& about, const std::string& resource = kWhole,
                      const std::string& condition = "{}") {
  return R"({"Effect":")" + effect + R"(","Principal":)" + principal + "," + about + "," +
         resource + R"(,"Condition":)" + condition + "}";
}

std::string document(const std::string& statements) {
  return R"({"Version":"2012-10-17","Statement":[)" + statements + "]}";
}

std::string action(const Actions& actions) { return "\"Action\":" + list_of(actions); }

struct Column {
  std::string name;
  Who who;
  std::function<void(AccessFixture&, const Actions&)> arrange;
};

void acls(AccessFixture& fixture, std::optional<std::string> bucket, std::string object = {}) {
  if (bucket) fixture.box.settings[SettingKind::kAcl] = *bucket;
  fixture.store.object.acl = std::move(object);
}

Column bucket_acl(std::string name, Permission permission) {
  return {std::move(name), Who::kOther, [permission](AccessFixture& fixture, const Actions&) {
            acls(fixture, AccessFixture::granted(permission));
          }};
}

Column object_acl(std::string name, Permission permission) {
  return {std::move(name), Who::kOther, [permission](AccessFixture& fixture, const Actions&) {
            acls(fixture, {}, AccessFixture::granted(permission));
          }};
}

Column by_policy(std::string name, Who who, std::string effect, std::string principal,
                 std::string resource = kWhole, std::string condition = "{}") {
  return {std::move(name), who, [=](AccessFixture& fixture, const Actions& actions) {
            fixture.set_policy(
                document(statement(effect, principal, action(actions), resource, condition)));
          }};
}

// A column with a further circumstance.
Column with(Column column, std::string name, std::function<void(AccessFixture&)> more) {
  column.name = std::move(name);
  column.arrange = [arrange = column.arrange, more](AccessFixture& fixture,
                                                    const Actions& actions) {
    arrange(fixture, actions);
    more(fixture);
  };
  return column;
}

constexpr uint8_t kIgnorePublicAcls = 2, kRestrictPublicBuckets = 8;

void restrict_bucket(AccessFixture& fixture) {
  fixture.box.settings[SettingKind::kPublicAccessBlock] =
      access::encode_block({.restrict_public_buckets = true});
}

void written_by_writer(AccessFixture& fixture) {
  fixture.store.object.owner_account = fixture.uploads.initiator_account = "222222222222";
}

void tag_open(AccessFixture& fixture) { fixture.store.object.tags = {{"open", "yes"}}; }

std::vector<Column> columns() {
  const Column public_policy = by_policy("", Who::kNobody, "Allow", kEverybody);
  const std::string if_open = R"({"StringEquals":{"s3:ExistingObjectTag/open":"yes"}})";
  const std::string unless_open = R"({"StringNotEquals":{"s3:ExistingObjectTag/open":"yes"}})";
  const auto nothing = [](AccessFixture&, const Actions&) {};
  Column public_to_other = public_policy, public_to_owner = public_policy;
  public_to_other.who = Who::kOther;
  public_to_owner.who = Who::kOwner;
  return {
      {"the owner", Who::kOwner, nothing},
      {"another account", Who::kOther, nothing},
      by_policy("a policy for the account", Who::kOther, "Allow", kOther),
      by_policy("a policy for the canonical id", Who::kOther, "Allow",
                R"({"CanonicalUser":"oth"})"),
      {"a policy for all other actions", Who::kOther,
       [](AccessFixture& fixture, const Actions& actions) {
         fixture.set_policy(
             document(statement("Allow", kOther, "\"NotAction\":" + list_of(actions))));
       }},
      by_policy("a policy for all other keys", Who::kOther, "Allow", kOther,
                R"("NotResource":["arn:aws:s3:::box","arn:aws:s3:::box/k*"])"),
      bucket_acl("READ on the bucket", Permission::kRead),
      bucket_acl("WRITE on the bucket", Permission::kWrite),
      bucket_acl("READ_ACP on the bucket", Permission::kReadAcp),
      bucket_acl("WRITE_ACP on the bucket", Permission::kWriteAcp),
      bucket_acl("FULL_CONTROL on the bucket", Permission::kFullControl),
      object_acl("READ on the object", Permission::kRead),
      object_acl("READ_ACP on the object", Permission::kReadAcp),
      object_acl("WRITE_ACP on the object", Permission::kWriteAcp),
      object_acl("FULL_CONTROL on the object", Permission::kFullControl),
      {"unsigned", Who::kNobody, nothing},
      with(public_policy, "unsigned, a public policy", [](AccessFixture&) {}),
      {"unsigned, a public-read-write bucket", Who::kNobody,
       [](AccessFixture& fixture, const Actions&) {
         acls(fixture, AccessFixture::canned(CannedAcl::kPublicReadWrite));
       }},
      {"unsigned, a public-read object", Who::kNobody,
       [](AccessFixture& fixture, const Actions&) {
         acls(fixture, {}, AccessFixture::canned(CannedAcl::kPublicRead));
       }},
      by_policy("the owner, denied by policy", Who::kOwner, "Deny", kEverybody),
      {"allowed and denied by policy", Who::kOther,
       [](AccessFixture& fixture, const Actions& actions) {
         fixture.set_policy(document(statement("Allow", kOther, action(actions)) + "," +
                                     statement("Deny", kOther, action(actions))));
         acls(fixture, AccessFixture::granted(Permission::kFullControl),
              AccessFixture::granted(Permission::kFullControl));
       }},
      with(public_policy, "unsigned, a public policy under RestrictPublicBuckets", restrict_bucket),
      with(public_to_other, "another account, a public policy under RestrictPublicBuckets",
           restrict_bucket),
      with(public_to_owner, "the owner, a public policy under RestrictPublicBuckets",
           restrict_bucket),
      with(public_policy, "unsigned, a public policy under the account's RestrictPublicBuckets",
           [](AccessFixture& fixture) {
             fixture.box.owner_public_access_block = kRestrictPublicBuckets;
           }),
      {"unsigned, public ACLs under IgnorePublicAcls", Who::kNobody,
       [](AccessFixture& fixture, const Actions&) {
         acls(fixture, AccessFixture::canned(CannedAcl::kPublicReadWrite),
              AccessFixture::canned(CannedAcl::kPublicRead));
         fixture.box.owner_public_access_block = kIgnorePublicAcls;
       }},
      {"another account, ACLs for every account under IgnorePublicAcls", Who::kOther,
       [](AccessFixture& fixture, const Actions&) {
         acls(fixture, AccessFixture::canned(CannedAcl::kAuthenticatedRead),
              AccessFixture::canned(CannedAcl::kAuthenticatedRead));
         fixture.box.owner_public_access_block = kIgnorePublicAcls;
       }},
      {"FULL_CONTROL under BucketOwnerEnforced", Who::kOther,
       [](AccessFixture& fixture, const Actions&) {
         acls(fixture, AccessFixture::granted(Permission::kFullControl),
              AccessFixture::granted(Permission::kFullControl));
         fixture.box.settings[SettingKind::kOwnership] = "BucketOwnerEnforced";
       }},
      {"who wrote the object", Who::kWriter,
       [](AccessFixture& fixture, const Actions&) { written_by_writer(fixture); }},
      {"the owner, of somebody else's object", Who::kOwner,
       [](AccessFixture& fixture, const Actions&) { written_by_writer(fixture); }},
      with(by_policy("", Who::kOther, "Allow", kOther), "a policy, of somebody else's object",
           written_by_writer),
      {"the owner, an unreadable policy", Who::kOwner,
       [](AccessFixture& fixture, const Actions&) { fixture.set_policy("{broken"); }},
      with(by_policy("", Who::kOther, "Allow", kOther, kWhole, if_open),
           "a policy for objects with a tag, which it has", tag_open),
      by_policy("a policy for objects with a tag, which it lacks", Who::kOther, "Allow", kOther,
                kWhole, if_open),
      by_policy("the owner, denied without a tag, which it lacks", Who::kOwner, "Deny", kEverybody,
                kWhole, unless_open),
      with(by_policy("", Who::kOwner, "Deny", kEverybody, kWhole, unless_open),
           "the owner, denied without a tag, which it has", tag_open),
  };
}

std::string without_spaces(std::string text) {
  std::erase(text, ' ');
  return text;
}

bool is_account_level(const Row& row) { return row.expected == kAccount; }

// What dispatch() answers; who is refused must have changed nothing.
char answer(const Column& column, const Row& row, const Actions& actions) {
  AccessFixture fixture;
  fixture.box.object_lock = true;
  fixture.box.versioning = metadata::Versioning::kEnabled;
  // No policy names actions above buckets.
  column.arrange(fixture,
                 is_account_level(row) ? Actions{"s3:ListBucket", "s3:GetObject"} : actions);
  const bool form = row.operation == Operation::kPostObject;
  const Told told = fixture.ask(column.who, form ? "PUT" : s3::row(row.operation).method, row.asked,
                                row.operation);
  EXPECT_NE(told.code, "InternalError");
  if (!form && !told.denied) EXPECT_NE(told.code, "unroutable");
  if (told.denied) EXPECT_EQ(told.changes, 0) << "changed something and said no";
  return told.denied ? '-' : 'Y';
}

TEST(AuthorizationMatrix, EveryOperationHasARow) {
  std::set<Operation> rows;
  for (const Row& row : kRows) rows.insert(row.operation);
  for (const s3::OperationRow& operation : s3::all_operations()) {
    EXPECT_TRUE(rows.contains(operation.operation)) << operation.name;
  }
}

TEST(AuthorizationMatrix, EveryOperationByEverybody) {
  const std::vector<Column> all = columns();
  RecordProperty("rows", static_cast<int>(kRows.size()));
  RecordProperty("columns", static_cast<int>(all.size()));
  for (const Row& row : kRows) {
    const std::string expected = without_spaces(row.expected);
    ASSERT_EQ(expected.size(), all.size());
    for (size_t i = 0; i < all.size(); ++i) {
      SCOPED_TRACE(std::string(s3::row(row.operation).name) + " " + row.asked.target + ": " +
                   all[i].name);
      EXPECT_EQ(answer(all[i], row, row.actions), expected[i]);
    }
  }
}

TEST(AuthorizationMatrix, EachOfSeveralActionsIsNeeded) {
  const std::vector<Column> all = columns();
  for (const Row& row : kRows) {
    if (row.actions.size() < 2) continue;
    for (const std::string& missing : row.actions) {
      SCOPED_TRACE(row.asked.target + " without " + missing);
      EXPECT_EQ(answer(all[4], row, {missing}), '-');
      EXPECT_EQ(answer(all[19], row, {missing}), '-');
    }
  }
}

TEST(AuthorizationMatrix, BypassOfGovernanceIsAPermissionOfItsOwn) {
  const std::pair<std::string, std::string> bypass{"x-amz-bypass-governance-retention", "true"};
  const std::vector<std::pair<const char*, Asked>> requests = {
      {"DELETE", {"/box/k?versionId=null", {bypass}}},
      {"POST", {"/box?delete", {bypass}, kDeleteVersion}},
      {"PUT", {"/box/k?retention", {bypass}, kRetention}},
  };
  const Actions plain{"s3:DeleteObjectVersion", "s3:PutObjectRetention"};
  Actions bypassing = plain;
  bypassing.push_back("s3:BypassGovernanceRetention");
  for (const auto& [method, asked] : requests) {
    SCOPED_TRACE(asked.target);
    const auto bypassed = [&](Who who, const std::string& policy) {
      AccessFixture fixture;
      fixture.box.object_lock = true;
      fixture.box.versioning = metadata::Versioning::kEnabled;
      if (!policy.empty()) fixture.set_policy(policy);
      const Told told = fixture.ask(who, method, asked);
      EXPECT_EQ(told.changes, 1) << told.code;
      return told.bypassed_governance;
    };
    EXPECT_TRUE(bypassed(Who::kOwner, ""));
    EXPECT_FALSE(bypassed(Who::kOther, document(statement("Allow", kOther, action(plain)))));
    EXPECT_TRUE(bypassed(Who::kOther, document(statement("Allow", kOther, action(bypassing)))));
    EXPECT_FALSE(bypassed(
        Who::kOwner,
        document(statement("Deny", kEverybody, action({"s3:BypassGovernanceRetention"})))));
  }
}

TEST(AuthorizationMatrix, ADenialOfPutObjectAclBindsWritesThatBringAnAcl) {
  const auto told = [](Asked asked, const char* method = "PUT") {
    AccessFixture fixture;
    fixture.set_policy(document(statement("Deny", kEverybody, action({"s3:PutObjectAcl"}))));
    return fixture.ask(Who::kOwner, method, asked);
  };
  for (const auto& header : {std::pair<std::string, std::string>("x-amz-acl", "public-read"),
                             {"X-Amz-Acl", "public-read"},
                             {"X-Amz-Grant-Read", "id=oth"}}) {
    EXPECT_TRUE(told({"/box/k", {header}}).denied);
    EXPECT_TRUE(told({"/box/k", {header, kOpenSource}}).denied);
    EXPECT_TRUE(told({"/box/k?uploads", {header}}, "POST").denied);
  }
  EXPECT_FALSE(told({"/box/k"}).denied);
}

TEST(AuthorizationMatrix, WhoComparesAnEtagReads) {
  const std::string entry = "<Delete><Object><Key>k</Key><ETag>x</ETag></Object></Delete>";
  const std::pair<std::string, std::string> match{"If-Match", "\"x\""};
  const std::vector<std::pair<const char*, Asked>> requests = {
      {"PUT", {"/box/k", {match}, "bytes"}},
      {"PUT", {"/box/k", {match, kOpenSource}}},
      {"POST", {"/box/k?" + kUploadQuery, {match}, kParts}},
      {"DELETE", {"/box/k", {match}}},
      {"DELETE", {"/box/k", {{"x-amz-if-match-size", "1"}}}},
      {"POST", {"/box?delete", {}, entry}},
  };
  const Actions plain{"s3:PutObject", "s3:DeleteObject"};
  Actions reading = plain;
  reading.push_back("s3:GetObject");
  for (const char* ownership : {"ObjectWriter", "BucketOwnerEnforced"}) {
    const auto denied = [&](const char* method, const Asked& asked, Who who,
                            const std::string& policy) {
      AccessFixture fixture;
      fixture.box.settings[SettingKind::kOwnership] = ownership;
      if (!policy.empty()) fixture.set_policy(policy);
      return fixture.ask(who, method, asked).denied;
    };
    for (const auto& [method, asked] : requests) {
      SCOPED_TRACE(std::string(method) + " " + asked.target + " " + ownership);
      EXPECT_FALSE(denied(method, asked, Who::kOwner, ""));
      EXPECT_TRUE(
          denied(method, asked, Who::kOther, document(statement("Allow", kOther, action(plain)))));
      EXPECT_FALSE(denied(method, asked, Who::kOther,
                          document(statement("Allow", kOther, action(reading)))));
      EXPECT_TRUE(denied(method, asked, Who::kOwner,
                         document(statement("Deny", kEverybody, action({"s3:GetObject"})))));
    }
    // That something is there, and no more, may be learned by who writes.
    const Asked unless{"/box/k", {{"If-None-Match", "*"}}}, if_any{"/box/k", {{"If-Match", "*"}}};
    EXPECT_FALSE(
        denied("PUT", unless, Who::kOther, document(statement("Allow", kOther, action(plain)))));
    EXPECT_FALSE(
        denied("DELETE", if_any, Who::kOther, document(statement("Allow", kOther, action(plain)))));
  }
}

TEST(AuthorizationMatrix, UnsignedRequestsOverrideNoHeaders) {
  AccessFixture fixture;
  fixture.store.object.acl = AccessFixture::canned(CannedAcl::kPublicRead);
  for (const char* method : {"GET", "HEAD"}) {
    EXPECT_EQ(fixture.ask(Who::kNobody, method, {"/box/k"}).code, "OK");
    EXPECT_EQ(fixture.ask(Who::kNobody, method, {"/box/k?response-content-type=text/html"}).code,
              "InvalidRequest");
    EXPECT_EQ(fixture.ask(Who::kOwner, method, {"/box/k?response-content-type=text/html"}).code,
              "OK");
  }
}

TEST(AuthorizationMatrix, ARenameTakesNothingThatItWouldIgnore) {
  AccessFixture fixture;
  const std::pair<std::string, std::string> source{"x-amz-rename-source", "k2"};
  for (const char* header : {"X-Amz-Acl", "x-amz-grant-read", "x-amz-meta-a", "x-amz-tagging",
                             "x-amz-object-lock-legal-hold", "x-amz-server-side-encryption"}) {
    const Told told =
        fixture.ask(Who::kOwner, "PUT", {"/box/k?renameObject", {source, {header, "x"}}});
    EXPECT_EQ(told.code, "NotImplemented") << header;
    EXPECT_EQ(told.changes, 0);
  }
  EXPECT_EQ(fixture.ask(Who::kOwner, "PUT", {"/box/k?renameObject", {source}}).changes, 1);
}

TEST(AuthorizationMatrix, TagsThatComeWithACopyAreReadAndWrittenWithPermission) {
  const auto denied = [](const Actions& allowed, bool from_box) {
    AccessFixture fixture;
    fixture.set_policy(document(statement("Allow", kOther, action(allowed))));
    tag_open(fixture);
    fixture.store.public_object.tags = fixture.store.object.tags;
    const Asked asked = from_box ? Asked{"/free/k", {{"x-amz-copy-source", "/box/k"}}}
                                 : Asked{"/box/k", {kOpenSource}};
    return fixture.ask(Who::kOther, "PUT", asked).denied;
  };
  EXPECT_TRUE(denied({"s3:GetObject"}, true));
  EXPECT_TRUE(denied({"s3:PutObject", "s3:PutObjectTagging"}, false));  // Not of the source.
}

TEST(AuthorizationMatrix, AQueryCannotSpeakForTheVersionOfAnEntryOrASource) {
  const std::string versioned = R"({"Null":{"s3:VersionId":"false"}})";
  AccessFixture fixture;
  fixture.set_policy(document(
      statement("Allow", kOther, action({"s3:DeleteObject", "s3:GetObject"}), kWhole, versioned)));
  EXPECT_TRUE(fixture.ask(Who::kOther, "POST", {"/box?delete&versionId=null", {}, kDelete}).denied);
  EXPECT_TRUE(fixture
                  .ask(Who::kOther, "PUT",
                       {"/free/k?versionId=null&partNumber=1&" + kUploadQuery,
                        {{"x-amz-copy-source", "/box/k"}}})
                  .denied);
}

TEST(AuthorizationMatrix, OnlyTheOwnerTouchesThePolicyWhateverItSays) {
  AccessFixture fixture;
  fixture.set_policy(document(statement("Allow", kOther, "\"Action\":\"s3:*\"")));
  for (const char* method : {"GET", "PUT", "DELETE"}) {
    EXPECT_EQ(fixture.ask(Who::kOther, method, {"/box?policy", {}, "{}"}).code, "MethodNotAllowed");
    EXPECT_EQ(fixture.ask(Who::kWriter, method, {"/box?policy", {}, "{}"}).code, "AccessDenied");
  }
}

TEST(AuthorizationMatrix, ARefusalByOldSettingsIsDecidedAnew) {
  const std::string tagging =
      "<Tagging><TagSet><Tag><Key>team</Key><Value>blue</Value></Tag></TagSet></Tagging>";
  const std::string asks_tag = statement("Allow", kOther, action({"s3:PutObjectTagging"}), kWhole,
                                         R"({"StringEquals":{"s3:RequestObjectTag/team":"red"}})");
  for (const std::string& before : {std::string(), asks_tag}) {
    for (const bool allowed : {true, false}) {
      AccessFixture fixture;
      if (!before.empty()) fixture.set_policy(document(before));
      metadata::Bucket changed = fixture.box;
      fixture.store.settings_version = ++changed.settings_version;
      if (allowed) {
        changed.settings[metadata::SettingKind::kPolicy] =
            document(statement("Allow", kOther, action({"s3:PutObjectTagging", "s3:ListBucket"})));
      }
      fixture.changed = changed;
      EXPECT_EQ(fixture.ask(Who::kOther, "GET", {"/box"}).code, allowed ? "OK" : "AccessDenied")
          << before;
      fixture.changed = changed;
      const Told told = fixture.ask(Who::kOther, "PUT", {"/box/k?tagging", {}, tagging});
      EXPECT_EQ(told.denied, !allowed) << told.code << before;
      EXPECT_EQ(told.changes, allowed ? 1 : 0);
    }
  }
}

// Every failure that a database which is away, silent or lost in the middle of an answer causes,
// and one of too much load; with them keys that are not to be had.
TEST(EveryOperation, SaysThatTheDatabaseIsAway) {
  std::vector<Row> rows = kRows;
  rows.push_back(
      {Operation::kPutBucketAcl, {}, {}, {"/box?acl", {{"x-amz-grant-read", "id=oth"}}}});
  rows.push_back({Operation::kPutObject, {}, {}, {"/box/k", {{"x-amz-grant-read", "id=oth"}}}});
  for (const Operation operation : {Operation::kPutObject, Operation::kCreateMultipartUpload}) {
    for (const char* sse : {"AES256", "aws:kms"}) {
      const char* target = operation == Operation::kPutObject ? "/box/k" : "/box/k?uploads";
      rows.push_back({operation, {}, {}, {target, {{"x-amz-server-side-encryption", sse}}}});
    }
  }
  for (const ErrorCode code : {ErrorCode::kUnavailable, ErrorCode::kDeadlineExceeded,
                               ErrorCode::kOutcomeUnknown, ErrorCode::kResourceExhausted}) {
    const std::string wanted =
        code == ErrorCode::kResourceExhausted ? "SlowDown" : "ServiceUnavailable";
    int by_store = 0, by_lookup = 0, by_keys = 0;
    for (const Row& row : rows) {
      for (const auto& [lookups, stores] : {std::pair{true, false}, {false, true}, {true, true}}) {
        AccessFixture fixture;
        fixture.keys.error = Error{code, "away"};
        if (lookups) fixture.break_lookups(fixture.keys.error);
        if (stores) fixture.break_stores(fixture.keys.error);
        const Told told =
            fixture.ask(Who::kOwner, s3::row(row.operation).method, row.asked, row.operation);
        by_store += fixture.failed_calls() > 0 ? 1 : 0;
        by_lookup += fixture.failed_lookups() > 0 ? 1 : 0;
        by_keys += fixture.keys.calls > 0 ? 1 : 0;
        if (fixture.failed_calls() + fixture.failed_lookups() + fixture.keys.calls == 0) continue;
        EXPECT_EQ(told.code, wanted)
            << s3::row(row.operation).name << " " << row.asked.target << ": " << to_string(code);
        EXPECT_TRUE(told.retry_after) << s3::row(row.operation).name << " " << row.asked.target;
      }
    }
    EXPECT_GT(by_store, 40) << "rows that met it";
    EXPECT_GT(by_lookup, 8);
    EXPECT_GE(by_keys, 4);
  }
}

TEST(AuthorizationMatrix, TheRouterFindsTheOperationOfEachRow) {
  for (const Row& row : kRows) {
    if (row.operation == Operation::kPostObject) continue;
    http::RequestHead head;
    head.method = s3::row(row.operation).method;
    head.target = row.asked.target;
    for (const auto& [name, value] : row.asked.headers) head.fields.add(name, value);
    const auto request = s3::route(head, {});
    ASSERT_TRUE(request) << row.asked.target;
    EXPECT_EQ(request->operation, row.operation)
        << head.method << " " << row.asked.target << ": " << s3::row(request->operation).name;
  }
}

}  // namespace
}  // namespace rondel::api
