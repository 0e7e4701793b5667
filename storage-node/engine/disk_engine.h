// DiskEngine: the Engine on segments and index. Parts: open.cc (recovery), commit.cc (the log), bulk.cc (large blobs),
// read.cc, maintenance.cc (purge, compaction). Threads: committer, bulk writer, bulk flusher, maintenance.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "storage-node/engine/elapsed_clock.h"
#include "storage-node/engine/engine.h"
#include "storage-node/engine/recent_blobs.h"
#include "storage-node/engine/segment_table.h"
#include "storage-node/index/index.h"
#include "storage-node/segment/format.h"

namespace rondel::engine {

// Something the committer does: a record for the log, or (kPurge) a change of the index alone.
struct CommitItem {
  enum class Kind { kPut, kLarge, kRemove, kRestore, kHandoff, kPurge } kind = Kind::kPut;
  index::Entry entry;                            // kPut, kLarge: what to store. Others: id and what changes.
  ByteSlice bytes;
  std::vector<hash::BlockDigest> digests;
  std::optional<index::Location> moved_from;     // Compaction: only if the blob still lies there.
  bool fresh = false;                            // See PutRequest.
  bool mark_absent = false;                      // kRemove: see RemoveOptions.
  bool copy_only = false;
  // True: the blob was there (or is now).
  std::move_only_function<void(Result<bool>)> done;

  uint64_t weight() const { return segment::kRecordHeaderBytes + bytes.size(); }
};

// An extent on its way to a bulk segment.
struct Extent {
  index::Entry entry;
  std::shared_ptr<fs::File> file;
  std::vector<hash::BlockDigest> digests;
  std::optional<index::Location> moved_from;
  uint64_t received = 0;
  std::optional<Error> error;                    // Of a write; guarded by DiskEngine::bulk_mutex_.
  std::atomic<bool> committed{false};
};

class DiskEngine final : public Engine {
 public:
  DiskEngine(fs::FileSystem& fs, EngineOptions options);
  ~DiskEngine() override;

  Result<void> start();

  model::DiskId disk_id() const override { return options_.disk; }
  void put_async(PutRequest request, ByteSlice bytes, std::vector<hash::BlockDigest> digests, PutCallback done) override;
  Result<std::unique_ptr<LargePut>> start_large_put(PutRequest request, uint64_t length) override;
  Result<ReadResult> read(const model::BlobId& id, uint64_t offset, uint64_t length) override;
  Result<ReadResult> read_cached(const model::BlobId& id, uint64_t offset, uint64_t length) override;
  Result<BlobEntry> stat(const model::BlobId& id) override;
  Result<bool> has(const model::BlobId& id) override;
  void remove_async(std::vector<model::BlobId> ids, RemoveOptions options, std::move_only_function<void(Result<uint64_t>)> done) override;
  Result<uint64_t> restore(std::vector<model::BlobId> ids, uint64_t order) override;
  Result<void> set_handoff(const model::BlobId& id, model::DiskId handoff_for) override;
  Result<uint64_t> removal_of(const model::BlobId& id) override;
  uint64_t highest_order() override { return highest_order_; }
  Result<void> note_wanted(std::span<const Wanted> wanted, std::span<const model::BlobId> no_longer) override {
    return index_->note_wanted(wanted, no_longer);
  }
  Result<std::vector<Wanted>> list_wanted(const model::BlobId& after, size_t max) override {
    return index_->list_wanted(after, max);
  }
  Result<std::vector<BlobEntry>> list(uint64_t from_hash, uint64_t to_hash, const model::BlobId& after, size_t max) override;
  Result<std::vector<BlobEntry>> list_handoffs(size_t max, const BlobEntry& after = {}) override;
  std::vector<BlobEntry> list_damaged(size_t max) override;
  uint64_t doubts() override;
  Result<JournalPage> journal_after(JournalToken token, size_t max) override;
  void on_journal_growth(std::function<void()> callback) override;
  EngineStatus status() override;
  Result<uint64_t> compact_once() override;
  Result<void> put_setting(std::string_view key, std::string_view value) override { return index_->put_setting(key, value); }
  Result<void> note_setting(std::string_view key, std::string_view value) override { return index_->note_setting(key, value); }
  Result<std::string> get_setting(std::string_view key) override { return index_->get_setting(key); }

  // The time that the disk has been in use: what ends by age ends by this and the wall clock.
  uint64_t elapsed_us() const { return elapsed_.now_us(); }

  // For LargePut.
  Result<void> queue_piece(std::shared_ptr<Extent> extent, ByteSlice piece, uint64_t offset);
  void finish_extent(std::shared_ptr<Extent> extent, std::move_only_function<void(Result<bool>)> done);
  void drop_extent(Extent& extent);

 private:
  friend class Recovery;

  struct BulkStep {
    std::shared_ptr<Extent> extent;
    ByteSlice piece;
    uint64_t offset = 0;
    std::move_only_function<void(Result<bool>)> done;   // Set: the last step.
  };
  class BulkRun;
  struct Effect;
  struct Known;

  uint64_t now_us() const { return static_cast<uint64_t>(options_.clock->now().time_since_epoch().count()); }

