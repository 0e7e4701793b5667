// Pending: new blobs and their journal records that the index has taken and not yet given to its
// tables. A table takes thousands of keys in their order for a third of what it costs to take them
// one by one as they come.
//
// One thread changes it at a time; any may read meanwhile.
#pragma once

#include <algorithm>
#include <ranges>
#include <span>
#include <unordered_map>
#include <vector>

#include "common/base/mutex.h"
#include "storage-node/index/index.h"

namespace rondel::index {

class Pending {
 public:
  // Journal records in the order of their tokens; those that were added before are passed over.
  // Mark 0: as it was.
  void add(std::ranges::forward_range auto&& blobs, std::span<const JournalRecord> journal,
           uint64_t mark) {
    MutexLock lock(mutex_);
    for (const Entry& entry : blobs) blobs_.insert_or_assign(entry.id, entry);
    for (const JournalRecord& record : journal) {
      if (journal_.empty() || record.token > journal_.back().token) journal_.push_back(record);
    }
    if (mark != 0) mark_ = mark;
  }

  // Readers do not wait for thousands of entries to be freed.
  void clear() {
    std::unordered_map<model::BlobId, Entry> blobs;
    std::vector<JournalRecord> journal;
    MutexLock lock(mutex_);
    blobs.swap(blobs_);
    journal.swap(journal_);
    mark_ = 0;
  }

  std::optional<Entry> find(const model::BlobId& id) const {
    MutexLock lock(mutex_);
    const auto found = blobs_.find(id);
    return found == blobs_.end() ? std::nullopt : std::optional(found->second);
  }

  std::vector<Entry> copy() const {
    MutexLock lock(mutex_);
    std::vector<Entry> entries;
    entries.reserve(blobs_.size());
    for (const auto& [id, entry] : blobs_) entries.push_back(entry);
    return entries;
  }

  std::vector<JournalRecord> journal_after(uint64_t token, size_t max) const {
    MutexLock lock(mutex_);
    const auto first = std::ranges::upper_bound(journal_, token, {}, &JournalRecord::token);
    return {first, first + static_cast<ptrdiff_t>(
                               std::min<size_t>(max, static_cast<size_t>(journal_.end() - first)))};
  }

  // 0: none.
  uint64_t mark() const {
    MutexLock lock(mutex_);
    return mark_;
  }

  // For the one thread that may change it: what it reads, nobody writes. So the mutex is not taken.
  bool empty() const NO_THREAD_SAFETY_ANALYSIS {
    return blobs_.empty() && journal_.empty() && mark_ == 0;
  }

  size_t size() const NO_THREAD_SAFETY_ANALYSIS { return std::max(blobs_.size(), journal_.size()); }

  const std::vector<JournalRecord>& journal() const NO_THREAD_SAFETY_ANALYSIS { return journal_; }

  std::vector<const Entry*> in_ring_order() const NO_THREAD_SAFETY_ANALYSIS {
    std::vector<std::pair<uint64_t, const Entry*>> sorted;
    sorted.reserve(blobs_.size());
    for (const auto& [id, entry] : blobs_) sorted.emplace_back(id.ring_hash(), &entry);
    std::ranges::sort(sorted);
    std::vector<const Entry*> entries;
    entries.reserve(sorted.size());
    for (const auto& [hash, entry] : sorted) entries.push_back(entry);
    return entries;
  }

 private:
  mutable Mutex mutex_;
  std::unordered_map<model::BlobId, Entry> blobs_ GUARDED_BY(mutex_);
  std::vector<JournalRecord> journal_ GUARDED_BY(mutex_);
  uint64_t mark_ GUARDED_BY(mutex_) = 0;
};

}  // namespace rondel::index
