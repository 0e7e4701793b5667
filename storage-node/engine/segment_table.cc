#include "storage-node/engine/segment_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace rondel::engine {

using segment::SegmentHeader;
using segment::SegmentKind;

namespace {

// Of the file system, or a twentieth of a small one.
constexpr uint64_t kIndexReserve = 256ull << 20;

// A log that a crash left empty begins where the one after it begins: the later one holds the
// batches.
void sort_logs(std::vector<SegmentHeader>& logs) {
  std::ranges::sort(logs, {}, [](const SegmentHeader& header) {
    return std::pair(header.first_sequence, header.generation);
  });
}

std::optional<uint32_t> id_of(const std::string& name) {
  uint32_t id = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id, 16);
  if (error != std::errc() || name.size() != 12 || std::string_view(end) != ".seg") {
    return std::nullopt;
  }
  return id;
}

}  // namespace

SegmentTable::SegmentTable(fs::FileSystem& fs, std::string folder, model::DiskId disk,
                           uint64_t segment_bytes, size_t segments_max)
    : fs_(fs),
      folder_(std::move(folder)),
      disk_(disk),
      segment_bytes_(segment_bytes),
      segments_max_(segments_max) {}

std::string SegmentTable::path(uint32_t id) const {
  return fmt::format("{}/{:08x}.seg", folder_, id);
}

Result<void> SegmentTable::load() {
  TRY(const fs::Space whole, measure());
  index_reserve_ = std::min(kIndexReserve, whole.total_bytes / 20);
  TRY(const auto names, fs_.list(folder_));
  for (const std::string& name : names) {
    const auto id = id_of(name);
    if (!id) continue;
    Segment segment = load_one(*id);
    MutexLock lock(mutex_);
    last_generation_ =
        std::max({last_generation_, segment.header.generation, segment.freed.generation});
    segments_.emplace(*id, std::move(segment));
  }
  return {};
}

SegmentTable::Segment SegmentTable::load_one(uint32_t id) {
  Segment segment;
  segment.header.segment = id;
  segment.state = State::kSealed;
  segment.headless = true;
  auto file = fs_.open(path(id), {.writable = true});
  if (!file) {
    segment.broken = segment.used_before = true;
    ++damaged_headers_;
    return segment;
  }
  segment.file = *std::move(file);
  const auto size = segment.file->size();
  segment.allocated = size && *size >= segment_bytes_;

  std::vector<std::byte> block(segment::kBlock);
  const auto got = segment.file->read_at(0, block);
  const auto header =
      got ? segment::decode_segment_header(ByteView(block).first(*got)) : std::nullopt;
  const bool ours = header && header->segment == id && header->disk == disk_;
  const bool blank =
      got && std::ranges::all_of(block, [](std::byte byte) { return byte == std::byte{0}; });
  if (ours && segment::is_freed(header->kind)) {
    segment.freed = *header;
    segment.state = State::kFree;
    segment.headless = false;
    segment.used_before = true;
    return segment;
  }
  const auto found = ours ? header : identify(*segment.file, id);
  if (found) segment.header = *found;
  segment.headless = !found;
  segment.mend_header = found && !ours;
  segment.used_before = found || !blank;
  if (!ours && (!got || !header) && segment.used_before) ++damaged_headers_;
  return segment;
}

// Of the newest use of the segment; of a log the first batch that can be read, since they follow in
// order.
std::optional<SegmentHeader> SegmentTable::identify(fs::File& file, uint32_t id) const {
  constexpr size_t kStep = 1 << 20;
  std::optional<SegmentHeader> newest;
  std::vector<std::byte> bytes(kStep);
  const auto look = [&](ByteView block) {
    const auto found = segment::identify(block, disk_, id);
    if (found && (!newest || found->generation > newest->generation)) newest = found;
  };
  for (uint64_t at = segment::kBlock; at < segment_bytes_; at += kStep) {
    const std::span<std::byte> part(bytes.data(), std::min<uint64_t>(kStep, segment_bytes_ - at));
    const auto got = file.read_at(at, part);
    for (uint64_t i = 0; i + segment::kBlock <= part.size(); i += segment::kBlock) {
      const std::span<std::byte> block = part.subspan(i, segment::kBlock);
      // One sector that cannot be read fails the whole read: then each block is asked for by
      // itself.
      const auto one = got ? got : file.read_at(at + i, block);
      if (one && (!got || i + segment::kBlock <= *got)) look(block);
    }
    if (got && *got < part.size()) break;
  }
  return newest;
}

