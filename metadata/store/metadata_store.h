// MetadataStore: the one place of truth about accounts, buckets, objects, uploads, ring epochs and queues.
//
// Implementation: PostgreSQL (postgres_store.h); tests/contract/metadata_store runs the contract on a server of its own. Safe
// for concurrent use; coroutines resume on the loop that awaits. The commit of a mutating call is its linearisation point.
// Every call costs at most one round trip to the database; commits and look-ups that wait at the same time share one.
//
// Errors of every call: kUnavailable = no database; kDeadlineExceeded = no answer in time; kResourceExhausted = too many wait;
// kOutcomeUnknown = the answer was lost (503: the client repeats it). What they say about a commit is said by its type
// (commit_result.h). Anything a client may cause is an outcome, not an error.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/async/task.h"
#include "common/base/result.h"
#include "metadata/model/account.h"
#include "metadata/model/bucket.h"
#include "metadata/model/object.h"
#include "metadata/store/commit_result.h"

namespace rondel::metadata {

// What must hold of the current version when a commit is decided, on the locked row. All given ones must hold.
struct Conditions {
  std::vector<std::string> if_match;       // ETags without quotes; "*" = an object exists.
  std::vector<std::string> if_none_match;  // "*" = no object exists.
  std::optional<SystemTime> if_modified_since;
  std::optional<SystemTime> if_unmodified_since;
  std::optional<uint64_t> if_match_size;
  std::optional<SystemTime> if_match_last_modified;
  bool empty() const;
};

// Decided under these; a mismatch is an outcome.
struct CommitContext {
  int64_t bucket_id = 0;
  int64_t settings_version = 0;
  uint64_t ring_epoch = 0;          // Of the bytes; 0 when none were written.
  Deadline deadline;
};

// One new version of a key. Streams in `version.extents` that are new belong to it alone.
struct PutObject {
  CommitContext context;
  std::string key;
  ObjectVersion version;            // version id, is_null, last_modified are chosen by the commit.
  Versioning versioning = Versioning::kNever;
  Conditions conditions;
};

// A version over the extents of another one: no bytes move. The source row is locked and re-checked.
struct CopyObject {
  // `put.version` without extents: they, size and parts come from the source, headers and attributes from here.
  PutObject put;
  int64_t source_bucket_id = 0;
  std::string source_key;
  model::VersionId source_version;  // As read before.
  std::string source_etag;
};

// Bytes behind the end of an object of an unversioned bucket; makes it when absent and offset is 0.
struct AppendObject {
  PutObject put;                    // version.extents = the new bytes; etag and checksum are those of the result.
  uint64_t offset = 0;
  std::string expected_etag;        // The object read before; empty when absent.
};

struct RenameObject {
  CommitContext context;
  std::string source_key;
  std::string target_key;
  Conditions source_conditions;
  Conditions target_conditions;
  // The envelope for the target's key, of this version of the source: an encrypted object is not renamed without (kEncrypted).
  model::VersionId source_version;
  std::string encryption;
};

// Conditions are about what is there, a delete marker included; where nothing is, they hold and nothing is made.
struct DeleteObject {
  CommitContext context;
  std::string key;
  std::optional<model::VersionId> version;  // Absent: the current one (or a marker is made, by versioning).
  bool null_version = false;                // versionId=null.
  std::string owner_account;                // Of the delete marker, if one is made.
  Versioning versioning = Versioning::kNever;
  Conditions conditions;
  bool bypass_governance = false;           // The caller may remove versions under governance.
  // What must be true of `version` beside the conditions, otherwise kPreconditionFailed. With kCurrent the request removes the
  // current one as if no version were named, but only while it is this one and no delete marker.
  enum class Guard : uint8_t { kNone = 0, kCurrent = 1, kNoncurrent = 2, kLoneMarker = 3 };
  Guard guard = Guard::kNone;
};

// Changes attributes of a version in place, head or history, on its locked row: neither its id nor its last-modified time move.
// Outcomes: kNoSuchKey (`delete_marker` set when there is one instead), kPreconditionFailed, kObjectLocked.
struct UpdateVersion {
  CommitContext context;
  std::string key;
  std::optional<model::VersionId> version;  // Absent: the current one.
  bool null_version = false;
  std::string expected_etag;                // Empty = any.
  // What is to change; the rest stays. Empty values remove.
  std::optional<std::string> acl;
  std::optional<Tags> tags;
  // Lengthened freely; shortened, removed or another mode only from governance with bypass. An expired one binds nobody.
  std::optional<Retention> retention;
  bool bypass_governance = false;
  std::optional<bool> legal_hold;
  std::optional<std::string> encryption;
};

enum class LookupStatus : uint8_t { kFound = 1, kNoSuchBucket, kNoSuchKey, kNoSuchVersion };

// What a read wants of the extents.
struct ExtentRange {
  enum class Kind : uint8_t { kNone, kAll, kOffsets, kSuffix, kPart } kind = Kind::kNone;
  uint64_t first = 0;               // kOffsets: first byte; kSuffix: how many; kPart: the number.
  uint64_t last = 0;                // kOffsets: last byte, inclusive; UINT64_MAX = to the end.
};

struct ObjectQuery {
  std::string bucket;               // By name, so that the look-up needs no earlier one.
  std::string key;
  std::optional<model::VersionId> version;
  bool null_version = false;
  ExtentRange range;
  bool with_parts = false;          // GetObjectAttributes.
  uint32_t parts_after = 0;         // With with_parts: parts with a greater number,
  uint32_t parts_max = 1000;        // at most this many.
  Deadline deadline;
};

struct ObjectLookup {
  LookupStatus status = LookupStatus::kNoSuchKey;
  int64_t bucket_id = 0;
  int64_t settings_version = 0;     // To notice that a cached bucket is stale.
  ObjectVersion object;             // A delete marker is found as one (status kFound, delete_marker).
  std::optional<Part> part;         // kPart: the part asked for; absent when the number is not there.
  uint64_t part_start = 0;          // kPart: its offset in the object.
  bool parts_truncated = false;
};

struct ListQuery {
  int64_t bucket_id = 0;
  std::string prefix;
  std::string delimiter;            // Any length; empty = none.
  std::string after_key;            // Exclusive.
  // Exclusive common prefix: everything that begins with it was already answered.
  std::string after_prefix;
  uint32_t max = 1000;
  bool versions = false;            // ListObjectVersions: all versions and markers, newest first per key.
  std::optional<model::VersionId> after_version;  // With versions: after this version of after_key.
  Deadline deadline;
};

struct ListedVersion {
  std::string key;
  ObjectVersion object;             // Without headers, parts and extents.
  bool latest = true;
};

struct ListPage {
  std::vector<ListedVersion> entries;      // In key order.
  std::vector<std::string> common_prefixes;
  bool truncated = false;
  // Where to go on: the last answered entry in order is this key or this prefix.
  std::string next_key;
  std::string next_prefix;
  model::VersionId next_version;
};

struct PutPart {
  CommitContext context;
  model::UploadId upload;
  std::string key;                  // Must be the upload's.
  Part part;
  std::vector<Extent> extents;
};

// UploadPartCopy: a part over extents of an existing version.
struct CopyPart {
  PutPart put;                      // extents filled from the source row's range
  int64_t source_bucket_id = 0;
  std::string source_key;
  model::VersionId source_version;
  std::string source_etag;
  uint64_t source_offset = 0;       // Of the copied range in the source.
};

struct CompletedPart {
  uint32_t number = 0;
  std::string etag;
  std::vector<model::Checksum> checksums;
};

struct CompleteUpload {
  CommitContext context;
  model::UploadId upload;
  std::string key;
  std::vector<CompletedPart> parts;
  Versioning versioning = Versioning::kNever;
  Conditions conditions;
  // Computed by the caller from the parts that list_parts answered; the commit verifies the parts are still those.
  std::string etag;
  std::optional<model::Checksum> checksum;
  uint64_t size = 0;
  Retention default_retention;      // Of a version whose upload was begun without one.
};

struct UploadLookup {
  LookupStatus status = LookupStatus::kNoSuchKey;   // kNoSuchKey = no such upload.
  Upload upload;
  std::vector<Part> parts;          // By number, after the marker.
  bool truncated = false;
  std::optional<CommitOutcome> completed;           // A completed one is remembered for 7 days.
};

struct UploadQuery {
  int64_t bucket_id = 0;
  model::UploadId upload;
  std::string key;
  uint32_t part_after = 0;
  uint32_t parts_max = 1000;        // 0 = the upload alone. 10,000 = all.
  Deadline deadline;
};

struct ListUploadsQuery {
  int64_t bucket_id = 0;
  std::string prefix;
  std::string delimiter;
  std::string after_key;
  std::optional<model::UploadId> after_upload;      // Of after_key; absent = all of after_key are passed over.
  std::string after_prefix;
  uint32_t max = 1000;
  Deadline deadline;
};

struct ListUploadsPage {
  std::vector<Upload> uploads;      // By key, then by time of initiation (and id).
  std::vector<std::string> common_prefixes;
  bool truncated = false;
  std::string next_key;
  model::UploadId next_upload;
  std::string next_prefix;
};

enum class BucketStatus : uint8_t {
  kOk = 1, kAlreadyOwnedByYou, kAlreadyExists, kNoSuchBucket, kNotEmpty, kTooManyBuckets,
  kWrongState,            // Object lock needs versioning, and keeps it from being suspended.
};

struct BucketOutcome {
  BucketStatus status = BucketStatus::kOk;
  Bucket bucket;
};

struct CreateBucket {
  std::string name;
  std::string owner_account;
  std::string region;
  bool object_lock = false;
  std::map<SettingKind, std::string> settings;
};

struct ListBucketsQuery {
  std::string owner_account;
  std::string prefix;
  std::string region;               // Empty = any.
  std::string after_name;
  uint32_t max = 10'000;
};

struct BucketUsage {
  uint64_t objects = 0;
  uint64_t versions = 0;
  uint64_t bytes = 0;
};

class MetadataStore {
 public:
  virtual ~MetadataStore() = default;

