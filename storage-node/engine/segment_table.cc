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

std::optional<uint32_t> id_of(const std::string& name) {
  uint32_t id = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id, 16);
  if (error != std::errc() || name.size() != 12 || std::string_view(end) != ".seg") return std::nullopt;
  return id;
}

}  // namespace

SegmentTable::SegmentTable(fs::FileSystem& fs, std::string folder, model::DiskId disk, uint64_t segment_bytes, size_t segments_max)
    : fs_(fs), folder_(std::move(folder)), disk_(disk), segment_bytes_(segment_bytes), segments_max_(segments_max) {}

std::string SegmentTable::path(uint32_t id) const { return fmt::format("{}/{:08x}.seg", folder_, id); }

Result<void> SegmentTable::load() {
  std::lock_guard lock(mutex_);
  TRY(const fs::Space whole, fs_.space(folder_));
  index_reserve_ = std::min(kIndexReserve, whole.total_bytes / 20);
  TRY(const auto names, fs_.list(folder_));
  for (const std::string& name : names) {
    const auto id = id_of(name);
    if (!id) continue;
    Segment segment;
    TRY(segment.file, fs_.open(path(*id), {.writable = true}));
    std::vector<std::byte> block(segment::kBlock);
    TRY(const size_t got, segment.file->read_at(0, block));
    const auto header = segment::decode_segment_header(ByteView(block).first(got));
    segment.header.segment = *id;
    if (header && header->segment == *id && header->disk == disk_) {
      segment.header = *header;
      segment.state = State::kSealed;
      segment.used_before = true;
      last_generation_ = std::max(last_generation_, header->generation);
    } else if (std::ranges::any_of(block, [](std::byte byte) { return byte != std::byte{0}; })) {
      segment.state = State::kSealed;
      segment.used_before = segment.headless = true;
    }
    segments_.emplace(*id, std::move(segment));
  }
  return {};
}

void SegmentTable::settle() {
  std::lock_guard lock(mutex_);
  for (auto& [id, segment] : segments_) {
    if (segment.headless && segment.header.generation == 0) segment.state = State::kFree;
    segment.headless = false;
  }
}

bool SegmentTable::any_used() const {
  std::lock_guard lock(mutex_);
  return std::ranges::any_of(segments_, [](const auto& segment) { return segment.second.used_before; });
}

std::vector<SegmentHeader> SegmentTable::headers(SegmentKind kind) const {
  std::lock_guard lock(mutex_);
  std::vector<SegmentHeader> found;
  for (const auto& [id, segment] : segments_) {
    if (segment.state != State::kFree && !segment.headless && segment.header.kind == kind) found.push_back(segment.header);
  }
  return found;
}

std::vector<SegmentHeader> SegmentTable::logs() const {
  auto logs = headers(SegmentKind::kLog);
  // A log that a crash left empty begins where the one after it begins: the later one holds the batches.
  std::ranges::sort(logs, {}, [](const SegmentHeader& header) { return std::pair(header.first_sequence, header.generation); });
  return logs;
}

std::vector<SegmentHeader> SegmentTable::bulks() const {
  auto bulks = headers(SegmentKind::kBulk);
  std::ranges::sort(bulks, {}, &SegmentHeader::generation);
  return bulks;
}

Result<uint32_t> SegmentTable::make_locked() {
  TRY(const fs::Space now, fs_.space(folder_));
  if (now.free_bytes < segment_bytes_ + index_reserve_) return fail(ErrorCode::kResourceExhausted, "the file system is full");
  uint32_t id = 0;
  while (segments_.contains(id)) ++id;
  Segment segment;
  segment.header.segment = id;
  TRY(segment.file, fs_.open(path(id), {.create = true, .writable = true}));
  if (auto allocated = segment.file->allocate(0, segment_bytes_); !allocated) {
    segment.file.reset();
    (void)fs_.remove(path(id));
    return std::unexpected(allocated.error());
  }
  TRY_VOID(segment.file->flush());
  TRY_VOID(fs_.flush_directory(folder_));
  segments_.emplace(id, std::move(segment));
  return id;
}

Result<SegmentHeader> SegmentTable::start(SegmentKind kind, uint64_t first_sequence, bool from_reserve) {
  std::lock_guard lock(mutex_);
  size_t available = segments_max_ > segments_.size() ? segments_max_ - segments_.size() : 0;
  Segment* chosen = nullptr;
  for (auto& [id, segment] : segments_) {
    if (segment.state != State::kFree) continue;
    ++available;
    if (chosen == nullptr) chosen = &segment;
  }
  if (available <= (from_reserve ? 0 : kReserved)) return fail(ErrorCode::kResourceExhausted, "the disk is full");
  if (chosen == nullptr) {
    TRY(const uint32_t made, make_locked());
    chosen = &segments_.at(made);
  }
  SegmentHeader header{chosen->header.segment, kind, ++last_generation_, first_sequence, disk_};
  TRY_VOID(chosen->file->write_at(0, as_bytes(segment::encode(header))));
  TRY_VOID(chosen->file->flush());
  chosen->header = header;
  chosen->state = State::kActive;
  chosen->live_bytes = chosen->trash_bytes = 0;
  return header;
}

