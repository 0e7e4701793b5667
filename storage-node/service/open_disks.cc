#include "storage-node/service/open_disks.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "common/base/mutex.h"
#include "common/log/log.h"

namespace rondel::node {
namespace {

using engine::Engine;
using engine::EngineOptions;

constexpr auto kClosePatience = std::chrono::seconds(5);
// At the others, while one is waited for.
constexpr auto kLookPeriod = std::chrono::milliseconds(100);

// One disk while it is opened, and afterwards if that took long. Shared by the thread that opens it
// and the engine that stands in.
struct Opening {
  const EngineOptions options;
  Mutex mutex;
  CondVar changed;
  std::unique_ptr<Engine> engine GUARDED_BY(mutex);
  std::optional<Error> error GUARDED_BY(mutex);            // Of the last attempt.
  std::function<void()> journal_growth GUARDED_BY(mutex);  // To be told to the engine.
  bool stopped GUARDED_BY(mutex) = false;                  // Nobody wants it any longer.
  bool taken GUARDED_BY(mutex) = false;  // A LateEngine stands in: whoever opens it joins.
  // The thread that opens it touches nothing of others any more.
  bool ended GUARDED_BY(mutex) = false;
  std::atomic<Engine*> ready{nullptr};

  explicit Opening(EngineOptions given) : options(std::move(given)) {}
};

// Stands in for a disk that is not open yet; then hands every call on.
class LateEngine final : public Engine {
 public:
  explicit LateEngine(std::shared_ptr<Opening> opening) : opening_(std::move(opening)) {}

  // What the options refer to may go afterwards: an attempt that is under way is waited for, but
  // not one that hangs.
  ~LateEngine() override {
    MutexLock lock(opening_->mutex);
    opening_->stopped = true;
    opening_->changed.notify_all();
    const Deadline end = deadline_in(kClosePatience);
    while (!opening_->ended && opening_->changed.wait_until(opening_->mutex, end)) {
    }
    std::unique_ptr<Engine> engine = std::move(opening_->engine);
    lock.unlock();
  }

  model::DiskId disk_id() const override {
    Engine* const disk = ready();
    return disk == nullptr ? opening_->options.disk : disk->disk_id();
  }

  void put_async(engine::PutRequest request, ByteSlice bytes,
                 std::vector<hash::BlockDigest> digests, engine::PutCallback done) override {
    if (Engine* const disk = ready()) {
      return disk->put_async(request, std::move(bytes), std::move(digests), std::move(done));
    }
    done(not_open());
  }

  Result<std::unique_ptr<engine::LargePut>> start_large_put(engine::PutRequest request,
                                                            uint64_t length) override {
    return on([&](Engine& disk) { return disk.start_large_put(request, length); });
  }

  Result<engine::ReadResult> read(const model::BlobId& id, uint64_t offset,
                                  uint64_t length) override {
    return on([&](Engine& disk) { return disk.read(id, offset, length); });
  }

  Result<engine::ReadResult> read_cached(const model::BlobId& id, uint64_t offset,
                                         uint64_t length) override {
    return on([&](Engine& disk) { return disk.read_cached(id, offset, length); });
  }

  Result<engine::BlobEntry> stat(const model::BlobId& id) override {
    return on([&](Engine& disk) { return disk.stat(id); });
  }

  Result<bool> has(const model::BlobId& id) override {
    return on([&](Engine& disk) { return disk.has(id); });
  }

  Result<uint64_t> removal_of(const model::BlobId& id) override {
    return on([&](Engine& disk) { return disk.removal_of(id); });
  }

  void remove_async(std::vector<model::BlobId> ids, engine::RemoveOptions options,
                    std::move_only_function<void(Result<uint64_t>)> done) override {
    if (Engine* const disk = ready()) {
      return disk->remove_async(std::move(ids), options, std::move(done));
    }
    done(not_open());
  }

  Result<uint64_t> restore(std::vector<model::BlobId> ids, uint64_t order) override {
    return on([&](Engine& disk) { return disk.restore(std::move(ids), order); });
  }

