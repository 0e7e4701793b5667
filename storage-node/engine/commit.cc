// The log: what waits is written as one batch, flushed, applied to the index, then acknowledged.
#include <algorithm>
#include <cstdlib>
#include <thread>
#include <unordered_map>

#include "common/async/coalesce.h"
#include "common/base/mutex.h"
#include "common/hash/hash64.h"
#include "common/log/log.h"
#include "storage-node/engine/aligned_buffer.h"
#include "storage-node/engine/disk_engine.h"

namespace rondel::engine {

using segment::kBlock;
using segment::RecordHeader;
using segment::RecordKind;

namespace {

constexpr double kLittleSpace = 0.90;  // Used part from which on clients' blobs are refused,
constexpr double kNoSpace = 0.95;      // repairs too.
constexpr double kHysteresis = 0.03;
constexpr auto kSpacePause = std::chrono::milliseconds(200);
constexpr size_t kRemovalsLookedAt = 1024;
constexpr uint64_t kPrepareStep = 4ull << 20;
constexpr uint64_t kPrepareAhead = 16ull << 20;

bool is_put(CommitItem::Kind kind) {
  return kind == CommitItem::Kind::kPut || kind == CommitItem::Kind::kLarge;
}

bool frees_space(const CommitItem& item) {
  return !is_put(item.kind) || item.moved_from.has_value();
}

// Peers are not told of what only moves to another place.
bool is_news(const CommitItem& item) {
  return !item.moved_from && item.kind != CommitItem::Kind::kRepeat;
}

// `now` has the clocks that the trash was looked at by: a blob that was restored since and removed
// again stays.
bool is_due(const index::Entry& entry, const index::Entry& now) {
  return entry.trashed() && entry.purge_at_us <= now.purge_at_us &&
         entry.purge_elapsed_us <= now.purge_elapsed_us;
}

void answer(CommitItem& item, Result<bool> result) {
  if (item.done) item.done(std::move(result));
}

}  // namespace

// What one item does: a record (none: the index alone) and the entry before and after.
struct DiskEngine::Effect {
  CommitItem* item = nullptr;
  std::optional<RecordKind> record;
  std::optional<index::Entry> before;
  std::optional<index::Entry> now;          // Empty: erased, or it was not there.
  std::optional<index::Removal> removal;    // Kept from now on.
  uint64_t offset = 0;                      // Of the record in its segment.
  bool hit = true;                          // What the item's callback is told.
  std::optional<Result<bool>> only_answer;  // Changes nothing.
};

// Of a blob, as it will be once the effects of the batch so far are applied.
struct DiskEngine::Known {
  std::optional<index::Entry> entry;
  // The order of one that is kept. Not looked for while there is an entry.
  std::optional<uint64_t> removal;

