// LeaseHolder: whether this gateway coordinates, and under which token.
#pragma once

#include <atomic>
#include <cstdint>

#include "common/async/task.h"
#include "common/base/result.h"
#include "metadata/store/lease.h"

namespace rondel::jobs {

// claim() on one loop; the rest from any thread.
class LeaseHolder {
 public:
  explicit LeaseHolder(metadata::Lease& lease) : lease_(lease) {}

  // Tries to become, or stay, the coordinator. An error: the database does not answer, and until it
  // does this gateway does not coordinate.
  async::Task<Result<void>> claim();

  // What was done under the token is over; the next claim begins anew.
  void lose(uint64_t token) { token_.compare_exchange_strong(token, 0); }

  // So that another gateway need not wait for the end of the connection.
  void resign();

  // 0: another gateway coordinates, or nobody.
  uint64_t token() const { return token_.load(); }

  bool leads() const { return token() != 0; }

 private:
  metadata::Lease& lease_;
  std::atomic<uint64_t> token_{0};
};

}  // namespace rondel::jobs
