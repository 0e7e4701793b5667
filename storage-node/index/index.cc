#include "storage-node/index/index.h"

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <thread>
#include <unordered_map>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/log/log.h"
#include "storage-node/index/pending.h"

namespace rondel::index {
namespace {

// First byte of every key: what the rest is.
constexpr char kBlob = 'b', kJournal = 'j', kHandoff = 'h', kTrash = 't', kSetting = 's',
               kMark = 'm', kDropped = 'd';
constexpr char kRemoval = 'r', kWanted = 'w', kOrder = 'o';
constexpr size_t kRemovalBytes = 24;
constexpr size_t kWantedBytes = 49;
constexpr size_t kEntryBytes = 121;
constexpr uint64_t kLargeBit = 1ull << 32, kDroppedBit = 1ull << 33;
constexpr size_t kJournalBytes = 33 + kEntryBytes;
constexpr size_t kPendingBlobs = 4096;
constexpr size_t kTrashPerPage = 16'384;
constexpr int kCacheShardBits = 2;
constexpr double kMemtableFilterRatio = 0.03;
constexpr auto kFlushPatience = std::chrono::seconds(60);

class Writer {
 public:
  explicit Writer(char kind) { out_ += kind; }

  Writer() = default;

  static Writer of(size_t bytes) {
    Writer writer;
    writer.out_.reserve(bytes);
    return writer;
  }

  Writer& big(uint64_t value) {
    std::byte raw[8];
    store_be(raw, value);
    out_.append(reinterpret_cast<const char*>(raw), 8);
    return *this;
  }

  Writer& little(uint64_t value) {
    std::byte raw[8];
    store_le(raw, value);
    out_.append(reinterpret_cast<const char*>(raw), 8);
    return *this;
  }

  Writer& byte(uint8_t value) {
    out_ += static_cast<char>(value);
    return *this;
  }

  Writer& bytes(ByteView view) {
    out_ += as_text(view);
    return *this;
  }

  Writer& id(const model::BlobId& blob) { return bytes(blob.bytes()); }

  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

class Reader {
 public:
  explicit Reader(std::string_view from) : at_(reinterpret_cast<const std::byte*>(from.data())) {}

  uint64_t little() { return load_le<uint64_t>(advance(8)); }

  uint8_t byte() { return std::to_integer<uint8_t>(*advance(1)); }

  const std::byte* advance(size_t count) {
    const std::byte* here = at_;
    at_ += count;
    return here;
  }