  Result<void> set_handoff(const model::BlobId& id, model::DiskId handoff_for) override {
    return on([&](Engine& disk) { return disk.set_handoff(id, handoff_for); });
  }

  Result<std::vector<engine::BlobEntry>> list(uint64_t from_hash, uint64_t to_hash,
                                              const model::BlobId& after, size_t max) override {
    return on([&](Engine& disk) { return disk.list(from_hash, to_hash, after, max); });
  }

  Result<std::vector<engine::BlobEntry>> list_handoffs(size_t max,
                                                       const engine::BlobEntry& after) override {
    return on([&](Engine& disk) { return disk.list_handoffs(max, after); });
  }

  std::vector<engine::BlobEntry> list_damaged(size_t max) override {
    Engine* const disk = ready();
    return disk == nullptr ? std::vector<engine::BlobEntry>() : disk->list_damaged(max);
  }

  uint64_t doubts() override {
    Engine* const disk = ready();
    return disk == nullptr ? 0 : disk->doubts();
  }

  uint64_t highest_order() override {
    Engine* const disk = ready();
    return disk == nullptr ? 0 : disk->highest_order();
  }

  Result<void> note_wanted(std::span<const engine::Wanted> wanted,
                           std::span<const model::BlobId> no_longer) override {
    return on([&](Engine& disk) { return disk.note_wanted(wanted, no_longer); });
  }

  Result<std::vector<engine::Wanted>> list_wanted(const model::BlobId& after, size_t max) override {
    return on([&](Engine& disk) { return disk.list_wanted(after, max); });
  }

  Result<engine::JournalPage> journal_after(engine::JournalToken token, size_t max) override {
    return on([&](Engine& disk) { return disk.journal_after(token, max); });
  }

  Duration pace_background(uint64_t bytes) override {
    Engine* const disk = ready();
    return disk == nullptr ? Duration::zero() : disk->pace_background(bytes);
  }

  void on_journal_growth(std::function<void()> callback) override {
    MutexLock lock(opening_->mutex);
    if (opening_->engine) return opening_->engine->on_journal_growth(std::move(callback));
    opening_->journal_growth = std::move(callback);
  }

  engine::EngineStatus status() override {
    if (Engine* const disk = ready()) return disk->status();
    engine::EngineStatus status;
    status.state = engine::DiskState::kFailed;
    status.capacity_bytes = opening_->options.capacity_bytes;
    return status;
  }

  Result<uint64_t> compact_once() override {
    return on([](Engine& disk) { return disk.compact_once(); });
  }

  Result<void> put_setting(std::string_view key, std::string_view value) override {
    return on([&](Engine& disk) { return disk.put_setting(key, value); });
  }

  Result<void> note_setting(std::string_view key, std::string_view value) override {
    return on([&](Engine& disk) { return disk.note_setting(key, value); });
  }

  Result<std::string> get_setting(std::string_view key) override {
    return on([&](Engine& disk) { return disk.get_setting(key); });
  }

 private:
  Engine* ready() const { return opening_->ready.load(std::memory_order_acquire); }

  static std::unexpected<Error> not_open() {
    return fail(ErrorCode::kUnavailable, "the disk is not open");
  }

  template <class F>
  auto on(F call) -> decltype(call(std::declval<Engine&>())) {
    if (Engine* const disk = ready()) return call(*disk);
    return not_open();
  }

