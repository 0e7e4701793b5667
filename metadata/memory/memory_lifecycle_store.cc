#include "metadata/store/lifecycle_store.h"

#include <algorithm>
#include <set>

#include "common/base/bytes.h"
#include "metadata/memory/lifecycle_rows.h"
#include "metadata/memory/memory_stores.h"

namespace rondel::metadata {
namespace {

// Of a scan by time: a time, and the id of what lies at it.
struct Place {
  SystemTime time;
  std::string id;
  auto operator<=>(const Place&) const = default;
};

template <class Id>
std::string text_of(const Id& id) {
  return std::string(as_text(id.view()));
}

std::string position_of(const Place& place) {
  std::string position(sizeof(uint64_t), '\0');
  store_be(reinterpret_cast<std::byte*>(position.data()),
           static_cast<uint64_t>(place.time.time_since_epoch().count()));
  return position + place.id;
}

// Behind it a page begins.
Place place_of(const std::string& position) {
  if (position.size() < sizeof(uint64_t)) return {SystemTime::min(), {}};
  const auto time = load_be<uint64_t>(reinterpret_cast<const std::byte*>(position.data()));
  return {SystemTime(std::chrono::microseconds(static_cast<int64_t>(time))),
          position.substr(sizeof(uint64_t))};
}

// The first `query.max` of those that lie behind the position and no later than `query.until`.
template <class Row>
std::map<Place, Row> first_of(std::map<Place, Row> rows, const LifecycleQuery& query) {
  const Place after = place_of(query.position);
  std::erase_if(
      rows, [&](const auto& row) { return row.first <= after || row.first.time > query.until; });
  if (rows.size() > query.max) rows.erase(std::next(rows.begin(), query.max), rows.end());
  return rows;
}

// A version where it lies.
struct Found {
  const std::string* key = nullptr;
  const KeyVersions* versions = nullptr;
  KeyVersions::const_iterator version;
};

using FoundByTime = std::map<Place, Found>;

class MemoryLifecycleStore final : public LifecycleStore {
 public:
  explicit MemoryLifecycleStore(MemoryState& state) : state_(state) {}

  async::Task<Result<std::vector<std::string>>> accounts(std::string after_account, uint32_t max,
                                                         Deadline) override {
    using Accounts = std::vector<std::string>;
    return state_.run<Result<Accounts>>(
        [=, this, after = std::move(after_account)]() -> Result<Accounts> {
          std::set<std::string> found;
          for (const auto& [id, row] : state_.buckets) {
            const Bucket& bucket = row.bucket;
            const bool ruled = bucket.settings.contains(SettingKind::kLifecycle);
            if (ruled && bucket.owner_account > after) found.insert(bucket.owner_account);
          }
          Accounts page(found.begin(), found.end());
          if (page.size() > max) page.resize(max);
          return page;
        });
  }

  async::Task<Result<std::vector<LifecycleBucket>>> buckets(std::string account, int64_t after_id,
                                                            uint32_t max, Deadline) override {
    using Buckets = std::vector<LifecycleBucket>;
    return state_.run<Result<Buckets>>(
        [=, this, account = std::move(account)]() -> Result<Buckets> {
          Buckets found;
          for (auto row = state_.buckets.upper_bound(after_id);
               row != state_.buckets.end() && found.size() < max; ++row) {
            const Bucket& bucket = row->second.bucket;
            const auto rules = bucket.settings.find(SettingKind::kLifecycle);
            if (rules == bucket.settings.end() || bucket.owner_account != account) continue;
            found.push_back({bucket.id, bucket.settings_version, bucket.versioning,
                             bucket.owner_account, rules->second});
          }
          return found;
        });
  }

  async::Task<Result<LifecyclePage>> current_by_age(LifecycleQuery query) override {
    return by_version(std::move(query), [](const KeyVersions& versions) {
      return !versions.begin()->second.object.delete_marker;
    });
  }

  async::Task<Result<LifecyclePage>> lone_markers(LifecycleQuery query) override {
    return by_version(std::move(query), is_lone_marker);
  }

  async::Task<Result<LifecyclePage>> current_by_key(LifecycleQuery query,
                                                    std::string prefix) override {
    return state_.run<Result<LifecyclePage>>(
        [this, query = std::move(query), prefix = std::move(prefix)]() -> Result<LifecyclePage> {
          LifecyclePage page{{}, query.position, false};
          const StoredBucket* const bucket = state_.find_bucket(query.bucket_id);
          if (!bucket) return page;
          uint32_t looked_at = 0;
          for (auto key = bucket->keys.lower_bound(std::max(query.position, prefix));
               key != bucket->keys.end() && key->first.starts_with(prefix); ++key) {
            const auto& [name, versions] = *key;
            if (name == query.position || versions.begin()->second.object.delete_marker) continue;
            page.position = name;
            LifecycleVersion seen = lifecycle_version(name, versions, versions.begin());
            if (seen.created <= query.until) page.versions.push_back(std::move(seen));
            page.more = ++looked_at == query.max;
            if (page.more) break;
          }
          return page;
        });
  }