 private:
  const std::byte* at_;
};

std::string blob_key(const model::BlobId& id) {
  return Writer(kBlob).big(id.ring_hash()).id(id).take();
}

std::string handoff_key(const Entry& entry) {
  return Writer(kHandoff).big(entry.received_us).id(entry.id).take();
}

std::string trash_key(const Entry& entry) {
  return Writer(kTrash).big(entry.purge_at_us).id(entry.id).take();
}

std::string removal_key(const model::BlobId& id) { return Writer(kRemoval).id(id).take(); }

std::string wanted_key(const model::BlobId& id) { return Writer(kWanted).id(id).take(); }

std::string journal_key(uint64_t token) { return Writer(kJournal).big(token).take(); }

model::BlobId id_behind(std::string_view key, size_t offset) {
  return model::BlobId::from_bytes(reinterpret_cast<const std::byte*>(key.data() + offset));
}

void write_entry(Writer& out, const Entry& entry) {
  out.little(entry.at.segment | (entry.at.large ? kLargeBit : 0) |
             (entry.dropped ? kDroppedBit : 0))
      .little(entry.at.generation)
      .little(entry.at.offset);
  out.little(entry.at.bytes)
      .little(entry.length)
      .little(entry.digest.low)
      .little(entry.digest.high);
  out.little(entry.ring_epoch)
      .little(entry.created_us)
      .little(entry.received_us)
      .bytes(entry.handoff_for.view());
  out.little(entry.purge_at_us).byte(2).little(entry.order).little(entry.purge_elapsed_us);
}

Entry read_entry(const model::BlobId& id, Reader in) {
  Entry entry;
  entry.id = id;
  const uint64_t segment = in.little();
  entry.at.segment = static_cast<uint32_t>(segment);
  entry.at.large = (segment & kLargeBit) != 0;
  entry.dropped = (segment & kDroppedBit) != 0;
  entry.at.generation = in.little();
  entry.at.offset = in.little();
  entry.at.bytes = in.little();
  entry.length = in.little();
  entry.digest.low = in.little();
  entry.digest.high = in.little();
  entry.ring_epoch = in.little();
  entry.created_us = in.little();
  entry.received_us = in.little();
  entry.handoff_for = model::DiskId::from_bytes({in.advance(16), 16}).value();
  entry.purge_at_us = in.little();
  (void)in.byte();
  entry.order = in.little();
  entry.purge_elapsed_us = in.little();
  return entry;
}

std::string removal_value(const Removal& removal) {
  return Writer::of(kRemovalBytes)
      .little(removal.order)
      .little(removal.marked_us)
      .little(removal.elapsed_us)
      .take();
}

Result<Removal> read_removal(const model::BlobId& id, std::string_view value) {
  if (value.size() < kRemovalBytes) return fail(ErrorCode::kCorruption, "index: a short removal");
  Reader in(value);
  Removal removal{id};
  removal.order = in.little();
  removal.marked_us = in.little();
  removal.elapsed_us = in.little();
  return removal;
}

std::string wanted_value(const Wanted& wanted) {
  return Writer::of(kWantedBytes)
      .little(wanted.length)
      .little(wanted.created_us)
      .little(wanted.order)
      .little(wanted.found_us)
      .little(wanted.next_try_us)
      .little(wanted.tries)
      .byte(static_cast<uint8_t>(wanted.why))
      .take();
}

Result<Wanted> read_wanted(const model::BlobId& id, std::string_view value) {
  if (value.size() < kWantedBytes) return fail(ErrorCode::kCorruption, "index: a short wanted");
  Reader in(value);
  Wanted wanted;
  wanted.id = id;
  wanted.length = in.little();
  wanted.created_us = in.little();
  wanted.order = in.little();
  wanted.found_us = in.little();
  wanted.next_try_us = in.little();
  wanted.tries = static_cast<uint32_t>(in.little());
  wanted.why = static_cast<Wanted::Why>(in.byte());
  return wanted;
}

void put_blob(rocksdb::WriteBatch& batch, const Entry& entry) {
  Writer value = Writer::of(kEntryBytes);
  write_entry(value, entry);
  batch.Put(blob_key(entry.id), value.take());
}

void put_journal(rocksdb::WriteBatch& batch, rocksdb::ColumnFamilyHandle* family,
                 const JournalRecord& record) {
  Writer value = Writer::of(kJournalBytes);
  value.byte(record.removed ? 2 : 1)
      .little(record.flushed_us)
      .little(record.elapsed_us)
      .id(record.entry.id);
  write_entry(value, record.entry);
  batch.Put(family, journal_key(record.token), value.take());
}

bool says(const rocksdb::Status& status, std::string_view text) {
  return status.ToString().find(text) != std::string::npos;
}

// Rot in a table, a file that is gone, a sector that the medium does not give. A failed write is
// none of these.
bool is_damage(const rocksdb::Status& status) {
  if (status.IsCorruption() || status.IsPathNotFound()) return true;
  return status.IsIOError() && (says(status, "While pread") || says(status, "While read"));
}

std::unexpected<Error> failed(const rocksdb::Status& status) {
  if (is_damage(status)) return fail(ErrorCode::kCorruption, "index: " + status.ToString());
  if (status.IsIncomplete()) return fail(ErrorCode::kUnavailable, "not in memory");
  if (status.IsNoSpace()) return fail(ErrorCode::kStorageFull, "index: " + status.ToString());
  return fail(ErrorCode::kInternal, "index: " + status.ToString());
}

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }

struct Change {
  std::optional<Entry> now;  // Nothing: erased.
  std::optional<Entry> before;

  // A blob that was not here before, and that only the order of the ring knows.
  bool plain() const {
    return now && !before && !now->trashed() && now->handoff_for.is_zero() && now->order == 0;
  }

  // It was put or restored by an order that the blob did not have: no lower removal counts now.
  bool outlives_removals() const {
    return now && !now->trashed() && now->order > (before ? before->order : 0);
  }
};

void put_change(rocksdb::WriteBatch& batch, const Change& change) {
  const auto& [now, before] = change;
  const bool was_handoff = before && !before->handoff_for.is_zero();
  if (!now) {
    if (before->trashed()) batch.Delete(trash_key(*before));
    if (was_handoff) batch.Delete(handoff_key(*before));
    batch.Delete(blob_key(before->id));
    return;
  }
  if (before && before->trashed() && before->purge_at_us != now->purge_at_us) {
    batch.Delete(trash_key(*before));
  }
  if (was_handoff && (now->handoff_for.is_zero() || now->received_us != before->received_us)) {
    batch.Delete(handoff_key(*before));
  }
  if (now->trashed()) batch.Put(trash_key(*now), Writer().big(now->purge_elapsed_us).take());
  if (!now->handoff_for.is_zero() && !now->trashed()) batch.Put(handoff_key(*now), "");
  if (!now->handoff_for.is_zero() && now->trashed()) batch.Delete(handoff_key(*now));
  put_blob(batch, *now);
}

class ChangeBatch final : public Index::Batch {
 public:
  void store(const Entry& now, const std::optional<Entry>& before) override { add({now, before}); }