void SegmentTable::settle() {
  std::vector<std::pair<std::shared_ptr<fs::File>, SegmentHeader>> mended;
  {
    MutexLock lock(mutex_);
    for (auto& [id, segment] : segments_) {
      if (segment.headless && segment.header.generation == 0 && !segment.broken) {
        segment.state = State::kFree;
      }
      segment.headless = false;
      if (std::exchange(segment.mend_header, false)) {
        mended.emplace_back(segment.file, segment.header);
      }
    }
  }
  // Where that fails the header follows from the segment once more at the next start.
  for (const auto& [file, header] : mended) {
    if (file->write_at(0, as_bytes(segment::encode(header)))) (void)file->flush();
  }
}

void SegmentTable::forget_counts() {
  MutexLock lock(mutex_);
  for (auto& [id, segment] : segments_) segment.live_bytes = segment.trash_bytes = 0;
}

bool SegmentTable::any_used() const {
  MutexLock lock(mutex_);
  return std::ranges::any_of(segments_,
                             [](const auto& segment) { return segment.second.used_before; });
}

std::vector<SegmentHeader> SegmentTable::headers(SegmentKind kind) const {
  MutexLock lock(mutex_);
  std::vector<SegmentHeader> found;
  for (const auto& [id, segment] : segments_) {
    const bool known =
        segment.state != State::kFree && !segment.headless && segment.header.generation != 0;
    if (known && segment.header.kind == kind) found.push_back(segment.header);
  }
  return found;
}

std::vector<SegmentHeader> SegmentTable::logs() const {
  auto logs = headers(SegmentKind::kLog);
  sort_logs(logs);
  return logs;
}

std::vector<SegmentHeader> SegmentTable::logs_and_freed() const {
  auto logs = headers(SegmentKind::kLog);
  {
    MutexLock lock(mutex_);
    for (const auto& [id, segment] : segments_) {
      const bool freed = segment.state == State::kFree && segment.freed.generation != 0;
      if (freed && segment.freed.kind == SegmentKind::kFreedLog) logs.push_back(segment.freed);
    }
  }
  sort_logs(logs);
  return logs;
}

std::vector<SegmentHeader> SegmentTable::bulks() const {
  auto bulks = headers(SegmentKind::kBulk);
  std::ranges::sort(bulks, {}, &SegmentHeader::generation);
  return bulks;
}

// What the file system has room for, and was declared.
uint64_t SegmentTable::unmade_locked() const {
  const uint64_t declared = segments_max_ > segments_.size() ? segments_max_ - segments_.size() : 0;
  const uint64_t free = file_system_free_;
  return std::min<uint64_t>(declared, (free - std::min(free, index_reserve_)) / segment_bytes_);
}

size_t SegmentTable::available_locked() const {
  const auto free = std::ranges::count(segments_, State::kFree,
                                       [](const auto& segment) { return segment.second.state; });
  return static_cast<size_t>(free) +
         (segments_max_ > segments_.size() ? segments_max_ - segments_.size() : 0);
}

bool SegmentTable::can_start(bool from_reserve) const {
  MutexLock lock(mutex_);
  return available_locked() > (from_reserve ? 0 : kReserved);
}

// In memory: from here on nobody else takes the segment. One that is allocated goes before one that
// is not.
Result<SegmentHeader> SegmentTable::take(SegmentKind kind, uint64_t first_sequence,
                                         bool from_reserve) {
  MutexLock lock(mutex_);
  if (available_locked() <= (from_reserve ? 0 : kReserved)) {
    return fail(ErrorCode::kStorageFull, "the disk is full");
  }
  const auto find = [this](bool allocated) REQUIRES(mutex_) {
    return std::ranges::find_if(segments_, [&](const auto& one) {
      return one.second.state == State::kFree && one.second.allocated == allocated;
    });
  };
  auto chosen = find(true);
  if (chosen == segments_.end()) chosen = find(false);
  if (chosen == segments_.end()) {
    uint32_t id = 0;
    while (segments_.contains(id)) ++id;
    chosen = segments_.emplace(id, Segment{}).first;
    chosen->second.header.segment = id;
  }
  chosen->second.state = State::kActive;
  chosen->second.freed = {};
  chosen->second.live_bytes = chosen->second.trash_bytes = 0;
  return SegmentHeader{chosen->first, kind, ++last_generation_, first_sequence, disk_};
}

