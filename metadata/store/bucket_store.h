// BucketStore: buckets and their settings. Gateways read them through BucketCache (metadata/cache),
// which this seam never knows of.
//
// Every change of a bucket is told to who follows changes (directory_change.h). A change is a
// commit: it carries what it was decided under (CommitContext), and answers kSettingsChanged or
// kCredentialChanged where that does not hold any more. When it is answered no commit that was
// decided under the settings before can happen. The rest as commit_context.h says of every seam.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "metadata/model/bucket.h"
#include "metadata/store/commit_context.h"

namespace rondel::metadata {

inline constexpr uint64_t kBucketsPerAccountMax = 10'000;

enum class BucketStatus : uint8_t {
  kOk = 1,
  kAlreadyOwnedByYou,
  kAlreadyExists,
  kNoSuchBucket,
  kNotEmpty,
  kTooManyBuckets,   // The account owns kBucketsPerAccountMax.
  kWrongState,       // Object lock needs versioning, and keeps it from being suspended.
  kSettingsChanged,  // As CommitStatus has them.
  kCredentialChanged,
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
  int64_t credential_epoch = 0;  // As CommitContext has it.
};

struct BucketUsage {
  uint64_t objects = 0;
  uint64_t versions = 0;
  uint64_t bytes = 0;
};

// A document of a bucket, and the settings version under which it was read.
struct StoredSetting {
  int64_t settings_version = 0;  // 0: there is no such bucket.
  std::optional<std::string> document;
};

class BucketStore {
 public:
  virtual ~BucketStore() = default;

  // kInvalidArgument: the name or region is no text (UTF-8 without NUL).
  virtual async::Task<Result<BucketOutcome>> create_bucket(CreateBucket request,
                                                           Deadline deadline) = 0;
  // kNotEmpty: a version is there. Its uploads are aborted: nothing finds them any more, and their
  // bytes are released by and by (GcControl::release_deleted_buckets), however many they are.
  virtual async::Task<Result<BucketOutcome>> delete_bucket(CommitContext context) = 0;
  // kOk or kNoSuchBucket.
  virtual async::Task<Result<BucketOutcome>> find_bucket(std::string name, Deadline deadline) = 0;
  // One document, of any kind.
  virtual async::Task<Result<StoredSetting>> find_setting(int64_t bucket_id, SettingKind kind,
                                                          Deadline deadline) = 0;
  // Replaces or (nullopt) removes one document; the settings version rises.
  virtual async::Task<Result<BucketOutcome>> set_bucket_setting(
      CommitContext context, SettingKind kind, std::optional<std::string> document) = 0;
  // kEnabled or kSuspended; kWrongState: a bucket with object lock stays enabled.
  virtual async::Task<Result<BucketOutcome>> set_bucket_versioning(CommitContext context,
                                                                   Versioning versioning) = 0;
  // Turns object lock on for good and stores its document (SettingKind::kObjectLock). kWrongState:
  // versioning is not enabled.
  virtual async::Task<Result<BucketOutcome>> set_object_lock(CommitContext context,
                                                             std::string document) = 0;
  // Exact, of what is committed; zeroes for a bucket that is not there.
  virtual async::Task<Result<BucketUsage>> bucket_usage(int64_t bucket_id, Deadline deadline) = 0;
};

}  // namespace rondel::metadata
