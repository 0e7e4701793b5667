// Random operations with the power going off in the middle of any I/O call: what was acknowledged is there afterwards.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <map>

#include "tests/unit/storage-node/engine/engine_fixture.h"

namespace rondel::engine {
namespace {

// Acknowledges flushes that it does not do.
class ForgetfulFile final : public fs::File {
 public:
  explicit ForgetfulFile(std::unique_ptr<fs::File> inner) : inner_(std::move(inner)) {}
  Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) override { return inner_->read_at(offset, buffer); }
  Result<size_t> read_cached_at(uint64_t offset, std::span<std::byte> buffer) override { return inner_->read_cached_at(offset, buffer); }
  Result<void> write_at(uint64_t offset, ByteView bytes) override { return inner_->write_at(offset, bytes); }
  Result<void> flush() override { return {}; }
  Result<uint64_t> size() override { return inner_->size(); }
  Result<void> truncate(uint64_t size) override { return inner_->truncate(size); }
  Result<void> allocate(uint64_t offset, uint64_t length) override { return inner_->allocate(offset, length); }
  void drop_cache(uint64_t offset, uint64_t length) override { inner_->drop_cache(offset, length); }
  bool is_direct() const override { return inner_->is_direct(); }

 private:
  std::unique_ptr<fs::File> inner_;
};

enum class Planted { kNothing, kLogNotFlushed, kExtentNotFlushed };

class PlantedFileSystem final : public fs::FileSystem {
 public:
  PlantedFileSystem(fs::SimulatedFileSystem& inner, Planted fault) : inner_(inner), fault_(fault) {}

  Result<std::unique_ptr<fs::File>> open(const std::string& path, fs::OpenOptions options) override {
    const bool log = options.direct_durable;
    if (log && fault_ == Planted::kLogNotFlushed) options.direct_durable = false;
    TRY(auto file, inner_.open(path, options));
    const bool forget = path.ends_with(".seg") && (log ? fault_ == Planted::kLogNotFlushed : fault_ == Planted::kExtentNotFlushed);
    if (!forget) return file;
    return std::make_unique<ForgetfulFile>(std::move(file));
  }
  Result<std::vector<std::string>> list(const std::string& directory) override { return inner_.list(directory); }
  Result<void> make_directory(const std::string& path) override { return inner_.make_directory(path); }
  Result<void> remove(const std::string& path) override { return inner_.remove(path); }
  Result<void> rename(const std::string& from, const std::string& to) override { return inner_.rename(from, to); }
  Result<void> flush_directory(const std::string& directory) override { return inner_.flush_directory(directory); }
  Result<std::unique_ptr<fs::FileLock>> lock(const std::string& path) override { return inner_.lock(path); }
  Result<fs::Space> space(const std::string& path) override { return inner_.space(path); }

 private:
  fs::SimulatedFileSystem& inner_;
  const Planted fault_;
};

// What must hold of a blob after a crash.
struct Expectation {
  size_t size = 0;
  bool stored = false;     // Acknowledged, and not removed since.
};

class Scenario {
 public:
  Scenario(uint64_t seed, Planted fault) : random_(seed), disk_(seed), fs_(disk_, fault) {}

  // Empty = everything held.
  std::string run(int crashes) {
    if (!disk_.make_directory("/disk")) return "no folder";
    for (int i = 0; i < crashes; ++i) {
      // One in four during recovery itself.
      const uint64_t calls = random_() % 4 == 0 ? 1 + random_() % opening_calls_ : opening_calls_ + random_() % 600;
      disk_.crash_after_calls(calls);
      work();
      disk_.restart();
      if (std::string failure = check(); !failure.empty()) return failure + " after crash " + std::to_string(i);
    }
    return "";
  }

 private:
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
    return made;
  }

  void work() {
    auto engine = Engine::open(fs_, options());
    if (!engine) return;
    for (int i = 0; i < 300 && !disk_.crashed(); ++i) step(**engine);
  }

  void step(Engine& engine) {
    const uint64_t choice = random_() % 100;
    if (choice < 65 || expected_.empty()) {
      const uint64_t n = next_++;
      const size_t size = random_size();
      if (put(engine, make_id(n), size)) expected_[n] = {size, true};
      return;
    }
    auto chosen = expected_.lower_bound(random_() % next_);
    if (chosen == expected_.end()) return;
    if (choice < 92) {
      if (!chosen->second.stored) return;
      chosen->second.stored = false;   // Even when the answer is lost.
      (void)remove(engine, make_id(chosen->first), Duration::zero());
    } else {
      (void)engine.compact_once();
    }
  }

  std::string check() {
    const uint64_t before = disk_.calls();
    auto engine = Engine::open(fs_, options());
    if (!engine) return "cannot open: " + engine.error().message;
    opening_calls_ = disk_.calls() - before + 1;
    for (const auto& [n, expectation] : expected_) {
      if (!expectation.stored) continue;
      const auto entry = (*engine)->stat(make_id(n));
      if (!entry) return "blob " + std::to_string(n) + " is lost: " + entry.error().message;
      if (entry->trashed) return "blob " + std::to_string(n) + " was removed by nobody";
      if (auto whole = verify(**engine, make_id(n), expectation.size); !whole) {
        return "blob " + std::to_string(n) + ": " + whole.error().message;
      }
    }
    return "";
  }

  std::mt19937_64 random_;
  fs::SimulatedFileSystem disk_;
  PlantedFileSystem fs_;
  TemporaryFolder folder_;
  std::map<uint64_t, Expectation> expected_;
  uint64_t next_ = 1;
  uint64_t opening_calls_ = 50;
};

uint64_t environment_number(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(EngineCrash, NothingAcknowledgedIsLost) {
  const uint64_t first = environment_number("RONDEL_SEED", std::random_device{}());
  const uint64_t scenarios = environment_number("RONDEL_CRASH_SCENARIOS", 12);
  constexpr int kCrashes = 8;
  std::cout << "seed " << first << ", " << scenarios * kCrashes << " crash states\n";
  for (uint64_t seed = first; seed < first + scenarios; ++seed) {
    EXPECT_EQ(Scenario(seed, Planted::kNothing).run(kCrashes), "") << "RONDEL_SEED=" << seed << " RONDEL_CRASH_SCENARIOS=1";
  }
}

// The test itself is tested: without the flush it must find losses.
TEST(EngineCrash, AMissingFlushIsNoticed) {
  for (const Planted fault : {Planted::kLogNotFlushed, Planted::kExtentNotFlushed}) {
    bool noticed = false;
    for (uint64_t seed = 1; seed < 40 && !noticed; ++seed) noticed = !Scenario(seed, fault).run(4).empty();
    EXPECT_TRUE(noticed) << static_cast<int>(fault);
  }
}

}  // namespace
}  // namespace rondel::engine
