// Random puts, removals, restores, purges and hand-offs while disks come and go: once all are back
// they agree on the highest order.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <thread>

#include "tests/unit/storage-node/repair/engine_cluster.h"

namespace rondel::repair {
namespace {

using engine::make_id;
using namespace std::chrono_literals;

class Story {
 public:
  explicit Story(uint64_t seed) : random_(seed), cluster_(3 + random_() % 4) {}

  // Empty: all agree.
  std::string run(int steps) {
    for (int i = 0; i < steps; ++i) step();
    cluster_.away = {};
    for (int pass = 0; pass < 3; ++pass) {
      cluster_.clock.advance(2h);
      for (size_t i = 0; i < disks(); ++i) cluster_.repair(i, 2);
    }
    std::string failures;
    for (const auto& [n, blob] : blobs_) failures += check(n, blob);
    return failures;
  }

 private:
  struct Blob {
    size_t size = 0;
    uint64_t order = 0;
    bool removed = false;
  };

  size_t disks() const { return cluster_.engines.size(); }

  bool here(size_t disk) const { return !cluster_.away.contains(disk); }

  std::vector<size_t> owners(uint64_t n) const {
    auto order = cluster_.order(make_id(n));
    order.resize(3);
    return order;
  }

  std::vector<size_t> reachable(uint64_t n) const {
    auto found = owners(n);
    std::erase_if(found, [this](size_t disk) { return !here(disk); });
    return found;
  }

  void step() {
    const uint64_t choice = random_() % 100;
    if (choice < 25 || blobs_.empty()) return put();
    const uint64_t n = 1 + random_() % blobs_.size();
    if (choice < 45) return remove(n);
    if (choice < 58) return restore(n);
    if (choice < 68) return purge();
    if (choice < 85) {
      const size_t disk = random_() % disks();
      if (!cluster_.away.erase(disk) && cluster_.away.size() + 2 < disks()) {
        cluster_.away.insert(disk);
      }
      return;
    }
    const size_t disk = random_() % disks();
    cluster_.clock.advance(std::chrono::seconds(random_() % 100));
    if (here(disk)) cluster_.repair(disk, 1);
  }

  // As gateways do it: two copies at least, on hand-off disks where owners are away.
  void put() {
    const uint64_t n = blobs_.size() + 1;
    const auto order = cluster_.order(make_id(n));
    std::vector<std::pair<size_t, model::DiskId>> copies;
    size_t next = 3;
    for (const size_t owner : owners(n)) {
      if (here(owner)) {
        copies.emplace_back(owner, model::DiskId{});
        continue;
      }
      while (next < order.size() && !here(order[next])) ++next;
      if (next < order.size()) {
        copies.emplace_back(order[next++], cluster_.engines[owner]->disk_id());
      }
    }
    if (copies.size() < 2) return;
    // It was late.
    if (copies.size() == 3 && random_() % 3 == 0) {
      copies.erase(copies.begin() + static_cast<ptrdiff_t>(random_() % 3));
    }
    const size_t size = random_() % 8 == 0 ? 300'000 : 1 + random_() % 2000;
    for (const auto& [disk, handoff_for] : copies) {
      EXPECT_TRUE(engine::put(*cluster_.engines[disk], make_id(n), size, handoff_for));
    }
    blobs_[n] = {size, 0, false};
  }

  // Owners alone are told, and two must answer.
  void remove(uint64_t n) {
    const auto told = reachable(n);
    if (told.size() < 2) return;
    Blob& blob = blobs_[n];
    blob.order = ++order_;
    blob.removed = true;
    const Duration trash = random_() % 2 == 0 ? Duration(0s) : Duration(1h);
    for (const size_t disk : told) {
      EXPECT_TRUE(engine::remove(*cluster_.engines[disk], make_id(n), {blob.order, trash, true}));
    }
  }

  // What is purged everywhere that can be asked cannot be restored.
  void restore(uint64_t n) {
    const auto told = reachable(n);
    const bool bytes = std::ranges::any_of(
        told, [&](size_t disk) { return cluster_.engines[disk]->stat(make_id(n)).has_value(); });
    if (told.size() < 2 || !bytes) return;
    Blob& blob = blobs_[n];
    blob.order = ++order_;
    blob.removed = false;
    for (const size_t disk : told) {
      EXPECT_TRUE(cluster_.engines[disk]->restore({make_id(n)}, blob.order));
    }
  }

  void purge() {
    cluster_.disk_clock.advance(2ms);
    for (const auto& engine : cluster_.engines) {
      if (random_() % 2 == 0) EXPECT_TRUE(engine->compact_once());
    }
  }

  std::string check(uint64_t n, const Blob& blob) {
    std::string failures;
    const auto say = [&](size_t disk, const char* what) {
      failures += "blob " + std::to_string(n) + " (order " + std::to_string(blob.order) +
                  ") on disk " + std::to_string(disk) + " " + what + "\n";
    };
    for (size_t disk = 0; disk < disks(); ++disk) {
      const auto entry = cluster_.engines[disk]->stat(make_id(n));
      const bool owner = std::ranges::count(owners(n), disk) > 0;
      if (blob.removed && entry && !entry->trashed) say(disk, "lives although it was removed");
      if (blob.removed || !owner) continue;
      if (!entry || entry->trashed) say(disk, "is lost");
      if (entry && !engine::verify(*cluster_.engines[disk], make_id(n), blob.size)) {
        say(disk, "cannot be read");
      }
    }
    return failures;
  }

  std::mt19937_64 random_;
  EngineCluster cluster_;
  std::map<uint64_t, Blob> blobs_;
  uint64_t order_ = 0;
};

uint64_t environment_number(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(Convergence, AllDisksAgreeWithTheHighestOrder) {
  const uint64_t first = environment_number("RONDEL_SEED", std::random_device{}());
  const uint64_t stories = environment_number("RONDEL_STORIES", 4);
  for (uint64_t seed = first; seed < first + stories; ++seed) {
    EXPECT_EQ(Story(seed).run(100), "") << "RONDEL_SEED=" << seed << " RONDEL_STORIES=1";
  }
  std::cout << "seed " << first << ", " << stories << " stories\n";
}

}  // namespace
}  // namespace rondel::repair
