// LifecycleRunner: removes what the lifecycle rules of buckets say. One gateway runs it, the
// coordinator's.
//
// Cost follows what comes of age: each rule goes through its bucket's versions in order of age and
// keeps its place, so that a version is looked at once by each rule; with a prefix the first pass
// goes by key instead. What a later change of tags or locks lets a rule reach is queued by that
// change. Removal is a commit like any client's, guarded by the version that was looked at: nothing
// that was written meanwhile is touched, and object lock holds.
#pragma once

#include <atomic>
#include <map>
#include <string>
#include <vector>

#include "cluster/membership/age_clock.h"
#include "jobs/job.h"
#include "jobs/lifecycle/decision.h"
#include "metadata/store/lifecycle_cursors.h"
#include "metadata/store/lifecycle_rechecks.h"
#include "metadata/store/lifecycle_store.h"
#include "metadata/store/object_store.h"
#include "metadata/store/upload_store.h"

namespace rondel::lifecycle {

struct LifecycleOptions {
  lifecycle::Calendar calendar;
  uint32_t page = 200;            // Versions looked at in one statement.
  size_t batch = 8;               // Removals in one commit: requests wait for no more than these.
  uint32_t pages_per_rule = 200;  // In one run; the next one goes on there.
  uint32_t rechecked_versions = 1000;  // Of keys that are looked at again in one statement.
  // How long an account has its turn, and in it one of its buckets, before others have theirs. A
  // page that was begun is ended.
  Duration account_slice = std::chrono::seconds(2);
  Duration bucket_slice = std::chrono::milliseconds(500);
  const membership::AgeClock* ages = nullptr;  // What ages go by; null: the clock given.
};

struct LifecycleStatus {
  uint64_t examined_total = 0;
  uint64_t expired_total = 0;  // Current versions.
  uint64_t removed_total = 0;  // Noncurrent versions and lone delete markers.
  uint64_t aborted_total = 0;  // Uploads.
  uint64_t locked_total = 0;   // Kept by object lock.
  uint64_t errors_total = 0;   // Runs that ended early.
};

// What it asks of the database; outlives it.
struct LifecycleStores {
  metadata::LifecycleStore& lifecycle;
  metadata::LifecycleCursors& cursors;
  metadata::LifecycleRechecks& rechecks;
  metadata::ObjectStore& objects;
  metadata::UploadStore& uploads;
};

// On one loop; status() from any thread.
class LifecycleRunner final : public jobs::Job {
 public:
  LifecycleRunner(LifecycleStores stores, LifecycleOptions options, const Clock& clock);

  std::string_view name() const override { return "lifecycle"; }

  // Every account has its turn, also behind one that fails: then the last failure. Who has more to
  // do than a turn lasts goes on in the next round where it was. Ends early when ages are paused.
  async::Task<Result<void>> run_round(const jobs::Term& term) override;
  Duration pause() const override;

  LifecycleStatus status() const;

 private:
  struct Work;

  // Where a bucket's turn ended.
  struct BucketPlace {
    int64_t settings_version = 0;
    size_t step = 0;
    std::string position;  // Of the scan that the step is, if no cursor has it.
  };

  struct AccountPlace {
    int64_t after_bucket = 0;
    std::map<int64_t, BucketPlace> buckets;  // Those that are not through, by their ids.
    uint64_t round = 0;
  };

  async::Task<Result<void>> run_accounts();
  async::Task<Result<void>> run_account(std::string account);
  // False: its turn ended before it was through, and `place` says where.
  async::Task<bool> run_bucket(Work& work, BucketPlace& place);
  async::Task<Result<void>> run_step(Work& work, size_t step, std::string& position);
  async::Task<Result<void>> run_rule(Work& work, const lifecycle::Rule& rule);
  async::Task<Result<void>> expire_current(Work& work, const lifecycle::Rule& rule,
                                           SystemTime until);
  async::Task<Result<void>> remove_noncurrent(Work& work, const lifecycle::Rule& rule,
                                              metadata::LifecycleScan scan, SystemTime until);
  async::Task<Result<void>> remove_lone_markers(Work& work, std::string& position);
  async::Task<Result<void>> abort_uploads(Work& work, SystemTime until, std::string& position);
  async::Task<Result<void>> recheck(Work& work);
  async::Task<Result<void>> recheck_keys(Work& work, std::vector<std::string>& keys);
  async::Task<Result<void>> recheck_older(Work& work, metadata::LifecycleVersion last);
  async::Task<Result<void>> apply(Work& work, const lifecycle::Configuration& rules,
                                  const std::vector<metadata::LifecycleVersion>& versions);
  async::Task<Result<void>> remove(Work& work, std::vector<metadata::DeleteObject> requests);
  Result<metadata::LifecycleQuery> query_for(const Work& work, std::string position,
                                             SystemTime until) const;
  bool active() const;
  // Between two pages: whether there may be another one. False also when the turn is over.
  bool go_on(Work& work) const;

  const LifecycleStores stores_;
  const LifecycleOptions options_;
  const Clock& clock_;
  const jobs::Term* term_ = nullptr;            // Of the round under way.
  std::map<std::string, AccountPlace> places_;  // Of accounts that are not through.
  uint64_t round_ = 0;
  std::atomic<uint64_t> examined_{0}, expired_{0}, removed_{0}, aborted_{0}, locked_{0}, errors_{0};
};

}  // namespace rondel::lifecycle
