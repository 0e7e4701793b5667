#include "cli/status_command.h"

#include <fmt/format.h>

#include "cli/local_cluster.h"
#include "cli/status_text.h"
#include "common/async/event_loop.h"
#include "common/http/client.h"

namespace rondel::cli {
namespace {

async::Task<Result<std::string>> fetch(http::Endpoint endpoint) {
  auto connection = http::ClientConnection::make(endpoint);
  http::RequestHead head;
  head.method = "GET";
  head.target = "/admin/v1/status";
  head.fields.add("Host", endpoint.authority());
  const std::span<const ByteView> no_body;
  CO_TRY(const auto response, co_await connection->request(std::move(head), no_body, deadline_in(std::chrono::seconds(10))));
  if (response.status != 200) {
    co_return fail(ErrorCode::kUnavailable, fmt::format("the gateway answered {}: {}", response.status, response.body));
  }
  co_return response.body;
}

}  // namespace

Result<void> print_status(const StatusOptions& options) {
  std::string url = options.operations_url;
  if (url.empty()) {
    TRY(const ClusterPlan plan, load_plan(options.data_directory));
    url = fmt::format("http://127.0.0.1:{}", plan.port + kOperationsPortOffset);
  }
  TRY(const http::Endpoint endpoint, http::Endpoint::parse(url));
  auto document = async::block_on(fetch(endpoint));
  if (!document) {
    return fail(ErrorCode::kUnavailable, "no gateway at " + url + " (" + document.error().message +
                                             "): start the cluster with `rondel up` or name one with --url");
  }
  if (options.json) {
    fmt::print("{}\n", *document);
    return {};
  }
  TRY(const std::string text, format_status(*document));
  fmt::print("{}", text);
  return {};
}

}  // namespace rondel::cli
