#include "storage-node/service/stream_budget.h"

#include <gtest/gtest.h>

#include "tests/fakes/manual_clock.h"

namespace rondel::node {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kCapacity = 1'000'000;
constexpr uint64_t kRest = kCapacity / 5;  // Above 80 %.

class StreamBudgetTest : public testing::Test {
 protected:
  std::shared_ptr<StreamBudget::Account> open(const std::string& peer) {
    return budget_->open(peer, [this] { ++cut_; }).value();
  }

  fakes::ManualClock clock_{SystemTime{}};
  const std::shared_ptr<StreamBudget> budget_ = StreamBudget::make(kCapacity, clock_);
  int cut_ = 0;
};

TEST_F(StreamBudgetTest, OneThatIsAloneHasFourFifthsAtOnceAndMore) {
  const auto one = open("a");
  one->take(kCapacity / 5 * 4);
  EXPECT_TRUE(one->has_room());
  EXPECT_EQ(one->limit(), UINT64_MAX);
  one->take(1);
  EXPECT_FALSE(one->has_room());
  EXPECT_EQ(one->limit(), kRest);
  EXPECT_EQ(budget_->refused(), 1u);
  one->give_back(1);
  EXPECT_TRUE(one->has_room());
}

// However many streams of it stall, and whatever they hold: each of the others has its share of the
// rest.
TEST_F(StreamBudgetTest, APeerLeavesTheOthersTheirShares) {
  std::vector<std::shared_ptr<StreamBudget::Account>> greedy;
  for (size_t i = 0; i < StreamBudget::kStreamsPerPeerMax; ++i) greedy.push_back(open("greedy"));
  EXPECT_EQ(budget_->open("greedy", [] {}).error().code, ErrorCode::kResourceExhausted);
  std::vector<std::shared_ptr<StreamBudget::Account>> others;
  for (const char* name : {"a", "b", "c"}) others.push_back(open(name));
  for (int round = 0; round < 10'000; ++round) {
    for (const auto& stream : greedy) {
      if (stream->has_room()) stream->take(100);
    }
  }
  EXPECT_LE(budget_->in_use(), kCapacity / 5 * 4 + kRest / 4 + greedy.size() * 200);
  for (const auto& stream : others) {
    EXPECT_EQ(stream->limit(), kRest / 4);
    EXPECT_TRUE(stream->has_room());
    stream->take(kRest / 4);
    EXPECT_TRUE(stream->has_room());
    stream->take(1);
    EXPECT_FALSE(stream->has_room());
  }
  EXPECT_LE(budget_->in_use(), kCapacity + 30'000);
}

TEST_F(StreamBudgetTest, AMessageDoesNotSpeakAgainstItself) {
  const auto full = open("a");
  const auto one = open("b");
  full->take(kCapacity);
  one->take(kCapacity);
  one->set_current(kCapacity);
  EXPECT_TRUE(one->has_room());
  one->take(kRest / 2);
  EXPECT_TRUE(one->has_room());
  one->take(1);
  EXPECT_FALSE(one->has_room());
}

TEST_F(StreamBudgetTest, StreamsThatEndLeaveTheirPlaceAndTheirBytesUntilTheyAreGone) {
  auto one = open("a");
  Held held(one, 500);
  one->end();
  one->end();
  EXPECT_EQ(budget_->streams(), 0u);
  EXPECT_EQ(budget_->in_use(), 500u);
  one.reset();
  held = {};
  EXPECT_EQ(budget_->in_use(), 0u);
  for (size_t i = 0; i < StreamBudget::kStreamsPerPeerMax; ++i) open("a")->end();
}

TEST_F(StreamBudgetTest, WhoTakesNothingIsCutWhenMemoryIsShort) {
  const auto stalled = open("a");
  const auto other = open("b");
  stalled->sending(true);
  other->sending(true);
  clock_.advance(StreamBudget::kStalledAfter - 1s);
  other->sending(true);
  clock_.advance(1s);
  EXPECT_TRUE(other->has_room());
  EXPECT_EQ(cut_, 0);
  other->take(kCapacity);
  EXPECT_FALSE(other->has_room());
  EXPECT_EQ(cut_, 1);
  EXPECT_EQ(budget_->cut(), 1u);
  clock_.advance(2s);
  EXPECT_FALSE(other->has_room());
  EXPECT_EQ(cut_, 1);
}

}  // namespace
}  // namespace rondel::node
