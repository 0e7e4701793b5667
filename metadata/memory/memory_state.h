// MemoryState: what a database in memory holds, which every seam of metadata/memory reads and
// changes: rows as values, one lock, one clock. Internal to metadata/memory; from outside it is
// made, handed to gateways (memory_metadata.h) and taken away.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/base/result.h"
#include "metadata/memory/cluster_rows.h"
#include "metadata/model/account.h"
#include "metadata/model/bucket.h"
#include "metadata/model/kms_key.h"
#include "metadata/model/object.h"
#include "metadata/store/commit_context.h"
#include "metadata/store/commit_result.h"
#include "metadata/store/directory_change.h"
#include "metadata/store/released_stream.h"

namespace rondel::metadata {

// With all of its parts and extents.
struct StoredVersion {
  ObjectVersion object;
  std::optional<SystemTime> replaced;  // In history: when a newer one took its place.
};

// The newest first, which is the current one. A key without versions is not there.
using KeyVersions = std::map<model::VersionId, StoredVersion, std::greater<>>;

// A current delete marker without versions behind it.
inline bool is_lone_marker(const KeyVersions& versions) {
  return versions.size() == 1 && versions.begin()->second.object.delete_marker;
}

struct StoredBucket {
  Bucket bucket;  // What its owner's account says of it is read there: MemoryState::seen().
  std::map<std::string, KeyVersions> keys;
  // Keys whose versions lifecycle looks at again: when, in milliseconds; 0 = at once, -1 = it does.
  std::map<std::string, int64_t> rechecks;
  // Where lifecycle has got to, by scan and rule.
  std::map<std::pair<uint8_t, std::string>, std::string> cursors;
};

struct StoredPart {
  Part part;
  std::vector<Extent> extents;
};

struct StoredUpload {
  Upload upload;
  std::map<uint32_t, StoredPart> parts;
};

// What a repeated Complete is answered.
struct CompletedUpload {
  int64_t bucket_id = 0;
  std::string key;
  CommitOutcome outcome;
  SystemTime completed_at;
};

struct StoredRelease {
  ReleasedStream row;
  std::optional<SystemTime> checked_at;       // When a second look found that nothing refers to it.
  std::optional<SystemTime> not_before = {};  // When its removal is tried again.
  uint32_t tries = 0;

  SystemTime due_at() const { return not_before.value_or(*checked_at); }
};

struct StoredKmsKey {
  KmsKey key;
  uint64_t change = 0;
};

// By how much a number rises that others compare with one they have seen, and what is new begins
// with: 1 to 2^32, at random. A database that was set back does not give it again.
uint64_t random_step();

inline void rise(int64_t& number) { number += static_cast<int64_t>(random_step()); }

// The id of a bucket: never one that was given before.
int64_t random_bucket_id();

// All that a backup of the database holds, and a database that is set back has again.
struct MemoryRows {
  std::map<std::string, Account> accounts;       // By id.
  std::map<std::string, AccessKey> access_keys;  // By the key.
  std::map<int64_t, StoredBucket> buckets;       // By id.

  std::map<model::UploadId, StoredUpload> uploads;
  std::map<model::UploadId, CompletedUpload> completed_uploads;

  // How many extents of versions and parts refer to a stream; never 0.
  std::map<model::StreamId, uint64_t> references;
  // Streams that nothing refers to, by the id of their row, which rises with the time of release.
  std::map<int64_t, StoredRelease> released;
  // What a second look found referred to.
  std::map<int64_t, ReleasedStream> referenced_releases;
  int64_t last_release_id = 0;

  // Rises with whatever is taken from credentials.
  int64_t credential_epoch = static_cast<int64_t>(random_step());

  uint64_t min_epoch = 0;  // Of the ring: what was decided under an older one is refused.

  std::map<std::string, StoredKmsKey> kms_keys;    // By name.
  std::map<std::string, KmsKeyAccess> kms_access;  // By name: of keys that have an owner.
  uint64_t last_kms_change = 0;

