// DiskEngine: the Engine on segments and index. Parts: open.cc (recovery), rebuild.cc (an index
// that is lost or damaged), commit.cc (the log), bulk.cc (large blobs), read.cc, maintenance.cc
// (purge, compaction). Threads: committer, preparer, bulk writer, bulk flusher, maintenance.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "common/base/mutex.h"
#include "common/fs/io_watch.h"
#include "common/fs/watched_file_system.h"
#include "storage-node/engine/damaged_list.h"
#include "storage-node/engine/elapsed_clock.h"
#include "storage-node/engine/engine.h"
#include "storage-node/engine/rate_limit.h"
#include "storage-node/engine/recent_blobs.h"
#include "storage-node/engine/segment_table.h"
#include "storage-node/index/index.h"
#include "storage-node/segment/format.h"
#include "storage-node/segment/log_reader.h"

namespace rondel::engine {

class AlignedBuffer;

// Something the committer does: a record for the log, or (kPurge) a change of the index alone.
struct CommitItem {
  // kRepeat: writes the record of an order once more, as the index has it.
  enum class Kind { kPut, kLarge, kRemove, kRestore, kHandoff, kPurge, kRepeat } kind = Kind::kPut;
  index::Entry entry;  // kPut, kLarge: what to store. Others: id and what changes.
  ByteSlice bytes;
  std::vector<hash::BlockDigest> digests;
  std::optional<index::Location> moved_from;  // Compaction: only if the blob still lies there.
  bool fresh = false;                         // See PutRequest.
  bool mark_absent = false;                   // kRemove: see RemoveOptions.
  bool copy_only = false;
  // True: the blob was there (or is now).
  std::move_only_function<void(Result<bool>)> done;

  uint64_t weight() const { return segment::kRecordHeaderBytes + bytes.size(); }
};

// An extent on its way to a bulk segment.
struct Extent {
  index::Entry entry;  // Its place is the bulk writer's until it is written.
  std::vector<hash::BlockDigest> digests;
  std::optional<index::Location> moved_from;
  bool from_reserve = false;
  uint64_t received = 0;
  std::optional<Error> error;      // Of a write; guarded by DiskEngine::bulk_mutex_.
  std::shared_ptr<fs::File> file;  // With its place; the bulk writer's.
  SegmentHold hold;                // The same; released when the commit has counted it.
};

// The index of a disk, which may be made again while it is read: who began with one may end with
// it. Those that were replaced stay open until the disk is closed, and are few.
class CurrentIndex {
 public:
  static constexpr size_t kReplacementsMax = 3;

  // Nobody reads yet, or any longer.
  void open(std::unique_ptr<index::Index> index) {
    all_.clear();
    replace(std::move(index));
  }

  void close() {
    current_ = nullptr;
    all_.clear();
  }

  void replace(std::unique_ptr<index::Index> index) {
    current_ = index.get();
    all_.push_back(std::move(index));
  }

  size_t replacements() const { return all_.empty() ? 0 : all_.size() - 1; }

  index::Index* operator->() const { return current_.load(std::memory_order_acquire); }

  index::Index& operator*() const { return *current_.load(std::memory_order_acquire); }

 private:
  std::atomic<index::Index*> current_{nullptr};
  std::vector<std::unique_ptr<index::Index>> all_;
};

class DiskEngine final : public Engine {
 public:
  DiskEngine(fs::FileSystem& fs, EngineOptions options);
  ~DiskEngine() override;

  Result<void> start();

  model::DiskId disk_id() const override { return options_.disk; }

  void put_async(PutRequest request, ByteSlice bytes, std::vector<hash::BlockDigest> digests,
                 PutCallback done) override;
  Result<std::unique_ptr<LargePut>> start_large_put(PutRequest request, uint64_t length) override;
  Result<ReadResult> read(const model::BlobId& id, uint64_t offset, uint64_t length) override;
  Result<ReadResult> read_cached(const model::BlobId& id, uint64_t offset,
                                 uint64_t length) override;
  Result<BlobEntry> stat(const model::BlobId& id) override;
  Result<bool> has(const model::BlobId& id) override;
  void remove_async(std::vector<model::BlobId> ids, RemoveOptions options,
                    std::move_only_function<void(Result<uint64_t>)> done) override;
  Result<uint64_t> restore(std::vector<model::BlobId> ids, uint64_t order) override;
  Result<void> set_handoff(const model::BlobId& id, model::DiskId handoff_for) override;
  Result<uint64_t> removal_of(const model::BlobId& id) override;