  // The order of the removal that stands.
  std::optional<uint64_t> removed() const {
    if (!entry) return removal;
    return entry->trashed() && !entry->dropped ? std::optional(entry->order) : std::nullopt;
  }
};

void DiskEngine::put_async(PutRequest request, ByteSlice bytes,
                           std::vector<hash::BlockDigest> digests, PutCallback done) {
  if (bytes.empty() || bytes.size() > model::kPieceBytes) {
    return done(fail(ErrorCode::kInvalidArgument, "a blob in one message has 1 to 256 KiB"));
  }
  if (hash::block_digests(request.id, 0, bytes.view()) != digests) {
    return done(fail(ErrorCode::kCorruption, "the bytes do not match their digests"));
  }
  if (auto room = take_more(request.background); !room) return done(std::move(room));
  CommitItem item;
  item.entry = {request.id,
                {},
                bytes.size(),
                hash::blob_digest(digests),
                request.ring_epoch,
                static_cast<uint64_t>(request.created_at.time_since_epoch().count()),
                now_us(),
                request.handoff_for,
                0};
  item.bytes = std::move(bytes);
  item.digests = std::move(digests);
  item.fresh = request.fresh;
  item.entry.order = request.order;
  auto callback = std::make_shared<PutCallback>(std::move(done));
  item.done = [callback](Result<bool> result) {
    (*callback)(result ? Result<void>{} : Result<void>(std::unexpected(result.error())));
  };
  if (auto accepted = submit(std::move(item)); !accepted) {
    (*callback)(std::unexpected(accepted.error()));
  }
}

Result<void> DiskEngine::may_commit() const {
  if (read_only_) return std::unexpected(read_only_error());
  if (index_damaged_) {
    return fail(ErrorCode::kUnavailable, "the index is damaged and being made again");
  }
  return {};
}

Result<void> DiskEngine::may_write() const {
  TRY_VOID(may_commit());
  if (stalled()) return fail(ErrorCode::kUnavailable, "the disk does not answer");
  return {};
}

Result<void> DiskEngine::check_order(uint64_t order) const {
  if (order <= highest_order_ || !options_.heard_of || options_.heard_of(order)) return {};
  return fail(ErrorCode::kUnavailable, "no gateway has told of that order");
}

Result<void> DiskEngine::submit(CommitItem item) {
  TRY_VOID(may_write());
  TRY_VOID(check_order(item.entry.order));
  const uint64_t weight = item.weight();
  if (!frees_space(item) && queue_bytes_.load() + weight > options_.queue_bytes_max) {
    return fail(ErrorCode::kResourceExhausted, "the disk's queue is full");
  }
  {
    MutexLock lock(commit_mutex_);
    if (stopping_) return fail(ErrorCode::kUnavailable, "the disk is closed");
    queue_bytes_ += weight;
    commit_queue_.push_back(std::move(item));
  }
  async::Coalesce::once(&commit_ready_, [this] { commit_ready_.notify_one(); });
  return {};
}

// All of them, one after the other; how many were there. Waits.
Result<uint64_t> DiskEngine::submit_all(std::vector<CommitItem> items) {
  struct Wait {
    Mutex mutex;
    CondVar ready;
    size_t left GUARDED_BY(mutex);
    uint64_t hits GUARDED_BY(mutex) = 0;
    std::optional<Error> error GUARDED_BY(mutex);

    explicit Wait(size_t count) : left(count) {}
  };

  auto wait = std::make_shared<Wait>(items.size());
  for (CommitItem& item : items) {
    item.done = [wait](Result<bool> result) {
      MutexLock lock(wait->mutex);
      if (!result) wait->error = result.error();
      if (result && *result) ++wait->hits;
      if (--wait->left == 0) wait->ready.notify_all();
    };
    if (auto accepted = submit(std::move(item)); !accepted) {
      MutexLock lock(wait->mutex);
      wait->error = accepted.error();
      --wait->left;
    }
  }
  MutexLock lock(wait->mutex);
  while (wait->left > 0) wait->ready.wait(wait->mutex);
  if (wait->error) return std::unexpected(*wait->error);
  return wait->hits;
}

void DiskEngine::commit_loop() {
  for (;;) {
    std::deque<CommitItem> items;
    {
      MutexLock lock(commit_mutex_);
      committing_ = false;
      if (index_damaged_) commit_idle_.notify_all();
      while (!stopping_ && commit_queue_.empty()) commit_ready_.wait(commit_mutex_);
      if (stopping_) {
        items.swap(commit_queue_);
        lock.unlock();
        for (CommitItem& item : items) {
          answer(item, fail(ErrorCode::kUnavailable, "the disk is closed"));
        }
        return;
      }
      uint64_t bytes = 0;
      while (!commit_queue_.empty() && items.size() < options_.batch_records_max &&
             bytes < options_.batch_bytes_max) {
        bytes += commit_queue_.front().weight();
        items.push_back(std::move(commit_queue_.front()));
        commit_queue_.pop_front();
      }
      queue_bytes_ -= bytes;
      committing_ = true;
    }
    commit(std::move(items));
  }
}

// What was made after the disk began to remember all it stores, and is not remembered, never came
// here, and was not removed. Who says to have made it later than now has a clock that is not
// believed.
bool DiskEngine::surely_absent(const CommitItem& item) const {
  const auto skew = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(options_.clock_skew_max).count());
  const index::Entry& entry = item.entry;
  const uint64_t since = std::max(recent_.complete_since_us(), removed_.complete_since_us());
  return item.fresh && entry.created_us > since + skew &&
         entry.created_us <= entry.received_us + skew && !recent_.contains(entry.id) &&
         !removed_.contains(entry.id);
}

