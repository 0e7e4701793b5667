#include "storage-node/service/ring_contact.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/unit/storage-node/engine/engine_fixture.h"

namespace rondel::node {
namespace {

using namespace std::chrono_literals;

TEST(RingContact, AsksNobodyOnceItIsStopped) {
  engine::TemporaryFolder folder;
  fs::SimulatedFileSystem files{1};
  ASSERT_TRUE(files.make_directory("/disk"));
  std::vector<std::unique_ptr<engine::Engine>> engines;
  engines.push_back(engine::Engine::open(files, engine::small_options(folder.path() + "/index")).value());
  const DiskSet disks(std::move(engines));
  RingContactOptions options;
  options.gateways = {"127.0.0.1:1"};   // Refuses.
  options.cache_file = folder.path() + "/ring.cache";
  options.metadata_file = folder.path() + "/metadata.seen";
  options.period = 1ms;
  RingContact contact(std::move(options));
  std::atomic<int> asked = 0;
  std::atomic<bool> gone = false;
  contact.start(disks, [&](const model::DiskId&) {
    EXPECT_FALSE(gone);
    ++asked;
    std::this_thread::sleep_for(5ms);
    return std::array<uint64_t, 3>{};
  }, [](const model::ClusterId&) {});
  for (const Deadline end = deadline_in(10s); asked < 3 && std::chrono::steady_clock::now() < end;) std::this_thread::sleep_for(1ms);
  EXPECT_GE(asked, 3);
  contact.stop();
  gone = true;
  std::this_thread::sleep_for(50ms);
  contact.stop();
}

}  // namespace
}  // namespace rondel::node