  uint64_t highest_order() override { return highest_order_; }

  Result<void> note_wanted(std::span<const Wanted> wanted,
                           std::span<const model::BlobId> no_longer) override {
    return index_->note_wanted(wanted, no_longer);
  }

  Result<std::vector<Wanted>> list_wanted(const model::BlobId& after, size_t max) override {
    return index_->list_wanted(after, max);
  }

  Result<std::vector<BlobEntry>> list(uint64_t from_hash, uint64_t to_hash,
                                      const model::BlobId& after, size_t max) override;
  Result<std::vector<BlobEntry>> list_handoffs(size_t max, const BlobEntry& after = {}) override;
  std::vector<BlobEntry> list_damaged(size_t max) override;
  uint64_t doubts() override;
  Result<JournalPage> journal_after(JournalToken token, size_t max) override;
  void on_journal_growth(std::function<void()> callback) override;

  Duration pace_background(uint64_t bytes) override {
    return background_rate_.take(bytes, options_.clock->steady_now());
  }

  EngineStatus status() override;
  Result<uint64_t> compact_once() override;

  Result<void> put_setting(std::string_view key, std::string_view value) override {
    return index_->put_setting(key, value);
  }

  Result<void> note_setting(std::string_view key, std::string_view value) override {
    return index_->note_setting(key, value);
  }

  Result<std::string> get_setting(std::string_view key) override {
    return index_->get_setting(key);
  }

  // The time that the disk has been in use: what ends by age ends by this and the wall clock.
  uint64_t elapsed_us() const { return elapsed_.now_us(); }

  // For LargePut.
  Result<void> queue_piece(std::shared_ptr<Extent> extent, ByteSlice piece, uint64_t offset);
  void finish_extent(std::shared_ptr<Extent> extent,
                     std::move_only_function<void(Result<bool>)> done);
  void drop_extent(const std::shared_ptr<Extent>& extent);

  std::atomic<uint64_t> large_puts{0};  // Begun and neither finished nor given up.

 private:
  friend class Recovery;

  struct BulkStep {
    std::shared_ptr<Extent> extent;
    // Header and trailer name the place: they are encoded when the extent has it.
    enum class Kind : uint8_t { kHeader, kPiece, kTrailer } kind = Kind::kPiece;
    ByteSlice piece;
    uint64_t offset = 0;  // In the extent.
    uint64_t bytes = 0;
    std::move_only_function<void(Result<bool>)> done;  // Set: the last step.
  };
  class BulkRun;
  struct Effect;
  struct Known;

  uint64_t now_us() const {
    return static_cast<uint64_t>(options_.clock->now().time_since_epoch().count());
  }

