// ObjectStore: versions of keys, as they are committed and found. The hot path of every gateway.
//
// The commit of a mutating call is its linearisation point. Single puts, deletes and look-ups that
// wait at the same time share a round trip. What holds when a call ends is said by commit_result.h;
// the rest as commit_context.h says of every seam.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "metadata/model/bucket.h"
#include "metadata/model/object.h"
#include "metadata/store/commit_context.h"
#include "metadata/store/commit_result.h"

namespace rondel::metadata {

// One new version of a key. Streams in `version.extents` that are new belong to it alone.
struct PutObject {
  CommitContext context;
  std::string key;
  ObjectVersion version;  // version id, is_null, last_modified are chosen by the commit.
  Versioning versioning = Versioning::kNever;
  Conditions conditions;
  // Where the bytes were read from a version and written anew: it is locked and checked as that of
  // CopyObject.
  std::optional<CopySource> copied_from;
};

// A version over the extents of another one: no bytes move. The source row is locked and
// re-checked.
struct CopyObject {
  // `put.version` without extents: they, size and parts come from the source, headers and
  // attributes from here.
  PutObject put;
  CopySource source;
};

// Bytes behind the end of an object of an unversioned bucket; makes it when absent and offset is 0.
struct AppendObject {
  // version.extents = the new bytes, under version.encryption, which must be that of what is there;
  // etag and checksum are those of the result.
  PutObject put;
  uint64_t offset = 0;
  std::string expected_etag;  // The object read before; empty when absent.
};

struct RenameObject {
  CommitContext context;
  std::string source_key;
  std::string target_key;
  Conditions source_conditions;
  Conditions target_conditions;
  // The envelope for the target's key, made from this one, which must be the source's: an encrypted
  // object is not renamed without (kEncrypted). Envelopes differ even for the same data key.
  std::string source_encryption;
  std::string encryption;
  std::optional<ObjectAccess> source_access;  // When the source decided.
};

// Conditions are about what is there, a delete marker included; where nothing is, they hold and
// nothing is made.
struct DeleteObject {
  CommitContext context;
  std::string key;
  // Absent: the current one (or a marker is made, by versioning).
  std::optional<model::VersionId> version;
  bool null_version = false;  // versionId=null.
  std::string owner_account;  // Of the delete marker, if one is made.
  Versioning versioning = Versioning::kNever;
  Conditions conditions;
  bool bypass_governance = false;  // The caller may remove versions under governance.
  // What must be true of `version` beside the conditions, otherwise kPreconditionFailed. With
  // kCurrent the request removes the current one as if no version were named, but only while it is
  // this one and no delete marker.
  enum class Guard : uint8_t { kNone = 0, kCurrent = 1, kNoncurrent = 2, kLoneMarker = 3 };
  Guard guard = Guard::kNone;
};

// Changes attributes of a version in place, head or history, on its locked row: neither its id nor
// its last-modified time move. Outcomes: kNoSuchKey (`delete_marker` set when there is one
// instead), kPreconditionFailed, kObjectLocked.
struct UpdateVersion {
  CommitContext context;
  std::string key;
  std::optional<model::VersionId> version;  // Absent: the current one.
  bool null_version = false;
  std::string expected_etag;                    // Empty = any.
  std::optional<ObjectAccess> expected_access;  // When the version decided.
  // What is to change; the rest stays. Empty values remove.
  std::optional<std::string> acl;
  std::optional<Tags> tags;
  // Lengthened freely; shortened, removed or another mode only from governance with bypass. An
  // expired one binds nobody.
  std::optional<Retention> retention;
  bool bypass_governance = false;
  std::optional<bool> legal_hold;
  std::optional<std::string> encryption;
};

// What a read wants of the extents.
struct ExtentRange {
  enum class Kind : uint8_t { kNone, kAll, kOffsets, kSuffix, kPart } kind = Kind::kNone;
  // kOffsets: first byte; kSuffix: how many; kPart: the number; an object without parts is one.
  uint64_t first = 0;
  uint64_t last = 0;  // kOffsets: last byte, inclusive; UINT64_MAX = to the end.
};

struct ObjectQuery {
  std::string bucket;  // By name, so that the look-up needs no earlier one.
  std::string key;
  std::optional<model::VersionId> version;
  bool null_version = false;
  ExtentRange range;
  bool with_parts = false;    // GetObjectAttributes.
  uint32_t parts_after = 0;   // With with_parts: parts with a greater number,
  uint32_t parts_max = 1000;  // at most this many.
  Deadline deadline;
};

struct ObjectLookup {
  LookupStatus status = LookupStatus::kNoSuchKey;
  int64_t bucket_id = 0;
  int64_t settings_version = 0;  // To notice that a cached bucket is stale.
  ObjectVersion object;          // A delete marker is found as one (status kFound, delete_marker).
  std::optional<Part> part;      // kPart: the part asked for; absent when the number is not there.
  uint64_t part_start = 0;       // kPart: its offset in the object.
  bool parts_truncated = false;
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  virtual async::Task<CommitResult> put_object(PutObject request) = 0;
  virtual async::Task<CommitResult> delete_object(DeleteObject request) = 0;
  // Outcomes in the order asked. All are one transaction, but for those that need what somebody
  // else holds: each of these follows by itself. Not known: some may have been committed.
  virtual async::Task<Committed<std::vector<CommitOutcome>>> delete_objects(
      std::vector<DeleteObject> requests) = 0;
  virtual async::Task<CommitResult> copy_object(CopyObject request) = 0;
  virtual async::Task<CommitResult> append_object(AppendObject request) = 0;
  virtual async::Task<CommitResult> rename_object(RenameObject request) = 0;
  virtual async::Task<CommitResult> update_version(UpdateVersion request) = 0;
  virtual async::Task<Result<ObjectLookup>> find_object(ObjectQuery query) = 0;
};

}  // namespace rondel::metadata
