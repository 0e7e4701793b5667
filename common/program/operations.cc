#include "common/program/operations.h"

#include <algorithm>

#include "common/program/listen_address.h"

namespace rondel::program {
namespace {

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

ReadyCheck ready_check(std::string name, std::function<Result<void>()> run) {
  return {std::move(name),
          [run = std::move(run)]() -> async::Task<Result<void>> { co_return run(); }};
}

async::Task<void> OperationsService::handle(http::Exchange& exchange) {
  const std::string path(exchange.head().path());
  const bool reads = exchange.head().method == "GET" || exchange.head().method == "HEAD";
  const auto page = std::ranges::find(pages_, path, &OperationsPage::path);
  if (!reads) {
    co_await answer(exchange, 405, "text/plain", "only GET and HEAD\n");
  } else if (path == "/metrics") {
    co_await answer(exchange, 200, std::string(metrics::kContentType), registry_.expose());
  } else if (path == "/health/live") {
    co_await answer(exchange, 200, "text/plain", "alive\n");
  } else if (path == "/health/ready") {
    co_await answer_checks(exchange, true);
  } else if (path == "/health/serving") {
    co_await answer_checks(exchange, false);
  } else if (page != pages_.end()) {
    co_await answer_page(exchange, *page);
  } else {
    co_await answer(exchange, 404, "text/plain", paths());
  }
}

// Each check by name, also behind one that fails.
async::Task<void> OperationsService::answer_checks(http::Exchange& exchange, bool all) {
  std::string body;
  bool good = true;
  for (const std::vector<ReadyCheck>* checks : {&checks_.serving, &checks_.ready}) {
    if (checks == &checks_.ready && !all) break;
    for (const ReadyCheck& check : *checks) {
      const auto outcome = co_await check.run();
      good = good && outcome.has_value();
      body += check.name + ": " + (outcome ? "ok" : outcome.error().message) + "\n";
    }
  }
  co_await answer(exchange, good ? 200 : 503, "text/plain", std::move(body));
}

async::Task<void> OperationsService::answer_page(http::Exchange& exchange,
                                                 const OperationsPage& page) {
  auto made = co_await page.make();
  if (made) co_return co_await answer(exchange, 200, page.content_type, *std::move(made));
  co_await answer(exchange, 503, "text/plain", made.error().message + "\n");
}

std::string OperationsService::paths() const {
  std::string text = "here are /metrics, /health/live, /health/serving, /health/ready";
  for (const OperationsPage& page : pages_) text += ", " + page.path;
  return text + "\n";
}

Result<std::unique_ptr<http::Server>> start_operations(const config::Settings& settings,
                                                       std::string_view key, async::EventLoop& loop,
                                                       OperationsService& service) {
  TRY(const ListenAddress listen, listen_address(settings, key));
  http::ServerOptions options;
  options.address = listen.host;
  options.port = listen.port;
  options.connections_max = 256;
  return http::Server::start({&loop}, std::move(options), [&service](http::Exchange& exchange) {
    return service.handle(exchange);
  });
}

}  // namespace rondel::program