  async::Task<Result<LifecyclePage>> replaced(LifecycleQuery query) override {
    return state_.run<Result<LifecyclePage>>([this,
                                              query = std::move(query)]() -> Result<LifecyclePage> {
      LifecyclePage page{{}, query.position, false};
      const FoundByTime rows = first_of(history(query.bucket_id), query);
      for (const auto& [place, found] : rows) {
        const auto& [key, versions, version] = found;
        page.versions.push_back(lifecycle_version(*key, *versions, version));
        const auto newer = std::distance(history_of(*versions), version);
        page.versions.back().newer_noncurrent = std::min(static_cast<uint32_t>(newer), query.newer);
      }
      return end_of(std::move(page), rows, query);
    });
  }

  async::Task<Result<LifecyclePage>> pushed_back(LifecycleQuery query) override {
    return state_.run<Result<LifecyclePage>>(
        [this, query = std::move(query)]() -> Result<LifecyclePage> {
          LifecyclePage page{{}, query.position, false};
          const FoundByTime rows = first_of(history(query.bucket_id), query);
          for (const auto& [place, found] : rows) {
            const auto& [key, versions, version] = found;
            const auto behind = std::distance(version, versions->end());
            if (behind <= static_cast<int64_t>(query.newer)) continue;
            page.versions.push_back(
                lifecycle_version(*key, *versions, std::next(version, query.newer)));
            page.versions.back().newer_noncurrent = query.newer;
          }
          return end_of(std::move(page), rows, query);
        });
  }

  async::Task<Result<std::vector<LifecycleUpload>>> uploads(LifecycleQuery query) override {
    using Uploads = std::vector<LifecycleUpload>;
    return state_.run<Result<Uploads>>([this, query = std::move(query)]() -> Result<Uploads> {
      std::map<Place, const Upload*> begun;
      for (const auto& [id, stored] : state_.uploads) {
        if (stored.upload.bucket_id != query.bucket_id) continue;
        begun[{stored.upload.initiated_at, text_of(id)}] = &stored.upload;
      }
      Uploads found;
      for (const auto& [place, upload] : first_of(std::move(begun), query)) {
        found.push_back({upload->id, upload->key, upload->initiated_at, position_of(place)});
      }
      return found;
    });
  }

 private:
  // Current versions of one kind, in order of age.
  template <class Kind>
  async::Task<Result<LifecyclePage>> by_version(LifecycleQuery query, Kind is_meant) {
    return state_.run<Result<LifecyclePage>>(
        [this, query = std::move(query), is_meant]() -> Result<LifecyclePage> {
          LifecyclePage page{{}, query.position, false};
          const StoredBucket* const bucket = state_.find_bucket(query.bucket_id);
          if (!bucket) return page;
          std::map<std::string, LifecycleVersion> current;
          for (const auto& [key, versions] : bucket->keys) {
            LifecycleVersion seen = lifecycle_version(key, versions, versions.begin());
            std::string id = text_of(seen.version);
            const bool is_due = id > query.position && seen.created <= query.until;
            if (is_due && is_meant(versions)) current.emplace(std::move(id), std::move(seen));
          }
          for (auto& [id, seen] : current) {
            if (page.versions.size() == query.max) break;
            page.position = id;
            page.versions.push_back(std::move(seen));
          }
          page.more = page.versions.size() == query.max;
          return page;
        });
  }

  // Noncurrent versions, in the order in which they were replaced.
  FoundByTime history(int64_t bucket_id) {
    FoundByTime found;
    const StoredBucket* const bucket = state_.find_bucket(bucket_id);
    if (!bucket) return found;
    for (const auto& [key, versions] : bucket->keys) {
      for (auto version = history_of(versions); version != versions.end(); ++version) {
        add(found, key, versions, version);
      }
    }
    return found;
  }

  static void add(FoundByTime& found, const std::string& key, const KeyVersions& versions,
                  KeyVersions::const_iterator version) {
    found.emplace(Place{version->second.replaced.value_or(SystemTime{}), text_of(version->first)},
                  Found{&key, &versions, version});
  }

  static LifecyclePage end_of(LifecyclePage page, const FoundByTime& rows,
                              const LifecycleQuery& query) {
    page.more = rows.size() == query.max;
    if (!rows.empty()) page.position = position_of(rows.rbegin()->first);
    return page;
  }

  MemoryState& state_;
};

}  // namespace

std::unique_ptr<LifecycleStore> make_lifecycle_store(MemoryState& state) {
  return std::make_unique<MemoryLifecycleStore>(state);
}

}  // namespace rondel::metadata