  void erase(const Entry& before) override { add({std::nullopt, before}); }

  void append_journal(const JournalRecord& record) override { journal.push_back(record); }

  void mark(uint64_t sequence) override { marked = sequence; }

  void mark_journal(uint64_t sequence) override {
    plain = false;
    journal_marked = sequence;
  }

  void keep_removal(const Removal& removal) override {
    plain = false;
    removals.push_back(removal);
  }

  void raise_order(uint64_t value) override {
    plain = false;
    order = std::max(order, value);
  }

  std::vector<Change> changes;
  std::vector<JournalRecord> journal;
  std::vector<Removal> removals;
  uint64_t marked = 0;
  uint64_t journal_marked = 0;
  uint64_t order = 0;
  bool plain = true;

 private:
  void add(Change change) {
    plain = plain && change.plain();
    changes.push_back(std::move(change));
  }
};

// RocksDB's threads are those of the process: as many of each kind as there are indexes, so that a
// disk that hangs or is full, where a flush that failed keeps its thread for a second, does not
// take those of another.
class ThreadsOfItsOwn {
 public:
  ThreadsOfItsOwn() {
    const int indexes = ++open_;
    for (const auto kind : {rocksdb::Env::Priority::HIGH, rocksdb::Env::Priority::LOW}) {
      rocksdb::Env::Default()->IncBackgroundThreadsIfNeeded(indexes, kind);
    }
  }

  ~ThreadsOfItsOwn() { --open_; }

  ThreadsOfItsOwn(const ThreadsOfItsOwn&) = delete;
  ThreadsOfItsOwn& operator=(const ThreadsOfItsOwn&) = delete;

 private:
  static inline std::atomic<int> open_{0};
};

// What RocksDB meets in the background, damage too, comes here first.
//
// After the file system was full RocksDB goes on by itself: it asks at once and then every five
// seconds until it succeeds. That is not to be turned off in favour of Resume(): between two of its
// calls RocksDB 7.8 starts a flush that stands in its queue, sees the error, and forgets that it is
// to be run while it stays in the queue. The next Resume() waits for that flush for ever.
class BackgroundErrors final : public rocksdb::EventListener {
 public:
  explicit BackgroundErrors(std::function<void(const std::string&)> on_damage)
      : on_damage_(std::move(on_damage)) {}

  void watch(rocksdb::DB& db) { db_ = &db; }

  // Since a flush, or a compaction that writes wait for, found no space, until RocksDB has
  // recovered.
  bool is_full() const { return full_; }

  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override {
    if (on_damage_ && is_damage(*status)) on_damage_(status->ToString());
    if (!status->IsNoSpace()) return;
    if (reason != rocksdb::BackgroundErrorReason::kCompaction) {
      full_ = true;
      return;
    }
    // A compaction is tried again after a second and holds up nobody, unless writes wait for it:
    // then they are refused.
    uint64_t stopped = 0;
    rocksdb::DB* const db = db_;
    const bool waits = db != nullptr &&
                       db->GetIntProperty(rocksdb::DB::Properties::kIsWriteStopped, &stopped) &&
                       stopped != 0;
    if (waits) full_ = true;
    *status = waits ? rocksdb::Status(*status, rocksdb::Status::kHardError) : rocksdb::Status::OK();
  }

  void OnErrorRecoveryEnd(const rocksdb::BackgroundErrorRecoveryInfo& info) override {
    if (!info.new_bg_error.ok()) return;
    full_ = false;
    log::info("index", "writes go on after the file system was full", {});
  }

 private:
  const std::function<void(const std::string&)> on_damage_;
  std::atomic<rocksdb::DB*> db_ = nullptr;
  std::atomic<bool> full_ = false;
};

class RocksIndex final : public Index {
 public:
  RocksIndex(rocksdb::DB* db, std::vector<rocksdb::ColumnFamilyHandle*> families,
             const IndexOptions& options, std::shared_ptr<BackgroundErrors> errors)
      : db_(db),
        families_(std::move(families)),
        lose_unflushed_(options.lose_unflushed_at_close),
        watch_(options.watch),
        on_damage_(options.on_damage),
        errors_(std::move(errors)) {
    unlogged_.disableWAL = true;
    errors_->watch(*db_);
  }

  ~RocksIndex() override {
    if (!lose_unflushed_ && drain()) (void)db_->Flush(flush_options(), families_);
    // Closing waits for a recovery that is under way, and that waits for its flushes until it is
    // told that this is the end.
    rocksdb::CancelAllBackgroundWork(db_.get(), false);
    for (rocksdb::ColumnFamilyHandle* family : families_) {
      (void)db_->DestroyColumnFamilyHandle(family);
    }
  }

