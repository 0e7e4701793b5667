#include "storage-node/engine/elapsed_clock.h"

#include <algorithm>
#include <array>
#include <optional>

#include "common/base/bytes.h"
#include "common/hash/hash64.h"
#include "common/log/log.h"

namespace rondel::engine {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kMagic = 0x314b4c434d52444e;  // "NDRMCLK1"
// Two places that are written in turn: a torn write leaves the other one.
constexpr uint64_t kSlotBytes = 4096;
constexpr uint64_t kSlots = 2;
constexpr size_t kRecordBytes = 32;
constexpr uint64_t kKeepPeriodUs = std::chrono::microseconds(10s).count();

struct Record {
  uint64_t writes = 0;  // So many records came before: the greater one is the newer.
  uint64_t elapsed_us = 0;
};

std::array<std::byte, kRecordBytes> encode(const Record& record) {
  std::array<std::byte, kRecordBytes> out{};
  store_le(out.data(), kMagic);
  store_le(out.data() + 8, record.writes);
  store_le(out.data() + 16, record.elapsed_us);
  store_le(out.data() + 24, hash::hash64(ByteView(out).first(24)));
  return out;
}

std::optional<Record> decode(ByteView bytes) {
  if (bytes.size() != kRecordBytes || load_le<uint64_t>(bytes.data()) != kMagic ||
      load_le<uint64_t>(bytes.data() + 24) != hash::hash64(bytes.first(24))) {
    return std::nullopt;
  }
  return Record{load_le<uint64_t>(bytes.data() + 8), load_le<uint64_t>(bytes.data() + 16)};
}

}  // namespace

ElapsedClock::ElapsedClock(fs::FileSystem& fs, const std::string& folder, const Clock& clock)
    : fs_(fs), path_(folder + "/clock"), clock_(clock) {}

void ElapsedClock::open(uint64_t at_least_us) {
  MutexLock lock(keep_mutex_);
  auto file = fs_.open(path_, {.writable = true});
  const bool fresh = !file && file.error().code == ErrorCode::kNotFound;
  if (fresh) file = make();
  if (file) file_ = *std::move(file);
  if (file_ && !fresh) read();
  forgotten_ = kept_us_ == 0 && at_least_us == 0;
  base_us_ = std::max(kept_us_, at_least_us);
  start_ = clock_.steady_now();
  const auto kept = file_ ? keep_locked() : Result<void>(std::unexpected(file.error()));
  if (!kept) {
    log::warn("engine", "the disk's clock is not kept",
              {{"path", path_}, {"error", kept.error().message}});
  }
}

Result<std::unique_ptr<fs::File>> ElapsedClock::make() {
  TRY(auto file, fs_.open(path_, {.create = true, .writable = true}));
  TRY_VOID(file->allocate(0, kSlots * kSlotBytes));
  TRY_VOID(file->flush());
  TRY_VOID(fs_.flush_directory(path_.substr(0, path_.rfind('/'))));
  return file;
}

// A place that cannot be read or does not hold a record is passed over: the other one is older by
// seconds.
void ElapsedClock::read() {
  std::optional<Record> newest;
  for (uint64_t slot = 0; slot < kSlots; ++slot) {
    std::array<std::byte, kRecordBytes> raw{};
    const auto got = file_->read_at(slot * kSlotBytes, raw);
    const auto record = got ? decode(ByteView(raw).first(*got)) : std::nullopt;
    if (record && (!newest || record->writes > newest->writes)) newest = record;
  }
  if (!newest) {
    log::warn("engine", "the disk's clock cannot be read and goes on by the index",
              {{"path", path_}});
    return;
  }
  writes_ = newest->writes + 1;
  kept_us_ = newest->elapsed_us;
}

uint64_t ElapsedClock::now_us() const {
  const auto passed =
      std::chrono::duration_cast<std::chrono::microseconds>(clock_.steady_now() - start_);
  return base_us_ + static_cast<uint64_t>(std::max<int64_t>(0, passed.count()));
}

Result<void> ElapsedClock::keep() {
  MutexLock lock(keep_mutex_);
  return keep_locked();
}

Result<void> ElapsedClock::keep_locked() {
  if (!file_) return fail(ErrorCode::kUnavailable, "no file");
  const uint64_t now = now_us();
  // A write that failed is not tried again in its place.
  const uint64_t slot = writes_++ % kSlots;
  TRY_VOID(file_->write_at(slot * kSlotBytes, encode({writes_ - 1, now})));
  TRY_VOID(file_->flush());
  kept_us_ = now;
  return {};
}

Result<bool> ElapsedClock::keep_when_due() {
  {
    MutexLock lock(keep_mutex_);
    if (!file_ || now_us() < kept_us_ + kKeepPeriodUs) return false;
  }
  TRY_VOID(keep());
  return true;
}

}  // namespace rondel::engine
