// Disks that are bad, hang or take long are left out alone, and join when they open.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "storage-node/service/disk_set.h"
#include "storage-node/service/open_disks.h"
#include "tests/fakes/faulty_file_system.h"
#include "tests/unit/storage-node/engine/engine_fixture.h"

namespace rondel::node {
namespace {

using namespace std::chrono_literals;
using engine::DiskState;
using engine::EngineOptions;
using fakes::Fault;
using fakes::Operation;

// On a busy machine, too.
constexpr Duration kEnoughForTheOthers = 5s;

class OpenDisks : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const std::string path : {"/a", "/b", "/c"}) ASSERT_TRUE(disk_.make_directory(path));
    for (auto& opened : open()) {
      ASSERT_FALSE(opened.error) << opened.error->message;
      known_[opened.path] = opened.engine->disk_id();
      ASSERT_TRUE(engine::put(*opened.engine, engine::make_id(1), 1000));
    }
  }

  EngineOptions options(const std::string& path) {
    auto made = engine::small_options(folder_.path() + "/index" + path.substr(1));
    made.path = path;
    if (const auto found = known_.find(path); found != known_.end()) made.disk = found->second;
    return made;
  }

  std::vector<OpenedDisk> open(Duration patience = 60s, Duration retry = 1ms) {
    const OpenDisk one =
        [this](const EngineOptions& disk) -> Result<std::unique_ptr<engine::Engine>> {
      auto opened = engine::Engine::open(fs_, disk);
      std::lock_guard lock(mutex_);
      ++attempts_[disk.path];
      changed_.notify_all();
      return opened;
    };
    const auto joins = [this](const std::string& path, const model::DiskId& disk) {
      std::lock_guard lock(mutex_);
      joined_.emplace(path, disk);
    };
    return open_disks({options("/a"), options("/b"), options("/c")}, one, {patience, retry, joins});
  }

  void await_attempts(const std::string& path, int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return attempts_[path] >= count; });
  }

  int attempts_now(const std::string& path) {
    std::lock_guard lock(mutex_);
    return attempts_[path];
  }

  // It joins shortly after its attempt has ended.
  static void await_online(engine::Engine& disk) {
    while (disk.status().state != DiskState::kOnline) std::this_thread::yield();
  }

  engine::TemporaryFolder folder_;
  fs::SimulatedFileSystem disk_{1};
  fakes::FaultyFileSystem fs_{disk_};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int> attempts_;
  std::map<std::string, ErrorCode> errors_;
  std::map<std::string, model::DiskId> known_;
  std::map<std::string, model::DiskId> joined_;  // After all others were there.
};

