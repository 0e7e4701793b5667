// An engine on the simulated file system, with helpers that wait.
#pragma once

#include <stdlib.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <random>

#include "common/fs/simulated_file_system.h"
#include "storage-node/engine/engine.h"

namespace rondel::engine {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "rondel-engine-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }

  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

template <class T>
class Waiter {
 public:
  std::move_only_function<void(Result<T>)> callback() {
    return [state = state_](Result<T> result) {
      std::lock_guard lock(state->mutex);
      state->result = std::move(result);
      state->ready.notify_all();
    };
  }

  Result<T> wait() {
    std::unique_lock lock(state_->mutex);
    state_->ready.wait(lock, [&] { return state_->result.has_value(); });
    return *state_->result;
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable ready;
    std::optional<Result<T>> result;
  };

  std::shared_ptr<State> state_ = std::make_shared<State>();
};

inline model::BlobId make_id(uint64_t n) {
  model::BlobId id;
  store_be(id.stream.bytes.data(), n * 0x9e3779b97f4a7c15ull);
  id.chunk = static_cast<uint32_t>(n);
  return id;
}

// Bytes that follow from the id: splitmix64 from its hash on, for crash tests make gigabytes of it.
inline ByteSlice make_bytes(const model::BlobId& id, size_t size) {
  uint64_t state = id.ring_hash();
  std::string text(size, '\0');
  for (size_t i = 0; i < size; i += 8) {
    uint64_t value = state += 0x9e3779b97f4a7c15ull;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
    value ^= value >> 31;
    std::memcpy(text.data() + i, &value, std::min<size_t>(8, size - i));
  }
  return ByteSlice::copy_of(as_bytes(text));
}

inline Result<void> put(Engine& engine, const model::BlobId& id, size_t size,
                        model::DiskId handoff_for = {}, bool fresh = false,
                        SystemTime created_at = real_clock().now(), uint64_t order = 0) {
  PutRequest request{id, 1, created_at, handoff_for};
  request.fresh = fresh;
  request.order = order;
  const ByteSlice bytes = make_bytes(id, size);
  Waiter<void> waiter;
  if (size <= model::kPieceBytes) {
    engine.put_async(request, bytes, hash::block_digests(id, 0, bytes.view()), waiter.callback());
    return waiter.wait();
  }
  TRY(auto large, engine.start_large_put(request, size));
  for (size_t at = 0; at < size; at += model::kPieceBytes) {
    const ByteSlice piece = bytes.sub(at, std::min<size_t>(model::kPieceBytes, size - at));
    TRY_VOID(large->append(
        piece,
        hash::block_digests(id, static_cast<uint32_t>(at / model::kBlockBytes), piece.view())));
  }
  large->finish_async(hash::blob_digest(hash::block_digests(id, 0, bytes.view())),
                      waiter.callback());
  return waiter.wait();
}

inline Result<uint64_t> remove(Engine& engine, const model::BlobId& id, RemoveOptions options) {
  Waiter<uint64_t> waiter;
  engine.remove_async({id}, options, waiter.callback());
  return waiter.wait();
}

inline Result<uint64_t> remove(Engine& engine, const model::BlobId& id,
                               Duration trash = std::chrono::hours(1)) {
  return remove(engine, id, {0, trash, false});
}

// The whole blob equals what make_bytes says.
inline Result<void> verify(Engine& engine, const model::BlobId& id, size_t size) {
  TRY(const ReadResult result, engine.read(id, 0, size));
  if (result.blob_length != size ||
      as_text(result.bytes.view()) != as_text(make_bytes(id, size).view())) {
    return fail(ErrorCode::kInternal, "other bytes");
  }
  return {};
}

inline EngineOptions small_options(const std::string& index_path) {
  EngineOptions options;
  options.path = "/disk";
  options.capacity_bytes = 320ull << 20;
  options.segment_bytes = 16ull << 20;
  options.memtable_bytes = 256 << 10;
  options.block_cache_bytes = 1 << 20;
  options.maintenance_period = Duration::zero();
  options.index_path = index_path;
  options.clock_skew_max = Duration::zero();  // Fresh blobs are believed at once.
  return options;
}

}  // namespace rondel::engine
