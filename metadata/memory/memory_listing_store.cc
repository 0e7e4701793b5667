#include "metadata/memory/memory_listing_store.h"

#include <algorithm>

#include "metadata/model/key_order.h"
#include "metadata/model/version_clock.h"

namespace rondel::metadata {
namespace {

// Where a page begins: at a key, of which what stands before the marker was answered.
struct Begin {
  std::string key;
  bool is_marker = false;
};

// Behind a key, or behind everything under a common prefix, whichever is greater, and not before
// the prefix asked for. nullopt: at the end.
template <class Query>
std::optional<Begin> begin_of(const Query& query) {
  Begin begin{query.after_key, !query.after_key.empty()};
  if (!query.after_prefix.empty()) {
    const auto above = above_prefix(query.after_prefix);
    if (!above) return std::nullopt;
    if (begin.key < *above) begin = {*above, false};
  }
  if (begin.key < query.prefix) begin = {query.prefix, false};
  return begin;
}

// The common prefix that a key is folded under; empty: it stands for itself.
template <class Query>
std::string folded(const Query& query, const std::string& key) {
  if (query.delimiter.empty()) return "";
  const size_t at = key.find(query.delimiter, query.prefix.size());
  return at == std::string::npos ? "" : key.substr(0, at + query.delimiter.size());
}

// A page over `keys`, a map of keys in order. `rows`: what of a key is to be answered, and (true)
// what of the marker's. `add`: takes one of these rows into the page.
template <class Page, class Query, class Keys, class Rows, class Add>
Page fold(const Query& query, const Keys& keys, Rows rows, Add add) {
  Page page;
  const auto begin = begin_of(query);
  if (!begin || query.max == 0) return page;
  uint32_t left = query.max;
  // False: it is full, and there is more.
  const auto has_room = [&] {
    page.truncated = left == 0;
    if (page.truncated) return false;
    --left;
    page.next_key.clear();
    page.next_prefix.clear();
    return true;
  };

  auto at = keys.lower_bound(begin->key);
  while (at != keys.end() && at->first.starts_with(query.prefix)) {
    const auto& [key, all] = *at;
    const auto answered = rows(key, all, begin->is_marker && key == begin->key);
    const std::string prefix = folded(query, key);
    if (answered.empty() || prefix.empty()) {
      for (const auto& row : answered) {
        if (!has_room()) return page;
        add(page, row);
        page.next_key = key;
      }
      ++at;
      continue;
    }
    if (!has_room()) return page;
    page.common_prefixes.push_back(prefix);
    page.next_prefix = prefix;
    // Whatever else lies under it is passed over.
    const auto above = above_prefix(prefix);
    at = above ? keys.lower_bound(*above) : keys.end();
  }
  return page;
}

ListedVersion listed(const std::string& key, const ObjectVersion& version, bool latest) {
  ListedVersion listed{key, {}, latest};
  ObjectVersion& object = listed.object;
  object.version = version.version;
  object.is_null = version.is_null;
  object.delete_marker = version.delete_marker;
  object.size = version.size;
  object.etag = version.etag;
  object.last_modified = version.last_modified;
  object.owner_account = version.owner_account;
  object.checksum = version.checksum;
  if (object.checksum) object.checksum->value.clear();
  return listed;
}

Upload listed(const Upload& upload) {
  Upload listed;
  listed.id = upload.id;
  listed.key = upload.key;
  listed.initiator_account = upload.initiator_account;
  listed.owner_account = upload.owner_account;
  listed.checksum_algorithm = upload.checksum_algorithm;
  listed.checksum_type = upload.checksum_type;
  listed.initiated_at = upload.initiated_at;
  return listed;
}

std::vector<ListedVersion> current_of(const std::string& key, const KeyVersions& versions,
                                      bool at_marker) {
  const ObjectVersion& head = versions.begin()->second.object;
  if (at_marker || head.delete_marker) return {};
  return {listed(key, head, true)};
}

// Uploads of one bucket by key, those of a key by time and id.
std::map<std::string, std::vector<Upload>> uploads_of(
    const std::map<model::UploadId, StoredUpload>& uploads, int64_t bucket_id) {
  std::map<std::string, std::vector<Upload>> by_key;
  for (const auto& [id, stored] : uploads) {
    if (stored.upload.bucket_id == bucket_id) {
      by_key[stored.upload.key].push_back(listed(stored.upload));
    }
  }
  for (auto& [key, of_key] : by_key) {
    std::ranges::sort(
        of_key, {}, [](const Upload& upload) { return std::pair(upload.initiated_at, upload.id); });
  }
  return by_key;
}

}  // namespace

async::Task<Result<ListPage>> MemoryListingStore::list(ListQuery query) {
  return state_.run<Result<ListPage>>([this, query = std::move(query)] { return page_of(query); });
}

async::Task<Result<ListUploadsPage>> MemoryListingStore::list_uploads(ListUploadsQuery query) {
  return state_.run<Result<ListUploadsPage>>(
      [this, query = std::move(query)] { return page_of(query); });
}

async::Task<Result<std::vector<ListedBucket>>> MemoryListingStore::list_buckets(
    ListBucketsQuery query, Deadline) {
  return state_.run<Result<std::vector<ListedBucket>>>(
      [this, query = std::move(query)] { return page_of(query); });
}

ListPage MemoryListingStore::page_of(const ListQuery& query) {
  const StoredBucket* const bucket = state_.find_bucket(query.bucket_id);
  if (!bucket) return {};
  const auto add = [](ListPage& page, const ListedVersion& row) {
    page.entries.push_back(row);
    page.next_version = row.object.version;
  };
  if (!query.versions) return fold<ListPage>(query, bucket->keys, current_of, add);

  const auto versions_of = [&](const std::string& key, const KeyVersions& versions,
                               bool at_marker) {
    std::vector<ListedVersion> rows;
    for (const auto& [id, stored] : versions) {
      if (at_marker && !(query.after_version && id < *query.after_version)) continue;
      rows.push_back(listed(key, stored.object, id == versions.begin()->first));
    }
    return rows;
  };
  return fold<ListPage>(query, bucket->keys, versions_of, add);
}

ListUploadsPage MemoryListingStore::page_of(const ListUploadsQuery& query) {
  std::optional<std::pair<SystemTime, model::UploadId>> marker;
  if (query.after_upload) {
    const auto after = state_.uploads.find(*query.after_upload);
    const bool gone = after == state_.uploads.end();
    marker = {gone ? time_of(*query.after_upload) : after->second.upload.initiated_at,
              *query.after_upload};
  }
  const auto rows = [&](const std::string&, std::vector<Upload> uploads, bool at_marker) {
    std::erase_if(uploads, [&](const Upload& upload) {
      if (!at_marker) return false;
      // One that is gone meanwhile does not say what stood before it.
      if (!marker) return !query.after_upload;
      return std::pair(upload.initiated_at, upload.id) <= *marker;
    });
    return uploads;
  };
  const auto add = [](ListUploadsPage& page, const Upload& upload) {
    page.uploads.push_back(upload);
    page.next_upload = upload.id;
  };
  return fold<ListUploadsPage>(query, uploads_of(state_.uploads, query.bucket_id), rows, add);
}

std::vector<ListedBucket> MemoryListingStore::page_of(const ListBucketsQuery& query) {
  std::map<std::string, ListedBucket> by_name;
  for (const auto& [id, stored] : state_.buckets) {
    const Bucket& bucket = stored.bucket;
    if (bucket.owner_account == query.owner_account && bucket.name > query.after_name &&
        bucket.name.starts_with(query.prefix) &&
        (query.region.empty() || bucket.region == query.region)) {
      by_name[bucket.name] = {bucket.name, bucket.region, bucket.created_at};
    }
  }
  std::vector<ListedBucket> page;
  for (auto& [name, bucket] : by_name) {
    if (page.size() == query.max) break;
    page.push_back(std::move(bucket));
  }
  return page;
}

}  // namespace rondel::metadata