Result<void> DiskEngine::look_up(const CommitItem& item, Known& known) {
  if (surely_absent(item)) return {};
  TRY(known.entry, index_->find(item.entry.id));
  if (known.entry) return {};
  TRY(const auto removal, index_->find_removal(item.entry.id));
  if (removal) known.removal = removal->order;
  return {};
}

DiskEngine::Effect DiskEngine::decide(CommitItem& item, const Known& known) {
  using Kind = CommitItem::Kind;
  const std::optional<index::Entry>& before = known.entry;
  Effect effect{&item, std::nullopt, before, before, {}, 0, true, std::nullopt};
  const auto nothing = [&effect](bool hit) {
    effect.only_answer = hit;
    return effect;
  };
  switch (item.kind) {
    case Kind::kPut:
    case Kind::kLarge:
      if (!item.moved_from) return decide_put(item, known);
      if (!before || before->at != *item.moved_from) return nothing(false);
      effect.record = item.kind == Kind::kPut ? RecordKind::kPut : RecordKind::kLarge;
      effect.now->at = item.entry.at;
      return effect;
    case Kind::kRemove:
    case Kind::kRestore: return decide_order(item, known);
    case Kind::kHandoff:
      if (!before || before->handoff_for == item.entry.handoff_for) {
        return nothing(before.has_value());
      }
      effect.record = RecordKind::kHandoff;
      effect.now->handoff_for = item.entry.handoff_for;
      return effect;
    case Kind::kRepeat: return decide_repeat(item, known);
    case Kind::kPurge: break;
  }
  if (!before || !is_due(*before, item.entry)) return nothing(false);
  if (!before->dropped) effect.removal = {before->id, before->order, now_us(), elapsed_us()};
  effect.now.reset();
  return effect;
}

// Of a blob that comes, from whoever: a removal holds until a higher order takes it back.
DiskEngine::Effect DiskEngine::decide_put(CommitItem& item, const Known& known) {
  const std::optional<index::Entry>& before = known.entry;
  Effect effect{&item, std::nullopt, before, before, {}, 0, true, std::nullopt};
  const auto nothing = [&effect](Result<bool> result) {
    effect.only_answer = std::move(result);
    return effect;
  };
  if (before && before->digest != item.entry.digest) {
    return nothing(fail(ErrorCode::kAlreadyExists, "another blob is stored under this id"));
  }
  if (const auto removed = known.removed(); removed && item.entry.order <= *removed) {
    return nothing(fail(ErrorCode::kNotFound, "the blob was removed"));
  }
  bool replace = !before;
  // Until the new copy is flushed: finish() takes it off.
  if (before) replace = damaged_->contains(before->id);
  const uint64_t order = std::max(item.entry.order, before ? before->order : 0);
  if (replace) {
    effect.record = item.kind == CommitItem::Kind::kPut ? RecordKind::kPut : RecordKind::kLarge;
    effect.now = item.entry;
  } else if (before->trashed()) {
    effect.record = RecordKind::kRestore;
    effect.now->purge_at_us = effect.now->purge_elapsed_us = 0;
    effect.now->dropped = false;
    effect.now->handoff_for = item.entry.handoff_for;
  } else if (!before->handoff_for.is_zero() && item.entry.handoff_for.is_zero()) {
    effect.record = RecordKind::kHandoff;
    effect.now->handoff_for = {};
  } else if (order > before->order) {
    effect.record = RecordKind::kRestore;
  } else {
    return nothing(false);
  }
  effect.now->order = order;
  return effect;
}

