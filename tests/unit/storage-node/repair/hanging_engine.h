// An engine whose calls that may wait for the disk wait as long as the test wants.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "storage-node/engine/engine.h"

namespace rondel::repair {

class HangingEngine final : public engine::Engine {
 public:
  explicit HangingEngine(engine::Engine& inner) : inner_(inner) {}

  void hang(bool hangs) {
    std::lock_guard lock(mutex_);
    hangs_ = hangs;
    changed_.notify_all();
  }

  // What is wanted is not noted any more.
  void refuse() { refuses_ = true; }

  // Calls that wait now.
  size_t waiting() const {
    std::lock_guard lock(mutex_);
    return waiting_;
  }

  model::DiskId disk_id() const override { return inner_.disk_id(); }

  void put_async(engine::PutRequest request, ByteSlice bytes,
                 std::vector<hash::BlockDigest> digests, engine::PutCallback done) override {
    inner_.put_async(std::move(request), std::move(bytes), std::move(digests), std::move(done));
  }

  Result<std::unique_ptr<engine::LargePut>> start_large_put(engine::PutRequest request,
                                                            uint64_t length) override {
    return pass().start_large_put(std::move(request), length);
  }

  Result<engine::ReadResult> read(const model::BlobId& id, uint64_t offset,
                                  uint64_t length) override {
    return pass().read(id, offset, length);
  }

  Result<engine::ReadResult> read_cached(const model::BlobId& id, uint64_t offset,
                                         uint64_t length) override {
    return inner_.read_cached(id, offset, length);
  }

  Result<engine::BlobEntry> stat(const model::BlobId& id) override { return pass().stat(id); }

  Result<bool> has(const model::BlobId& id) override { return pass().has(id); }

  Result<uint64_t> removal_of(const model::BlobId& id) override { return pass().removal_of(id); }

  void remove_async(std::vector<model::BlobId> ids, engine::RemoveOptions options,
                    std::move_only_function<void(Result<uint64_t>)> done) override {
    inner_.remove_async(std::move(ids), options, std::move(done));
  }

  Result<uint64_t> restore(std::vector<model::BlobId> ids, uint64_t order) override {
    return pass().restore(std::move(ids), order);
  }

  Result<void> set_handoff(const model::BlobId& id, model::DiskId handoff_for) override {
    return pass().set_handoff(id, handoff_for);
  }

  Result<std::vector<engine::BlobEntry>> list(uint64_t from, uint64_t to,
                                              const model::BlobId& after, size_t max) override {
    return pass().list(from, to, after, max);
  }

  Result<std::vector<engine::BlobEntry>> list_handoffs(size_t max,
                                                       const engine::BlobEntry& after) override {
    return pass().list_handoffs(max, after);
  }

  std::vector<engine::BlobEntry> list_damaged(size_t max) override {
    return pass().list_damaged(max);
  }

  uint64_t doubts() override { return pass().doubts(); }

  uint64_t highest_order() override { return inner_.highest_order(); }

  Result<void> note_wanted(std::span<const engine::Wanted> wanted,
                           std::span<const model::BlobId> no_longer) override {
    if (refuses_) return fail(ErrorCode::kUnavailable, "not now");
    return pass().note_wanted(wanted, no_longer);
  }

  Result<std::vector<engine::Wanted>> list_wanted(const model::BlobId& after, size_t max) override {
    return pass().list_wanted(after, max);
  }

  Result<engine::JournalPage> journal_after(engine::JournalToken token, size_t max) override {
    return pass().journal_after(token, max);
  }

  void on_journal_growth(std::function<void()> callback) override {
    inner_.on_journal_growth(std::move(callback));
  }

  engine::EngineStatus status() override { return inner_.status(); }

  Result<uint64_t> compact_once() override { return pass().compact_once(); }

  Result<void> put_setting(std::string_view key, std::string_view value) override {
    return pass().put_setting(key, value);
  }

  Result<void> note_setting(std::string_view key, std::string_view value) override {
    return pass().note_setting(key, value);
  }

  Result<std::string> get_setting(std::string_view key) override { return pass().get_setting(key); }

 private:
  std::atomic<bool> refuses_{false};

  engine::Engine& pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.wait(lock, [this] { return !hangs_; });
    --waiting_;
    return inner_;
  }

  engine::Engine& inner_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool hangs_ = false;
  size_t waiting_ = 0;
};

}  // namespace rondel::repair
