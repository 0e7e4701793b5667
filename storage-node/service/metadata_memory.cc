#include "storage-node/service/metadata_memory.h"

#include <fmt/format.h>
#include <mutex>

#include <sstream>

#include "common/log/log.h"

namespace rondel::node {
namespace {

using namespace std::chrono_literals;

constexpr auto kStorePause = 10s;
constexpr auto kConfirmationLife = 5s;
constexpr int kLayout = 3;
constexpr int kLayoutWithoutOrder = 2;
constexpr const char* kRestoreWaits =
    "the trash of the disk is yet to be looked through for what rows refer to";

}  // namespace

// One line: layout, accepted, system, counter and value of the mark, beat, the latest order.
Result<void> MetadataMemory::load() {
  const auto text = fs::read_file(files_, file_);
  if (!text && text.error().code == ErrorCode::kNotFound) return {};
  TRY_VOID(text);
  std::istringstream in(*text);
  int layout = 0;
  model::MetadataGeneration read;
  in >> layout >> read.accepted >> read.system;
  in >> read.mark.counter >> read.mark.value >> read.beat;
  uint64_t order = 0;
  if (layout != kLayoutWithoutOrder) in >> order;
  const bool reads = in && (layout == kLayout || layout == kLayoutWithoutOrder);
  if (!reads) return fail(ErrorCode::kCorruption, file_ + " is damaged");
  std::lock_guard change(change_mutex_);
  MutexLock lock(mutex_);
  seen_ = read;
  latest_order_ = order;
  return {};
}

model::MetadataGeneration MetadataMemory::seen() const {
  MutexLock lock(mutex_);
  return seen_;
}

std::string MetadataMemory::why_not_purging(const model::DiskId& disk) const {
  MutexLock lock(mutex_);
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
      log::warn("ring", "nothing is purged", {{"disk", disk.to_hex()}, {"reason", kRestoreWaits}});
    }
  }
}

void MetadataMemory::hear(const Answer& answer) {
  if (answer.recognition == model::Recognition::kUnknown) return;
  // Whatever the database is to this node: a restore is taken from any, and a removal asks for
  // more.
  latest_order_ = std::max(latest_order_.load(), answer.latest_order);
  const SteadyTime now = clock_.steady_now();
  const std::unique_lock change(change_mutex_, patience_);
  if (!change) {
    MutexLock lock(mutex_);
    stopped_ = "what was seen of the database cannot be written: a write hangs";
    return;
  }
  // What was asked is not what is remembered by now: the answer says nothing about it.
  if (answer.asked != seen_) return;
  std::string stopped = answer.purging_stopped;
  const bool estranged = !model::is_recognized(answer.recognition);
  const bool confirmed = answer.database.accepted != seen_.accepted;
  bool remembered = false;
  if (estranged) {
    stopped = std::string(model::describe(answer.recognition));
  } else if (auto written = remember_locked(answer.database); !written) {
    stopped = "what was seen of the database cannot be written: " + written.error().message;
  } else {
    remembered = true;
  }
  MutexLock lock(mutex_);
  if (remembered) {
    token_ = confirmed ? answer.coordinator_token : std::max(token_, answer.coordinator_token);
  }
  if (estranged || remembered) estranged_ = estranged;
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

OrderRefusal MetadataMemory::accept(const OrderOrigin& order) const {
  const OrderRefusal refusal = judge(order);
  if (refusal == OrderRefusal::kUnheard) ask();
  return refusal;
}

// The mark that an order shows was written after the releases that it is about: once the node
// remembers that mark or a later one, a database that may still refer to what was released is not
// recognized any more. And the coordinator's database holds the node's last mark: it is its newest,
// or was looked up there.
OrderRefusal MetadataMemory::judge(const OrderOrigin& order) const {
  const model::MetadataGeneration& database = order.database;
  MutexLock lock(mutex_);
  if (seen_ == model::MetadataGeneration{} || database.accepted > seen_.accepted) {
    return OrderRefusal::kUnheard;
  }
  if (database.accepted < seen_.accepted || database.system != seen_.system || estranged_) {
    return OrderRefusal::kDatabase;
  }
  if (database.mark.counter > seen_.mark.counter) return OrderRefusal::kUnheard;
  if (database.mark != seen_.mark && order.verified != seen_.mark) return OrderRefusal::kDatabase;
  if (order.coordinator_token < token_) return OrderRefusal::kCoordinator;
  const bool heard = order.coordinator_token == token_ && order.number <= latest_order_;
  return heard ? OrderRefusal::kNone : OrderRefusal::kUnheard;
}

bool MetadataMemory::heard_of(uint64_t number) const {
  if (number <= latest_order_) return true;
  ask();
  return false;
}

void MetadataMemory::on_unheard(std::function<void()> ask) {
  MutexLock lock(ask_mutex_);
  on_unheard_ = std::move(ask);
}

void MetadataMemory::ask() const {
  MutexLock lock(ask_mutex_);
  if (on_unheard_) on_unheard_();
}

// On the disk first: what only this process knows would be forgotten with it. The beat and the
// order alone may fall back. Orders rise under a later confirmation too: numbers are given above
// all that nodes have seen.
Result<void> MetadataMemory::remember_locked(const model::MetadataGeneration& next) {
  model::MetadataGeneration only_beat = seen_;
  only_beat.beat = next.beat;
  const SteadyTime now = clock_.steady_now();
  if (only_beat != next || now - stored_at_ > kStorePause) {
    const std::string text =
        fmt::format("{} {} {} {} {} {} {}\n", kLayout, next.accepted, next.system,
                    next.mark.counter, next.mark.value, next.beat, latest_order_.load());
    auto stored = fs::write_file_atomically(files_, file_, as_bytes(text));
    if (!stored) {
      log::warn("ring", "what was seen of the database cannot be written",
                {{"error", stored.error().message}});
      return stored;
    }
    stored_at_ = now;
  }
  MutexLock lock(mutex_);
  seen_ = next;
  return {};
}

}  // namespace rondel::node
