#include "metadata/memory/version_rules.h"

#include <algorithm>
#include <chrono>

#include "metadata/model/version_clock.h"

namespace rondel::metadata {
namespace {

// greatest(mine, head + 1) of their clocks: order of versions is order of commits, also when clocks
// differ.
model::VersionId next_version(const model::VersionId& head, const model::VersionId& mine) {
  if (mine > head) return mine;
  model::VersionId next = mine;
  store_be(next.bytes.data(), load_be<uint64_t>(head.bytes.data()) + 1);
  return next;
}

// A delete marker, which has no ETag, is named by "*" alone.
bool names(const std::vector<std::string>& etags, const ObjectVersion& version) {
  return std::ranges::any_of(etags, [&](const std::string& etag) {
    return etag == "*" || (!etag.empty() && etag == version.etag);
  });
}

void drop(MemoryState& state, KeyVersions& versions, KeyVersions::iterator which) {
  state.drop_references(which->second.object.extents);
  versions.erase(which);
}

// What a new version does to those before it: see place_version.
void make_way(MemoryState& state, KeyVersions& versions, Versioning versioning, SystemTime now) {
  const auto head = versions.begin();
  const bool stays = versioning == Versioning::kEnabled ||
                     (versioning == Versioning::kSuspended && !head->second.object.is_null);
  if (!stays) return drop(state, versions, head);
  head->second.replaced = now;
  if (versioning == Versioning::kEnabled) return;
  const auto old_null = find_version(versions, {}, true);
  if (old_null != versions.end()) drop(state, versions, old_null);
}

auto seconds(SystemTime time) { return std::chrono::floor<std::chrono::seconds>(time); }

}  // namespace

CommitOutcome refusal(CommitStatus status, std::string detail) {
  return {.status = status, .is_null = false, .detail = std::move(detail)};
}

CommitOutcome outcome_of(const ObjectVersion& version) {
  return {.version = version.version,
          .is_null = version.is_null,
          .last_modified = version.last_modified,
          .size = version.size,
          .etag = version.etag,
          .delete_marker = version.delete_marker};
}

CommitStatus check_conditions(const Conditions& conditions, const ObjectVersion* current) {
  if (!current) {
    const bool asks_for_one = !conditions.if_match.empty() || conditions.if_match_size ||
                              conditions.if_match_last_modified;
    return asks_for_one ? CommitStatus::kNoSuchKey : CommitStatus::kCommitted;
  }
  const auto modified = seconds(current->last_modified);
  const auto& [if_match, if_none_match, modified_since, unmodified_since, size, modified_at] =
      conditions;
  const bool all_hold = (if_match.empty() || names(if_match, *current)) &&
                        (if_none_match.empty() || !names(if_none_match, *current)) &&
                        (!unmodified_since || modified <= seconds(*unmodified_since)) &&
                        (!modified_since || modified > seconds(*modified_since)) &&
                        (!size || current->size == *size) &&
                        (!modified_at || modified == seconds(*modified_at));
  return all_hold ? CommitStatus::kCommitted : CommitStatus::kPreconditionFailed;
}

const ObjectVersion* head_of(const KeyVersions* versions) {
  return versions ? &versions->begin()->second.object : nullptr;
}

const ObjectVersion* current_object(const KeyVersions* versions) {
  const ObjectVersion* const head = head_of(versions);
  return head && !head->delete_marker ? head : nullptr;
}

bool has_access(const ObjectVersion& version, const std::optional<ObjectAccess>& access) {
  return !access || *access == ObjectAccess::of(version);
}

std::expected<const ObjectVersion*, CommitStatus> unchanged_source(const KeyVersions* versions,
                                                                   const CopySource& source) {
  const auto changed = std::unexpected(CommitStatus::kSourceChanged);
  if (!versions) return changed;
  const auto found = versions->find(source.version);
  if (found == versions->end()) return changed;
  const ObjectVersion& object = found->second.object;
  if (object.delete_marker || object.etag != source.etag) return changed;
  if (!has_access(object, source.access)) return std::unexpected(CommitStatus::kAccessChanged);
  return &object;
}

KeyVersions::iterator find_version(KeyVersions& versions,
                                   const std::optional<model::VersionId>& named,
                                   bool null_version) {
  if (null_version) {
    return std::ranges::find_if(versions,
                                [](const auto& row) { return row.second.object.is_null; });
  }
  return named ? versions.find(*named) : versions.begin();
}

void tidy(Attributes& attributes) {
  Retention& retention = attributes.retention;
  if (retention.mode == Retention::Mode::kNone) retention = {};
  retention.until = std::chrono::floor<std::chrono::milliseconds>(retention.until);
}

bool is_protected(const ObjectVersion& version, bool bypass_governance, SystemTime now) {
  using Mode = Retention::Mode;
  if (version.legal_hold.value_or(false)) return true;
  const Retention& retention = version.retention;
  if (retention.mode == Mode::kNone || retention.until <= now) return false;
  return !(retention.mode == Mode::kGovernance && bypass_governance);
}

bool may_retain(const ObjectVersion& version, const Retention& wanted, bool bypass_governance,
                SystemTime now) {
  using Mode = Retention::Mode;
  const Retention& kept = version.retention;
  if (kept.mode == Mode::kNone || kept.until <= now) return true;
  if (kept.mode == Mode::kGovernance && bypass_governance) return true;
  return wanted.mode == kept.mode && wanted.until >= kept.until;
}

CommitOutcome place_version(MemoryState& state, StoredBucket& bucket, const std::string& key,
                            ObjectVersion next, Versioning versioning,
                            const Conditions& conditions) {
  KeyVersions* const before = state.find_key(bucket.bucket.id, key);
  const CommitStatus allowed = check_conditions(conditions, current_object(before));
  if (allowed != CommitStatus::kCommitted) return refusal(allowed);

  next.is_null = versioning != Versioning::kEnabled;
  if (before) next.version = next_version(before->begin()->first, next.version);
  next.last_modified = time_of(next.version);
  tidy(next);
  // First, as a copy over itself must not release what it refers to.
  state.add_references(next.extents);

  if (before) make_way(state, *before, versioning, next.last_modified);
  CommitOutcome outcome = outcome_of(next);
  bucket.keys[key][next.version] = {std::move(next), std::nullopt};
  return outcome;
}

void remove_version(MemoryState& state, StoredBucket& bucket, const std::string& key,
                    KeyVersions::iterator which) {
  KeyVersions& versions = bucket.keys.at(key);
  drop(state, versions, which);
  if (versions.empty()) {
    bucket.keys.erase(key);
  } else {
    versions.begin()->second.replaced.reset();
  }
}

}  // namespace rondel::metadata
