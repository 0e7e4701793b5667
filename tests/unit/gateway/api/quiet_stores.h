// What stands around the store that a test is about: buckets that a test put in, listings without
// entries, a queue that keeps what is released, a database that is there.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "metadata/store/availability.h"
#include "metadata/store/bucket_store.h"
#include "metadata/store/listing_store.h"
#include "metadata/store/release_queue.h"
#include "tests/unit/gateway/api/fault.h"

namespace rondel::api {

// Refuses every change and counts it.
class FixedBuckets final : public metadata::BucketStore {
 public:
  using Answer = async::Task<Result<metadata::BucketOutcome>>;

  std::map<std::string, metadata::Bucket> buckets;
  int refused = 0;
  Fault lookup_fault;  // Of find_bucket().
  Fault fault;         // Of every other call.

  Answer find_bucket(std::string name, Deadline) override {
    CO_TRY_VOID(lookup_fault.check());
    const auto found = buckets.find(name);
    if (found == buckets.end()) {
      co_return metadata::BucketOutcome{metadata::BucketStatus::kNoSuchBucket, {}};
    }
    co_return metadata::BucketOutcome{metadata::BucketStatus::kOk, found->second};
  }

  Answer create_bucket(metadata::CreateBucket, Deadline) override { return refuse(); }

  Answer delete_bucket(metadata::CommitContext) override { return refuse(); }

  async::Task<Result<metadata::StoredSetting>> find_setting(int64_t bucket_id,
                                                            metadata::SettingKind kind,
                                                            Deadline) override {
    CO_TRY_VOID(lookup_fault.check());
    metadata::StoredSetting setting;
    for (const auto& [name, bucket] : buckets) {
      if (bucket.id != bucket_id) continue;
      setting.settings_version = bucket.settings_version;
      const auto document = bucket.settings.find(kind);
      if (document != bucket.settings.end()) setting.document = document->second;
    }
    co_return setting;
  }

  Answer set_bucket_setting(metadata::CommitContext, metadata::SettingKind,
                            std::optional<std::string>) override {
    return refuse();
  }

  Answer set_bucket_versioning(metadata::CommitContext, metadata::Versioning) override {
    return refuse();
  }

  Answer set_object_lock(metadata::CommitContext, std::string) override { return refuse(); }

  async::Task<Result<metadata::BucketUsage>> bucket_usage(int64_t, Deadline) override {
    CO_TRY_VOID(fault.check());
    co_return metadata::BucketUsage();
  }

 private:
  Answer refuse() {
    CO_TRY_VOID(fault.check());
    ++refused;
    co_return fail(ErrorCode::kUnavailable, "no changes");
  }
};

class EmptyListing final : public metadata::ListingStore {
 public:
  Fault fault;  // Of every call.
  std::function<void()> on_call = [] {};

  async::Task<Result<metadata::ListPage>> list(metadata::ListQuery) override {
    on_call();
    CO_TRY_VOID(fault.check());
    co_return metadata::ListPage();
  }

  async::Task<Result<metadata::ListUploadsPage>> list_uploads(metadata::ListUploadsQuery) override {
    on_call();
    CO_TRY_VOID(fault.check());
    co_return metadata::ListUploadsPage();
  }

  async::Task<Result<std::vector<metadata::ListedBucket>>> list_buckets(metadata::ListBucketsQuery,
                                                                        Deadline) override {
    on_call();
    CO_TRY_VOID(fault.check());
    co_return std::vector<metadata::ListedBucket>();
  }
};

// Nobody works it off.
class KeptReleases : public metadata::ReleaseQueue {
 public:
  template <class T>
  using Answer = async::Task<Result<T>>;

  bool refuses_releases = false;
  std::multiset<model::StreamId> released;

  Answer<void> release_streams(std::vector<metadata::Extent> streams, Deadline) override {
    if (refuses_releases) co_return fail(ErrorCode::kUnavailable, "away");
    for (const metadata::Extent& extent : streams) released.insert(extent.stream);
    co_return Result<void>{};
  }

  Answer<metadata::CheckedReleases> check_released(SystemTime, size_t, uint64_t,
                                                   Deadline) override {
    co_return metadata::CheckedReleases();
  }

  Answer<std::vector<metadata::ReleasedStream>> take_released(SystemTime, size_t, uint64_t,
                                                              Deadline) override {
    co_return std::vector<metadata::ReleasedStream>();
  }

  Answer<void> finish_released(std::vector<metadata::ReleaseRow>, uint64_t, Deadline) override {
    co_return Result<void>{};
  }

  Answer<void> defer_released(std::vector<metadata::DeferredStream>, uint64_t, Deadline) override {
    co_return Result<void>{};
  }

  Answer<metadata::QueueDepths> queue_depths(Deadline) override {
    co_return metadata::QueueDepths();
  }
};

class Database : public metadata::Availability {
 public:
  bool away = false;

  bool available() const override { return !away; }
};

}  // namespace rondel::api
