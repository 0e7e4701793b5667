#include "gateway/admin/status_page.h"

#include "gateway/admin/status_document.h"

namespace rondel::admin {
namespace {

using namespace std::chrono_literals;

async::Task<Result<std::string>> make_status(StatusSources sources) {
  const auto nodes = co_await sources.nodes.list_nodes(deadline_in(5s));
  const auto queues = co_await sources.releases.queue_depths(deadline_in(5s));
  if (!nodes || !queues) {
    const Error& error = nodes ? queues.error() : nodes.error();
    co_return fail(error.code, "the database does not answer: " + error.message);
  }
  const auto topology = sources.topology.topology();
  const std::vector<jobs::Progress> progress = sources.jobs.progress();
  co_return status_document({sources.cluster, *topology, *nodes, *queues, sources.lease.leads(),
                             progress, sources.ages.database_now()});
}

}  // namespace

program::OperationsPage status_page(StatusSources sources) {
  return {"/admin/v1/status", "application/json", [sources] { return make_status(sources); }};
}

}  // namespace rondel::admin
