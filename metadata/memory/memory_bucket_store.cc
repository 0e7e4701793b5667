#include "metadata/memory/memory_bucket_store.h"

#include <algorithm>

#include "metadata/memory/memory_upload_store.h"
#include "metadata/model/identity_rules.h"

namespace rondel::metadata {
namespace {

constexpr auto kChanged = DirectoryChange::Kind::kBucket;

}  // namespace

async::Task<Result<BucketOutcome>> MemoryBucketStore::create_bucket(CreateBucket request,
                                                                    Deadline) {
  return state_.run<Result<BucketOutcome>>(
      [this, request = std::move(request)] { return create(request); });
}

async::Task<Result<BucketOutcome>> MemoryBucketStore::delete_bucket(CommitContext context) {
  return state_.run<Result<BucketOutcome>>([this, context] {
    const BucketStatus ground = check_ground(context);
    return BucketOutcome{ground == BucketStatus::kOk ? remove(context.bucket_id) : ground, {}};
  });
}

async::Task<Result<BucketOutcome>> MemoryBucketStore::find_bucket(std::string name, Deadline) {
  return state_.run<Result<BucketOutcome>>([this, name = std::move(name)] {
    const StoredBucket* const found = state_.find_bucket(name);
    if (!found) return BucketOutcome{BucketStatus::kNoSuchBucket, {}};
    return BucketOutcome{BucketStatus::kOk, state_.seen(*found)};
  });
}

async::Task<Result<StoredSetting>> MemoryBucketStore::find_setting(int64_t bucket_id,
                                                                   SettingKind kind, Deadline) {
  return state_.run<Result<StoredSetting>>([this, bucket_id, kind] {
    StoredSetting found;
    const StoredBucket* const stored = state_.find_bucket(bucket_id);
    if (!stored) return found;
    found.settings_version = stored->bucket.settings_version;
    const auto document = stored->bucket.settings.find(kind);
    if (document != stored->bucket.settings.end()) found.document = document->second;
    return found;
  });
}

async::Task<Result<BucketOutcome>> MemoryBucketStore::set_bucket_setting(
    CommitContext context, SettingKind kind, std::optional<std::string> document) {
  return change_bucket(context, [kind, document = std::move(document)](Bucket& bucket) {
    bucket.settings.erase(kind);
    if (document) bucket.settings[kind] = *document;
    return BucketStatus::kOk;
  });
}

async::Task<Result<BucketOutcome>> MemoryBucketStore::set_bucket_versioning(CommitContext context,
                                                                            Versioning versioning) {
  return change_bucket(context, [versioning](Bucket& bucket) {
    if (bucket.object_lock && versioning != Versioning::kEnabled) return BucketStatus::kWrongState;
    bucket.versioning = versioning;
    return BucketStatus::kOk;
  });
}

async::Task<Result<BucketOutcome>> MemoryBucketStore::set_object_lock(CommitContext context,
                                                                      std::string document) {
  return change_bucket(context, [document = std::move(document)](Bucket& bucket) {
    if (bucket.versioning != Versioning::kEnabled) return BucketStatus::kWrongState;
    bucket.object_lock = true;
    bucket.settings[SettingKind::kObjectLock] = document;
    return BucketStatus::kOk;
  });
}

async::Task<Result<BucketUsage>> MemoryBucketStore::bucket_usage(int64_t bucket_id, Deadline) {
  return state_.run<Result<BucketUsage>>([this, bucket_id] { return usage(bucket_id); });
}

Result<BucketOutcome> MemoryBucketStore::create(const CreateBucket& request) {
  if (!can_be_text(request.name) || !can_be_text(request.region)) {
    return fail(ErrorCode::kInvalidArgument, "no name of a bucket");
  }
  if (request.credential_epoch != 0 && request.credential_epoch != state_.credential_epoch) {
    return BucketOutcome{BucketStatus::kCredentialChanged, {}};
  }
  if (const StoredBucket* const taken = state_.find_bucket(request.name)) {
    const bool own = taken->bucket.owner_account == request.owner_account;
    return BucketOutcome{own ? BucketStatus::kAlreadyOwnedByYou : BucketStatus::kAlreadyExists,
                         state_.seen(*taken)};
  }
  if (!state_.accounts.contains(request.owner_account)) {
    return fail(ErrorCode::kInternal, "there is no such account");
  }
  const auto owned = std::ranges::count_if(state_.buckets, [&](const auto& row) {
    return row.second.bucket.owner_account == request.owner_account;
  });
  if (static_cast<uint64_t>(owned) >= kBucketsPerAccountMax) {
    return BucketOutcome{BucketStatus::kTooManyBuckets, {}};
  }

  StoredBucket made;
  made.bucket.id = random_bucket_id();
  rise(made.bucket.settings_version);
  made.bucket.name = request.name;
  made.bucket.owner_account = request.owner_account;
  made.bucket.region = request.region;
  made.bucket.created_at = state_.clock.now();
  made.bucket.versioning = request.object_lock ? Versioning::kEnabled : Versioning::kNever;
  made.bucket.object_lock = request.object_lock;
  made.bucket.settings = request.settings;
  const StoredBucket& stored = state_.buckets[made.bucket.id] = made;
  state_.tell(kChanged, request.name);
  return BucketOutcome{BucketStatus::kOk, state_.seen(stored)};
}

BucketStatus MemoryBucketStore::check_ground(const CommitContext& context) {
  switch (state_.check_context(context)) {
    case CommitStatus::kNoSuchBucket: return BucketStatus::kNoSuchBucket;
    case CommitStatus::kSettingsChanged: return BucketStatus::kSettingsChanged;
    case CommitStatus::kCredentialChanged: return BucketStatus::kCredentialChanged;
    default: return BucketStatus::kOk;
  }
}

BucketStatus MemoryBucketStore::remove(int64_t bucket_id) {
  const StoredBucket* const stored = state_.find_bucket(bucket_id);
  if (!stored) return BucketStatus::kNoSuchBucket;
  if (!stored->keys.empty()) return BucketStatus::kNotEmpty;
  std::vector<model::UploadId> open;
  for (const auto& [id, row] : state_.uploads) {
    if (row.upload.bucket_id == bucket_id) open.push_back(id);
  }
  for (const model::UploadId& id : open) drop_upload(state_, id);
  const std::string name = stored->bucket.name;
  state_.buckets.erase(bucket_id);
  state_.tell(kChanged, name);
  return BucketStatus::kOk;
}

BucketUsage MemoryBucketStore::usage(int64_t bucket_id) {
  BucketUsage sum;
  const StoredBucket* const stored = state_.find_bucket(bucket_id);
  if (!stored) return sum;
  for (const auto& [key, versions] : stored->keys) {
    if (!versions.begin()->second.object.delete_marker) ++sum.objects;
    for (const auto& [id, row] : versions) {
      ++sum.versions;
      sum.bytes += row.object.size;
    }
  }
  return sum;
}

template <class Change>
async::Task<Result<BucketOutcome>> MemoryBucketStore::change_bucket(CommitContext context,
                                                                    Change change) {
  return state_.run<Result<BucketOutcome>>([this, context, change = std::move(change)] {
    const BucketStatus ground = check_ground(context);
    if (ground != BucketStatus::kOk) return BucketOutcome{ground, {}};
    StoredBucket* const stored = state_.find_bucket(context.bucket_id);
    const BucketStatus status = change(stored->bucket);
    if (status != BucketStatus::kOk) return BucketOutcome{status, {}};
    rise(stored->bucket.settings_version);
    state_.tell(kChanged, stored->bucket.name);
    return BucketOutcome{status, state_.seen(*stored)};
  });
}

}  // namespace rondel::metadata
