#include "gateway/api/watched_exchange.h"

#include "common/async/event_loop.h"

namespace rondel::api {
namespace {

constexpr uint64_t kProgressBytes = 16 * 1024;

}  // namespace

WatchedExchange::WatchedExchange(http::Exchange& inner, admission::Pool::Hold& ticket)
    : inner_(inner), ticket_(ticket), alive_(std::make_shared<http::Exchange*>(&inner)) {
  ticket_.may_give_way([loop = async::EventLoop::current(), alive = std::weak_ptr(alive_)] {
    loop->post([alive] {
      if (const auto exchange = alive.lock()) (*exchange)->abort();
    });
  });
}

void WatchedExchange::wait() {
  began_ = std::chrono::steady_clock::now();
  ticket_.idle(began_ - waited_);
}

void WatchedExchange::waited(uint64_t bytes) {
  ticket_.busy();
  waited_ += std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - began_);
  bytes_ += bytes;
  if (bytes_ < kProgressBytes) return;
  bytes_ = 0;
  waited_ = {};
}

async::Task<Result<ByteView>> WatchedExchange::read_body() {
  wait();
  auto run = co_await inner_.read_body();
  waited(run ? run->size() : 0);
  co_return run;
}

async::Task<Result<void>> WatchedExchange::write_body(ByteSlice bytes) {
  const uint64_t count = bytes.size();
  wait();
  auto written = co_await inner_.write_body(std::move(bytes));
  waited(count);
  co_return written;
}

// The last that a request does: nothing but its client is waited for behind it.
async::Task<Result<void>> WatchedExchange::respond(http::ResponseHead head, std::string body) {
  wait();
  return inner_.respond(std::move(head), std::move(body));
}

async::Task<Result<void>> WatchedExchange::respond_head_only(
    http::ResponseHead head, std::optional<uint64_t> content_length) {
  wait();
  return inner_.respond_head_only(std::move(head), content_length);
}

}  // namespace rondel::api
