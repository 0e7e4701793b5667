// The arithmetic of shares, and what comes of it when parties compete.
#include "gateway/admission/shares.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace rondel::admission {
namespace {

struct Case {
  const char* what;
  Level level;
  uint64_t held;
  uint64_t amount;
  bool granted;
};

TEST(Shares, Table) {
  const Case cases[] = {
      {"nothing is in use", {100, 0, 1}, 0, 1, true},
      {"all of it at once, when nobody holds anything", {100, 0, 1}, 0, 100, true},
      {"more than there is", {100, 0, 1}, 0, 101, false},
      {"no overflow", {100, 50, 1}, 50, UINT64_MAX, false},
      {"alone below 80 %", {100, 79, 1}, 79, 1, true},
      {"alone at 80 %", {100, 80, 1}, 80, 1, false},
      {"a new one at 80 % by another", {100, 80, 2}, 0, 20, true},
      {"a new one when it is full", {100, 100, 2}, 0, 1, false},
      {"the second goes on to half of what is left", {100, 89, 2}, 9, 1, true},
      {"and not beyond", {100, 90, 2}, 10, 1, false},
      {"a third finds room", {100, 90, 3}, 0, 5, true},
      {"two that compete: up to 45 % each", {100, 80, 2}, 44, 1, true},
      {"and not beyond, with 80 % in use", {100, 80, 2}, 45, 1, false},
      {"below 80 % whoever wants", {100, 70, 2}, 69, 1, true},
      {"three that compete: up to 30 % each", {100, 85, 3}, 29, 1, true},
      {"and not beyond with three", {100, 85, 3}, 30, 1, false},
      {"the last tenth is for those who hold little", {100, 90, 2}, 44, 1, false},
      {"a bound of one", {1, 0, 1}, 0, 1, true},
      {"a bound of one in use", {1, 1, 2}, 0, 1, false},
      {"too small to be divided: all for one", {15, 14, 1}, 14, 1, true},
      {"the smallest that is divided", {16, 11, 1}, 11, 1, true},
      {"keeps some for another", {16, 12, 1}, 12, 1, false},
      {"who gets it", {16, 12, 2}, 0, 4, true},
      {"large capacities", {UINT64_MAX / 2, UINT64_MAX / 4, 1}, UINT64_MAX / 4, 1, true},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(may_take(c.level, c.held, c.amount), c.granted) << c.what;
  }
}

TEST(Shares, StrangersHaveAQuarter) {
  for (const auto& [capacity, part] :
       std::map<uint64_t, uint64_t>{{1, 1}, {3, 1}, {4, 1}, {8, 2}, {2048, 512}}) {
    EXPECT_EQ(strangers_part(capacity), part) << capacity;
  }
}

// A bound whose holders end one after the other at random; who is refused asks again. How many each
// had served, of all.
std::map<std::string, double> compete(uint64_t capacity, const std::map<std::string, int>& demand,
                                      uint64_t seed) {
  std::mt19937_64 random(seed);
  std::map<std::string, uint64_t> held;
  std::map<std::string, double> served;
  uint64_t in_use = 0;
  const auto ask = [&](const std::string& who) {
    size_t parties = held[who] == 0 ? 1 : 0;
    for (const auto& [other, amount] : held) parties += amount > 0 ? 1 : 0;
    if (!may_take({capacity, in_use, parties}, held[who], 1)) return;
    ++held[who];
    ++in_use;
  };
  double all = 0;
  for (int round = 0; round < 20'000; ++round) {
    // Each asks as often as it has clients that hold nothing.
    std::vector<std::string> asking;
    for (const auto& [who, clients] : demand) {
      for (int i = static_cast<int>(held[who]); i < clients; i += 50) asking.push_back(who);
    }
    std::shuffle(asking.begin(), asking.end(), random);
    for (const std::string& who : asking) ask(who);

    // Work is done at a steady rate; whose it is, is chance.
    for (int i = 0; i < 4 && in_use > 0; ++i) {
      uint64_t at = random() % in_use;
      for (auto& [who, amount] : held) {
        if (at >= amount) {
          at -= amount;
          continue;
        }
        --amount;
        --in_use;
        if (round > 4'000) served[who] += 1, all += 1;
        break;
      }
    }
  }
  for (auto& [who, count] : served) count /= all;
  return served;
}

TEST(Shares, TwoThatCompeteGetTheSame) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const std::map<std::string, int> demands[] = {
      {{"a", 400}, {"b", 400}}, {{"a", 4000}, {"b", 400}}, {{"a", 40'000}, {"b", 400}}};
  for (const auto& demand : demands) {
    const auto served = compete(256, demand, seed);
    EXPECT_GE(served.at("a"), 0.45) << demand.at("a");
    EXPECT_GE(served.at("b"), 0.45) << demand.at("a");
  }
}

TEST(Shares, FiveThatCompeteGetTheSame) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const auto served =
      compete(500, {{"a", 5000}, {"b", 600}, {"c", 600}, {"d", 600}, {"e", 20'000}}, seed);
  for (const auto& [who, part] : served) EXPECT_GE(part, 0.9 / 5) << who;
}

// However many have come before and let go of nothing.
TEST(Shares, ANewOneAlwaysFindsRoom) {
  constexpr uint64_t kCapacity = 2048;
  uint64_t in_use = 0;
  for (size_t number = 1; number <= 8; ++number) {
    uint64_t held = 0;
    while (may_take({kCapacity, in_use, number}, held, 1)) ++held, ++in_use;
    EXPECT_GE(held, number == 1 ? kCapacity * 8 / 10 : 1u) << number;
    EXPECT_LT(in_use, kCapacity) << number;
  }
}

}  // namespace
}  // namespace rondel::admission
