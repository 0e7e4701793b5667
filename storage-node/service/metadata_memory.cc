#include "storage-node/service/metadata_memory.h"

#include <fmt/format.h>

#include <sstream>

#include "common/log/log.h"

namespace rondel::node {
namespace {

using namespace std::chrono_literals;

constexpr auto kStorePause = 10s;
constexpr auto kConfirmationLife = 5s;
constexpr int kLayout = 2;
constexpr const char* kRestoreWaits =
    "the trash of the disk is yet to be looked through for what rows refer to";

}  // namespace

// One line: layout, accepted, system, counter and value of the mark, beat.
Result<void> MetadataMemory::load() {
  const auto text = fs::read_file(files_, file_);
  if (!text && text.error().code == ErrorCode::kNotFound) return {};
  TRY_VOID(text);
  std::istringstream in(*text);
  int layout = 0;
  model::MetadataGeneration read;
  in >> layout >> read.accepted >> read.system;
  in >> read.mark.counter >> read.mark.value >> read.beat;
  const bool reads = in && layout == kLayout;
  if (!reads) return fail(ErrorCode::kCorruption, file_ + " is damaged");
  std::lock_guard change(change_mutex_);
  std::lock_guard lock(mutex_);
  seen_ = read;
  return {};
}

model::MetadataGeneration MetadataMemory::seen() const {
  std::lock_guard lock(mutex_);
  return seen_;
}

std::string MetadataMemory::why_not_purging(const model::DiskId& disk) const {
  std::lock_guard lock(mutex_);
  if (!stopped_.empty()) return stopped_;
  if (clock_.steady_now() - confirmed_at_ > kConfirmationLife) {
    return "no gateway has answered of late";
  }
  const auto said = disks_.find(disk);
  if (said == disks_.end()) return "no gateway has answered about the disk yet";
  return said->second ? "" : kRestoreWaits;
}

void MetadataMemory::log_changes(const std::map<model::DiskId, bool>& before,
    const std::map<model::DiskId, bool>& now) {
  for (const auto& [disk, may] : now) {
    const auto said = before.find(disk);
    // What holds from the start needs no word.
    if (said == before.end() ? may : said->second == may) continue;
    if (may) {
      log::info("ring", "purging goes on", {{"disk", disk.to_hex()}});
    } else {
      log::warn("ring", "nothing is purged",
          {{"disk", disk.to_hex()}, {"reason", kRestoreWaits}});
    }
  }
}

void MetadataMemory::hear(const Answer& answer) {
  if (answer.recognition == model::Recognition::kUnknown) return;
  const SteadyTime now = clock_.steady_now();
  const std::unique_lock change(change_mutex_, patience_);
  if (!change) {
    std::lock_guard lock(mutex_);
    stopped_ = "what was seen of the database cannot be written: a write hangs";
    return;
  }
  // What was asked is not what is remembered by now: the answer says nothing about it.
  if (answer.asked != seen_) return;
  std::string stopped = answer.purging_stopped;
  estranged_ = !model::is_recognized(answer.recognition);
  if (estranged_) {
    stopped = std::string(model::describe(answer.recognition));
  } else if (auto remembered = remember_locked(answer.database); !remembered) {
    stopped = "what was seen of the database cannot be written: " + remembered.error().message;
  } else {
    (void)take_token_locked(answer.coordinator_token);
  }
  std::lock_guard lock(mutex_);
  if (stopped != stopped_) {
    if (stopped.empty()) {
      log::info("ring", "purging goes on");
    } else {
      log::warn("ring", "nothing is purged", {{"reason", stopped}});
    }
  }
  log_changes(disks_, answer.may_purge);
  stopped_ = std::move(stopped);
  disks_ = answer.may_purge;
  confirmed_at_ = now;
}

OrderRefusal MetadataMemory::accept(const OrderOrigin& order) {
  const std::unique_lock change(change_mutex_, patience_);
  if (!change) return OrderRefusal::kMemory;
  const model::MetadataGeneration& database = order.database;
  const bool fresh = seen_ == model::MetadataGeneration{};
  model::MetadataGeneration next = seen_;
  if (fresh || database.accepted > seen_.accepted) {
    next = {database.accepted, database.system, database.mark, 0};
  } else if (database.accepted < seen_.accepted || database.system != seen_.system ||
      order.verified != seen_.mark) {
    return OrderRefusal::kDatabase;
  } else if (database.mark.counter > seen_.mark.counter) {
    // The database wrote it after it had released what the order is about: one that does not hold
    // it may still refer to that.
    next.mark = database.mark;
  }
  // Whoever sends it read it from the database that was there before.
  if (estranged_ && next.accepted == seen_.accepted) return OrderRefusal::kDatabase;
  if (next.accepted == seen_.accepted && order.coordinator_token < token_) {
    return OrderRefusal::kCoordinator;
  }
  if (!remember_locked(next)) return OrderRefusal::kMemory;
  estranged_ = false;
  (void)take_token_locked(order.coordinator_token);
  return OrderRefusal::kNone;
}

bool MetadataMemory::take_token_locked(uint64_t token) {
  if (token < token_) return false;
  token_ = token;
  return true;
}

// On the disk first: what only this process knows would be forgotten with it. The beat alone may
// fall back.
Result<void> MetadataMemory::remember_locked(const model::MetadataGeneration& next) {
  model::MetadataGeneration only_beat = seen_;
  only_beat.beat = next.beat;
  const SteadyTime now = clock_.steady_now();
  if (only_beat != next || now - stored_at_ > kStorePause) {
    const std::string text = fmt::format("{} {} {} {} {} {}\n", kLayout, next.accepted,
        next.system, next.mark.counter,
                                         next.mark.value, next.beat);
    auto stored = fs::write_file_atomically(files_, file_, as_bytes(text));
    if (!stored) {
      log::warn("ring", "what was seen of the database cannot be written",
          {{"error", stored.error().message}});
      return stored;
    }
    stored_at_ = now;
  }
  if (next.accepted != seen_.accepted) token_ = 0;
  std::lock_guard lock(mutex_);
  seen_ = next;
  return {};
}

}  // namespace rondel::node
