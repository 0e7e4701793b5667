// The operations listener of a program: /metrics, /health/live, /health/serving, /health/ready, and
// what pages the program adds. Everything on it is read-only and without credentials: it belongs on
// loopback or a private network, apart from what clients use.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/async/event_loop.h"
#include "common/config/config.h"
#include "common/http/server.h"
#include "common/metrics/metrics.h"

namespace rondel::program {

// One condition of serving or of readiness, asked at every /health/serving or /health/ready on the
// listener's loop. It has a deadline of its own.
struct ReadyCheck {
  std::string name;  // As the answer shows it: "database", "ring contact".
  std::function<async::Task<Result<void>>()> run;
};

// One that is known without waiting.
ReadyCheck ready_check(std::string name, std::function<Result<void>()> run);

// What a program is asked. `serving`: may whoever balances requests send them here? Only what this
// process alone can mend, so that a fault of all (the database) empties no balancer. `ready`: what
// else must hold so that requests are answered well; /health/ready asks both.
struct HealthChecks {
  std::vector<ReadyCheck> serving;
  std::vector<ReadyCheck> ready;
};

// A document below its own path. The error's text is the answer's, with 503.
struct OperationsPage {
  std::string path;
  std::string content_type;
  std::function<async::Task<Result<std::string>>()> make;
};

// Safe for concurrent use; outlives its server.
class OperationsService {
 public:
  OperationsService(const metrics::Registry& registry, HealthChecks checks,
                    std::vector<OperationsPage> pages = {})
      : registry_(registry), checks_(std::move(checks)), pages_(std::move(pages)) {}

  async::Task<void> handle(http::Exchange& exchange);

 private:
  async::Task<void> answer_checks(http::Exchange& exchange, bool all);
  async::Task<void> answer_page(http::Exchange& exchange, const OperationsPage& page);
  std::string paths() const;

  const metrics::Registry& registry_;
  const HealthChecks checks_;
  const std::vector<OperationsPage> pages_;
};

// Listens where the setting `key` says, on one loop; at most 256 connections. `service` outlives
// the server. Errors: as listen_address() and http::Server::start().
Result<std::unique_ptr<http::Server>> start_operations(const config::Settings& settings,
                                                       std::string_view key, async::EventLoop& loop,
                                                       OperationsService& service);

}  // namespace rondel::program
