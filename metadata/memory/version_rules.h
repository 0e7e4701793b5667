// What decides a commit of a version: conditions, locks, order and what a new version does to those
// before it. Internal to metadata/memory; everything here expects the state's lock held.
#pragma once

#include <string>

#include "metadata/memory/memory_state.h"

namespace rondel::metadata {

CommitOutcome refusal(CommitStatus status, std::string detail = {});
// What a commit answers of the version it made or removed.
CommitOutcome outcome_of(const ObjectVersion& version);

// kCommitted: all hold of `current`; nullptr = there is none. A delete marker has no ETag and no
// bytes.
CommitStatus check_conditions(const Conditions& conditions, const ObjectVersion* current);

// The current version; nullptr when the key has none.
const ObjectVersion* head_of(const KeyVersions* versions);
// The same when it is an object and no delete marker.
const ObjectVersion* current_object(const KeyVersions* versions);

// Whether a version says of who may have it what it said when it decided; nullopt: it did not.
bool has_access(const ObjectVersion& version, const std::optional<ObjectAccess>& access);

// The source of a copy as it was read before; else kSourceChanged or kAccessChanged. `versions`: of
// its key.
std::expected<const ObjectVersion*, CommitStatus> unchanged_source(const KeyVersions* versions,
                                                                   const CopySource& source);

// Which version of a key is meant: the null one, the one named, or (neither) the current one.
// end(): it is not there.
KeyVersions::iterator find_version(KeyVersions& versions,
                                   const std::optional<model::VersionId>& named, bool null_version);

// As attributes are kept: times of retention in milliseconds, and none without a mode.
void tidy(Attributes& attributes);

// Whether retention or a legal hold keeps a version from being removed at `now`.
bool is_protected(const ObjectVersion& version, bool bypass_governance, SystemTime now);
// Whether its retention may become `wanted` at `now`. An expired one binds nobody.
bool may_retain(const ObjectVersion& version, const Retention& wanted, bool bypass_governance,
                SystemTime now);

// Makes `next`, whose id is what the gateway's clock says, the current version of its key, and
// refers to its extents: the one place where a version replaces another. Enabled, the one before
// goes into history. Suspended, the new one is the null version, and the null version before goes.
// Never, or null after null, it takes the place of the one before.
CommitOutcome place_version(MemoryState& state, StoredBucket& bucket, const std::string& key,
                            ObjectVersion next, Versioning versioning,
                            const Conditions& conditions = {});

// Removes one version; the newest of the others becomes the current one.
void remove_version(MemoryState& state, StoredBucket& bucket, const std::string& key,
                    KeyVersions::iterator which);

}  // namespace rondel::metadata
