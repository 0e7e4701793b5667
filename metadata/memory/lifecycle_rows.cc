#include "metadata/memory/lifecycle_rows.h"

#include "metadata/model/version_clock.h"

namespace rondel::metadata {

LifecycleVersion lifecycle_version(const std::string& key, const KeyVersions& versions,
                                   KeyVersions::const_iterator version) {
  const ObjectVersion& object = version->second.object;
  LifecycleVersion seen;
  seen.key = key;
  seen.version = version->first;
  seen.size = object.size;
  seen.tags = object.tags;
  seen.current = version == versions.begin();
  seen.delete_marker = object.delete_marker;
  seen.lone = is_lone_marker(versions);
  seen.created = time_of(version->first);
  if (!seen.current) seen.replaced = version->second.replaced.value_or(SystemTime{});
  return seen;
}

}  // namespace rondel::metadata
