// OwnDisk: a disk of this node as repair works on it: its engine, threads for what may wait for it,
// and what it lacks. A disk that hangs keeps its own threads and nobody else.
#pragma once

#include "common/async/blocking_pool.h"
#include "storage-node/repair/wanted_list.h"

namespace rondel::repair {

// A copy is given up after so long: what a disk or a link moves slower than the floor is no help.
inline Duration copy_patience(uint64_t bytes) {
  constexpr uint64_t kFloorBytesPerSecond = 256 << 10;
  return std::chrono::seconds(5 + bytes / kFloorBytesPerSecond);
}

struct OwnDisk {
  // How long a coroutine waits for the disk.
  static constexpr auto kPatience = std::chrono::seconds(10);

  OwnDisk(engine::Engine& of, WantedOptions options, const Clock& clock)
      : engine(of), wanted(of, options, clock) {}

  model::DiskId id() const { return engine.disk_id(); }

  // `function` returns a Result and may wait for the disk. It may outlive the call: what it uses it
  // holds, or lives as long as this.
  template <class F>
  auto run(F function) -> async::Task<std::invoke_result_t<F>> {
    auto answer = co_await pool.run(std::move(function), deadline_in(kPatience));
    if (!answer) co_return std::unexpected(answer.error());
    co_return std::move(*answer);
  }

  // Returns when repair may move so many bytes on the disk.
  async::Task<void> pace(uint64_t bytes) {
    const Duration wait = engine.pace_background(bytes);
    if (wait > Duration::zero()) co_await async::sleep_for(wait);
  }

  engine::Engine& engine;
  WantedList wanted;
  // Last, so that it ends first: what it runs uses the others.
  async::BlockingPool pool{"repair", 2, 64};
};

}  // namespace rondel::repair
