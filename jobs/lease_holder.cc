#include "jobs/lease_holder.h"

namespace rondel::jobs {

using namespace std::chrono_literals;

async::Task<Result<void>> LeaseHolder::claim() {
  const auto token = co_await lease_.claim_coordinator(deadline_in(5s));
  token_.store(token ? token->value_or(0) : 0);
  if (!token) co_return std::unexpected(token.error());
  co_return Result<void>{};
}

void LeaseHolder::resign() {
  token_.store(0);
  lease_.resign_coordinator();
}

}  // namespace rondel::jobs