  ClusterRows cluster;
};

// The rows and what stands below `mutex` are read and changed under it, which run() takes;
// the functions expect it held. Lives longer than whatever uses it.
class MemoryState : public MemoryRows {
 public:
  explicit MemoryState(const Clock& clock = real_clock());
  MemoryState(const MemoryState&) = delete;
  MemoryState& operator=(const MemoryState&) = delete;

  // The answer of `work` under the lock: a transaction. While the database is away, kUnavailable:
  // it did not happen.
  template <class Answer, class Work>
  async::Task<Answer> run(Work work) {
    MutexLock lock(mutex);
    if (!away) co_return work();
    Error error{ErrorCode::kUnavailable, "no database"};
    if constexpr (std::is_same_v<typename Answer::error_type, CommitFailure>) {
      co_return std::unexpected(CommitFailure::did_not_happen(std::move(error)));
    } else {
      co_return std::unexpected(std::move(error));
    }
  }

  // From then on every call fails, until it is back.
  void set_away(bool is_away);
  bool is_away() const;
  MemoryRows backup() const;
  // As by a dump into the same server, whose sessions go on.
  void set_back(MemoryRows rows);
  // As when the server starts again: nobody coordinates.
  void end_sessions();

  // The id of the account that was made first; empty: there is none.
  std::string first_account() const;
  KmsRights kms_rights(const std::string& account_id) const;
  // nullptr: it is not there.
  StoredBucket* find_bucket(int64_t id);
  StoredBucket* find_bucket(const std::string& name);
  // As the seams answer it: with what its owner's account says.
  Bucket seen(const StoredBucket& stored) const;
  // nullptr: the bucket or the key is not there.
  KeyVersions* find_key(int64_t bucket_id, const std::string& key);

  // kCommitted, or why a commit that was decided under these may not be: kCredentialChanged,
  // kNoSuchBucket, kSettingsChanged. What is 0 is not compared.
  CommitStatus check_context(const CommitContext& context);
  // The same of bytes that no row refers to yet, and of what they were read from: kEpochFenced,
  // kStreamTooOld, kSourceChanged, kAccessChanged too.
  CommitStatus check_context_of_bytes(const CommitContext& context,
                                      const std::optional<CopySource>& source = {});
  // The same of a copy, whose source was decided under the settings of its own bucket.
  CommitStatus check_contexts(const CommitContext& context, const CopySource& source);

  // One more reference to the stream of each extent.
  void add_references(const std::vector<Extent>& extents);
  // One less. A stream whose last one it was goes into the queue of released streams.
  void drop_references(const std::vector<Extent>& extents);
  void release_stream(const model::StreamId& stream, uint64_t size);

  bool is_referenced(const model::StreamId& stream) const { return references.contains(stream); }

  // Lifecycle looks at the key's versions again, if the bucket has rules.
  void queue_recheck(StoredBucket& bucket, const std::string& key);

  // With the newest mark, and no heartbeat.
  model::MetadataGeneration generation() const { return cluster.generation(system); }

  // What the database is to a node that remembers `seen`.
  model::Recognition judge(const model::NodeId& node, const model::MetadataGeneration& seen) const;

  void write_mark() { cluster.write_mark(clock.now()); }

  // That process becomes the coordinator: the token rises, and a mark is written with it.
  void begin_lease(const void* process);

  bool leads(uint64_t token) const { return token == cluster.token; }

  void tell(DirectoryChange::Kind kind, const std::string& name);

  const Clock& clock;  // The database's.
  mutable Mutex mutex;
  bool away = false;
  uint64_t system = 7;  // The server's identifier, whatever its database is set back to.
  const void* lease_holder = nullptr;  // The process that coordinates.
  std::list<DirectoryListener> listeners;
};

}  // namespace rondel::metadata
