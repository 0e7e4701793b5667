#include "common/http/server.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/ip/v6_only.hpp>
#include <map>
#include <unordered_set>

#include "common/async/blocking_pool.h"
#include "common/base/mutex.h"
#include "common/http/connection.h"
#include "common/http/stream_impl.hpp"
#include "common/http/tls.h"

namespace rondel::http {
namespace {

using Acceptor = asio::basic_socket_acceptor<tcp, asio::io_context::executor_type>;

// Of whoever asks for certificates to be read again.
constexpr Duration kFilesPatience = std::chrono::seconds(5);

// The connections of one loop, used on it alone.
struct Shard {
  async::EventLoop* loop = nullptr;
  std::unordered_set<std::shared_ptr<Connection>> connections;
  std::unique_ptr<async::Timer> watch;
  std::atomic<uint64_t> rounds{0};
};

// How many connections each address has. While there is room nobody is refused for it; where room
// becomes scarce one address does not take what is left. Safe for concurrent use.
class Addresses {
 public:
  explicit Addresses(const ServerOptions& options)
      : crowded_(options.connections_max - options.connections_max / 5),
        share_(std::max<size_t>(2, options.connections_max / 20)),
        options_(options) {}

  // One more of it, of `open` in all; false: it has its share.
  bool admit(const IpAddress& address, size_t open) {
    // Behind a proxy are many.
    if (is_proxy(address)) return true;
    MutexLock lock(mutex_);
    size_t& count = counts_[neighbourhood(address)];
    if (open >= crowded_ && count >= share_) return false;
    ++count;
    return true;
  }

  void leave(const IpAddress& address) {
    if (is_proxy(address)) return;
    MutexLock lock(mutex_);
    const auto found = counts_.find(neighbourhood(address));
    if (found != counts_.end() && --found->second == 0) counts_.erase(found);
  }

 private:
  bool is_proxy(const IpAddress& address) const {
    return options_.proxy_protocol.contains(address) || options_.trusted_proxies.contains(address);
  }

  // Of IPv6 whoever has one address has the 64 bits behind it.
  static IpAddress neighbourhood(IpAddress address) {
    if (!is_ipv4(address)) std::fill(address.begin() + 8, address.end(), uint8_t{0});
    return address;
  }

  const size_t crowded_;
  const size_t share_;
  const ServerOptions& options_;
  Mutex mutex_;
  std::map<IpAddress, size_t> counts_ GUARDED_BY(mutex_);  // No zeroes.
};

// Certificates in use. Files may hang: whoever reads them owns this.
struct ServerTls {
  explicit ServerTls(TlsOptions with) : options(std::move(with)) {}

  std::shared_ptr<asio::ssl::context> context() {
    MutexLock lock(mutex);
    return current;
  }

  Result<void> load() {
    const int64_t version_now = tls_files_version(options);
    TRY(auto made, make_server_context(options));
    MutexLock lock(mutex);
    current = std::move(made);
    version = version_now;
    return {};
  }

  void load_if_changed() {
    const int64_t version_now = tls_files_version(options);
    {
      MutexLock lock(mutex);
      if (version_now == 0 || version_now == version) return;
    }
    (void)load();  // The old pair stays until the new one fits together.
  }

