// Memory of what is read whole, as its bytes come: the first few KiB at once, the rest when there
// is room for all of it, so that those that are filled at once do not wait for each other.
#pragma once

#include "gateway/admission/pool.h"

namespace rondel::admission {

// One coroutine's. Its bytes are held until it goes.
class Filling {
 public:
  static constexpr uint64_t kFirstBytes = 16 * 1024;

  Filling() = default;

  // At most `expected` bytes come. `give_way` as for Pool::Hold::may_give_way().
  Filling(Pool& pool, const PartyRef& party, uint64_t expected, std::function<void()> give_way)
      : expected_(expected), hold_(pool.open(party, std::move(give_way))) {}

  // Before `bytes` more are kept. kResourceExhausted: no room before the deadline, or it gave way.
  async::Task<Result<void>> take(uint64_t bytes, Deadline deadline);

  // Everything has come. False: it gave way before.
  bool complete() { return hold_.pin(); }

  // No more than that is kept any longer.
  void shrink(uint64_t bytes) { hold_.shrink(bytes); }

  bool move_to(const PartyRef& party) { return hold_.move_to(party); }

 private:
  uint64_t expected_ = 0;
  uint64_t kept_ = 0;
  uint64_t used_ = 0;  // Of the hold.
  Pool::Hold hold_;
};

}  // namespace rondel::admission
