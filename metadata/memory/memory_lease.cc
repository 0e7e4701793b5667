#include "metadata/store/lease.h"

#include <algorithm>

#include "metadata/memory/memory_state.h"
#include "metadata/memory/memory_stores.h"

namespace rondel::metadata {
namespace {

class MemoryLease final : public Lease {
 public:
  explicit MemoryLease(MemoryState& state) : state_(state) {}

  // As a session ends with its process.
  ~MemoryLease() override { MemoryLease::resign_coordinator(); }

  async::Task<Result<std::optional<uint64_t>>> claim_coordinator(Deadline) override {
    using Token = std::optional<uint64_t>;
    return state_.run<Result<Token>>([this]() -> Result<Token> {
      const bool holds = state_.lease_holder == this;
      if (holds && state_.leads(token_)) return Token(token_);
      if (!holds && state_.lease_holder != nullptr) return Token();
      // One that was set back under its sessions knows nothing of the token, and nodes have seen
      // it.
      state_.cluster.token = std::max(state_.cluster.token, token_);
      state_.begin_lease(this);
      token_ = state_.cluster.token;
      return Token(token_);
    });
  }

  void resign_coordinator() override {
    const MutexLock lock(state_.mutex);
    if (state_.lease_holder == this) state_.lease_holder = nullptr;
  }

  async::Task<Result<NewMark>> write_mark(model::MetadataMark before, uint64_t coordinator_token,
                                          Deadline) override {
    return state_.run<Result<NewMark>>([=, this]() -> Result<NewMark> {
      TRY_VOID(check_leads(coordinator_token));
      const bool follows = before.counter == 0 || state_.cluster.holds(before);
      state_.write_mark();
      state_.cluster.forget_marks(state_.clock.now());
      return NewMark{state_.generation(), follows};
    });
  }

  async::Task<Result<uint64_t>> next_order(uint64_t above, uint64_t coordinator_token,
                                           Deadline) override {
    return state_.run<Result<uint64_t>>([=, this]() -> Result<uint64_t> {
      TRY_VOID(check_leads(coordinator_token));
      const uint64_t latest = state_.cluster.latest_order();
      if (above > latest + model::kLeapMax) return fail(ErrorCode::kOutOfRange, "the order leaps");
      return state_.cluster.order = std::max(latest, above) + 1;
    });
  }

 private:
  Result<void> check_leads(uint64_t coordinator_token) const {
    if (state_.leads(coordinator_token)) return {};
    return fail(ErrorCode::kPrecondition, "a newer coordinator commands");
  }

  MemoryState& state_;
  uint64_t token_ = 0;
};

}  // namespace

std::unique_ptr<Lease> make_lease(MemoryState& state) {
  return std::make_unique<MemoryLease>(state);
}

}  // namespace rondel::metadata
