#include "metadata/memory/memory_state.h"

#include <algorithm>
#include <cstring>

#include "metadata/memory/version_rules.h"

namespace rondel::metadata {
namespace {

uint64_t random_number() {
  const model::StreamId random = model::StreamId::random();
  uint64_t number = 0;
  std::memcpy(&number, random.bytes.data(), sizeof(number));
  return number;
}

}  // namespace

uint64_t random_step() { return (random_number() >> 32) + 1; }

int64_t random_bucket_id() { return static_cast<int64_t>(random_number() >> 4) + 1; }

MemoryState::MemoryState(const Clock& clock) : clock(clock) { write_mark(); }

void MemoryState::set_away(bool is_away) {
  MutexLock lock(mutex);
  away = is_away;
}

bool MemoryState::is_away() const {
  MutexLock lock(mutex);
  return away;
}

MemoryRows MemoryState::backup() const {
  MutexLock lock(mutex);
  return *this;
}

void MemoryState::set_back(MemoryRows rows) {
  MutexLock lock(mutex);
  static_cast<MemoryRows&>(*this) = std::move(rows);
}

void MemoryState::end_sessions() {
  MutexLock lock(mutex);
  lease_holder = nullptr;
}

std::string MemoryState::first_account() const {
  const auto first = std::ranges::min_element(
      accounts, {}, [](const auto& row) { return std::pair(row.second.created_at, row.first); });
  return first == accounts.end() ? "" : first->first;
}

KmsRights MemoryState::kms_rights(const std::string& account_id) const {
  KmsRights rights;
  rights.others = account_id == first_account();
  for (const auto& [name, access] : kms_access) {
    const auto grant = access.grants.find(account_id);
    if (access.owner_account == account_id) {
      rights.keys[name] = static_cast<uint8_t>(KmsOperation::kAll);
    } else if (grant != access.grants.end()) {
      rights.keys[name] = grant->second;
    } else if (rights.others) {
      rights.keys[name] = 0;
    }
  }
  return rights;
}

StoredBucket* MemoryState::find_bucket(int64_t id) {
  const auto found = buckets.find(id);
  return found == buckets.end() ? nullptr : &found->second;
}

StoredBucket* MemoryState::find_bucket(const std::string& name) {
  const auto found = std::ranges::find_if(
      buckets, [&](const auto& row) { return row.second.bucket.name == name; });
  return found == buckets.end() ? nullptr : &found->second;
}

Bucket MemoryState::seen(const StoredBucket& stored) const {
  Bucket bucket = stored.bucket;
  bucket.has_lifecycle = bucket.settings.erase(SettingKind::kLifecycle) > 0;
  const Account& owner = accounts.at(bucket.owner_account);
  bucket.owner_canonical_id = owner.canonical_id;
  bucket.owner_display_name = owner.display_name;
  bucket.owner_public_access_block = owner.public_access_block;
  return bucket;
}

KeyVersions* MemoryState::find_key(int64_t bucket_id, const std::string& key) {
  StoredBucket* const bucket = find_bucket(bucket_id);
  if (!bucket) return nullptr;
  const auto found = bucket->keys.find(key);
  return found == bucket->keys.end() ? nullptr : &found->second;
}

CommitStatus MemoryState::check_context(const CommitContext& context) {
  if (context.credential_epoch != 0 && context.credential_epoch != credential_epoch) {
    return CommitStatus::kCredentialChanged;
  }
  const StoredBucket* const stored = find_bucket(context.bucket_id);
  if (!stored) return CommitStatus::kNoSuchBucket;
  if (context.settings_version != 0 &&
      context.settings_version != stored->bucket.settings_version) {
    return CommitStatus::kSettingsChanged;
  }
  return CommitStatus::kCommitted;
}

CommitStatus MemoryState::check_context_of_bytes(const CommitContext& context,
                                                 const std::optional<CopySource>& source) {
  const CommitStatus status = source ? check_contexts(context, *source) : check_context(context);
  if (status != CommitStatus::kCommitted) return status;
  if (context.ring_epoch != 0 && context.ring_epoch < min_epoch) return CommitStatus::kEpochFenced;
  const auto orphan_age = cluster.garbage.ages.orphan_age;
  if (context.first_time != SystemTime{} && orphan_age.count() > 0 &&
      context.first_time < clock.now() - orphan_age / 2) {
    return CommitStatus::kStreamTooOld;
  }
  if (!source) return CommitStatus::kCommitted;
  const auto found = unchanged_source(find_key(source->bucket_id, source->key), *source);
  return found ? CommitStatus::kCommitted : found.error();
}

CommitStatus MemoryState::check_contexts(const CommitContext& context, const CopySource& source) {
  const CommitStatus status = check_context(context);
  if (status != CommitStatus::kCommitted || source.settings_version == 0 ||
      source.bucket_id == context.bucket_id) {
    return status;
  }
  const StoredBucket* const stored = find_bucket(source.bucket_id);
  const bool same = stored && stored->bucket.settings_version == source.settings_version;
  return same ? status : CommitStatus::kSettingsChanged;
}

void MemoryState::add_references(const std::vector<Extent>& extents) {
  for (const Extent& extent : extents) ++references[extent.stream];
}

void MemoryState::drop_references(const std::vector<Extent>& extents) {
  for (const Extent& extent : extents) {
    const auto counted = references.find(extent.stream);
    if (--counted->second > 0) continue;
    references.erase(counted);
    release_stream(extent.stream, extent.stream_size);
  }
}

void MemoryState::release_stream(const model::StreamId& stream, uint64_t size) {
  const int64_t id = ++last_release_id;
  released[id] = {{id, stream, size, clock.now()}, std::nullopt};
}

void MemoryState::queue_recheck(StoredBucket& bucket, const std::string& key) {
  if (bucket.bucket.settings.contains(SettingKind::kLifecycle)) bucket.rechecks[key] = 0;
}

model::Recognition MemoryState::judge(const model::NodeId& node,
                                      const model::MetadataGeneration& seen) const {
  return model::recognize(seen, generation(), cluster.holds(seen.mark), cluster.beats_of(node));
}

void MemoryState::begin_lease(const void* process) {
  lease_holder = process;
  cluster.token += random_step();
  write_mark();
}

void MemoryState::tell(DirectoryChange::Kind kind, const std::string& name) {
  for (const DirectoryListener& listener : listeners) listener({kind, name});
}

}  // namespace rondel::metadata
