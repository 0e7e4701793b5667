// Authorities: whom TLS clients of this process believe, from a file that may change and may hang.
// Internal to common/http.
#pragma once

#include <memory>
#include <string>

#include "common/async/blocking_pool.h"
#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/base/result.h"

namespace boost::asio::ssl {
class context;
}

namespace rondel::http {

// A context for clients: TLS 1.2 and 1.3. Without authorities it believes everybody.
std::shared_ptr<boost::asio::ssl::context> make_client_context();

// Files are read on a thread of their own, and again when they were written anew. What was read
// once counts until something else reads well. Safe for concurrent use.
class Authorities {
 public:
  using Context = std::shared_ptr<boost::asio::ssl::context>;

  // One a file, for as long as the process lives. Empty: the authorities of the system.
  static Authorities& of(const std::string& ca_file);

  // By what the files say now; by what they said last when they do not answer within a quarter of a
  // second, or have not answered somebody else yet. kInvalidArgument: they have never read well.
  // kDeadlineExceeded: nor answered. kResourceExhausted: too many wait for the first answer.
  async::Task<Result<Context>> context(Deadline deadline);

  // Reads them on this thread, for as long as it takes, if they were written since.
  // kInvalidArgument: they do not read well.
  Result<void> load();

 private:
  explicit Authorities(std::string ca_file) : ca_file_(std::move(ca_file)) {}

  const std::string ca_file_;
  mutable Mutex mutex_;
  Context known_ GUARDED_BY(mutex_);
  Error error_ GUARDED_BY(mutex_) = {ErrorCode::kInvalidArgument, "not read"};
  std::string version_ GUARDED_BY(mutex_);  // Of what known_ was read from.
  bool looking_ GUARDED_BY(mutex_) = false;
  async::BlockingPool files_{"authorities", 1, 1024, async::BlockingPool::Ending::kLeave};
};

}  // namespace rondel::http