// Removals and restores: of two orders about a blob the higher one holds, whatever order they
// arrive in.
DiskEngine::Effect DiskEngine::decide_order(CommitItem& item, const Known& known) {
  const std::optional<index::Entry>& before = known.entry;
  const uint64_t order = item.entry.order;
  Effect effect{&item, std::nullopt, before, before, {}, 0, true, std::nullopt};
  const auto nothing = [&effect] {
    effect.only_answer = false;
    return effect;
  };
  const auto trash = [&](bool dropped) {
    effect.record = RecordKind::kRemove;
    effect.now->purge_at_us = std::max(item.entry.purge_at_us, before->purge_at_us);
    effect.now->purge_elapsed_us = std::max(item.entry.purge_elapsed_us, before->purge_elapsed_us);
    effect.now->dropped = dropped;
    effect.hit = !before->trashed();
  };
  if (item.copy_only) {
    if (!before || before->trashed()) return nothing();
    trash(true);
    return effect;
  }
  const bool removes = item.kind == CommitItem::Kind::kRemove;
  if (!before) {
    const bool keep = known.removal ? order > *known.removal : item.mark_absent;
    if (!removes || !keep) return nothing();
    effect.record = RecordKind::kRemove;
    effect.removal = {item.entry.id, order, std::max(now_us(), item.entry.purge_at_us),
                      std::max(elapsed_us(), item.entry.purge_elapsed_us)};
    effect.hit = false;
    return effect;
  }
  if (order < before->order) return nothing();
  const bool removed = before->trashed() && !before->dropped;
  if (removes) {
    if (removed && order == before->order) return nothing();
    trash(false);
  } else if (removed) {
    effect.record = RecordKind::kRestore;
    effect.now->purge_at_us = effect.now->purge_elapsed_us = 0;
  } else {
    // It stays as it is, and no older removal gets it any more.
    if (order == before->order) return nothing();
    effect.record = before->dropped ? RecordKind::kRemove : RecordKind::kRestore;
    effect.hit = false;
  }
  effect.now->order = order;
  return effect;
}

// What the index has of a blob beyond its copy, as one record.
DiskEngine::Effect DiskEngine::decide_repeat(CommitItem& item, const Known& known) {
  const std::optional<index::Entry>& before = known.entry;
  Effect effect{&item, std::nullopt, before, before, {}, 0, true, std::nullopt};
  if (!before && known.removal != item.entry.order) {
    effect.only_answer = false;  // It is over since it was looked for.
  } else if (!before) {
    effect.record = RecordKind::kRemove;
    effect.removal = {item.entry.id, item.entry.order, item.entry.purge_at_us,
                      item.entry.purge_elapsed_us};
  } else {
    // A restore says for whom the copy is kept as well.
    effect.record = before->trashed() ? RecordKind::kRemove : RecordKind::kRestore;
  }
  return effect;
}

void DiskEngine::commit(std::deque<CommitItem> items) {
  std::unordered_map<model::BlobId, Known> seen;
  std::unordered_set<model::BlobId> changed;  // By this batch: not flushed yet.
  std::vector<Effect> effects;
  std::deque<CommitItem> orders;  // Of copies that came with one.
  for (CommitItem& item : items) {
    const model::BlobId& id = item.entry.id;
    // What waited while a write failed is not tried behind it.
    if (const auto may = may_commit(); !may) {
      answer(item, std::unexpected(may.error()));
      continue;
    }
    if (!seen.contains(id)) {
      Known known;
      if (auto looked = look_up(item, known); !looked) {
        answer(item, fail(ErrorCode::kUnavailable, looked.error().message));
        continue;
      }
      seen[id] = std::move(known);
    }
    Known& known = seen[id];
    Effect effect = decide(item, known);
    // "It is there already" counts only once what made it so is flushed.
    if (effect.only_answer && !changed.contains(id)) {
      answer(item, *std::move(effect.only_answer));
      continue;
    }
    if (!effect.only_answer) changed.insert(id);
    known.entry = effect.now;
    if (effect.removal) known.removal = effect.removal->order;
    // The record of a copy has no place for an order: a restore behind it tells.
    const bool ordered = is_put(item.kind) && !item.moved_from && !effect.only_answer &&
                         effect.record != RecordKind::kRestore && effect.now->order > 0;
    effects.push_back(std::move(effect));
    if (!ordered) continue;
    CommitItem& order = orders.emplace_back();
    order.kind = CommitItem::Kind::kRestore;
    order.entry.id = id;
    order.entry.order = known.entry->order;
    effects.push_back(
        {&order, RecordKind::kRestore, known.entry, known.entry, {}, 0, true, std::nullopt});
  }
  if (effects.empty()) return;
  const bool only_frees =
      std::ranges::all_of(effects, [](const Effect& effect) { return frees_space(*effect.item); });
  write_batch(effects, only_frees);
}