  // False while the database is away, as its connections last knew it: what needs a commit is refused then before its bytes are
  // taken. Asks nothing and waits for nothing.
  virtual bool available() const = 0;

  // Objects: the hot path, batched.
  virtual async::Task<CommitResult> put_object(PutObject request) = 0;
  virtual async::Task<CommitResult> delete_object(DeleteObject request) = 0;
  virtual async::Task<Result<ObjectLookup>> find_object(ObjectQuery query) = 0;

  // DeleteObjects: one batch, outcomes in the order asked.
  virtual async::Task<Committed<std::vector<CommitOutcome>>> delete_objects(std::vector<DeleteObject> requests) = 0;
  virtual async::Task<CommitResult> copy_object(CopyObject request) = 0;
  virtual async::Task<CommitResult> append_object(AppendObject request) = 0;
  virtual async::Task<CommitResult> rename_object(RenameObject request) = 0;
  virtual async::Task<CommitResult> update_version(UpdateVersion request) = 0;
  virtual async::Task<Result<ListPage>> list(ListQuery query) = 0;

  // Multipart.
  virtual async::Task<Committed<CommitStatus>> create_upload(CommitContext context, Upload upload) = 0;
  virtual async::Task<CommitResult> put_part(PutPart request) = 0;
  virtual async::Task<CommitResult> copy_part(CopyPart request) = 0;
  virtual async::Task<Result<UploadLookup>> find_upload(UploadQuery query) = 0;
  virtual async::Task<Result<ListUploadsPage>> list_uploads(ListUploadsQuery query) = 0;
  virtual async::Task<CommitResult> complete_upload(CompleteUpload request) = 0;
  virtual async::Task<Committed<CommitStatus>> abort_upload(CommitContext context, model::UploadId upload,
                                                            std::string key) = 0;

