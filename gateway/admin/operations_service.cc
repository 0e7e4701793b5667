#include "gateway/admin/operations_service.h"

#include "gateway/admin/status_document.h"

namespace rondel::admin {
namespace {

using namespace std::chrono_literals;

async::Task<void> answer(http::Exchange& exchange, int status, std::string type, std::string body) {
  http::ResponseHead head;
  head.status = status;
  head.fields.add("Content-Type", std::move(type));
  head.fields.add("Cache-Control", "no-store");
  if (status == 503) head.fields.add("Retry-After", "1");
  if (exchange.head().method == "HEAD") {
    (void)co_await exchange.respond_head_only(std::move(head), body.size());
  } else {
    (void)co_await exchange.respond(std::move(head), std::move(body));
  }
}

}  // namespace

async::Task<void> OperationsService::handle(http::Exchange& exchange) {
  const std::string path(exchange.head().path());
  const bool reads = exchange.head().method == "GET" || exchange.head().method == "HEAD";
  if (!reads) {
    co_await answer(exchange, 405, "text/plain", "only GET and HEAD\n");
  } else if (path == "/metrics") {
    co_await answer(exchange, 200, std::string(metrics::kContentType), services_.registry.expose());
  } else if (path == "/health/live") {
    co_await answer(exchange, 200, "text/plain", "alive\n");
  } else if (path == "/health/ready") {
    co_await answer_ready(exchange);
  } else if (path == "/admin/v1/status") {
    co_await answer_status(exchange);
  } else {
    co_await answer(exchange, 404, "text/plain", "here are /metrics, /health/live, /health/ready and /admin/v1/status\n");
  }
}

async::Task<void> OperationsService::answer_ready(http::Exchange& exchange) {
  std::string body;
  bool ready = true;
  for (const ReadyCheck& check : services_.checks) {
    const auto outcome = co_await check.run();
    ready = ready && outcome.has_value();
    body += check.name + ": " + (outcome ? "ok" : outcome.error().message) + "\n";
  }
  co_await answer(exchange, ready ? 200 : 503, "text/plain", std::move(body));
}

async::Task<void> OperationsService::answer_status(http::Exchange& exchange) {
  const auto nodes = co_await services_.nodes.list_nodes(deadline_in(5s));
  const auto queues = co_await services_.releases.queue_depths(deadline_in(5s));
  if (!nodes || !queues) {
    const Error& error = nodes ? queues.error() : nodes.error();
    co_await answer(exchange, 503, "text/plain", "the database does not answer: " + error.message + "\n");
    co_return;
  }
  StatusInput input{services_.cluster, *services_.topology.topology(), *nodes, *queues, services_.coordinator.status(),
                    services_.ages.database_now()};
  co_await answer(exchange, 200, "application/json", status_document(input));
}

}  // namespace rondel::admin
