// Random operations with the power going off in the middle of any I/O call: what was acknowledged
// is there afterwards.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <set>

#include "tests/fakes/forwarding_file_system.h"
#include "tests/unit/storage-node/engine/engine_fixture.h"

namespace rondel::engine {
namespace {

// Acknowledges flushes that it does not do.
class ForgetfulFile final : public fakes::ForwardingFile {
 public:
  using ForwardingFile::ForwardingFile;

  Result<void> flush() override { return {}; }
};

enum class Planted { kNothing, kLogNotFlushed, kExtentNotFlushed, kFolderNotFlushed };

class PlantedFileSystem final : public fakes::ForwardingFileSystem {
 public:
  PlantedFileSystem(fs::SimulatedFileSystem& inner, Planted fault)
      : ForwardingFileSystem(inner), fault_(fault) {}

  Result<std::unique_ptr<fs::File>> open(const std::string& path,
                                         fs::OpenOptions options) override {
    const bool log = options.direct_durable;
    if (log && fault_ == Planted::kLogNotFlushed) options.direct_durable = false;
    TRY(auto file, ForwardingFileSystem::open(path, options));
    const bool forget = path.ends_with(".seg") && (log ? fault_ == Planted::kLogNotFlushed
                                                       : fault_ == Planted::kExtentNotFlushed);
    if (!forget) return file;
    return std::make_unique<ForgetfulFile>(std::move(file));
  }

  Result<void> flush_directory(const std::string& directory) override {
    return fault_ == Planted::kFolderNotFlushed ? Result<void>{}
                                                : ForwardingFileSystem::flush_directory(directory);
  }

 private:
  const Planted fault_;
};

// What must hold of a blob after a crash.
struct Expectation {
  enum class State {
    kUnknown,  // No answer came: whole or absent, nothing in between.
    kStored,
    kRemoved,  // Acknowledged: never alive again.
  };
  size_t size = 0;
  State state = State::kUnknown;
  model::DiskId handoff_for;
  bool handoff_known = true;
};

using State = Expectation::State;

// On a roomy disk segments fill one after the other; on a tight one they are emptied and written
// again all the time.
enum class Room { kRoomy, kTight };

class Scenario {
 public:
  Scenario(uint64_t seed, Planted fault, Room room)
      : random_(seed), disk_(seed), fs_(disk_, fault), room_(room) {}

  // Empty = everything held.
  std::string run(int crashes) {
    if (!disk_.make_directory("/disk")) return "no folder";
    for (int i = 0; i < crashes; ++i) {
      const std::string failure = crash();
      if (!failure.empty()) return failure + " after crash " + std::to_string(i);
    }
    return "";
  }

  uint64_t compactions() const { return compactions_; }

 private:
  std::string crash() {
    switch (random_() % 5) {
      case 0:  // During recovery, the following ones too.
        for (uint64_t again = 1 + random_() % 3; again > 0; --again) {
          disk_.crash_after_calls(1 + random_() % opening_calls_);
          work(300);
          disk_.restart();
        }
        return check();
      case 1:  // During compaction.
        work(60);
        if (auto engine = Engine::open(fs_, options())) {
          disk_.crash_after_calls(1 + random_() % 60);
          while (!disk_.crashed() && compact(**engine)) {
          }
        }
        break;
      default: disk_.crash_after_calls(opening_calls_ + random_() % 600); work(300);
    }
    disk_.restart();
    return check();
  }

  size_t random_size() {
    switch (random_() % 4) {
      case 0: return 1 + random_() % 200;
      case 1: return 1 + random_() % 70'000;
      case 2: return 1 + random_() % model::kPieceBytes;
      default: return model::kPieceBytes + 1 + random_() % 1'500'000;
    }
  }

  EngineOptions options() {
    auto made = small_options(folder_.path() + "/index");
    made.lose_unflushed_index = true;
    made.compaction_garbage_ratio = 0.2;
    if (room_ == Room::kTight) {
      made.capacity_bytes = 64ull << 20;
      made.segment_bytes = 4ull << 20;
    }
    return made;
  }

  void work(int steps) {
    auto engine = Engine::open(fs_, options());
    if (!engine) return;
    for (int i = 0; i < steps && !disk_.crashed(); ++i) step(**engine);
  }

