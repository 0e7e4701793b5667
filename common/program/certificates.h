// Certificates: those that a program shows and trusts, read again while it runs, and when they end.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "common/async/blocking_pool.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/metrics/metrics.h"

namespace rondel::program {

class Certificates {
 public:
  // True: others count from now on. Blocking; what it uses it owns, as a file system that hangs
  // lets it outlive the program's parts.
  using Read = std::function<Result<bool>()>;
  // By file: the earliest end in it.
  using Ends = std::function<std::map<std::string, SystemTime>()>;

  // Registers rondel_tls_certificate_expiry_timestamp_seconds; outlives the registry's last
  // expose().
  Certificates(Read read, Ends ends, metrics::Registry& registry);

  // Reads them for 5 s at most, and logs what came of it.
  void read_again();

 private:
  const Read read_;
  const Ends ends_;
  async::BlockingPool files_;
};

}  // namespace rondel::program
