// Coalesce: work that many small steps ask for, done once after all of them: one message instead of
// a message a frame, one wake-up instead of a wake-up an item.
//
//   void on_message(frames) {
//     const async::Coalesce scope;
//     for (frame : frames) handle(frame);     // ... async::Coalesce::once(this, [this] { flush(); });
//   }                                         // flush() runs here, once.
#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace rondel::async {

// A scope on the stack of one thread; scopes may be nested, the outermost counts. Not across a
// suspension of a coroutine.
class Coalesce {
 public:
  Coalesce() { ++depth_; }

  Coalesce(const Coalesce&) = delete;
  Coalesce& operator=(const Coalesce&) = delete;

  // Runs what was asked for, in the order of first asking.
  ~Coalesce() {
    if (--depth_ > 0) return;
    std::vector<Entry> due;
    due.swap(due_);
    for (Entry& entry : due) entry.work();
    due.clear();
    if (due_.empty()) due_.swap(due);  // Keeps its memory.
  }

  static bool active() { return depth_ > 0; }

  // Runs `work` at the end of this thread's scope, once for each `key` however often it is asked
  // for; at once without a scope.
  static void once(const void* key, std::move_only_function<void()> work) {
    if (!active()) return work();
    for (const Entry& entry : due_) {
      if (entry.key == key) return;
    }
    due_.push_back({key, std::move(work)});
  }

 private:
  struct Entry {
    const void* key;
    std::move_only_function<void()> work;
  };

  static inline thread_local int depth_ = 0;
  static inline thread_local std::vector<Entry> due_;
};

}  // namespace rondel::async
