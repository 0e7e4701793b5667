#include "metadata/memory/memory_object_store.h"

#include <algorithm>

#include "metadata/memory/version_rules.h"

namespace rondel::metadata {
namespace {

constexpr size_t kExtentsMax = 10'000;  // Of what was appended to.

// The new bytes of a put: one stream, or none.
std::vector<Extent> whole_stream(const std::vector<Extent>& extents, uint64_t size) {
  if (extents.empty()) return {};
  const Extent& given = extents.front();
  return {{0, given.stream, given.stream_size, 0, size, given.layout}};
}

ObjectVersion delete_marker(const DeleteObject& request, const model::VersionId& clock) {
  ObjectVersion marker;
  marker.version = clock;
  marker.delete_marker = true;
  marker.owner_account = request.owner_account;
  return marker;
}

// What must be true of the current version beside the conditions.
bool guard_holds(const DeleteObject& request, const KeyVersions* versions) {
  using Guard = DeleteObject::Guard;
  if (request.guard == Guard::kNone) return true;
  const ObjectVersion* const head = head_of(versions);
  if (!head || !request.version) return false;
  const bool named = head->version == *request.version;
  switch (request.guard) {
    case Guard::kNone: return true;
    case Guard::kCurrent: return named && !head->delete_marker;
    case Guard::kNoncurrent: return !named;
    case Guard::kLoneMarker: return named && is_lone_marker(*versions);
  }
  return false;
}

struct PlacedPart {
  Part part;
  uint64_t start = 0;  // In the object.
};

std::optional<PlacedPart> part_of(const ObjectVersion& object, uint64_t number) {
  uint64_t start = 0;
  for (const Part& part : object.parts) {
    if (part.number == number) return PlacedPart{part, start};
    start += part.size;
  }
  return std::nullopt;
}

// The bytes [first, end) of an object that a read wants.
struct Wanted {
  uint64_t first = 0;
  uint64_t end = 0;
};

Wanted wanted_bytes(const ExtentRange& range, const ObjectVersion& object,
                    const std::optional<PlacedPart>& part) {
  using Kind = ExtentRange::Kind;
  switch (range.kind) {
    case Kind::kNone: return {};
    case Kind::kAll: return {0, object.size};
    case Kind::kOffsets: return {range.first, std::max(range.last, range.last + 1)};
    case Kind::kSuffix: return {object.size - std::min(range.first, object.size), object.size};
    case Kind::kPart:
      if (object.part_count == 0) return {0, object.size};
      return part ? Wanted{part->start, part->start + part->part.size} : Wanted{};
  }
  return {};
}

// The only extent is answered whatever was asked for.
std::vector<Extent> extents_for(const std::vector<Extent>& all, const Wanted& wanted) {
  if (all.size() == 1) return all;
  std::vector<Extent> some;
  for (const Extent& extent : all) {
    if (extent.start < wanted.end && extent.start + extent.length > wanted.first) {
      some.push_back(extent);
    }
  }
  return some;
}

// A page of parts; their checksums are of the kind that the object's is.
void page_of_parts(const ObjectQuery& query, ObjectLookup& found) {
  ObjectVersion& object = found.object;
  const auto type = object.checksum ? object.checksum->type : model::ChecksumType::kComposite;
  std::erase_if(object.parts, [&](const Part& part) { return part.number <= query.parts_after; });
  found.parts_truncated = object.parts.size() > query.parts_max;
  if (found.parts_truncated) object.parts.resize(query.parts_max);
  for (Part& part : object.parts) {
    part.last_modified = object.last_modified;
    for (model::Checksum& checksum : part.checksums) checksum.type = type;
  }
}

}  // namespace

async::Task<CommitResult> MemoryObjectStore::put_object(PutObject request) {
  return state_.run<CommitResult>([this, request = std::move(request)] { return put(request); });
}

async::Task<CommitResult> MemoryObjectStore::delete_object(DeleteObject request) {
  return state_.run<CommitResult>([this, request = std::move(request)] { return remove(request); });
}

async::Task<Committed<std::vector<CommitOutcome>>> MemoryObjectStore::delete_objects(
    std::vector<DeleteObject> requests) {
  return state_.run<Committed<std::vector<CommitOutcome>>>([this, requests = std::move(requests)] {
    std::vector<CommitOutcome> outcomes;
    for (const DeleteObject& request : requests) outcomes.push_back(remove(request));
    return outcomes;
  });
}

async::Task<CommitResult> MemoryObjectStore::copy_object(CopyObject request) {
  return state_.run<CommitResult>([this, request = std::move(request)] { return copy(request); });
}

async::Task<CommitResult> MemoryObjectStore::append_object(AppendObject request) {
  return state_.run<CommitResult>([this, request = std::move(request)] { return append(request); });
}

async::Task<CommitResult> MemoryObjectStore::rename_object(RenameObject request) {
  return state_.run<CommitResult>([this, request = std::move(request)] { return rename(request); });
}

async::Task<CommitResult> MemoryObjectStore::update_version(UpdateVersion request) {
  return state_.run<CommitResult>([this, request = std::move(request)] { return update(request); });
}

async::Task<Result<ObjectLookup>> MemoryObjectStore::find_object(ObjectQuery query) {
  return state_.run<Result<ObjectLookup>>([this, query = std::move(query)] { return find(query); });
}

CommitOutcome MemoryObjectStore::put(const PutObject& request) {
  const int64_t bucket_id = request.context.bucket_id;
  const CommitStatus allowed = state_.check_context_of_bytes(request.context, request.copied_from);
  if (allowed != CommitStatus::kCommitted) return refusal(allowed);

  ObjectVersion version = request.version;
  version.version = versions_.next();
  version.delete_marker = false;
  version.extents = whole_stream(request.version.extents, version.size);
  version.part_count = 0;
  version.parts.clear();
  return place_version(state_, *state_.find_bucket(bucket_id), request.key, std::move(version),
                       request.versioning, request.conditions);
}

// Conditions are about what is there, a delete marker included; where nothing is, they refuse
// nothing and nothing is made.
CommitOutcome MemoryObjectStore::remove(const DeleteObject& request) {
  const int64_t bucket_id = request.context.bucket_id;
  const CommitStatus allowed = state_.check_context(request.context);
  if (allowed != CommitStatus::kCommitted) return refusal(allowed);
  if (!guard_holds(request, state_.find_key(bucket_id, request.key))) {
    return refusal(CommitStatus::kPreconditionFailed);
  }

  StoredBucket& bucket = *state_.find_bucket(bucket_id);
  const bool named = request.version || request.null_version;
  return named && request.guard != DeleteObject::Guard::kCurrent ? remove_named(bucket, request)
                                                                 : remove_current(bucket, request);
}

// The object goes, or in a bucket that has versions a delete marker comes.
CommitOutcome MemoryObjectStore::remove_current(StoredBucket& bucket, const DeleteObject& request) {
  KeyVersions* const versions = state_.find_key(bucket.bucket.id, request.key);
  const ObjectVersion* const head = head_of(versions);
  const bool versioned = request.versioning != Versioning::kNever;
  if (!head && (!versioned || !request.conditions.empty())) {
    return refusal(CommitStatus::kCommitted);
  }
  if (head) {
    const CommitStatus allowed = check_conditions(request.conditions, head);
    if (allowed != CommitStatus::kCommitted) return refusal(allowed);
  }
  if (versioned) {
    return place_version(state_, bucket, request.key, delete_marker(request, versions_.next()),
                         request.versioning);
  }
  CommitOutcome outcome = refusal(CommitStatus::kCommitted);
  outcome.version = head->version;
  outcome.last_modified = head->last_modified;
  outcome.is_null = true;
  remove_version(state_, bucket, request.key, versions->begin());
  return outcome;
}

CommitOutcome MemoryObjectStore::remove_named(StoredBucket& bucket, const DeleteObject& request) {
  KeyVersions* const versions = state_.find_key(bucket.bucket.id, request.key);
  if (!versions) return refusal(CommitStatus::kCommitted);
  const auto found = find_version(*versions, request.version, request.null_version);
  if (found == versions->end()) return refusal(CommitStatus::kCommitted);

  const ObjectVersion& version = found->second.object;
  const CommitStatus allowed = check_conditions(request.conditions, &version);
  if (allowed != CommitStatus::kCommitted) return refusal(allowed);
  if (is_protected(version, request.bypass_governance, lock_time())) {
    return refusal(CommitStatus::kObjectLocked);
  }

  CommitOutcome outcome = refusal(CommitStatus::kCommitted);
  outcome.version = version.version;
  outcome.last_modified = version.last_modified;
  outcome.is_null = version.is_null;
  outcome.delete_marker = version.delete_marker;
  remove_version(state_, bucket, request.key, found);
  return outcome;
}

CommitOutcome MemoryObjectStore::copy(const CopyObject& request) {
  const PutObject& put = request.put;
  const int64_t bucket_id = put.context.bucket_id;
  const CommitStatus allowed = state_.check_contexts(put.context, request.source);
  if (allowed != CommitStatus::kCommitted) return refusal(allowed);
  const auto found = unchanged_source(state_.find_key(request.source.bucket_id, request.source.key),
                                      request.source);
  if (!found) return refusal(found.error());
  const ObjectVersion* const source = *found;

  // A new ETag says that the parts are not those of the source any more.
  ObjectVersion version = put.version;
  version.version = versions_.next();
  version.delete_marker = false;
  version.size = source->size;
  version.extents = source->extents;
  if (version.etag.empty()) {
    version.etag = source->etag;
    version.part_count = source->part_count;
    version.parts = source->parts;
  } else {
    version.part_count = 0;
    version.parts.clear();
  }
  return place_version(state_, *state_.find_bucket(bucket_id), put.key, std::move(version),
                       put.versioning, put.conditions);
}

CommitOutcome MemoryObjectStore::append(const AppendObject& request) {
  const PutObject& put = request.put;
  const int64_t bucket_id = put.context.bucket_id;
  const CommitStatus allowed = state_.check_context_of_bytes(put.context);
  if (allowed != CommitStatus::kCommitted) return refusal(allowed);
  if (put.versioning != Versioning::kNever) return refusal(CommitStatus::kWrongState);

  StoredBucket& bucket = *state_.find_bucket(bucket_id);
  if (state_.find_key(bucket_id, put.key)) return extend(bucket, request);
  if (request.offset != 0) return refusal(CommitStatus::kOffsetMismatch);
  ObjectVersion version = put.version;
  version.version = versions_.next();
  version.size = version.extents.empty() ? 0 : version.extents.front().length;
  version.extents = whole_stream(put.version.extents, version.size);
  version.part_count = 0;
  version.parts.clear();
  return place_version(state_, bucket, put.key, std::move(version), Versioning::kNever,
                       put.conditions);
}

// More bytes behind those that are there; headers and attributes stay.
CommitOutcome MemoryObjectStore::extend(StoredBucket& bucket, const AppendObject& request) {
  const PutObject& put = request.put;
  const ObjectVersion& head = *head_of(state_.find_key(bucket.bucket.id, put.key));
  const CommitStatus allowed = check_conditions(put.conditions, &head);
  if (allowed != CommitStatus::kCommitted) return refusal(allowed);
  // The same bytes have the same ETag under another key, under which nobody could read the new
  // ones.
  if (head.size != request.offset || head.etag != request.expected_etag ||
      head.encryption != put.version.encryption || head.extents.size() >= kExtentsMax) {
    return refusal(CommitStatus::kOffsetMismatch);
  }

  ObjectVersion longer = head;
  longer.version = versions_.next();
  longer.etag = put.version.etag;
  longer.checksum = put.version.checksum;
  if (!put.version.extents.empty()) {
    const Extent& added = put.version.extents.front();
    longer.extents.push_back(
        {head.size, added.stream, added.stream_size, 0, added.length, added.layout});
    longer.size += added.length;
  }
  return place_version(state_, bucket, put.key, std::move(longer), Versioning::kNever);
}

CommitOutcome MemoryObjectStore::rename(const RenameObject& request) {
  const int64_t bucket_id = request.context.bucket_id;
  CommitStatus allowed = state_.check_context(request.context);
  if (allowed != CommitStatus::kCommitted) return refusal(allowed);
  StoredBucket& bucket = *state_.find_bucket(bucket_id);
  if (bucket.bucket.versioning != Versioning::kNever) return refusal(CommitStatus::kWrongState);
  KeyVersions* const source = state_.find_key(bucket_id, request.source_key);
  if (!source) return refusal(CommitStatus::kNoSuchKey);
  const ObjectVersion& object = *head_of(source);
  allowed = check_conditions(request.source_conditions, &object);
  if (allowed != CommitStatus::kCommitted) return refusal(allowed);
  if (!has_access(object, request.source_access)) return refusal(CommitStatus::kAccessChanged);
  KeyVersions* const target = state_.find_key(bucket_id, request.target_key);
  allowed = check_conditions(request.target_conditions, head_of(target));
  if (allowed != CommitStatus::kCommitted) return refusal(allowed);

  const CommitOutcome outcome = outcome_of(object);
  if (request.source_key == request.target_key) return outcome;
  const bool encrypted = !object.encryption.empty();
  if (encrypted && (request.encryption.empty() || request.source_encryption != object.encryption)) {
    return refusal(CommitStatus::kEncrypted);
  }

  if (target) remove_version(state_, bucket, request.target_key, target->begin());
  auto moved = bucket.keys.extract(request.source_key);
  moved.key() = request.target_key;
  if (encrypted) moved.mapped().begin()->second.object.encryption = request.encryption;
  bucket.keys.insert(std::move(moved));
  // Rules for the new key may be past its age.
  state_.queue_recheck(bucket, request.target_key);
  return outcome;
}

CommitOutcome MemoryObjectStore::update(const UpdateVersion& request) {
  const int64_t bucket_id = request.context.bucket_id;
  const CommitStatus allowed = state_.check_context(request.context);
  if (allowed != CommitStatus::kCommitted) return refusal(allowed);
  KeyVersions* const versions = state_.find_key(bucket_id, request.key);
  if (!versions) return refusal(CommitStatus::kNoSuchKey);
  const auto found = find_version(*versions, request.version, request.null_version);
  if (found == versions->end()) return refusal(CommitStatus::kNoSuchKey);

  ObjectVersion& version = found->second.object;
  Attributes wanted = version;
  if (request.acl) wanted.acl = *request.acl;
  if (request.tags) wanted.tags = *request.tags;
  if (request.retention) wanted.retention = *request.retention;
  if (request.legal_hold) wanted.legal_hold = request.legal_hold;
  if (request.encryption) wanted.encryption = *request.encryption;
  tidy(wanted);

  CommitOutcome outcome = outcome_of(version);
  if (version.delete_marker) {
    outcome.status = CommitStatus::kNoSuchKey;
  } else if (!request.expected_etag.empty() && request.expected_etag != version.etag) {
    outcome.status = CommitStatus::kPreconditionFailed;
  } else if (!has_access(version, request.expected_access)) {
    outcome.status = CommitStatus::kAccessChanged;
  } else if (request.retention &&
             !may_retain(version, wanted.retention, request.bypass_governance, lock_time())) {
    outcome.status = CommitStatus::kObjectLocked;
  }
  if (outcome.status != CommitStatus::kCommitted) return outcome;

  static_cast<Attributes&>(version) = std::move(wanted);
  // Rules go by age; a change of tags or locks lets them look again.
  if (request.tags || request.retention || request.legal_hold) {
    state_.queue_recheck(*state_.find_bucket(bucket_id), request.key);
  }
  return outcome;
}

ObjectLookup MemoryObjectStore::find(const ObjectQuery& query) {
  ObjectLookup found;
  StoredBucket* const bucket = state_.find_bucket(query.bucket);
  if (!bucket) {
    found.status = LookupStatus::kNoSuchBucket;
    return found;
  }
  found.bucket_id = bucket->bucket.id;
  found.settings_version = bucket->bucket.settings_version;

  const bool named = query.version || query.null_version;
  found.status = named ? LookupStatus::kNoSuchVersion : LookupStatus::kNoSuchKey;
  KeyVersions* const versions = state_.find_key(found.bucket_id, query.key);
  if (!versions) return found;
  const auto stored = find_version(*versions, query.version, query.null_version);
  if (stored == versions->end()) return found;

  found.status = LookupStatus::kFound;
  found.object = stored->second.object;
  std::optional<PlacedPart> part;
  if (query.range.kind == ExtentRange::Kind::kPart) part = part_of(found.object, query.range.first);
  found.object.extents =
      extents_for(found.object.extents, wanted_bytes(query.range, found.object, part));
  if (part) {
    found.part = part->part;
    found.part->last_modified = found.object.last_modified;
    found.part_start = part->start;
  }
  if (query.with_parts) {
    page_of_parts(query, found);
  } else {
    found.object.parts.clear();
  }
  return found;
}

SystemTime MemoryObjectStore::lock_time() const {
  return std::min(state_.clock.now(), lock_clock_.now());
}

}  // namespace rondel::metadata