void SegmentTable::seal(uint32_t id) {
  std::lock_guard lock(mutex_);
  segments_.at(id).state = State::kSealed;
}

void SegmentTable::release(uint32_t id) {
  std::lock_guard lock(mutex_);
  Segment& segment = segments_.at(id);
  segment.state = State::kFree;
  segment.used_before = true;
  segment.header.generation = 0;
}

std::shared_ptr<fs::File> SegmentTable::file(uint32_t id, uint64_t generation) const {
  std::lock_guard lock(mutex_);
  const auto found = segments_.find(id);
  if (found == segments_.end() || found->second.header.generation != generation) return nullptr;
  return found->second.file;
}

void SegmentTable::add(const index::Location& at, bool trashed, int sign) {
  std::lock_guard lock(mutex_);
  const auto found = segments_.find(at.segment);
  if (found == segments_.end()) return;
  if (found->second.headless && found->second.header.generation == 0) {
    found->second.header = {at.segment, at.large ? SegmentKind::kBulk : SegmentKind::kLog, at.generation, 0, disk_};
    last_generation_ = std::max(last_generation_, at.generation);
  }
  if (found->second.header.generation != at.generation) return;
  uint64_t& counter = trashed ? found->second.trash_bytes : found->second.live_bytes;
  counter = sign > 0 ? counter + at.bytes : counter - std::min(counter, at.bytes);
}

std::vector<uint32_t> SegmentTable::find_empty() const {
  std::lock_guard lock(mutex_);
  std::vector<uint32_t> empty;
  for (const auto& [id, segment] : segments_) {
    if (segment.state == State::kSealed && segment.live_bytes == 0 && segment.trash_bytes == 0) empty.push_back(id);
  }
  return empty;
}

std::optional<SegmentHeader> SegmentTable::find_garbage(double ratio) const {
  std::lock_guard lock(mutex_);
  const SteadyTime now = std::chrono::steady_clock::now();
  std::optional<SegmentHeader> best;
  auto threshold = static_cast<uint64_t>(static_cast<double>(segment_bytes_) * (1 - ratio));
  for (const auto& [id, segment] : segments_) {
    const uint64_t kept = segment.live_bytes + segment.trash_bytes;
    if (segment.state != State::kSealed || kept > threshold || segment.passed_over_until > now) continue;
    threshold = kept;
    best = segment.header;
  }
  return best;
}

void SegmentTable::pass_over(uint32_t id, SteadyTime until) {
  std::lock_guard lock(mutex_);
  segments_.at(id).passed_over_until = until;
}

bool SegmentTable::is_empty(uint32_t id) const {
  std::lock_guard lock(mutex_);
  const Segment& segment = segments_.at(id);
  return segment.live_bytes == 0 && segment.trash_bytes == 0;
}

SegmentTotals SegmentTable::totals() const {
  std::lock_guard lock(mutex_);
  SegmentTotals totals;
  for (const auto& [id, segment] : segments_) {
    totals.live_bytes += segment.live_bytes;
    totals.trash_bytes += segment.trash_bytes;
    const uint64_t kept = segment.live_bytes + segment.trash_bytes;
    switch (segment.state) {
      case State::kFree: ++totals.free; break;
      case State::kActive: ++totals.active; break;
      case State::kSealed:
        ++totals.sealed;
        totals.dead_bytes += segment_bytes_ - std::min(segment_bytes_, kept);
    }
  }
  size_t unmade = segments_max_ > segments_.size() ? segments_max_ - segments_.size() : 0;
  // The file system may have less than was declared.
  if (const auto now = fs_.space(folder_)) {
    unmade = std::min<size_t>(unmade, (now->free_bytes - std::min(now->free_bytes, index_reserve_)) / segment_bytes_);
  }
  totals.free += unmade;
  totals.free_bytes = totals.free * segment_bytes_;
  return totals;
}

bool SegmentTable::full() const { return totals().free <= kReserved; }

bool SegmentTable::was_used(uint32_t id) const {
  std::lock_guard lock(mutex_);
  return segments_.at(id).used_before;
}

}  // namespace rondel::engine