  std::unique_ptr<Batch> new_batch() override { return std::make_unique<ChangeBatch>(); }

  Result<void> apply(Batch& batch) override {
    const auto& changes = static_cast<const ChangeBatch&>(batch);
    MutexLock lock(write_mutex_);
    if (!changes.plain || refused_) return write_with_pending(changes);
    if (pending_.size() + std::max(changes.changes.size(), changes.journal.size()) >
        kPendingBlobs) {
      TRY_VOID(drain_locked());
    }
    pending_.add(changes.changes | std::views::transform([](const Change& change) -> const Entry& {
                   return *change.now;
                 }),
                 changes.journal, changes.marked);
    return {};
  }

  // One family after the other. Once it has recovered from a full disk RocksDB 7.8 answers that all
  // is well before the tables are written, or are found to have no room: this waits for them.
  Result<void> flush() override {
    TRY_VOID(drain());
    {
      const Call call(watch_);
      TRY_VOID(noted(db_->Flush(flush_options(), families_)));
    }
    const Deadline end = deadline_in(kFlushPatience);
    for (uint64_t waiting = 1;;) {
      if (!db_->GetAggregatedIntProperty(rocksdb::DB::Properties::kNumImmutableMemTable,
                                         &waiting)) {
        return fail(ErrorCode::kInternal, "index: no property");
      }
      if (waiting == 0) return {};
      if (errors_->is_full()) {
        return fail(ErrorCode::kStorageFull, "index: the file system is full");
      }
      if (std::chrono::steady_clock::now() > end) {
        return fail(ErrorCode::kUnavailable, "index: the tables are not written in time");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  Result<std::optional<Entry>> find(const model::BlobId& id) override { return find_with({}, id); }

  Result<std::optional<Entry>> find_cached(const model::BlobId& id) override {
    rocksdb::ReadOptions options;
    options.read_tier = rocksdb::kBlockCacheTier;
    return find_with(options, id);
  }

  Result<uint64_t> mark() override {
    const uint64_t pending = pending_.mark();
    return pending != 0 ? pending : number(std::string(1, kMark));
  }

  Result<uint64_t> journal_mark() override {
    const uint64_t pending = pending_.mark();
    return pending != 0 ? pending : number(std::string(1, kMark), journal());
  }

  // What is pending is looked at first here as well; what is in both is as the tables have it.
  Result<void> visit(uint64_t from_hash, const model::BlobId& after,
                     const std::function<bool(const Entry&)>& visitor) override {
    const std::string from =
        after != model::BlobId{} ? blob_key(after) + '\0' : Writer(kBlob).big(from_hash).take();
    const auto pending = pending_from(from);
    auto next = pending.begin();
    Call call(watch_);
    auto it = iterator();
    it->Seek(from);
    for (;; call.renew()) {
      const std::string_view key =
          it->Valid() && it->key()[0] == kBlob ? it->key().ToStringView() : std::string_view();
      if (next != pending.end() && (key.empty() || next->first < key)) {
        if (!visitor((next++)->second)) break;
        continue;
      }
      if (key.empty()) break;
      if (next != pending.end() && next->first == key) ++next;
      if (!visitor(read_entry(id_behind(key, 9), Reader(it->value().ToStringView())))) break;
      it->Next();
    }
    return checked(it->status());
  }

  Result<std::vector<model::BlobId>> handoffs(uint64_t after_us, const model::BlobId& after,
                                              size_t max) override {
    return ids_of(kHandoff, Writer(kHandoff).big(after_us).id(after).take(), max);
  }

  Result<TrashPage> purgeable(uint64_t now_us, uint64_t elapsed_us, const std::string& from,
                              size_t max) override {
    TrashPage page;
    const Call call(watch_);
    auto it = iterator();
    it->Seek(from.empty() ? std::string(1, kTrash) : from);
    for (size_t seen = 0; it->Valid(); it->Next(), ++seen) {
      const std::string_view key = it->key().ToStringView();
      const auto* const raw = reinterpret_cast<const std::byte*>(key.data());
      if (key.front() != kTrash || load_be<uint64_t>(raw + 1) > now_us) break;
      if (seen == kTrashPerPage || page.ids.size() == max) {
        page.next = key;
        break;
      }
      const std::string_view due = it->value().ToStringView();
      if (due.size() != 8) return fail(ErrorCode::kCorruption, "index: a short entry of the trash");
      if (load_be<uint64_t>(as_bytes(due).data()) <= elapsed_us) {
        page.ids.push_back(id_behind(key, 9));
      }
    }
    TRY_VOID(checked(it->status()));
    return page;
  }

  // What is pending is looked at first: it may come into the tables meanwhile, never the other way.
  Result<std::vector<JournalRecord>> journal_after(uint64_t token, size_t max) override {
    const std::vector<JournalRecord> pending = pending_.journal_after(token, max);
    TRY(std::vector<JournalRecord> records, journal_of_tables(token, max));
    const uint64_t last = records.empty() ? token : records.back().token;
    for (const JournalRecord& record : pending) {
      if (records.size() == max) break;
      if (record.token > last) records.push_back(record);
    }
    return records;
  }

  Result<uint64_t> journal_dropped() override {
    return number(std::string(1, kDropped), journal());
  }

  Result<void> drop_journal(uint64_t flushed_before_us, uint64_t elapsed_before_us) override {
    TRY_VOID(drain());
    uint64_t last = 0;
    Call call(watch_);
    auto it = iterator(journal());
    for (it->Seek(std::string(1, kJournal)); it->Valid() && it->key()[0] == kJournal;
         it->Next(), call.renew()) {
      Reader value(it->value().ToStringView());
      value.byte();
      if (value.little() >= flushed_before_us || value.little() >= elapsed_before_us) break;
      last = load_be<uint64_t>(reinterpret_cast<const std::byte*>(it->key().data() + 1));
    }
    TRY_VOID(checked(it->status()));
    return last == 0 ? Result<void>{} : forget_journal(last);
  }

  Result<void> forget_journal(uint64_t token) override {
    TRY_VOID(drain());
    rocksdb::WriteBatch batch;
    batch.DeleteRange(journal(), std::string(1, kJournal), journal_key(token + 1));
    batch.Put(journal(), std::string(1, kDropped), Writer().little(token).take());
    return write(batch);
  }

  Result<std::optional<Removal>> find_removal(const model::BlobId& id) override {
    rocksdb::PinnableSlice value;
    const Call call(watch_);
    const rocksdb::Status status =
        db_->Get({}, db_->DefaultColumnFamily(), removal_key(id), &value);
    if (status.IsNotFound()) return std::optional<Removal>();
    if (!status.ok()) return failed(status);
    TRY(const Removal removal, read_removal(id, value.ToStringView()));
    return std::optional(removal);
  }

  Result<std::vector<Removal>> list_removals(const model::BlobId& after, size_t max) override {
    std::vector<Removal> list;
    Call call(watch_);
    auto it = iterator();
    seek_behind(*it, removal_key(after), after);
    for (; it->Valid() && it->key()[0] == kRemoval && list.size() < max; it->Next(), call.renew()) {
      const model::BlobId id = id_behind(it->key().ToStringView(), 1);
      TRY(list.emplace_back(), read_removal(id, it->value().ToStringView()));
    }
    TRY_VOID(checked(it->status()));
    return list;
  }

  Result<model::BlobId> drop_removals(const model::BlobId& after, uint64_t marked_before_us,
                                      uint64_t elapsed_before_us, size_t max) override {
    const auto is_over = [&](const Removal& removal) {
      return removal.marked_us < marked_before_us && removal.elapsed_us < elapsed_before_us;
    };
    // One more tells whether this is the end.
    TRY(std::vector<Removal> page, list_removals(after, max + 1));
    const bool more = page.size() > max;
    if (more) page.pop_back();
    const model::BlobId last = more ? page.back().id : model::BlobId{};
    std::erase_if(page, [&](const Removal& removal) { return !is_over(removal); });
    if (page.empty()) return last;

    // What is applied waits only for those that are over. One that was kept anew meanwhile stays.
    MutexLock lock(write_mutex_);
    rocksdb::WriteBatch batch;
    for (const Removal& removal : page) {
      TRY(const auto now, find_removal(removal.id));
      if (now && is_over(*now)) batch.Delete(removal_key(removal.id));
    }
    if (batch.Count() > 0) TRY_VOID(write(batch));
    return last;
  }

  Result<uint64_t> highest_order() override { return number(std::string(1, kOrder)); }

  Result<void> note_wanted(std::span<const Wanted> wanted,
                           std::span<const model::BlobId> no_longer) override {
    rocksdb::WriteBatch batch;
    for (const Wanted& one : wanted) batch.Put(wanted_key(one.id), wanted_value(one));
    for (const model::BlobId& id : no_longer) batch.Delete(wanted_key(id));
    return batch.Count() == 0 ? Result<void>{} : write(batch);
  }

  Result<std::vector<Wanted>> list_wanted(const model::BlobId& after, size_t max) override {
    std::vector<Wanted> list;
    const Call call(watch_);
    auto it = iterator();
    for (seek_behind(*it, wanted_key(after), after);
         it->Valid() && it->key()[0] == kWanted && list.size() < max; it->Next()) {
      TRY(Wanted wanted,
          read_wanted(id_behind(it->key().ToStringView(), 1), it->value().ToStringView()));
      list.push_back(wanted);
    }
    TRY_VOID(checked(it->status()));
    return list;
  }

  Result<void> put_setting(std::string_view key, std::string_view value) override {
    TRY_VOID(note_setting(key, value));
    return flush();
  }

  Result<void> note_setting(std::string_view key, std::string_view value) override {
    rocksdb::WriteBatch batch;
    batch.Put(kSetting + std::string(key), slice(value));
    return write(batch);
  }

  Result<std::string> get_setting(std::string_view key) override {
    std::string value;
    const Call call(watch_);
    const rocksdb::Status status = db_->Get({}, kSetting + std::string(key), &value);
    if (status.IsNotFound()) return fail(ErrorCode::kNotFound, "no setting " + std::string(key));
    if (!status.ok()) return failed(status);
    return value;
  }

  Result<void> take_rest(Index& from, std::string_view but_for_setting) override {
    auto& other = static_cast<RocksIndex&>(from);
    const std::string passed_over = kSetting + std::string(but_for_setting);
    Call call(watch_);
    auto it = other.iterator();
    // Each kind by itself: damage among the blobs hides no other.
    for (const char kind : {kSetting, kRemoval, kWanted, kOrder}) {
      for (it->Seek(std::string(1, kind)); it->Valid() && it->key()[0] == kind;
           it->Next(), call.renew()) {
        if (it->key() == passed_over) continue;
        rocksdb::WriteBatch batch;
        batch.Put(it->key(), it->value());
        TRY_VOID(write(batch));
      }
    }
    return {};
  }

 private:
  using Call = fs::IoWatch::Call;

  // As the functions of the same name; whoever owns the index is told of damage.
  std::unexpected<Error> failed(const rocksdb::Status& status) const {
    if (on_damage_ && is_damage(status)) on_damage_(status.ToString());
    return index::failed(status);
  }

  Result<void> checked(const rocksdb::Status& status) const {
    if (status.ok()) return {};
    return failed(status);
  }

  Result<void> write(rocksdb::WriteBatch& batch) {
    const Call call(watch_);
    return noted(db_->Write(unlogged_, &batch));
  }

  // It would wait, else, until compactions have made room for one more table: on a full disk that
  // is for ever.
  static rocksdb::FlushOptions flush_options() {
    rocksdb::FlushOptions options;
    options.allow_write_stall = true;
    return options;
  }

  Result<void> noted(const rocksdb::Status& status) {
    refused_ = !status.ok();
    return checked(status);
  }

  Result<void> drain() {
    MutexLock lock(write_mutex_);
    return drain_locked();
  }

  Result<void> drain_locked() REQUIRES(write_mutex_) {
    return pending_.empty() ? Result<void>{} : write_with_pending({});
  }

  // All in one batch: the tables hold what their mark says, and journal records come in order. Each
  // family has a mark of its own, for it is flushed when its memtable is full, without the other.
  Result<void> write_with_pending(const ChangeBatch& changes) {
    rocksdb::WriteBatch batch;
    for (const Entry* entry : pending_.in_ring_order()) put_blob(batch, *entry);
    for (const Change& change : changes.changes) put_change(batch, change);
    for (const auto* records : {&pending_.journal(), &changes.journal}) {
      for (const JournalRecord& record : *records) put_journal(batch, journal(), record);
    }
    TRY_VOID(put_removals(batch, changes));
    if (changes.order != 0) {
      // One thread applies batches: nobody raises it in between.
      TRY(const uint64_t highest, highest_order());
      if (changes.order > highest) {
        batch.Put(std::string(1, kOrder), Writer().little(changes.order).take());
      }
    }
    if (const uint64_t mark = std::max(pending_.mark(), changes.marked); mark != 0) {
      batch.Put(std::string(1, kMark), Writer().little(mark).take());
      batch.Put(journal(), std::string(1, kMark), Writer().little(mark).take());
    }
    if (changes.journal_marked != 0) {
      batch.Put(journal(), std::string(1, kMark), Writer().little(changes.journal_marked).take());
    }
    TRY_VOID(write(batch));
    pending_.clear();
    return {};
  }

  // Those that are kept anew, and the end of those that a live blob has outlived.
  Result<void> put_removals(rocksdb::WriteBatch& batch, const ChangeBatch& changes) {
    std::unordered_map<model::BlobId, uint64_t> outlived;  // The order of the live entry.
    for (const Change& change : changes.changes) {
      if (!change.outlives_removals()) continue;
      uint64_t& order = outlived[change.now->id];
      order = std::max(order, change.now->order);
    }
    for (const auto& [id, order] : outlived) {
      TRY(const auto kept, find_removal(id));
      if (kept && kept->order < order) batch.Delete(removal_key(id));
    }
    for (const Removal& removal : changes.removals) {
      const auto found = outlived.find(removal.id);
      if (found != outlived.end() && found->second > removal.order) continue;
      batch.Put(removal_key(removal.id), removal_value(removal));
    }
    return {};
  }

  std::vector<std::pair<std::string, Entry>> pending_from(std::string_view key) const {
    std::vector<std::pair<std::string, Entry>> entries;
    for (const Entry& entry : pending_.copy()) {
      if (std::string own = blob_key(entry.id); own >= key) {
        entries.emplace_back(std::move(own), entry);
      }
    }
    std::ranges::sort(entries, {}, &std::pair<std::string, Entry>::first);
    return entries;
  }

  Result<std::vector<JournalRecord>> journal_of_tables(uint64_t token, size_t max) {
    std::vector<JournalRecord> records;
    Call call(watch_);
    auto it = iterator(journal());
    for (it->Seek(journal_key(token + 1)); it->Valid() && records.size() < max;
         it->Next(), call.renew()) {
      const std::string_view key = it->key().ToStringView();
      if (key.front() != kJournal) break;
      JournalRecord record;
      record.token = load_be<uint64_t>(reinterpret_cast<const std::byte*>(key.data() + 1));
      Reader value(it->value().ToStringView());
      record.removed = value.byte() == 2;
      record.flushed_us = value.little();
      record.elapsed_us = value.little();
      const model::BlobId id = model::BlobId::from_bytes(value.advance(16));
      record.entry = read_entry(id, value);
      records.push_back(std::move(record));
    }
    TRY_VOID(checked(it->status()));
    return records;
  }

  Result<std::optional<Entry>> find_with(const rocksdb::ReadOptions& options,
                                         const model::BlobId& id) {
    if (auto pending = pending_.find(id)) return pending;
    rocksdb::PinnableSlice value;
    const Call call(options.read_tier == rocksdb::kBlockCacheTier ? nullptr : watch_);
    const rocksdb::Status status =
        db_->Get(options, db_->DefaultColumnFamily(), blob_key(id), &value);
    if (status.IsNotFound()) return std::optional<Entry>();
    if (!status.ok()) return failed(status);
    if (value.size() < kEntryBytes) return failed(rocksdb::Status::Corruption("a short entry"));
    return std::optional(read_entry(id, Reader(value.ToStringView())));
  }

  Result<uint64_t> number(const std::string& key) {
    return number(key, db_->DefaultColumnFamily());
  }

  Result<uint64_t> number(const std::string& key, rocksdb::ColumnFamilyHandle* family) {
    std::string value;
    const Call call(watch_);
    const rocksdb::Status status = db_->Get({}, family, key, &value);
    if (status.IsNotFound()) return uint64_t{0};
    if (!status.ok()) return failed(status);
    return Reader(value).little();
  }

  // Behind the key `after`.
  Result<std::vector<model::BlobId>> ids_of(char kind, const std::string& after, size_t max) {
    std::vector<model::BlobId> ids;
    Call call(watch_);
    auto it = iterator();
    it->Seek(after);
    if (it->Valid() && it->key() == after) it->Next();
    for (; it->Valid() && ids.size() < max; it->Next(), call.renew()) {
      const std::string_view key = it->key().ToStringView();
      if (key.front() != kind) break;
      ids.push_back(id_behind(key, 9));
    }
    TRY_VOID(checked(it->status()));
    return ids;
  }

  // To the first key behind `key`, or to `key` where it is that of no blob.
  static void seek_behind(rocksdb::Iterator& it, const std::string& key,
                          const model::BlobId& after) {
    it.Seek(key);
    if (after != model::BlobId{} && it.Valid() && it.key() == key) it.Next();
  }

  std::unique_ptr<rocksdb::Iterator> iterator() { return iterator(db_->DefaultColumnFamily()); }

  std::unique_ptr<rocksdb::Iterator> iterator(rocksdb::ColumnFamilyHandle* family) {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options, family));
  }

  rocksdb::ColumnFamilyHandle* journal() const { return families_[1]; }

  const ThreadsOfItsOwn threads_;
  std::unique_ptr<rocksdb::DB> db_;
  // Of blobs (the default one) and of the journal.
  const std::vector<rocksdb::ColumnFamilyHandle*> families_;
  const bool lose_unflushed_;
  fs::IoWatch* const watch_;
  const std::function<void(const std::string&)> on_damage_;
  const std::shared_ptr<BackgroundErrors> errors_;
  Mutex write_mutex_;  // Who holds it may change what is pending.
  Pending pending_;
  // The tables took nothing the last time: nothing more becomes pending.
  std::atomic<bool> refused_ = false;
  rocksdb::WriteOptions unlogged_;
};

// What RocksDB warns of, in our log. A log file of its own beside the tables takes the process down
// with an assertion when the disk is full: RocksDB goes on writing to a file that has failed.
class WarningsToLog final : public rocksdb::Logger {
 public:
  explicit WarningsToLog(std::string path)
      : rocksdb::Logger(rocksdb::WARN_LEVEL), path_(std::move(path)) {}

