// How a commit ended, as a type: whether written bytes may be released is read off it and never off
// an error code, which says what a client is told.
//
//   committed      the outcome's status says so
//   refused        the database decided against it and rolled back; the outcome's status says why
//   did not happen the statement never ran, or was rolled back whole: nothing refers to its
//   streams, and nothing will not known      the statement was on its way and its answer was lost:
//   nobody may take its streams for unused
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <utility>

#include "common/base/error.h"
#include "metadata/model/object.h"

namespace rondel::metadata {

enum class CommitStatus : uint8_t {
  kCommitted = 1,
  kNoSuchBucket,     // Deleted meanwhile.
  kSettingsChanged,  // The bucket's settings version moved: read it again and decide anew.
  kEpochFenced,      // The bytes were placed under an epoch below ring.min_epoch: write them again.
  kPreconditionFailed,  // if-match / if-none-match / sizes / times.
  kNoSuchKey,  // if-match given and no object there (S3: 404 NoSuchKey), or the version named is
               // absent.
  kSourceChanged,  // COPY: the source version is gone or its ETag differs from what was read.
  kNoSuchUpload,
  kInvalidPart,  // COMPLETE: a part is missing or its ETag differs.
  kInvalidPartOrder,
  kEntityTooSmall,   // COMPLETE: a part but the last is below 5 MiB.
  kUploadCompleted,  // COMPLETE again: the recorded result is in the outcome.
  kOffsetMismatch,   // APPEND: the object's size is not the offset.
  kWrongState,       // APPEND or RENAME on a versioned bucket.
  kQuotaExceeded,
  kInvalidChecksum,  // COMPLETE: a part's or the object's checksum differs from the one given.
  kObjectLocked,  // Retention or a legal hold protects the version, or forbids this change of its
                  // retention.
  // RENAME: the source has an envelope, and none for the target's key was given, or one
  // that was made from another.
  kEncrypted,
  kStreamTooOld,  // The bytes were begun longer ago than half of gc.orphan_age: the orphan scan may
                  // soon take them for left behind, so no row refers to them. Write them again.
  kCredentialChanged,  // Something was taken from credentials: read the asker's again, decide anew.
  kAccessChanged,      // A version decided, and says something else of who may have it now: read it
                       // again and decide anew.
};

struct CommitOutcome {
  CommitStatus status = CommitStatus::kCommitted;
  model::VersionId version;
  bool is_null = true;
  SystemTime last_modified;
  uint64_t size = 0;  // Of the resulting object.
  std::string etag;
  std::optional<model::Checksum> checksum;
  bool delete_marker = false;  // DELETE: what was removed was one, or one was made.
  std::string detail;          // kInvalidPart: the part number; for the error document.
};

// A commit without an outcome.
struct CommitFailure : Error {
  enum class Kind : uint8_t {
    kDidNotHappen,
    kNotKnown,
  };
  Kind kind = Kind::kNotKnown;  // What nobody decided about is never released.

  static CommitFailure did_not_happen(Error cause) {
    return CommitFailure(std::move(cause), Kind::kDidNotHappen);
  }

  static CommitFailure not_known(Error cause) {
    return CommitFailure(std::move(cause), Kind::kNotKnown);
  }

  bool operator==(const CommitFailure&) const = default;

 private:
  CommitFailure(Error cause, Kind kind_) : Error(std::move(cause)), kind(kind_) {}
};

// What a commit answers: outcomes, or that there is none. The error as such (its code, its words)
// is for clients and logs.
template <class T>
using Committed = std::expected<T, CommitFailure>;
using CommitResult = Committed<CommitOutcome>;

enum class CommitFate : uint8_t { kCommitted, kRefused, kDidNotHappen, kNotKnown };

// An upload that was completed before is committed: its streams have an object.
inline CommitFate fate_of(CommitStatus status) {
  const bool committed =
      status == CommitStatus::kCommitted || status == CommitStatus::kUploadCompleted;
  return committed ? CommitFate::kCommitted : CommitFate::kRefused;
}

inline CommitFate fate_of(const CommitFailure& failure) {
  return failure.kind == CommitFailure::Kind::kDidNotHappen ? CommitFate::kDidNotHappen
                                                            : CommitFate::kNotKnown;
}

inline CommitFate fate_of(const CommitResult& result) {
  return result ? fate_of(result->status) : fate_of(result.error());
}

}  // namespace rondel::metadata
