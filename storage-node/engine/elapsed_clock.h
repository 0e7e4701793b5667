// ElapsedClock: how long a disk has been in use, in microseconds since it was made. Nobody can set
// it.
//
// It runs by the steady clock while the disk is open and is kept in the disk's file `clock`
// (docs/formats/segment.md), so that restarts go on where it was. The time that a disk is closed
// does not count. A crash may set it back by what passed since keep(), never ahead. What must not
// end because somebody set the wall clock (trash, journal, marks of removals) ends by this one too.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/fs/file_system.h"

namespace rondel::engine {

// now_us() is safe for concurrent use; open() comes first, alone.
class ElapsedClock {
 public:
  ElapsedClock(fs::FileSystem& fs, const std::string& folder, const Clock& clock);

  // Goes on at what the file says, or at `at_least_us` (another memory of the same disk) if that is
  // more. Makes the file when it is not there. A file that cannot be used is told to the log and
  // costs no more than the time it remembered: nothing ends early by that.
  void open(uint64_t at_least_us);

  uint64_t now_us() const;

  // Durable when it returns. Errors: those of the file system; the file keeps an older value.
  Result<void> keep();
  // keep() when the last one is kKeepPeriod ago, by the clock itself.
  Result<bool> keep_when_due();

  // Neither file nor caller knew how long the disk had been in use.
  bool forgotten() const { return forgotten_; }

 private:
  Result<std::unique_ptr<fs::File>> make();
  void read() REQUIRES(keep_mutex_);
  Result<void> keep_locked() REQUIRES(keep_mutex_);

  fs::FileSystem& fs_;
  const std::string path_;
  const Clock& clock_;
  std::unique_ptr<fs::File> file_;  // Null: it could not be opened.
  uint64_t base_us_ = 0;            // At start_. Both are set by open() and stay.
  SteadyTime start_{};
  bool forgotten_ = false;
  Mutex keep_mutex_;
  uint64_t kept_us_ GUARDED_BY(keep_mutex_) = 0;
  uint64_t writes_ GUARDED_BY(keep_mutex_) = 0;
};

}  // namespace rondel::engine