  void step(Engine& engine) {
    const uint64_t choice = random_() % 100;
    const uint64_t puts = room_ == Room::kTight ? 45 : 62;
    if (choice < puts || expected_.empty()) return put_one(engine);
    auto chosen = expected_.lower_bound(random_() % next_);
    if (chosen == expected_.end()) return;
    if (choice < 84) {
      remove_one(engine, chosen->first, chosen->second);
    } else if (choice < 87) {
      mark_handoff(engine, chosen->first, chosen->second);
    } else if (choice < 90) {
      restore_one(engine, chosen->first, chosen->second);
    } else {
      (void)compact(engine);
    }
  }

  // An upload that is given up: its pieces may still be on their way to the disk.
  void abandon_one(Engine& engine) {
    const model::BlobId id = make_id(next_++);
    auto upload = engine.start_large_put({id, 1, real_clock().now(), {}}, 4 * model::kPieceBytes);
    const ByteSlice bytes = make_bytes(id, 4 * model::kPieceBytes);
    for (uint64_t piece = 0; upload && piece < random_() % 4; ++piece) {
      const ByteSlice part = bytes.sub(piece * model::kPieceBytes, model::kPieceBytes);
      const auto first = static_cast<uint32_t>(piece * model::kPieceBytes / model::kBlockBytes);
      if (!(*upload)->append(part, hash::block_digests(id, first, part.view()))) break;
    }
  }

  void put_one(Engine& engine) {
    if (random_() % 16 == 0) return abandon_one(engine);
    const uint64_t n = next_++;
    Expectation& expectation = expected_[n];
    expectation.size = random_size();
    if (random_() % 4 == 0) expectation.handoff_for = model::DiskId::random();
    if (put(engine, make_id(n), expectation.size, expectation.handoff_for, random_() % 2 == 0)) {
      expectation.state = State::kStored;
    }
  }

  void remove_one(Engine& engine, uint64_t n, Expectation& expectation) {
    if (expectation.state != State::kStored) return;
    expectation.state = State::kUnknown;  // When the answer is lost.
    const Duration trash = random_() % 2 == 0 ? Duration::zero() : Duration(std::chrono::hours(1));
    if (remove(engine, make_id(n), trash)) expectation.state = State::kRemoved;
  }

  void restore_one(Engine& engine, uint64_t n, Expectation& expectation) {
    if (expectation.state != State::kRemoved) return;
    expectation.state = State::kUnknown;
    const auto restored = engine.restore({make_id(n)}, 0);
    if (restored) expectation.state = *restored == 1 ? State::kStored : State::kRemoved;
  }

  void mark_handoff(Engine& engine, uint64_t n, Expectation& expectation) {
    if (expectation.state != State::kStored) return;
    const model::DiskId owner = random_() % 2 == 0 ? model::DiskId{} : model::DiskId::random();
    expectation.handoff_known = engine.set_handoff(make_id(n), owner).has_value();
    expectation.handoff_for = owner;
  }

  bool compact(Engine& engine) {
    const auto done = engine.compact_once();
    compactions_ += done ? 1 : 0;
    return done.has_value() && *done > 0;
  }

  std::string check() {
    const uint64_t before = disk_.calls();
    auto engine = Engine::open(fs_, options());
    if (!engine) return "cannot open: " + engine.error().message;
    opening_calls_ = disk_.calls() - before + 1;
    for (const auto& [n, expectation] : expected_) {
      if (std::string failure = check_one(**engine, n, expectation); !failure.empty()) {
        return "blob " + std::to_string(n) + ": " + failure;
      }
    }
    return check_journal(**engine);
  }

  std::string check_one(Engine& engine, uint64_t n, const Expectation& expectation) {
    const auto entry = engine.stat(make_id(n));
    if (!entry && entry.error().code != ErrorCode::kNotFound) return entry.error().message;
    if (expectation.state == State::kStored && !entry) return "is lost";
    if (expectation.state == State::kStored && entry->trashed) return "was removed by nobody";
    if (expectation.state == State::kRemoved && entry && !entry->trashed) {
      return "its removal was forgotten";
    }
    if (!entry) return "";
    if (entry->length != expectation.size) return "has another length";
    if (auto whole = verify(engine, make_id(n), expectation.size); !whole) {
      return whole.error().message;
    }
    if (expectation.state == State::kStored && expectation.handoff_known &&
        entry->handoff_for != expectation.handoff_for) {
      return "its hand-off mark is another";
    }
    return "";
  }