Result<void> DiskEngine::make_room(uint64_t bytes, bool from_reserve) {
  if (log_file_ && log_position_ + bytes <= options_.segment_bytes) return {};
  auto started = segments_->start(segment::SegmentKind::kLog, sequence_ + 1, from_reserve);
  auto file = started ? fs_.open(segments_->path(started->segment),
                                 {.writable = true, .direct_durable = true})
                      : Result<std::unique_ptr<fs::File>>(std::unexpected(started.error()));
  measure_space();
  if (!file) {
    if (file.error().code != ErrorCode::kStorageFull) become_read_only(file.error());
    return std::unexpected(file.error());
  }
  if (log_file_) segments_->seal(log_.segment, log_position_);
  log_file_ = *std::move(file);
  log_ = *started;
  log_position_ = kBlock;
  MutexLock lock(prepare_mutex_);
  const bool ready = !log_file_->is_direct() || segments_->was_used(log_.segment);
  prepare_file_ = ready ? nullptr : segments_->file(log_.segment, log_.generation);
  prepare_hold_ = ready ? nullptr : segments_->hold(log_.segment);
  prepared_to_ = prepare_target_ = ready ? options_.segment_bytes : kBlock;
  return {};
}

// Deletes and moves go on with the reserve; new blobs are refused.
void DiskEngine::go_on_without_room(std::vector<Effect>& effects, bool only_frees,
                                    const Error& error) {
  std::deque<CommitItem> others;
  for (Effect& effect : effects) {
    if (only_frees || !frees_space(*effect.item)) {
      answer(*effect.item, std::unexpected(error));
    } else {
      others.push_back(std::move(*effect.item));
    }
  }
  if (!others.empty()) commit(std::move(others));
}

// What the log says of an effect, but for the digests and bytes of a blob that lies in the log.
RecordHeader DiskEngine::header_of(const Effect& effect) const {
  const CommitItem& item = *effect.item;
  // Else: the removal of what is not here.
  const index::Entry& entry = effect.now ? *effect.now : item.entry;
  RecordHeader header;
  header.kind = *effect.record;
  header.moved = !is_news(item);
  header.bytes = segment::kRecordHeaderBytes;
  header.id = entry.id;
  header.length = entry.length;
  header.ring_epoch = entry.ring_epoch;
  header.created_us = entry.created_us;
  header.received_us = is_put(item.kind) ? entry.received_us : now_us();
  header.digest = entry.digest;
  header.handoff_for = entry.handoff_for;
  if (header.kind == RecordKind::kLarge) {
    header.extent_segment = entry.at.segment;
    header.extent_generation = entry.at.generation;
    header.extent_offset = entry.at.offset;
  } else if (header.kind == RecordKind::kRemove || header.kind == RecordKind::kRestore) {
    header.order = entry.order;
    header.purge_at_us = entry.purge_at_us;
    header.purge_elapsed_us = entry.purge_elapsed_us;
    header.dropped = entry.dropped;
  }
  return header;
}

// Writes the record of an effect at `at` of a batch, and its place into the entry. Where the next
// one begins.
uint64_t DiskEngine::encode_record(Effect& effect, std::span<std::byte> out, uint64_t at,
                                   uint64_t salt, Places& placed) {
  RecordHeader header = header_of(effect);
  effect.offset = log_position_ + at;
  if (header.kind == RecordKind::kPut) {
    const CommitItem& item = *effect.item;
    header.blocks = static_cast<uint32_t>(item.digests.size());
    header.bytes = static_cast<uint32_t>(segment::record_bytes(item.bytes.size()));
    std::byte* const digests = out.data() + at + segment::kRecordHeaderBytes;
    segment::encode_digests(item.digests, digests);
    std::ranges::copy(item.bytes.view(), digests + 8 * item.digests.size());
    effect.now->at = {log_.segment, log_.generation, effect.offset,
                      segment::round_up(header.bytes, segment::kRecordAlignment), false};
    placed[header.id] = effect.now->at;
  } else if (header.kind == RecordKind::kLarge) {
    placed.erase(header.id);
  }

  segment::encode(header, salt, out.subspan(at));
  const uint64_t next = at + segment::round_up(header.bytes, segment::kRecordAlignment);
  std::ranges::fill(out.subspan(at + header.bytes, next - at - header.bytes), std::byte{0});
  return next;
}