  using rocksdb::Logger::Logv;

  void Logv(const char* format, va_list arguments) override {
    char text[1024];
    const int length = std::vsnprintf(text, sizeof text, format, arguments);
    if (length > 0 && length < static_cast<int>(sizeof text) && text[length - 1] == '\n') {
      text[length - 1] = '\0';
    }
    log::warn("index", "RocksDB says", {{"path", path_}, {"text", text}});
  }

 private:
  const std::string path_;
};

rocksdb::DBOptions database_options(const IndexOptions& options,
                                    std::shared_ptr<BackgroundErrors> errors) {
  rocksdb::DBOptions rocks;
  rocks.create_if_missing = true;
  rocks.create_missing_column_families = true;
  // Families are flushed each by itself, and have each a mark. With atomic_flush RocksDB up to 8.6
  // never takes up again what a flush had written when an error came up beside it: the next flush,
  // recovery and close wait for that for ever.
  rocks.atomic_flush = false;
  rocks.max_background_jobs = 2;
  rocks.max_open_files = 256;
  rocks.info_log_level = rocksdb::WARN_LEVEL;
  rocks.info_log = std::make_shared<WarningsToLog>(options.path);
  rocks.avoid_flush_during_shutdown = true;  // The index asks for it where it should.
  rocks.listeners.push_back(std::move(errors));
  return rocks;
}

// One cache for both families. Checksums are XXH3: Debian's RocksDB computes CRC32C without the
// processor's instruction.
rocksdb::BlockBasedTableOptions table_options(std::shared_ptr<rocksdb::Cache> cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = std::move(cache);
  table.cache_index_and_filter_blocks = true;
  table.checksum = rocksdb::kXXH3;
  return table;
}

rocksdb::ColumnFamilyOptions family_options(const IndexOptions& options,
                                            const rocksdb::BlockBasedTableOptions& table) {
  rocksdb::ColumnFamilyOptions family;
  family.write_buffer_size = options.memtable_bytes;
  family.max_write_buffer_number = 3;
  family.compression = rocksdb::kNoCompression;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return family;
}

// Keys come in random order: every compaction by levels would write the level below anew. Filters
// and index blocks in parts: one of a whole table is larger than a shard of the cache and would be
// read again by every look-up.
rocksdb::ColumnFamilyOptions blobs_family(const IndexOptions& options,
                                          const std::shared_ptr<rocksdb::Cache>& cache) {
  auto table = table_options(cache);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.partition_filters = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  auto family = family_options(options, table);
  family.compaction_style = rocksdb::kCompactionStyleUniversal;
  family.memtable_prefix_bloom_size_ratio = kMemtableFilterRatio;
  family.memtable_whole_key_filtering = true;
  return family;
}

// Keys come in order: tables move down as they are.
rocksdb::ColumnFamilyOptions journal_family(const IndexOptions& options,
                                            const std::shared_ptr<rocksdb::Cache>& cache) {
  return family_options(options, table_options(cache));
}

}  // namespace

Result<std::unique_ptr<Index>> Index::open(const IndexOptions& options) {
  const auto cache = rocksdb::NewLRUCache(options.block_cache_bytes, kCacheShardBits);
  const std::vector<rocksdb::ColumnFamilyDescriptor> described = {
      {rocksdb::kDefaultColumnFamilyName, blobs_family(options, cache)},
      {"journal", journal_family(options, cache)}};
  rocksdb::DB* db = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  // RocksDB would make it as well, after warning that it is not there.
  std::error_code ignored;
  std::filesystem::create_directory(options.path, ignored);
  const fs::IoWatch::Call call(options.watch);
  const auto errors = std::make_shared<BackgroundErrors>(options.on_damage);
  const rocksdb::Status status =
      rocksdb::DB::Open(database_options(options, errors), options.path, described, &families, &db);
  if (!status.ok()) return failed(status);
  return std::make_unique<RocksIndex>(db, std::move(families), options, errors);
}

}  // namespace rondel::index