  // Streams that no row came to refer to (a commit that was refused or did not happen, a body that broke off): their bytes are
  // removed after the grace. Never those of a commit that is not known. Repeating it does no harm: stream ids are not reused.
  virtual async::Task<Result<void>> release_streams(std::vector<Extent> streams, Deadline deadline) = 0;

  // Buckets and credentials: read through Directory (directory.h), which caches them.
  virtual async::Task<Result<BucketOutcome>> create_bucket(CreateBucket request, Deadline deadline) = 0;
  virtual async::Task<Result<BucketOutcome>> delete_bucket(int64_t bucket_id, Deadline deadline) = 0;
  virtual async::Task<Result<BucketOutcome>> find_bucket(std::string name, Deadline deadline) = 0;
  virtual async::Task<Result<std::vector<Bucket>>> list_buckets(ListBucketsQuery query, Deadline deadline) = 0;
  // Replaces or (nullopt) removes one document; the settings version rises.
  virtual async::Task<Result<BucketOutcome>> set_bucket_setting(int64_t bucket_id, SettingKind kind,
                                                                std::optional<std::string> document,
                                                                Deadline deadline) = 0;
  // kEnabled or kSuspended; kWrongState: a bucket with object lock stays enabled.
  virtual async::Task<Result<BucketOutcome>> set_bucket_versioning(int64_t bucket_id, Versioning versioning, Deadline deadline) = 0;
  // Turns object lock on for good and stores its document (SettingKind::kObjectLock). kWrongState: versioning is not enabled.
  virtual async::Task<Result<BucketOutcome>> set_object_lock(int64_t bucket_id, std::string document, Deadline deadline) = 0;
  virtual async::Task<Result<BucketUsage>> bucket_usage(int64_t bucket_id, Deadline deadline) = 0;
  // nullopt: no such account. Disabled ones are returned.
  virtual async::Task<Result<std::optional<Account>>> find_account(AccountName name, Deadline deadline) = 0;
  // False: no such account.
  virtual async::Task<Result<bool>> set_account_public_access_block(std::string account_id, uint8_t bits, Deadline deadline) = 0;
  // nullopt: no such key.
  virtual async::Task<Result<std::optional<Credential>>> find_credential(std::string access_key,
                                                                         Deadline deadline) = 0;
};

}  // namespace rondel::metadata