void DiskEngine::write_batch(std::vector<Effect>& effects, bool only_frees) {
  thread_local AlignedBuffer memory;
  uint64_t bytes = segment::kBatchHeaderBytes;
  uint32_t records = 0;
  for (const Effect& effect : effects) {
    if (!effect.record) continue;
    const uint64_t length = *effect.record == RecordKind::kPut
                                ? segment::record_bytes(effect.item->bytes.size())
                                : segment::kRecordHeaderBytes;
    bytes += segment::round_up(length, segment::kRecordAlignment);
    ++records;
  }
  if (records == 0) return finish(effects, 0);
  const uint64_t padded = segment::round_up(bytes, kBlock);
  if (auto room = make_room(padded, only_frees); !room) {
    return go_on_without_room(effects, only_frees, room.error());
  }

  const std::span<std::byte> out = memory.take(padded);
  const uint64_t salt = segment::salt_of(options_.disk, log_.generation);
  uint64_t at = segment::kBatchHeaderBytes;
  Places placed;
  for (Effect& effect : effects) {
    // Decisions were taken before the places were known.
    if (const auto found = placed.find(effect.item->entry.id); found != placed.end()) {
      if (effect.before) effect.before->at = found->second;
      if (effect.now && effect.record != RecordKind::kLarge) effect.now->at = found->second;
    }
    if (effect.record) at = encode_record(effect, out, at, salt, placed);
  }
  std::ranges::fill(out.subspan(at), std::byte{0});

  const ByteView body =
      ByteView(out).subspan(segment::kBatchHeaderBytes, at - segment::kBatchHeaderBytes);
  const segment::BatchHeader header{log_.generation, sequence_ + 1, records, at,
                                    hash::hash64(body, salt)};
  segment::encode(header, salt, out);
  if (auto written = write_log(log_position_, out); !written) {
    become_read_only(written.error());
    for (Effect& effect : effects) {
      answer(*effect.item, fail(ErrorCode::kUnavailable, written.error().message));
    }
    return;
  }
  log_position_ += padded;
  finish(effects, ++sequence_);
}

// Waits until the blocks were written once: only then is a direct write without journal work for
// the file system.
Result<void> DiskEngine::write_log(uint64_t at, ByteView bytes) {
  {
    MutexLock lock(prepare_mutex_);
    const uint64_t end = at + bytes.size();
    if (prepare_target_ < std::min(options_.segment_bytes, end + kPrepareAhead / 2)) {
      prepare_target_ = std::min(options_.segment_bytes, end + kPrepareAhead);
      prepare_ready_.notify_one();
    }
    while (!stopping_ && prepared_to_ < end) prepared_.wait(prepare_mutex_);
    if (prepared_to_ < end) return fail(ErrorCode::kUnavailable, "the disk is closed");
  }
  if (read_only_) return std::unexpected(read_only_error());
  return timed_flush([&] { return log_file_->write_at(at, bytes); });
}

void DiskEngine::prepare_loop() {
  const std::unique_ptr<std::byte, decltype(&std::free)> zeros(
      static_cast<std::byte*>(std::aligned_alloc(kBlock, 1 << 20)), &std::free);
  std::fill_n(zeros.get(), 1 << 20, std::byte{0});
  MutexLock lock(prepare_mutex_);
  for (;;) {
    while (!stopping_ && (!prepare_file_ || prepared_to_ >= prepare_target_)) {
      prepare_ready_.wait(prepare_mutex_);
    }
    if (stopping_) return;
    const auto file = prepare_file_;
    SegmentHold hold = prepare_hold_;
    const uint64_t from = prepared_to_;
    const uint64_t to = std::min(options_.segment_bytes, from + kPrepareStep);
    lock.unlock();
    Result<void> done;
    for (uint64_t at = from; at < to && done; at += 1 << 20) {
      done = file->write_at(at, {zeros.get(), std::min<uint64_t>(1 << 20, to - at)});
    }
    if (done) done = file->flush();
    file->drop_cache(from, to - from);
    hold.reset();
    lock.lock();
    if (!done) become_read_only(done.error());
    if (file == prepare_file_) prepared_to_ = to;
    prepared_.notify_all();
  }
}