  template <class F>
  Result<void> timed_flush(F flush) {
    const SteadyTime begin = std::chrono::steady_clock::now();
    Result<void> result = flush();
    if (options_.on_flush) {
      options_.on_flush(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    return result;
  }

  // open.cc
  Result<void> open_identity();
  Result<void> recover();
  Result<uint64_t> replay_behind_mark();
  Result<void> replay(index::Index& index, const segment::SegmentHeader& header, uint64_t end,
                      uint64_t& mark, uint64_t applied, bool rebuilding);
  Result<void> replay_batch(index::Index& index, const segment::SegmentHeader& header,
                            const segment::LogBatch& batch, bool only_tell, bool rebuilding);
  Result<std::optional<index::Entry>> replayed(index::Index& index,
                                               const segment::SegmentHeader& header,
                                               const segment::LogRecord& record,
                                               const std::optional<index::Entry>& before,
                                               bool rebuilding);
  Result<void> count_blobs(index::Index& index);
  Result<void> medium_answers();
  Result<void> take_more(bool background) const;
  void measure_space();
  bool stalled() const;

  // rebuild.cc
  std::string index_path() const {
    return options_.index_path.empty() ? options_.path + "/index" : options_.index_path;
  }

  Result<std::unique_ptr<index::Index>> open_index_at(const std::string& path, uint64_t number);
  Result<void> open_index();
  Result<void> put_index_aside();
  Result<void> rebuild(index::Index& index, index::Index* old = nullptr);
  Result<void> take_orders(index::Index& index, index::Index& old);
  Result<void> follow_removals(index::Index& index);
  Result<void> keep_trash(index::Index& index);
  Result<void> rebuild_bulk(index::Index& index, const segment::SegmentHeader& header);
  bool is_better_place(const index::Entry& known, const index::Entry& found);
  bool verifies(const index::Entry& entry);
  Result<void> drop_places_that_are_gone(index::Index& index);
  void lose_index(uint64_t number, const std::string& what);
  Result<void> replace_index();
  Result<void> await_committer();
  Result<void> note_doubt(index::Index& index);

  // commit.cc
  Result<void> may_write() const;
  Result<void> may_commit() const;
  // kUnavailable: see EngineOptions::heard_of.
  Result<void> check_order(uint64_t order) const;
  Result<void> submit(CommitItem item);
  Result<uint64_t> submit_all(std::vector<CommitItem> items);
  void commit_loop();
  void commit(std::deque<CommitItem> items);
  bool surely_absent(const CommitItem& item) const;
  Result<void> look_up(const CommitItem& item, Known& known);
  Effect decide(CommitItem& item, const Known& known);
  Effect decide_put(CommitItem& item, const Known& known);
  Effect decide_order(CommitItem& item, const Known& known);
  Effect decide_repeat(CommitItem& item, const Known& known);
  Result<void> make_room(uint64_t bytes, bool from_reserve);
  using Places = std::unordered_map<model::BlobId, index::Location>;  // Where a batch puts blobs.
  void go_on_without_room(std::vector<Effect>& effects, bool only_frees, const Error& error);
  segment::RecordHeader header_of(const Effect& effect) const;
  uint64_t encode_record(Effect& effect, std::span<std::byte> out, uint64_t at, uint64_t salt,
                         Places& placed);
  void write_batch(std::vector<Effect>& effects, bool only_frees);
  void finish(std::vector<Effect>& effects, uint64_t sequence);
  void note_applied(const Effect& effect, uint64_t now);
  Result<void> apply_when_there_is_space(index::Index::Batch& changes);
  Result<void> write_log(uint64_t at, ByteView bytes);
  void prepare_loop();

  // bulk.cc
  Result<std::shared_ptr<Extent>> allocate_extent(index::Entry entry, bool from_reserve);
  Result<void> place(Extent& extent);
  Result<void> start_bulk_segment(bool from_reserve);
  Result<void> queue_step(BulkStep step);
  Result<void> write_run(BulkRun& run, AlignedBuffer& memory);
  void submit_extent(BulkStep step);
  void bulk_loop();
  void flush_loop();
  static void refuse_all(std::deque<BulkStep> steps);

  // read.cc
  Result<ReadResult> read_with(const model::BlobId& id, uint64_t offset, uint64_t length,
                               bool cached);
  Result<ReadResult> read_entry(const index::Entry& entry, uint64_t offset, uint64_t length,
                                bool cached);
  void note_damage(const model::BlobId& id);
  void save_damaged();

  static constexpr const char* kElapsed = "elapsed";  // Setting of the index.

  // maintenance.cc
  void maintain_loop();
  bool sleep_until_stopped(Duration most) EXCLUDES(stop_mutex_);
  void keep_clock_when_due();
  void note_clock();
  Result<void> trim_journal();
  Result<uint64_t> purge() REQUIRES(maintain_mutex_);
  Result<void> drop_removals() REQUIRES(maintain_mutex_);
  Result<uint64_t> release_empty();
  double garbage_ratio() const;
  Result<bool> repeat_orders(const segment::SegmentHeader& header);
  Result<void> visit_orders(const segment::SegmentHeader& header,
                            const std::function<Result<void>(const model::BlobId&)>& visit);
  Result<bool> is_last_order(const segment::RecordHeader& record);
  Result<CommitItem> repeated(const model::BlobId& id);
  Result<void> compact(const segment::SegmentHeader& header);
  Result<void> compact_log(const segment::SegmentHeader& header);
  Result<void> compact_bulk(const segment::SegmentHeader& header);
  Result<void> compact_by_entries(const segment::SegmentHeader& header);
  Result<void> move_entry(const index::Entry& entry);
  Result<void> move_extent(const index::Entry& entry);

  void count(const index::Entry& entry, int sign);
  void become_read_only(const Error& error);

  EngineOptions options_;
  fs::IoWatch watch_;  // Every call that may wait for the disk.
  fs::WatchedFileSystem fs_;
  ElapsedClock elapsed_;
  std::unique_ptr<fs::FileLock> lock_;
  CurrentIndex index_;
  std::atomic<uint64_t> index_number_{0};   // Of the one in use.
  std::atomic<bool> index_damaged_{false};  // To be made again; nothing is committed until then.
  std::unique_ptr<SegmentTable> segments_;
  std::function<void()> journal_growth_ GUARDED_BY(journal_growth_mutex_);
  Mutex journal_growth_mutex_;

  // Puts of clients are refused from kLittle on, everything but deletes and compaction from kNone
  // on.
  enum class Space { kEnough, kLittle, kNone };
  std::atomic<Space> space_{Space::kEnough};
  RecentBlobs recent_{now_us()};
  RecentBlobs removed_{now_us()};  // Of what was removed while it was not here, or purged.
  std::atomic<uint64_t> highest_order_{0};
  std::atomic<uint64_t> journal_end_{0};  // No token is greater.
  std::atomic<bool> read_only_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> queue_bytes_{0};
  RateLimit background_rate_{options_.background_bytes_per_second};
  std::atomic<uint64_t> blobs_{0}, handoff_blobs_{0}, handoff_bytes_{0};
  std::atomic<uint64_t> corrupt_reads_{0}, compactions_{0}, compacted_bytes_{0};
  uint64_t unreadable_ = 0;               // Reads that failed while the disk was recovered.
  std::unique_ptr<DamagedList> damaged_;  // A new copy replaces them.

  Mutex commit_mutex_;
  CondVar commit_ready_, commit_idle_;
  std::deque<CommitItem> commit_queue_ GUARDED_BY(commit_mutex_);
  bool committing_ GUARDED_BY(commit_mutex_) = false;

  // The committer's alone.
  std::unique_ptr<fs::File> log_file_;
  segment::SegmentHeader log_;
  uint64_t log_position_ = 0;
  uint64_t sequence_ = 0;  // Of the last batch.

  Mutex prepare_mutex_;
  CondVar prepare_ready_, prepared_;
  // Fresh segment whose blocks are written ahead,
  std::shared_ptr<fs::File> prepare_file_ GUARDED_BY(prepare_mutex_);
  // not given back while zeros are on their way to it.
  SegmentHold prepare_hold_ GUARDED_BY(prepare_mutex_);
  uint64_t prepared_to_ GUARDED_BY(prepare_mutex_) = 0;
  uint64_t prepare_target_ GUARDED_BY(prepare_mutex_) = 0;

  Mutex bulk_mutex_;
  CondVar bulk_ready_, flush_ready_;
  std::deque<BulkStep> bulk_queue_ GUARDED_BY(bulk_mutex_), flush_queue_ GUARDED_BY(bulk_mutex_);

  // The bulk writer's alone, but for bulk_room_.
  std::optional<segment::SegmentHeader> bulk_;
  SegmentHold bulk_hold_;
  std::shared_ptr<fs::File> bulk_file_;
  uint64_t bulk_position_ = 0;
  std::atomic<uint64_t> bulk_room_{0};  // Bytes left in its segment.

  Mutex maintain_mutex_;                                    // One round at a time.
  std::string trash_position_ GUARDED_BY(maintain_mutex_);  // Where the look through the trash is.
  model::BlobId removals_looked_at_ GUARDED_BY(maintain_mutex_);  // Where drop_removals() goes on.
  Mutex stop_mutex_;
  CondVar stop_;
  std::vector<std::thread> threads_;
};

// Settings of the index: whose it is, written when it is complete, and Engine::doubts().
inline constexpr const char* kIndexOwner = "disk";
inline constexpr const char* kDoubts = "doubts";

inline constexpr int kJournalPositionBits = 12;  // Of an entry in its batch.

constexpr uint64_t journal_token(uint64_t sequence, size_t position) {
  return (sequence << kJournalPositionBits) | position;
}

// A blob whose own record is gone or older than that of its removal.
index::Entry trashed_by(const index::Removal& removal, index::Entry entry);

BlobEntry to_blob_entry(const index::Entry& entry);
Error read_only_error();

}  // namespace rondel::engine