TEST_F(OpenDisks, ADiskThatHangsIsLeftOutAloneAndJoinsLater) {
  fs_.set({Operation::kOpen, Fault::kHang, "/b/superblock"});
  {
    auto opened = open(kEnoughForTheOthers);
    ASSERT_EQ(opened.size(), 3u);
    EXPECT_FALSE(opened[0].error || opened[2].error);
    ASSERT_TRUE(opened[1].error);
    ASSERT_TRUE(opened[1].engine);
    engine::Engine& late = *opened[1].engine;
    EXPECT_EQ(late.disk_id(), known_["/b"]);
    EXPECT_EQ(late.status().state, DiskState::kFailed);
    EXPECT_EQ(late.read(engine::make_id(1), 0, 1000).error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(engine::put(late, engine::make_id(2), 1000).error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(engine::remove(late, engine::make_id(1)).error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(late.journal_after(0, 10).error().code, ErrorCode::kUnavailable);
    std::atomic<int> grown{0};
    late.on_journal_growth([&grown] { ++grown; });
    fs_.clear();
    await_online(late);
    EXPECT_TRUE(engine::verify(late, engine::make_id(1), 1000));
    EXPECT_TRUE(engine::put(late, engine::make_id(2), 1000));
    for (auto& disk : opened) disk.engine.reset();
    EXPECT_GT(grown.load(), 0);
  }
}

TEST_F(OpenDisks, ABadDiskIsLeftOutAloneAndTriedAgain) {
  struct Case {
    const char* what;
    fakes::FaultRule rule;
  };

  const Case cases[] = {
      {"cannot be read", {Operation::kRead, Fault::kError, "/b/superblock"}},
      {"is damaged", {Operation::kRead, Fault::kFlip, "/b/superblock", 20, 21}},
      {"its folder cannot be listed", {Operation::kList, Fault::kError, "/b/segments"}},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.what);
    {
      std::lock_guard lock(mutex_);
      attempts_.clear();
    }
    fs_.set(one.rule);
    auto opened = open();
    EXPECT_FALSE(opened[0].error || opened[2].error);
    ASSERT_TRUE(opened[1].error && opened[1].engine);
    EXPECT_EQ(opened[1].engine->status().state, DiskState::kFailed);
    await_attempts("/b", 3);
    fs_.clear();
    await_online(*opened[1].engine);
    EXPECT_TRUE(engine::verify(*opened[1].engine, engine::make_id(1), 1000));
  }
}

// An empty folder where a disk was: nothing is mounted there.
TEST_F(OpenDisks, AnEmptyMountPointIsNotANewDiskAndCostsNoOther) {
  known_["/b"] = model::DiskId::random();
  const auto opened = open();
  EXPECT_FALSE(opened[0].error || opened[2].error);
  ASSERT_TRUE(opened[1].error);
  EXPECT_EQ(opened[1].error->code, ErrorCode::kPrecondition);
  EXPECT_EQ(opened[1].engine->disk_id(), known_["/b"]) << "visible as failed";
}

// All of them make their index again, say: known ones stand in, and of unknown ones the first that
// opens is waited for. Nobody begins anew.
TEST_F(OpenDisks, DisksThatAllTakeLongAreThereAllTheSame) {
  for (const bool known : {true, false}) {
    SCOPED_TRACE(known ? "known" : "not known");
    if (!known) known_.clear();
    std::promise<void> go;
    std::atomic<bool> begun = false;
    const OpenDisk slow = [this, &begun,
                           gone = go.get_future().share()](const EngineOptions& disk) {
      begun = true;
      gone.wait();
      return engine::Engine::open(fs_, disk);
    };
    std::vector<EngineOptions> all = {options("/a")};
    if (known) all.push_back(options("/b"));
    // The time of those that are known is over at once.
    auto opening =
        std::async(std::launch::async, [&] { return open_disks(all, slow, {0ms, 1ms}); });
    while (!begun) std::this_thread::yield();
    if (!known) go.set_value();
    const auto disks = opening.get();
    if (known) go.set_value();
    for (const auto& disk : disks) {
      EXPECT_EQ(disk.error.has_value(), known) << "without any disk nobody goes on";
      ASSERT_TRUE(disk.engine);
      await_online(*disk.engine);
    }
  }
}

TEST_F(OpenDisks, UnknownDisksThatAllFailAreNotWaitedFor) {
  known_.clear();
  fs_.set({Operation::kRead, Fault::kError, "superblock"});
  for (const auto& disk : open()) {
    EXPECT_TRUE(disk.error);
    EXPECT_TRUE(disk.engine->disk_id().is_zero());
    EXPECT_EQ(disk.engine->status().state, DiskState::kFailed);
  }
}

// Whoever unmounts a bad disk does not make a new one in its place.
TEST_F(OpenDisks, ADiskIsMadeByTheFirstAttemptAlone) {
  known_.clear();
  std::vector<EngineOptions> all;
  for (const std::string path : {"/a", "/new", "/b"}) all.push_back(options(path));
  ASSERT_TRUE(disk_.make_directory("/new"));
  fs_.set({Operation::kList, Fault::kError, "/new/segments"});
  const OpenDisk one = [this](const EngineOptions& disk) {
    auto opened = engine::Engine::open(fs_, disk);
    std::lock_guard lock(mutex_);
    ++attempts_[disk.path];
    if (!opened) errors_[disk.path] = opened.error().code;
    changed_.notify_all();
    return opened;
  };
  const auto opened = open_disks(all, one, {60s, 1ms});
  ASSERT_TRUE(opened[1].error);
  fs_.clear();
  await_attempts("/new", attempts_now("/new") + 3);
  EXPECT_TRUE(opened[1].engine->disk_id().is_zero());
  std::lock_guard lock(mutex_);
  EXPECT_EQ(errors_["/new"], ErrorCode::kPrecondition);
}

// Nobody knows its id before: it is there without one, and joins under its own.
TEST_F(OpenDisks, ADiskThatIsNotKnownJoinsWhenItOpens) {
  const model::DiskId own = known_.at("/b");
  ASSERT_FALSE(own.is_zero());

  const struct {
    const char* name;
    fakes::FaultRule rule;
  } cases[] = {
      {"hangs", {Operation::kOpen, Fault::kHang, "/b/superblock"}},
      {"cannot be read", {Operation::kRead, Fault::kError, "/b/superblock"}},
      {"its folder cannot be listed", {Operation::kList, Fault::kError, "/b/segments"}},
  };

  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    known_.erase("/b");
    joined_.clear();
    fs_.set(c.rule);
    std::vector<std::unique_ptr<engine::Engine>> engines;
    const bool hangs = c.rule.fault == Fault::kHang;
    for (auto& disk : hangs ? open(kEnoughForTheOthers) : open()) {
      EXPECT_EQ(disk.error.has_value(), disk.path == "/b");
      ASSERT_TRUE(disk.engine);
      engines.push_back(std::move(disk.engine));
    }
    engine::Engine& late = *engines[1];
    const DiskSet disks(std::move(engines));
    EXPECT_TRUE(late.disk_id().is_zero());
    EXPECT_EQ(std::ranges::distance(disks.identified()), 2);
    EXPECT_EQ(disks.find({}), nullptr);
    EXPECT_EQ(disks.find(own), nullptr);
    EXPECT_EQ(late.read(engine::make_id(1), 0, 1000).error().code, ErrorCode::kUnavailable);
    fs_.clear();
    await_online(late);
    EXPECT_EQ(late.disk_id(), own);
    EXPECT_EQ(disks.find(own), &late);
    EXPECT_EQ(std::ranges::distance(disks.identified()), 3);
    EXPECT_TRUE(engine::verify(late, engine::make_id(1), 1000));
    std::lock_guard lock(mutex_);
    EXPECT_EQ(joined_, (std::map<std::string, model::DiskId>{{"/b", own}}));
  }
}

}  // namespace
}  // namespace rondel::node