// On the disk: makes the file where there is none, reserves its space and writes its header.
Result<std::shared_ptr<fs::File>> SegmentTable::begin(const SegmentHeader& header,
                                                      std::shared_ptr<fs::File> file,
                                                      bool allocated) {
  if (!allocated) {
    TRY(const fs::Space now, measure());
    if (now.free_bytes < segment_bytes_ + index_reserve_) {
      return fail(ErrorCode::kStorageFull, "the file system is full");
    }
    const bool made = file == nullptr;
    if (made) {
      TRY(file, fs_.open(path(header.segment), {.create = true, .writable = true}));
    }
    if (auto reserved = file->allocate(0, segment_bytes_); !reserved) {
      if (made) {
        file.reset();
        (void)fs_.remove(path(header.segment));
      }
      return std::unexpected(reserved.error());
    }
    TRY_VOID(file->flush());
    TRY_VOID(fs_.flush_directory(folder_));
  }
  TRY_VOID(file->write_at(0, as_bytes(segment::encode(header))));
  TRY_VOID(file->flush());
  return file;
}

Result<SegmentHeader> SegmentTable::start(SegmentKind kind, uint64_t first_sequence,
                                          bool from_reserve) {
  TRY(const SegmentHeader header, take(kind, first_sequence, from_reserve));
  std::shared_ptr<fs::File> file;
  bool allocated = false;
  {
    MutexLock lock(mutex_);
    file = segments_.at(header.segment).file;
    allocated = segments_.at(header.segment).allocated;
  }
  const bool made = file == nullptr;
  auto begun = begin(header, std::move(file), allocated);
  MutexLock lock(mutex_);
  const auto segment = segments_.find(header.segment);
  if (!begun) {
    segment->second.state = State::kFree;
    if (made) segments_.erase(segment);
    return std::unexpected(begun.error());
  }
  segment->second.file = *std::move(begun);
  segment->second.allocated = true;
  segment->second.header = header;
  return header;
}

SegmentHold SegmentTable::hold(uint32_t id) const {
  MutexLock lock(mutex_);
  return segments_.at(id).held;
}

Result<fs::Space> SegmentTable::measure() {
  TRY(const fs::Space now, fs_.space(folder_));
  file_system_free_ = now.free_bytes;
  return now;
}

void SegmentTable::seal(uint32_t id, uint64_t end) {
  MutexLock lock(mutex_);
  Segment& segment = segments_.at(id);
  segment.state = State::kSealed;
  segment.unused_bytes = segment_bytes_ - std::min(segment_bytes_, end);
}

Result<void> SegmentTable::release(uint32_t id) {
  std::shared_ptr<fs::File> file;
  SegmentHeader freed;
  {
    MutexLock lock(mutex_);
    file = segments_.at(id).file;
    freed = segments_.at(id).header;
  }
  freed.kind = freed.kind == SegmentKind::kLog ? SegmentKind::kFreedLog : SegmentKind::kFreedBulk;
  // A crash before this leaves a sealed segment in which the index knows nothing: it is freed once
  // more.
  TRY_VOID(file->write_at(0, as_bytes(segment::encode(freed))));
  TRY_VOID(file->flush());

  MutexLock lock(mutex_);
  Segment& segment = segments_.at(id);
  segment.state = State::kFree;
  segment.used_before = true;
  segment.freed = freed;
  segment.header.generation = 0;
  segment.passed_over_until = segment.kept_empty_until = {};
  segment.unused_bytes = 0;
  return {};
}

std::shared_ptr<fs::File> SegmentTable::file(uint32_t id, uint64_t generation) const {
  MutexLock lock(mutex_);
  const auto found = segments_.find(id);
  if (found == segments_.end() || found->second.header.generation != generation) return nullptr;
  return found->second.file;
}