  // Peers catch up from the journal: what is stored must stand in it.
  std::string check_journal(Engine& engine) {
    std::set<model::BlobId> told;
    JournalToken token = 0;
    for (bool more = true; more;) {
      const auto page = engine.journal_after(token, 500);
      if (!page) return "no journal: " + page.error().message;
      if (page->truncated) return "the journal was cut";
      for (const JournalEntry& entry : page->entries) {
        if (entry.operation == JournalEntry::Operation::kPut) told.insert(entry.blob.id);
      }
      token = page->next;
      more = !page->caught_up;
    }
    for (const auto& [n, expectation] : expected_) {
      if (expectation.state == State::kStored && !told.contains(make_id(n))) {
        return "blob " + std::to_string(n) + " is not in the journal";
      }
    }
    return "";
  }

  std::mt19937_64 random_;
  fs::SimulatedFileSystem disk_;
  PlantedFileSystem fs_;
  const Room room_;
  TemporaryFolder folder_;
  std::map<uint64_t, Expectation> expected_;
  uint64_t next_ = 1;
  uint64_t opening_calls_ = 50;
  uint64_t compactions_ = 0;
};

uint64_t environment_number(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(EngineCrash, NothingAcknowledgedIsLost) {
  const uint64_t first = environment_number("RONDEL_SEED", std::random_device{}());
  const uint64_t scenarios = environment_number("RONDEL_CRASH_SCENARIOS", 12);
  constexpr int kCrashes = 8;
  uint64_t compactions = 0;
  for (uint64_t seed = first; seed < first + scenarios; ++seed) {
    Scenario scenario(seed, Planted::kNothing, seed % 2 == 0 ? Room::kRoomy : Room::kTight);
    EXPECT_EQ(scenario.run(kCrashes), "") << "RONDEL_SEED=" << seed << " RONDEL_CRASH_SCENARIOS=1";
    compactions += scenario.compactions();
  }
  std::cout << "seed " << first << ", " << scenarios * kCrashes << " crash states, " << compactions
            << " compactions\n";
}

// A log that was begun and got no batch before the crash has the first sequence of the log after
// it.
TEST(EngineCrash, ALogLeftEmptyDoesNotHideTheOneAfterIt) {
  for (uint64_t calls = 1; calls <= 30; ++calls) {
    fs::SimulatedFileSystem disk(calls);
    TemporaryFolder folder;
    ASSERT_TRUE(disk.make_directory("/disk"));
    auto options = small_options(folder.path() + "/index");
    options.lose_unflushed_index = true;
    {
      auto engine = Engine::open(disk, options).value();
      ASSERT_TRUE(put(*engine, make_id(1), 100));
      ASSERT_TRUE(remove(*engine, make_id(1), Duration::zero()));
    }
    {
      auto engine = Engine::open(disk, options).value();
      disk.crash_after_calls(calls);
      (void)put(*engine, make_id(2), 100);
    }
    disk.restart();
    {
      auto engine = Engine::open(disk, options).value();
      // The first segment is free again: the next log begins there.
      ASSERT_TRUE(engine->compact_once());
      ASSERT_TRUE(put(*engine, make_id(3), 100));
    }
    auto engine = Engine::open(disk, options).value();
    EXPECT_TRUE(verify(*engine, make_id(3), 100)) << "crash at call " << calls;
  }
}

// The test itself is tested: without the flush it must find losses.
TEST(EngineCrash, AMissingFlushIsNoticed) {
  for (const Planted fault :
       {Planted::kLogNotFlushed, Planted::kExtentNotFlushed, Planted::kFolderNotFlushed}) {
    bool noticed = false;
    for (uint64_t seed = 1; seed < 40 && !noticed; ++seed) {
      noticed = !Scenario(seed, fault, Room::kRoomy).run(4).empty();
    }
    EXPECT_TRUE(noticed) << static_cast<int>(fault);
  }
}

}  // namespace
}  // namespace rondel::engine
