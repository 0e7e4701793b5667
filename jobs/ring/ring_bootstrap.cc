#include "jobs/ring/ring_bootstrap.h"

namespace rondel::ring_jobs {

using namespace std::chrono_literals;

async::Task<Result<void>> RingBootstrap::run_round(const jobs::Term& term) {
  if (options_.disks == 0 || topology_.topology()->current() != nullptr) co_return Result<void>{};
  CO_TRY(const metadata::RingState state, co_await rings_.ring_state(deadline_in(5s)));
  if (!state.live.empty()) co_return Result<void>{};
  CO_TRY(const std::vector<metadata::NodeRecord> nodes,
         co_await nodes_.list_nodes(deadline_in(5s)));

  std::vector<ring::Disk> disks;
  for (const metadata::NodeRecord& node : nodes) {
    for (const auto& disk : node.disks) {
      disks.push_back({disk.id, node.id, node.host, node.zone, disk.capacity_bytes});
    }
  }
  if (disks.size() < options_.disks) co_return Result<void>{};
  CO_TRY(const ring::Ring first, ring::Ring::build(std::move(disks), options_.ring, 1));
  metadata::RingEpoch epoch{1, first.serialize()};
  co_return co_await rings_.publish_ring(std::move(epoch), 0, 1, term.token(), deadline_in(5s));
}

}  // namespace rondel::ring_jobs
