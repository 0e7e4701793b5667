#include "cli/operations_client.h"

#include <fmt/format.h>

#include "common/async/event_loop.h"
#include "common/http/client.h"

namespace rondel::cli {
namespace {

async::Task<Result<std::string>> fetch(http::Endpoint endpoint, std::string path) {
  auto connection = http::ClientConnection::make(endpoint);
  http::RequestHead head;
  head.method = "GET";
  head.target = path;
  head.fields.add("Host", endpoint.authority());
  const std::span<const ByteView> no_body;
  CO_TRY(const auto response, co_await connection->request(std::move(head), no_body,
                                                           deadline_in(std::chrono::seconds(10))));
  if (response.status != 200) {
    co_return fail(ErrorCode::kUnavailable,
                   fmt::format("it answered {}: {}", response.status, response.body));
  }
  co_return response.body;
}

}  // namespace

Result<std::string> ask_operations(const std::string& url, const std::string& path) {
  TRY(const http::Endpoint endpoint, http::Endpoint::parse(url));
  return async::block_on(fetch(endpoint, path));
}

}  // namespace rondel::cli