  const std::shared_ptr<Opening> opening_;
};

// The engine is published last: whoever sees it may call it.
void publish(Opening& opening, std::unique_ptr<Engine> engine, const OpenDisksOptions& how) {
  MutexLock lock(opening.mutex);
  for (bool told = !how.on_join; !opening.stopped && opening.taken && !told; told = true) {
    lock.unlock();
    how.on_join(opening.options.path, engine->disk_id());
    lock.lock();
  }
  if (opening.stopped) {
    lock.unlock();
    return;  // Closes it.
  }
  if (opening.journal_growth) engine->on_journal_growth(std::move(opening.journal_growth));
  opening.error.reset();
  opening.engine = std::move(engine);
  opening.ready.store(opening.engine.get(), std::memory_order_release);
  opening.changed.notify_all();
}

// Until it is open. A disk is made by the first attempt alone: a folder that is found empty later
// was unmounted meanwhile.
void open_one(const std::shared_ptr<Opening>& opening, const OpenDisk& open,
              const OpenDisksOptions& how) {
  EngineOptions disk = opening->options;
  for (bool again = false;; again = true, disk.may_make = false) {
    auto opened = open(disk);
    if (opened) {
      if (again) log::info("disks", "a disk is open after all", {{"path", opening->options.path}});
      return publish(*opening, *std::move(opened), how);
    }
    MutexLock lock(opening->mutex);
    if (!opening->error || opening->error->message != opened.error().message) {
      log::error("disks", "a disk cannot be opened",
                 {{"path", opening->options.path}, {"error", opened.error().message}});
    }
    opening->error = opened.error();
    opening->changed.notify_all();
    const Deadline end = deadline_in(how.retry_period);
    while (!opening->stopped && opening->changed.wait_until(opening->mutex, end)) {
    }
    if (opening->stopped) return;
  }
}

OpenedDisk take(const std::shared_ptr<Opening>& opening) {
  OpenedDisk disk;
  disk.path = opening->options.path;
  MutexLock lock(opening->mutex);
  if (opening->engine) {
    opening->ready = nullptr;
    disk.engine = std::move(opening->engine);
    return disk;
  }
  disk.error =
      opening->error.value_or(Error{ErrorCode::kUnavailable, "the disk is still being opened"});
  opening->taken = true;
  disk.engine = std::make_unique<LateEngine>(opening);
  return disk;
}

// Without any disk the node would only end and begin anew, with what its disks have done so far
// lost: then the first that opens is waited for, as long as one is still in its first attempt. One
// that is known is there at once, whatever its state.
void await_first(const std::vector<std::shared_ptr<Opening>>& openings) {
  const auto is_there = [](const auto& opening) {
    MutexLock lock(opening->mutex);
    return opening->engine != nullptr || !opening->options.disk.is_zero();
  };
  const auto is_under_way = [](const auto& opening) {
    MutexLock lock(opening->mutex);
    return !opening->error.has_value();
  };
  bool told = false;
  while (std::ranges::none_of(openings, is_there)) {
    // Looked for first: one that opens between the two looks is seen by the next.
    const auto slow = std::ranges::find_if(openings, is_under_way);
    if (slow == openings.end()) return;
    if (!std::exchange(told, true)) {
      log::warn("disks", "no disk is open yet: waiting on", {{"path", (*slow)->options.path}});
    }
    Opening& looked_at = **slow;
    const Deadline end = deadline_in(kLookPeriod);
    MutexLock lock(looked_at.mutex);
    while (!looked_at.engine && !looked_at.error &&
           looked_at.changed.wait_until(looked_at.mutex, end)) {
    }
  }
}

}  // namespace

std::vector<OpenedDisk> open_disks(std::vector<EngineOptions> disks, const OpenDisk& open,
                                   const OpenDisksOptions& options) {
  const Deadline end = deadline_in(options.patience);
  std::vector<std::shared_ptr<Opening>> openings;
  for (EngineOptions& disk : disks) {
    openings.push_back(std::make_shared<Opening>(std::move(disk)));
    // It may hang for as long as its disk does: nobody waits for its end.
    std::thread([opening = openings.back(), open, options] {
      open_one(opening, open, options);
      MutexLock lock(opening->mutex);
      opening->ended = true;
      opening->changed.notify_all();
    }).detach();
  }
  std::vector<OpenedDisk> opened;
  for (const auto& opening : openings) {
    MutexLock lock(opening->mutex);
    while (!opening->engine && !opening->error &&
           opening->changed.wait_until(opening->mutex, end)) {
    }
  }
  await_first(openings);
  for (const auto& opening : openings) opened.push_back(take(opening));
  return opened;
}

}  // namespace rondel::node