void DiskEngine::finish(std::vector<Effect>& effects, uint64_t sequence) {
  auto changes = index_->new_batch();
  size_t position = 0;
  bool news = false;
  uint64_t highest = highest_order_;
  const uint64_t now = now_us(), elapsed = elapsed_us();
  for (const Effect& effect : effects) {
    if (effect.only_answer) continue;
    const bool absent = !effect.before && !effect.now;  // A removal is kept of what is not here.
    if (effect.removal) changes->keep_removal(*effect.removal);
    if (effect.now) changes->store(*effect.now, effect.before);
    if (!effect.now && effect.before) changes->erase(*effect.before);
    if (!effect.record) continue;
    const index::Entry& entry = absent ? effect.item->entry : *effect.now;
    const bool told =
        effect.record != RecordKind::kHandoff && is_news(*effect.item) && !entry.dropped;
    if (told) {
      changes->append_journal({journal_token(sequence, position),
                               effect.record == RecordKind::kRemove, entry, now, elapsed});
    }
    news = news || told;
    highest = std::max(highest, entry.order);
    ++position;
  }
  if (highest > highest_order_) changes->raise_order(highest);
  if (sequence > 0) {
    changes->mark(sequence);
    journal_end_ = journal_token(sequence + 1, 0) - 1;
  }
  if (auto applied = apply_when_there_is_space(*changes); !applied) {
    // A damaged index takes it from the log when it is made again.
    if (!index_damaged_) become_read_only(applied.error());
    for (Effect& effect : effects) {
      answer(*effect.item, fail(ErrorCode::kUnavailable, applied.error().message));
    }
    return;
  }
  highest_order_ = highest;
  for (const Effect& effect : effects) {
    if (!effect.only_answer) note_applied(effect, now);
  }
  {
    const async::Coalesce scope;  // The answers of a batch leave in one message.
    for (Effect& effect : effects) {
      answer(*effect.item,
             effect.only_answer ? *std::move(effect.only_answer) : Result<bool>(effect.hit));
    }
  }
  if (!news) return;
  MutexLock lock(journal_growth_mutex_);
  if (journal_growth_) journal_growth_();
}

// What is remembered of blobs without asking the index.
void DiskEngine::note_applied(const Effect& effect, uint64_t now) {
  const model::BlobId& id = effect.item->entry.id;
  if (effect.before) count(*effect.before, -1);
  if (effect.now) count(*effect.now, 1);
  if (effect.removal || (effect.now && effect.now->dropped)) removed_.add(id, now);
  if (effect.now) recent_.add(id, now);
  if (!effect.now) recent_.remove(id);
  const bool rewritten = effect.before && (!effect.now || effect.now->at != effect.before->at);
  if (rewritten) damaged_->remove(id);
}

// The batch lies in the log already, so the index must take it before anything that follows. A full
// file system ends sometime.
Result<void> DiskEngine::apply_when_there_is_space(index::Index::Batch& changes) {
  auto applied = index_->apply(changes);
  while (!applied && applied.error().code == ErrorCode::kStorageFull && !stopping_) {
    if (space_.exchange(Space::kNone) != Space::kNone) {
      log::warn("engine", "the file system is full: writes wait",
                {{"disk", options_.disk.to_hex()}, {"error", applied.error().message}});
    }
    std::this_thread::sleep_for(kSpacePause);
    applied = index_->apply(changes);
  }
  return applied;
}

// May a new blob come?
Result<void> DiskEngine::take_more(bool background) const {
  const Space space = space_;
  if (space == Space::kEnough || (background && space == Space::kLittle)) return {};
  return fail(ErrorCode::kStorageFull, "the disk is full");
}