  const TlsOptions options;
  Mutex mutex;
  std::shared_ptr<asio::ssl::context> current GUARDED_BY(mutex);
  int64_t version GUARDED_BY(mutex) = 0;
};

// Owned by the server object and by everything that runs on the loops, so that late callbacks find
// it alive.
struct State : std::enable_shared_from_this<State> {
  ServerOptions options;
  Handler handler;
  std::vector<std::shared_ptr<Shard>> shards;
  std::unique_ptr<Acceptor> acceptor;   // On the first loop.
  std::unique_ptr<async::Timer> retry;  // On the first loop.
  ServerCounters counters;
  std::unique_ptr<Addresses> addresses;
  Ending ending;
  std::shared_ptr<ServerTls> tls;              // Null: plain.
  std::unique_ptr<async::BlockingPool> files;  // With tls.
  size_t next_shard = 0;
};

async::Task<void> run_connection(std::shared_ptr<State> state, std::shared_ptr<Shard> shard,
                                 std::shared_ptr<Connection> connection,
                                 std::optional<IpAddress> peer,
                                 std::shared_ptr<asio::ssl::context> context) {
  (void)context;  // The stream needs it until the end.
  shard->connections.insert(connection);
  co_await connection->serve();
  shard->connections.erase(connection);
  if (peer) state->addresses->leave(*peer);
  state->counters.connections.fetch_sub(1);
}

IpAddress ip_address(const asio::ip::address& address) {
  const auto v6 = address.is_v6() ? address.to_v6()
                                  : asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4());
  return v6.to_bytes();
}

// nullopt: it is gone already.
std::optional<IpAddress> peer_of(const Socket& socket) {
  ErrorCodeOf error;
  const auto endpoint = socket.remote_endpoint(error);
  return error ? std::nullopt : std::optional(ip_address(endpoint.address()));
}

void start_connection(const std::shared_ptr<State>& state, const std::shared_ptr<Shard>& shard,
                      Socket socket, std::optional<IpAddress> peer) {
  ErrorCodeOf ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  auto context = state->tls ? state->tls->context() : nullptr;
  std::unique_ptr<Stream> stream;
  if (context) {
    stream = std::make_unique<TlsStream>(std::move(socket), *context, TlsStream::Side::kServer);
  } else {
    stream = std::make_unique<PlainStream>(std::move(socket));
  }
  auto connection =
      std::make_shared<Connection>(std::move(stream), context != nullptr, peer, state->options,
                                   state->handler, state->counters, state->ending);
  async::spawn(*shard->loop,
               run_connection(state, shard, std::move(connection), peer, std::move(context)));
}

void refuse_connection(Socket socket) {
  static constexpr std::string_view kAnswer =
      "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: "
      "close\r\n\r\n";
  ErrorCodeOf ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(asio::const_buffer(kAnswer.data(), kAnswer.size()), ignored);
  socket.close(ignored);
}

void accept_next(const std::shared_ptr<State>& state) {
  auto shard = state->shards[state->next_shard++ % state->shards.size()];
  state->acceptor->async_accept(
      shard->loop->context(),
      [state, shard](const ErrorCodeOf& error,
                     asio::basic_stream_socket<tcp, asio::io_context::executor_type> socket) {
        if (state->ending.stopping.load() || error == asio::error::operation_aborted) return;
        if (error) {
          // Out of descriptors, mostly: go on when some may have been closed.
          state->retry = state->shards.front()->loop->call_at(
              deadline_in(std::chrono::milliseconds(50)), [weak = std::weak_ptr(state)] {
                if (const auto still = weak.lock()) accept_next(still);
              });
          return;
        }
        const size_t open = state->counters.connections.load();
        const auto peer = peer_of(socket);
        if (open >= state->options.connections_max ||
            (peer && !state->addresses->admit(*peer, open))) {
          state->counters.refused.fetch_add(1);
          refuse_connection(std::move(socket));
        } else {
          state->counters.connections.fetch_add(1);
          state->counters.accepted.fetch_add(1);
          start_connection(state, shard, std::move(socket), peer);
        }
        accept_next(state);
      });
}

// Again and again on each loop: deadlines of connections, certificate files.
void watch(const std::shared_ptr<State>& state, const std::shared_ptr<Shard>& shard) {
  const SteadyTime now = state->options.clock->steady_now();
  for (const auto& connection : std::vector(shard->connections.begin(), shard->connections.end())) {
    connection->check_deadline(now);
  }
  // When files hang one look at them is under way and few wait; no more are begun.
  if (++shard->rounds % 20 == 0 && shard == state->shards.front() && state->tls) {
    (void)state->files->try_submit([tls = state->tls] { tls->load_if_changed(); });
  }
  const Duration often = std::chrono::milliseconds(50);
  const Duration pause = state->ending.stopping.load()
                             ? std::min(often, state->options.check_period)
                             : state->options.check_period;
  shard->watch =
      shard->loop->call_at(deadline_in(pause), [weak = std::weak_ptr(state), shard = shard.get()] {
        const auto still = weak.lock();
        if (!still) return;
        for (const auto& one : still->shards) {
          if (one.get() == shard) watch(still, one);
        }
      });
}

class AsioServer final : public Server {
 public:
  explicit AsioServer(std::shared_ptr<State> state, uint16_t port)
      : state_(std::move(state)), port_(port) {}

  ~AsioServer() override {
    stop();
    for (const auto& shard : state_->shards) {
      shard->loop->post([shard] { shard->watch.reset(); });
    }
  }

  uint16_t port() const override { return port_; }