  // `since`: when the call under way began, for stalled().
  template <class F>
  Result<void> timed_flush(std::atomic<SteadyTime>& since, F flush) {
    const SteadyTime begin = std::chrono::steady_clock::now();
    since = begin;
    Result<void> result = flush();
    since = SteadyTime{};
    if (options_.on_flush) options_.on_flush(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    return result;
  }

  // open.cc
  Result<void> open_identity();
  Result<void> recover();
  Result<void> open_index();
  Result<void> rebuild();
  Result<void> rebuild_bulk(const segment::SegmentHeader& header);
  Result<void> replay(const segment::SegmentHeader& header, uint64_t& mark, bool rebuilding);
  Result<void> note_doubt();
  Result<void> count_blobs();
  Result<void> take_more(bool background) const;
  void measure_space();
  bool stalled() const;

  // commit.cc
  Result<void> submit(CommitItem item);
  Result<uint64_t> submit_all(std::vector<CommitItem> items);
  void commit_loop();
  void commit(std::deque<CommitItem> items);
  bool surely_absent(const CommitItem& item) const;
  Result<void> look_up(const CommitItem& item, Known& known);
  Effect decide(CommitItem& item, const Known& known);
  Effect decide_put(CommitItem& item, const Known& known);
  Effect decide_order(CommitItem& item, const Known& known);
  Result<void> make_room(uint64_t bytes, bool from_reserve);
  void write_batch(std::vector<Effect>& effects, bool only_frees);
  void finish(std::vector<Effect>& effects, uint64_t sequence);
  void note_applied(const Effect& effect);
  Result<void> apply_when_there_is_space(index::Index::Batch& changes);
  Result<void> write_log(uint64_t at, ByteView bytes);
  void prepare_loop();

  // bulk.cc
  Result<std::shared_ptr<Extent>> allocate_extent(index::Entry entry, bool from_reserve);
  Result<void> start_bulk_segment(bool from_reserve);
  void bulk_loop();
  void flush_loop();
  void refuse_all(std::unique_lock<std::mutex> lock, std::deque<BulkStep>& queue);

  // read.cc
  Result<ReadResult> read_with(const model::BlobId& id, uint64_t offset, uint64_t length, bool cached);
  Result<ReadResult> read_entry(const index::Entry& entry, uint64_t offset, uint64_t length, bool cached);

  static constexpr const char* kElapsed = "elapsed";   // Setting of the index.

  // maintenance.cc
  void maintain_loop();
  void keep_clock_when_due();
  void note_clock();
  Result<void> trim_journal();
  Result<uint64_t> purge();
  Result<void> drop_removals();
  Result<uint64_t> release_empty();
  Result<bool> compact(const segment::SegmentHeader& header);
  Result<bool> compact_log(const segment::SegmentHeader& header);
  Result<bool> compact_bulk(const segment::SegmentHeader& header);
  Result<void> move_extent(const index::Entry& entry);

  void count(const index::Entry& entry, int sign);
  void become_read_only(const Error& error);

  fs::FileSystem& fs_;
  EngineOptions options_;
  ElapsedClock elapsed_;
  std::unique_ptr<fs::FileLock> lock_;
  std::unique_ptr<index::Index> index_;
  std::unique_ptr<SegmentTable> segments_;
  std::function<void()> journal_growth_;
  std::mutex journal_growth_mutex_;

  // Puts of clients are refused from kLittle on, everything but deletes and compaction from kNone on.
  enum class Space { kEnough, kLittle, kNone };
  std::atomic<Space> space_{Space::kEnough};
  std::atomic<SteadyTime> log_flush_since_{}, bulk_flush_since_{};
  RecentBlobs recent_{now_us()};
  RecentBlobs removed_{now_us()};                 // Of what was removed while it was not here, or purged.
  std::atomic<uint64_t> highest_order_{0};
  std::atomic<uint64_t> journal_end_{0};          // No token is greater.
  std::atomic<bool> read_only_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> queue_bytes_{0};
  std::atomic<uint64_t> blobs_{0}, handoff_blobs_{0}, handoff_bytes_{0};
  std::atomic<uint64_t> corrupt_reads_{0}, compactions_{0}, compacted_bytes_{0};
  std::mutex damaged_mutex_;
  std::unordered_set<model::BlobId> damaged_;     // Found damaged here: a new copy replaces them.

  std::mutex commit_mutex_;
  std::condition_variable commit_ready_;
  std::deque<CommitItem> commit_queue_;

  // The committer's alone.
  std::unique_ptr<fs::File> log_file_;
  segment::SegmentHeader log_;
  uint64_t log_position_ = 0;
  uint64_t sequence_ = 0;                         // Of the last batch.

  std::mutex prepare_mutex_;
  std::condition_variable prepare_ready_, prepared_;
  std::shared_ptr<fs::File> prepare_file_;        // Fresh segment whose blocks are written ahead.
  uint64_t prepared_to_ = 0;
  uint64_t prepare_target_ = 0;

  std::mutex bulk_mutex_;
  std::condition_variable bulk_ready_, flush_ready_;
  std::optional<segment::SegmentHeader> bulk_;
  std::shared_ptr<fs::File> bulk_file_;
  uint64_t bulk_position_ = 0;
  std::deque<BulkStep> bulk_queue_, flush_queue_;

  std::mutex maintain_mutex_;                     // One round at a time. Guards:
  std::string trash_position_;                    // Where the look through the trash is.
  model::BlobId removals_looked_at_;              // Where drop_removals() goes on.
  std::mutex stop_mutex_;
  std::condition_variable stop_;
  std::vector<std::thread> threads_;
};

BlobEntry to_blob_entry(const index::Entry& entry);
Error read_only_error();

}  // namespace rondel::engine
