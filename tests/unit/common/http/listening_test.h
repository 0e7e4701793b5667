// A test with a server of its own: started by start(), stopped when the test ends.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <utility>

#include "common/async/event_loop.h"
#include "common/async/loop_threads.h"
#include "common/http/server.h"

namespace rondel::http {

class ListeningTest : public ::testing::Test {
 protected:
  explicit ListeningTest(size_t threads = 1) : threads_(threads) {}

  void start_server(ServerOptions options, Handler handler) {
    auto started = Server::start(threads_.all(), std::move(options), std::move(handler));
    ASSERT_TRUE(started) << started.error().message;
    server_ = std::move(*started);
  }

  // What was posted meanwhile ends before the server goes.
  void TearDown() override {
    if (server_) {
      server_->stop();
      async::block_on(server_->wait_idle(deadline_in(std::chrono::seconds(60))));
      server_.reset();
    }
    threads_.join();
  }

  async::LoopThreads threads_;
  std::unique_ptr<Server> server_;
};

}  // namespace rondel::http
