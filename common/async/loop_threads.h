// One EventLoop per thread, from start to join.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "common/async/event_loop.h"

namespace rondel::async {

class LoopThreads {
 public:
  explicit LoopThreads(size_t count) {
    for (size_t i = 0; i < count; ++i) loops_.push_back(std::make_unique<EventLoop>());
    for (auto& loop : loops_) threads_.emplace_back([raw = loop.get()] { raw->run(); });
  }

  LoopThreads(const LoopThreads&) = delete;
  LoopThreads& operator=(const LoopThreads&) = delete;

  ~LoopThreads() { join(); }

  EventLoop& loop(size_t index) { return *loops_[index % loops_.size()]; }

  std::vector<EventLoop*> all() const {
    std::vector<EventLoop*> out;
    for (const auto& loop : loops_) out.push_back(loop.get());
    return out;
  }

  void join() {
    for (auto& loop : loops_) loop->stop();
    for (auto& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
    for (auto& loop : loops_) loop->discard_posted();
  }

 private:
  std::vector<std::unique_ptr<EventLoop>> loops_;
  std::vector<std::thread> threads_;
};

}  // namespace rondel::async