// Hysteresis: a mark once reached is left only some percent below it.
void DiskEngine::measure_space() {
  const auto files = segments_->measure();
  const SegmentTotals totals = segments_->totals();
  const auto taken = static_cast<double>(totals.active + totals.sealed);
  const double used = taken / std::max(1.0, taken + static_cast<double>(totals.free));
  const Space before = space_;
  const auto above = [used](double mark, bool already) {
    return used >= (already ? mark - kHysteresis : mark);
  };
  Space now = above(kLittleSpace, before >= Space::kLittle) ? Space::kLittle : Space::kEnough;
  if (above(kNoSpace, before == Space::kNone)) now = Space::kNone;
  // The index grows outside of segments.
  if (files && files->free_bytes < segments_->index_reserve_bytes() / 2) now = Space::kNone;
  space_ = now;
  if (now == before) return;
  log::warn("engine", "space on the disk",
            {{"disk", options_.disk.to_hex()},
             {"used_percent", static_cast<uint64_t>(used * 100)},
             {"takes", now == Space::kEnough   ? "everything"
                       : now == Space::kLittle ? "repairs"
                                               : "deletes"}});
}

bool DiskEngine::stalled() const { return watch_.longer_than(options_.stalled_after); }

void DiskEngine::become_read_only(const Error& error) {
  if (read_only_.exchange(true)) return;
  log::error("engine", "the disk is read-only from now on: a write or flush failed",
             {{"disk", options_.disk.to_hex()}, {"path", options_.path}, {"error", error.message}});
}

namespace {

CommitItem control_item(CommitItem::Kind kind, const model::BlobId& id) {
  CommitItem item;
  item.kind = kind;
  item.entry.id = id;
  return item;
}

}  // namespace

void DiskEngine::remove_async(std::vector<model::BlobId> ids, RemoveOptions options,
                              std::move_only_function<void(Result<uint64_t>)> done) {
  struct Progress {
    std::atomic<size_t> left;
    std::atomic<uint64_t> hits{0};
    Mutex mutex;
    std::optional<Error> error GUARDED_BY(mutex);
    std::move_only_function<void(Result<uint64_t>)> done;
  };

  if (ids.empty()) return done(0);
  auto progress = std::make_shared<Progress>();
  progress->left = ids.size();
  progress->done = std::move(done);
  const auto trash_us = static_cast<uint64_t>(std::max<int64_t>(
      0, std::chrono::duration_cast<std::chrono::microseconds>(options.trash).count()));
  const uint64_t purge_at = now_us() + trash_us + 1, purge_elapsed = elapsed_us() + trash_us;
  for (const model::BlobId& id : ids) {
    CommitItem item = control_item(CommitItem::Kind::kRemove, id);
    item.entry.purge_at_us = purge_at;
    item.entry.purge_elapsed_us = purge_elapsed;
    item.entry.order = options.order;
    item.mark_absent = options.mark_absent;
    item.copy_only = options.copy_only;
    auto finished = [progress](Result<bool> result) {
      if (!result) {
        MutexLock lock(progress->mutex);
        progress->error = result.error();
      } else if (*result) {
        ++progress->hits;
      }
      if (progress->left.fetch_sub(1) != 1) return;
      MutexLock lock(progress->mutex);
      const std::optional<Error> error = std::move(progress->error);
      lock.unlock();
      error ? progress->done(std::unexpected(*error)) : progress->done(progress->hits.load());
    };
    item.done = finished;
    if (auto accepted = submit(std::move(item)); !accepted) {
      finished(std::unexpected(accepted.error()));
    }
  }
}

Result<uint64_t> DiskEngine::restore(std::vector<model::BlobId> ids, uint64_t order) {
  std::vector<CommitItem> items;
  for (const model::BlobId& id : ids) {
    items.push_back(control_item(CommitItem::Kind::kRestore, id));
    items.back().entry.order = order;
  }
  return submit_all(std::move(items));
}

// A part of them in each round of maintenance.
Result<void> DiskEngine::drop_removals() {
  const auto period = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(options_.journal_period).count());
  const auto before = [period](uint64_t now) { return now - std::min(now, period); };
  TRY(removals_looked_at_, index_->drop_removals(removals_looked_at_, before(now_us()),
                                                 before(elapsed_us()), kRemovalsLookedAt));
  return {};
}

Result<void> DiskEngine::set_handoff(const model::BlobId& id, model::DiskId handoff_for) {
  std::vector<CommitItem> items;
  items.push_back(control_item(CommitItem::Kind::kHandoff, id));
  items.back().entry.handoff_for = handoff_for;
  TRY(const uint64_t there, submit_all(std::move(items)));
  if (there == 0) return fail(ErrorCode::kNotFound, "no such blob");
  return {};
}

}  // namespace rondel::engine
