// VersionClock: version ids that rise with every call, from a hybrid logical clock. One that was
// ahead by more than kStepBack and is set back begins again at the time it shows: the order of a
// key's versions is that of their commits, whatever their clocks say.
#pragma once

#include <atomic>
#include <string_view>

#include "common/base/clock.h"
#include "common/model/ids.h"

namespace rondel::metadata {

// Safe for concurrent use.
class VersionClock {
 public:
  VersionClock(const Clock& clock, uint16_t site) : clock_(clock), site_(site) {}

  model::VersionId next();

  static constexpr std::chrono::milliseconds kStepBack = std::chrono::seconds(60);

 private:
  const Clock& clock_;
  const uint16_t site_;
  std::atomic<uint64_t> last_{0};  // Milliseconds << 16 | counter.
};

// A new upload's id: its time in milliseconds (48 bits), 32 bits of its key's digest, 48 random
// bits. So a listing of uploads goes on behind one that is gone, and an id that is another key's is
// told without being looked up.
model::UploadId new_upload_id(SystemTime begun, std::string_view key);
bool is_upload_of(const model::UploadId& upload, std::string_view key);
SystemTime time_of(const model::UploadId& upload);

// What a version's clock says, in milliseconds.
SystemTime time_of(const model::VersionId& version);

}  // namespace rondel::metadata