  void lame_duck() override { state_->ending.leaving = true; }

  void stop() override {
    if (state_->ending.stopping.exchange(true)) return;
    state_->shards.front()->loop->post([state = state_] {
      ErrorCodeOf ignored;
      state->acceptor->close(ignored);
    });
  }

  async::Task<void> wait_idle(Deadline deadline) override {
    while (state_->counters.connections.load() > 0 && std::chrono::steady_clock::now() < deadline) {
      co_await async::sleep_for(std::chrono::milliseconds(10));
    }
    for (const auto& shard : state_->shards) {
      shard->loop->post([shard] {
        for (const auto& connection : shard->connections) connection->cut();
      });
    }
    const Deadline last = deadline_in(std::chrono::seconds(2));
    while (state_->counters.connections.load() > 0 && std::chrono::steady_clock::now() < last) {
      co_await async::sleep_for(std::chrono::milliseconds(10));
    }
  }

  Result<void> reload_tls() override {
    if (!state_->tls) return fail(ErrorCode::kInvalidArgument, "the server speaks no TLS");
    auto loaded =
        state_->files->run_within(kFilesPatience, [tls = state_->tls] { return tls->load(); });
    return loaded ? std::move(*loaded) : std::unexpected(loaded.error());
  }

  ServerStatus status() const override {
    return {state_->counters.connections.load(),
            state_->counters.accepted.load(),
            state_->counters.refused.load(),
            state_->counters.malformed.load(),
            state_->counters.slow.load(),
            state_->counters.body_bytes_read.load(),
            state_->counters.body_bytes_written.load(),
            rounds()};
  }

 private:
  uint64_t rounds() const {
    const auto least = std::ranges::min_element(
        state_->shards, {}, [](const auto& shard) { return shard->rounds.load(); });
    return least == state_->shards.end() ? 0 : (*least)->rounds.load();
  }

  std::shared_ptr<State> state_;
  uint16_t port_;
};

Result<void> listen(State& state) {
  ErrorCodeOf error;
  const auto address = asio::ip::make_address(state.options.address, error);
  if (error) {
    return fail(ErrorCode::kInvalidArgument, "'" + state.options.address + "' is no IP address");
  }
  const tcp::endpoint endpoint(address, state.options.port);
  state.acceptor = std::make_unique<Acceptor>(state.shards.front()->loop->context());
  state.acceptor->open(endpoint.protocol(), error);
  if (!error) state.acceptor->set_option(Acceptor::reuse_address(true), error);
  // By default the system says whether "::" takes IPv4 too.
  if (!error && address.is_v6()) {
    state.acceptor->set_option(asio::ip::v6_only(!address.is_unspecified()), error);
  }
  if (!error) state.acceptor->bind(endpoint, error);
  if (!error) state.acceptor->listen(4096, error);
  if (!error) return {};
  const std::string host =
      address.is_v6() ? "[" + state.options.address + "]" : state.options.address;
  const std::string where = host + ":" + std::to_string(state.options.port);
  const auto code = error == asio::error::address_in_use ? ErrorCode::kAlreadyExists
                                                         : ErrorCode::kInvalidArgument;
  return fail(code, "cannot listen on " + where + ": " + error.message());
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(std::vector<async::EventLoop*> loops,
                                              ServerOptions options, Handler handler) {
  auto state = std::make_shared<State>();
  state->options = std::move(options);
  state->handler = std::move(handler);
  state->addresses = std::make_unique<Addresses>(state->options);
  for (async::EventLoop* loop : loops) {
    state->shards.push_back(std::make_shared<Shard>());
    state->shards.back()->loop = loop;
  }
  if (state->options.tls) {
    state->tls = std::make_shared<ServerTls>(*state->options.tls);
    TRY_VOID(state->tls->load());
    state->files = std::make_unique<async::BlockingPool>("certificates", 1, 2,
                                                         async::BlockingPool::Ending::kLeave);
  }
  TRY_VOID(listen(*state));
  ErrorCodeOf ignored;
  const uint16_t port = state->acceptor->local_endpoint(ignored).port();
  for (const auto& shard : state->shards) {
    shard->loop->post([state, shard] { watch(state, shard); });
  }
  state->shards.front()->loop->post([state] { accept_next(state); });
  return std::unique_ptr<Server>(std::make_unique<AsioServer>(std::move(state), port));
}

}  // namespace rondel::http
