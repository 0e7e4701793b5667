// Peers over gRPC that take connections and say nothing.
#include "storage-node/repair/peer_journal.h"

#include <gtest/gtest.h>

#include "common/async/event_loop.h"
#include "tests/unit/common/http/raw_socket.h"

namespace rondel::repair {
namespace {

using namespace std::chrono_literals;

struct Nodes final : ring::TopologySource {
  std::shared_ptr<const ring::Topology> topology() const override { return now; }

  std::shared_ptr<ring::Topology> now = std::make_shared<ring::Topology>();
};

struct Asked {
  int answers = 0;
  int refused = 0;  // At once: the node has its share.
};

async::Task<void> ask(PeerJournal& peers, model::NodeId node, bool list, Asked& asked) {
  const transfer::DiskAddress disk{node, model::DiskId::random()};
  ErrorCode code;
  if (list) {
    code = (co_await peers.list(disk, {}, deadline_in(60s))).error().code;
  } else {
    code =
        (co_await peers.pull(model::DiskId::random(), disk, 0, 10, deadline_in(60s))).error().code;
  }
  ++(code == ErrorCode::kResourceExhausted ? asked.refused : asked.answers);
}

TEST(PeerJournal, ANodeThatHangsDoesNotKeepTheOthersFromBeingAsked) {
  auto silent = std::make_unique<http::RawListener>();
  Nodes source;
  const auto hung = model::NodeId::random(), other = model::NodeId::random();
  source.now->nodes.push_back({hung, "127.0.0.1:" + std::to_string(silent->port()), ""});
  source.now->nodes.push_back({other, "127.0.0.1:1", ""});  // Refuses at once.
  Asked of_hung, of_other;
  auto journal = make_grpc_peer_journal(source, nullptr);
  async::block_on([](PeerJournal& peers, model::NodeId bad, model::NodeId good, Asked& bads,
                     Asked& goods,
                     std::unique_ptr<http::RawListener>& machine) -> async::Task<void> {
    // A hundred disks here, three there, and then some.
    for (int i = 0; i < 300; ++i) {
      async::spawn(*async::EventLoop::current(), ask(peers, bad, i % 2 == 0, bads));
    }
    while (bads.refused == 0) co_await async::sleep_for(1ms);
    for (const bool list : {false, true}) co_await ask(peers, good, list, goods);
    EXPECT_EQ(goods.answers, 2);
    EXPECT_EQ(bads.answers, 0) << "they wait still";
    EXPECT_GT(bads.refused, 0) << "a node has its share of calls and no more";
    machine.reset();
    while (bads.answers + bads.refused < 300) co_await async::sleep_for(5ms);
  }(*journal, hung, other, of_hung, of_other, silent));
}

}  // namespace
}  // namespace rondel::repair
