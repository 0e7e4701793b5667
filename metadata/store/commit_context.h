// What every commit is decided under, and on what conditions; and how a look-up that is no commit
// ends.
//
// Rules of every seam of this folder, unless its header says otherwise:
//
// - Safe for concurrent use; a coroutine goes on on the loop that awaits it.
// - A call waits no longer than its deadline. It costs at most one round trip to the database, and
// what waits at the same time may
//   share one.
// - Anything that a client may cause is an outcome (a status), never an error. Errors of every
// call: kUnavailable = no database;
//   kDeadlineExceeded = no answer in time; kResourceExhausted = too many wait; kOutcomeUnknown =
//   the answer was lost (503: the client repeats it). What they say about a commit is said by its
//   type (commit_result.h).
// - A call that answers an error and is no commit has changed everything or nothing, and may be
// repeated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/model/ids.h"
#include "metadata/model/object.h"

namespace rondel::metadata {

// What must hold of the current version when a commit is decided, on the locked row. All given ones
// must hold.
struct Conditions {
  std::vector<std::string> if_match;       // ETags without quotes; "*" = an object exists.
  std::vector<std::string> if_none_match;  // "*" = no object exists.
  std::optional<SystemTime> if_modified_since;
  std::optional<SystemTime> if_unmodified_since;
  std::optional<uint64_t> if_match_size;
  std::optional<SystemTime> if_match_last_modified;

  bool empty() const {
    return if_match.empty() && if_none_match.empty() && !if_modified_since &&
           !if_unmodified_since && !if_match_size && !if_match_last_modified;
  }
};

// Decided under these; a mismatch is an outcome.
struct CommitContext {
  int64_t bucket_id = 0;
  int64_t settings_version = 0;
  uint64_t ring_epoch = 0;  // Of the bytes; 0 when none were written.
  Deadline deadline;
  // When bytes that no row refers to yet were begun, by the database's clock as the gateway last
  // heard it and what has passed since; the epoch when none were written.
  SystemTime first_time = {};
  // Credential::epoch of who asks, 0 for nobody. Refused when something was taken from credentials
  // since (kCredentialChanged).
  int64_t credential_epoch = 0;
};

// What of a version decides who may have it. A commit that a version decided about carries what it
// said, and is refused when it says something else on its locked row (kAccessChanged).
struct ObjectAccess {
  std::string owner_account;
  std::string acl;
  Tags tags;

  bool operator==(const ObjectAccess&) const = default;

  static ObjectAccess of(const ObjectVersion& version) {
    return {version.owner_account, version.acl, version.tags};
  }
};

// A version that bytes or extents are copied from, as it was read, and what reading it was decided
// under.
struct CopySource {
  int64_t bucket_id = 0;
  std::string key;
  model::VersionId version;
  std::string etag;
  int64_t settings_version = 0;  // 0 = nobody asked.
  std::optional<ObjectAccess> access;
};

// How a look-up ended that the database answered.
enum class LookupStatus : uint8_t { kFound = 1, kNoSuchBucket, kNoSuchKey, kNoSuchVersion };

}  // namespace rondel::metadata