std::shared_ptr<fs::File> SegmentTable::log_file(const SegmentHeader& header) const {
  if (!segment::is_freed(header.kind)) return file(header.segment, header.generation);
  MutexLock lock(mutex_);
  const auto found = segments_.find(header.segment);
  if (found == segments_.end() || found->second.freed.generation != header.generation) {
    return nullptr;
  }
  return found->second.file;
}

bool SegmentTable::is_current(const index::Location& at) const {
  MutexLock lock(mutex_);
  const auto found = segments_.find(at.segment);
  if (found == segments_.end()) return false;
  const Segment& segment = found->second;
  // Of a segment without a header it is not known.
  if (segment.header.generation == 0 && (segment.broken || segment.headless)) return true;
  return segment.header.generation == at.generation;
}

void SegmentTable::add(const index::Location& at, bool trashed, int sign) {
  MutexLock lock(mutex_);
  const auto found = segments_.find(at.segment);
  if (found == segments_.end()) return;
  if (found->second.headless && found->second.header.generation == 0) {
    found->second.header = {at.segment, at.large ? SegmentKind::kBulk : SegmentKind::kLog,
                            at.generation, 0, disk_};
    found->second.used_before = true;
    last_generation_ = std::max(last_generation_, at.generation);
  }
  if (found->second.header.generation != at.generation) return;
  uint64_t& counter = trashed ? found->second.trash_bytes : found->second.live_bytes;
  counter = sign > 0 ? counter + at.bytes : counter - std::min(counter, at.bytes);
}

std::vector<SegmentHeader> SegmentTable::find_empty(SteadyTime now) const {
  MutexLock lock(mutex_);
  std::vector<SegmentHeader> empty;
  for (const auto& [id, segment] : segments_) {
    const bool over = segment.state == State::kSealed && segment.kept_bytes() == 0;
    if (segment.is_held() || segment.broken || segment.kept_empty_until > now) continue;
    if (over) empty.push_back(segment.header);
  }
  return empty;
}

void SegmentTable::keep_empty(uint32_t id, SteadyTime until) {
  MutexLock lock(mutex_);
  segments_.at(id).kept_empty_until = until;
}

std::optional<SegmentHeader> SegmentTable::find_garbage(double ratio, SteadyTime now) const {
  MutexLock lock(mutex_);
  std::optional<SegmentHeader> best;
  auto threshold = static_cast<uint64_t>(static_cast<double>(segment_bytes_) * (1 - ratio));
  for (const auto& [id, segment] : segments_) {
    const uint64_t kept = segment.kept_or_unused_bytes();
    if (segment.state != State::kSealed || segment.broken || segment.is_held()) continue;
    if (segment.kept_bytes() == 0 || kept > threshold || segment.passed_over_until > now) continue;
    threshold = kept;
    best = segment.header;
  }
  return best;
}

void SegmentTable::pass_over(uint32_t id, SteadyTime until) {
  MutexLock lock(mutex_);
  segments_.at(id).passed_over_until = until;
}

bool SegmentTable::is_empty(uint32_t id) const {
  MutexLock lock(mutex_);
  return segments_.at(id).kept_bytes() == 0;
}

SegmentTotals SegmentTable::totals() const {
  MutexLock lock(mutex_);
  SegmentTotals totals;
  for (const auto& [id, segment] : segments_) {
    totals.live_bytes += segment.live_bytes;
    totals.trash_bytes += segment.trash_bytes;
    switch (segment.state) {
      case State::kFree: ++totals.free; break;
      case State::kActive: ++totals.active; break;
      case State::kSealed:
        ++totals.sealed;
        totals.dead_bytes +=
            segment_bytes_ - std::min(segment_bytes_, segment.kept_or_unused_bytes());
    }
  }
  totals.free += unmade_locked();
  totals.free_bytes = totals.free * segment_bytes_;
  return totals;
}

bool SegmentTable::full() const { return totals().free <= kReserved; }

bool SegmentTable::was_used(uint32_t id) const {
  MutexLock lock(mutex_);
  return segments_.at(id).used_before;
}

}  // namespace rondel::engine
