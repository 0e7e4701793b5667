// A ReplicatedBlobStore over the in-memory cluster: zones of two disks each.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "common/async/event_loop.h"
#include "gateway/blobs/replicated_blob_store.h"
#include "tests/fakes/fixed_topology.h"
#include "transfer/memory/memory_blob_cluster.h"

namespace rondel::blobs {

using namespace std::chrono_literals;

inline std::string make_text(size_t size, uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  std::string text(size, '\0');
  for (size_t i = 0; i < size; i += 8) {
    const uint64_t value = random();
    std::memcpy(text.data() + i, &value, std::min<size_t>(8, size - i));
  }
  return text;
}

class BlobsTest : public ::testing::Test {
 protected:
  // For tests whose disks are silent or lose answers: what never comes is soon given up.
  static ReplicatedBlobStoreOptions quick() {
    ReplicatedBlobStoreOptions options;
    options.buffer_bytes = 256ull << 20;
    options.write_deadline = 400ms;
    options.stall_min = 50ms;
    options.stall_max = 50ms;
    options.late_copy_patience = 50ms;
    options.breaker_min = 20ms;
    options.breaker_max = 50ms;
    return options;
  }

  // For all others: a machine that is busy is no stalled disk, and no copy is late.
  static ReplicatedBlobStoreOptions patient() {
    ReplicatedBlobStoreOptions options = quick();
    options.write_deadline = 10min;
    options.stall_min = options.stall_max = 5min;
    options.late_copy_patience = 10min;
    return options;
  }

  void SetUp() override { build(3, 2); }

  void build(int zones, int disks_per_zone, uint8_t replicas = 3) {
    disks_.clear();
    for (int zone = 0; zone < zones; ++zone) {
      for (int i = 0; i < disks_per_zone; ++i) {
        const std::string host = "h" + std::to_string(zone) + std::to_string(i);
        disks_.push_back({model::DiskId::random(), model::NodeId::random(), host,
                          "z" + std::to_string(zone), 1ull << 40});
        cluster_.add_disk({disks_.back().node, disks_.back().id});
      }
    }
    ring_ = std::make_shared<const ring::Ring>(
        ring::Ring::build(disks_, {.replicas = replicas, .power = 6}, 5).value());
    topology_.set({ring_});
    reopen();
  }

  void reopen(ReplicatedBlobStoreOptions options = patient()) {
    store_ = std::make_unique<ReplicatedBlobStore>(cluster_, topology_, std::move(options));
  }

  // Runs on a loop of its own, then lets the background work end there.
  template <class T>
  T run(async::Task<T> task) {
    return async::block_on(then_drain(std::move(task)));
  }

  template <class T>
  async::Task<T> then_drain(async::Task<T> task) {
    T result = co_await std::move(task);
    while (store_->health().background_tasks > 0) co_await async::sleep_for(1ms);
    co_return result;
  }

  async::Task<Result<WrittenStream>> write_task(std::string text,
                                                std::optional<uint64_t> hint = std::nullopt,
                                                Duration limit = 10min) {
    auto writer = store_->open_writer(hint, deadline_in(limit));
    for (size_t at = 0; at < text.size(); at += 100'000) {
      CO_TRY_VOID(co_await writer->write(
          as_bytes(text).subspan(at, std::min<size_t>(100'000, text.size() - at))));
    }
    co_return co_await writer->finish();
  }

  Result<WrittenStream> write(const std::string& text,
                              std::optional<uint64_t> hint = std::nullopt) {
    return run(write_task(text, hint));
  }

  async::Task<Result<std::string>> read_task(std::vector<StreamRange> ranges,
                                             Duration limit = 10min) {
    auto reader = store_->open_reader(std::move(ranges), deadline_in(limit));
    std::string text;
    for (;;) {
      CO_TRY(const ByteSlice bytes, co_await reader->next());
      if (bytes.empty()) co_return text;
      EXPECT_LE(bytes.size(), model::kPieceBytes);
      text += as_text(bytes.view());
    }
  }

  Result<std::string> read(const WrittenStream& stream, uint64_t offset, uint64_t length) {
    return run(read_task({{stream.id, stream.size, offset, length}}));
  }

  Result<std::string> read(const WrittenStream& stream) { return read(stream, 0, stream.size); }

  std::vector<ring::Disk> owners(const model::BlobId& blob) const {
    std::vector<ring::Disk> out;
    for (const ring::DiskIndex index : ring_->owners(ring_->arc_of(blob.ring_hash()))) {
      out.push_back(ring_->disks()[index]);
    }
    return out;
  }

  std::set<std::string> zones(const std::set<model::DiskId>& disks) const {
    std::set<std::string> out;
    for (const ring::Disk& disk : disks_) {
      if (disks.contains(disk.id)) out.insert(disk.zone);
    }
    return out;
  }

  void fault_zone(const std::string& zone, transfer::DiskFaults faults) {
    for (const ring::Disk& disk : disks_) {
      if (disk.zone == zone) cluster_.set_faults(disk.id, faults);
    }
  }

  void fault_all(transfer::DiskFaults faults) {
    for (const ring::Disk& disk : disks_) cluster_.set_faults(disk.id, faults);
  }

  std::vector<ring::Disk> disks_;
  transfer::MemoryBlobCluster cluster_;
  fakes::FixedTopology topology_;
  std::shared_ptr<const ring::Ring> ring_;
  std::unique_ptr<ReplicatedBlobStore> store_;
};

}  // namespace rondel::blobs
