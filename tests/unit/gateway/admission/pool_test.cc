// Who gets room, who waits, whose promise is cut and who gives way.
#include "gateway/admission/pool.h"

#include <gtest/gtest.h>

#include <list>
#include <vector>

#include "common/async/event_loop.h"
#include "gateway/admission/filling.h"

namespace rondel::admission {
namespace {

using namespace std::chrono_literals;

class PoolTest : public ::testing::Test {
 protected:
  PartyRef account(const std::string& id) { return parties_.account(id); }

  PartyRef address(const std::string& text) { return parties_.address(text); }

  // As many as are granted.
  std::vector<Pool::Hold> take_all(Pool& pool, const PartyRef& party, size_t most = 10'000) {
    std::vector<Pool::Hold> holds;
    while (holds.size() < most) {
      Pool::Hold hold = pool.try_take(party, 1, now_);
      if (!hold) break;
      holds.push_back(std::move(hold));
    }
    return holds;
  }

  Parties parties_;
  SteadyTime now_ = Pool::steady_now();
};

TEST_F(PoolTest, PartiesAreOneByIdAndNetwork) {
  struct Same {
    PartyRef a, b;
    bool same;
  };

  const Same cases[] = {
      {account("1"), account("1"), true},
      {account("1"), account("2"), false},
      {account("1"), address("1"), false},
      {address("10.0.0.1"), address("10.0.0.1"), true},
      {address("10.0.0.1"), address("10.0.0.2"), false},
      {address("10.0.0.1"), address("::ffff:10.0.0.1"), true},
      {address("2001:db8::1"), address("2001:db8:0:0:ffff::9"), true},
      {address("2001:db8::1"), address("2001:db8:0:1::1"), false},
      {address("fe80::1%eth0"), address("fe80::2"), true},
  };
  for (const Same& c : cases) EXPECT_EQ(c.a == c.b, c.same) << c.a->id() << " " << c.b->id();
}

TEST_F(PoolTest, OneAloneHasFourFifthsAndOthersTheRest) {
  Pool pool({.capacity = 100});
  const auto first = take_all(pool, account("a"));
  EXPECT_EQ(first.size(), 80u);
  const auto second = take_all(pool, account("b"));
  EXPECT_EQ(second.size(), 10u);
  const auto third = take_all(pool, account("c"));
  EXPECT_GE(third.size(), 5u);
  EXPECT_LT(pool.status().in_use, 100u);
}

TEST_F(PoolTest, WhoHoldsMoreThanHisShareIsRefusedUntilTheOtherHasHis) {
  Pool pool({.capacity = 100});
  auto first = take_all(pool, account("a"));
  auto second = take_all(pool, account("b"));
  // As the first one's end, whoever asks first: it converges.
  for (int i = 0; i < 200; ++i) {
    if (first.size() > 40) first.pop_back();
    for (auto& hold : take_all(pool, account("a"), 1)) first.push_back(std::move(hold));
    for (auto& hold : take_all(pool, account("b"), 1)) second.push_back(std::move(hold));
  }
  EXPECT_GE(second.size(), 45u);
  EXPECT_GE(first.size(), 40u);
}

TEST_F(PoolTest, AllStrangersTogetherHoldAQuarter) {
  Pool pool({.capacity = 100});
  std::vector<std::vector<Pool::Hold>> held;
  size_t sum = 0;
  for (int i = 0; i < 40; ++i) {
    held.push_back(take_all(pool, address("10.0.0." + std::to_string(i))));
    sum += held.back().size();
  }
  EXPECT_EQ(sum, 25u);
  EXPECT_EQ(held.front().size(), 20u) << "one address alone: four fifths of it";
  EXPECT_EQ(take_all(pool, account("a")).size(), 55u);
}

TEST_F(PoolTest, AuthenticatedItCountsToTheAccount) {
  Pool pool({.capacity = 100});
  std::vector<Pool::Hold> requests;
  for (int i = 0; i < 200; ++i) {
    Pool::Hold hold = pool.try_take(address("10.0.0.1"), 1, now_);
    ASSERT_TRUE(hold) << i;
    const bool moved = hold.move_to(account("a"), now_);
    EXPECT_EQ(moved, i < 80) << i;
    EXPECT_EQ(hold.party(), moved ? account("a") : address("10.0.0.1"));
    if (moved) requests.push_back(std::move(hold));
  }
  Pool::Hold other = pool.try_take(address("10.0.0.1"), 1, now_);
  EXPECT_TRUE(other.move_to(account("b"), now_));
  EXPECT_EQ(pool.status().refused[1], 120u);
}

TEST_F(PoolTest, WhoWaitsForHisClientGivesWay) {
  Pool pool({.capacity = 8, .stranger_patience = 1s});
  std::vector<int> gave_way;
  std::vector<Pool::Hold> forms;
  for (int i = 0; i < 2; ++i) {
    forms.push_back(pool.try_take(address("10.0.0." + std::to_string(i)), 1, now_));
    ASSERT_TRUE(forms.back());
    forms.back().may_give_way([&gave_way, i] { gave_way.push_back(i); });
    forms.back().idle(now_ - 1s * i);
  }
  // The quarter is full. The second has waited for a second, the first has not.
  EXPECT_TRUE(pool.try_take(address("10.0.0.9"), 1, now_));
  EXPECT_EQ(gave_way, std::vector{1});
  EXPECT_TRUE(forms[1].gave_way());
  EXPECT_EQ(forms[1].amount(), 0u);
  Pool::Hold more = pool.try_take(address("10.0.0.9"), 1, now_);
  EXPECT_TRUE(more) << "what it had is free";
  EXPECT_FALSE(pool.try_take(address("10.0.0.8"), 1, now_)) << "nobody has waited long enough";
  forms[0].busy();
  EXPECT_FALSE(pool.try_take(address("10.0.0.8"), 1, now_ + 1h)) << "it waits for us";
  EXPECT_EQ(pool.status().gave_way, 1u);
}

TEST_F(PoolTest, OnlyWhoHoldsAsMuchGivesWay) {
  Pool pool({.capacity = 100, .patience = 1s});
  size_t gave_way = 0;
  const auto stalled = [&](std::vector<Pool::Hold> holds) {
    for (Pool::Hold& hold : holds) {
      hold.may_give_way([&gave_way] { ++gave_way; });
      hold.idle(now_ - 1h);
    }
    return holds;
  };
  auto small = stalled(take_all(pool, account("small"), 5));
  auto large = take_all(pool, account("large"));
  EXPECT_EQ(gave_way, 0u) << "it holds more than who is slow";
  large = stalled(std::move(large));
  const auto third = take_all(pool, account("third"), 30);
  EXPECT_EQ(third.size(), 30u);
  EXPECT_GT(gave_way, 0u);
  for (const Pool::Hold& hold : small) EXPECT_FALSE(hold.gave_way());
}

TEST_F(PoolTest, APromiseThatIsNotUsedIsCut) {
  Pool pool({.capacity = 100, .promise_patience = 250ms, .patience = 1h});
  Pool::Hold slow = pool.open(account("a"));
  EXPECT_TRUE(async::block_on(slow.claim(80, deadline_in(60s))));
  const SteadyTime now = Pool::steady_now();
  EXPECT_TRUE(slow.use(10, now));
  EXPECT_FALSE(pool.try_take(account("b"), 50, now)) << "it may still come";
  Pool::Hold other = pool.try_take(account("b"), 50, now + 1s);
  EXPECT_TRUE(other);
  EXPECT_EQ(slow.amount(), 10u);
  EXPECT_FALSE(slow.use(10, now)) << "it is to claim again";
  EXPECT_TRUE(async::block_on(slow.claim(30, deadline_in(60s))));
  EXPECT_TRUE(slow.use(30, now));
  EXPECT_EQ(pool.status().in_use, 90u);
  EXPECT_EQ(pool.status().used, 90u);
}

// One waits with less than what is free; the other, who holds more, does not get that instead.
async::Task<std::vector<int>> in_order(Pool& pool, Parties& parties) {
  std::vector<int> order;
  int left = 3;
  Pool::Hold much = pool.try_take(parties.account("a"), 60);
  Pool::Hold rest = pool.try_take(parties.account("c"), 40);
  const auto wait = [](Pool& from, PartyRef who, uint64_t amount, int number, std::vector<int>& out,
                       int& waiting) -> async::Task<void> {
    const auto hold = co_await from.take(std::move(who), amount, deadline_in(60s));
    EXPECT_TRUE(hold);
    out.push_back(number);
    --waiting;
  };
  async::EventLoop& loop = *async::EventLoop::current();
  async::spawn(loop, wait(pool, parties.account("a"), 10, 1, order, left));
  async::spawn(loop, wait(pool, parties.account("b"), 30, 2, order, left));
  async::spawn(loop, wait(pool, parties.account("a"), 10, 3, order, left));
  while (pool.status().waiting < 3) co_await async::yield();
  EXPECT_FALSE(pool.try_take(parties.account("a"), 1));
  rest.shrink(20);  // Kept for the one who holds nothing.
  co_await async::yield();
  EXPECT_TRUE(order.empty());
  rest.release();
  while (left > 2) co_await async::yield();
  much.release();
  while (left > 0) co_await async::yield();
  co_return order;
}

TEST_F(PoolTest, WhoHoldsLeastIsServedFirst) {
  Pool pool({.capacity = 100});
  EXPECT_EQ(async::block_on(in_order(pool, parties_)), (std::vector{2, 1, 3}));
  EXPECT_EQ(pool.status().in_use, 0u);
  EXPECT_EQ(pool.status().waiting, 0u);
}

// What an account asks beyond its share waits in its turn, and holds nothing meanwhile.
async::Task<void> wait_as(Pool::Hold& hold, PartyRef who, Deadline deadline, int& got, int& left) {
  if ((co_await hold.wait_as(std::move(who), deadline)).has_value()) ++got;
  --left;
}

async::Task<void> two_beyond_their_shares(Pool& pool, Parties& parties) {
  struct Side {
    PartyRef party;
    std::vector<Pool::Hold> holds;
    int got = 0, left = 0;
  };

  Side sides[2] = {{parties.account("many")}, {parties.account("few")}};
  async::EventLoop& loop = *async::EventLoop::current();
  const size_t wants[2] = {300, 90};
  for (int which = 0; which < 2; ++which) {
    Side& side = sides[which];
    side.holds.reserve(wants[which]);
    for (size_t i = 0; i < wants[which]; ++i) {
      side.holds.push_back(pool.try_take(parties.address("10.0.0.1"), 1));
      if (!side.holds.back()) co_return ADD_FAILURE() << "no room to become known";
      if (side.holds.back().try_move_to(side.party)) {
        ++side.got;
        continue;
      }
      ++side.left;
      async::spawn(loop,
                   wait_as(side.holds.back(), side.party, deadline_in(60s), side.got, side.left));
      co_await async::yield();
    }
  }
  EXPECT_EQ(pool.status().refused, (std::array<uint64_t, 2>{0, 0})) << "who waits is not refused";
  EXPECT_EQ(sides[0].got, 80) << "it was alone";
  // The first one's end, one by one: what they had goes to who holds less.
  for (size_t i = 0, freed = 0; freed < 35; ++i) {
    if (sides[0].holds[i].amount() == 0) continue;
    sides[0].holds[i].release();
    ++freed;
    co_await async::yield();
  }
  const int held[2] = {sides[0].got - 35, sides[1].got};
  EXPECT_GE(std::min(held[0], held[1]) * 100, (held[0] + held[1]) * 45)
      << held[0] << " " << held[1];
  for (Side& side : sides) {
    for (size_t i = 0; side.left > 0; i = (i + 1) % side.holds.size()) {
      if (side.holds[i].amount() > 0) side.holds[i].release();
      co_await async::yield();
    }
  }
  EXPECT_EQ(sides[0].got, 300);
  EXPECT_EQ(sides[1].got, 90);
}

TEST_F(PoolTest, WhatIsBeyondAShareWaitsInItsTurn) {
  Pool pool({.capacity = 100});
  async::block_on(two_beyond_their_shares(pool, parties_));
  EXPECT_EQ(pool.status().in_use, 0u);
  EXPECT_EQ(pool.status().waiting, 0u);
}

// Who waits costs memory, and one that fills the room for that leaves some to the next.
async::Task<void> crowd_of_waiters(Pool& pool, Parties& parties) {
  Pool::Hold all = pool.try_take(nullptr, 100);
  int got = 0, left = 0;
  std::list<Pool::Hold> holds;
  async::EventLoop& loop = *async::EventLoop::current();
  const auto ask = [&](const PartyRef& party, int count) -> async::Task<uint64_t> {
    const uint64_t before = pool.status().waiting;
    for (int i = 0; i < count; ++i) {
      ++left;
      holds.push_back(pool.open(party));
      async::spawn(loop, [](Pool::Hold& hold, int& got, int& left) -> async::Task<void> {
        if ((co_await hold.claim(1, deadline_in(60s))).has_value()) ++got;
        --left;
      }(holds.back(), got, left));
    }
    co_await async::yield();
    co_return pool.status().waiting - before;
  };
  const uint64_t strangers = co_await ask(parties.address("10.0.0.1"), 10'000);
  EXPECT_LE(strangers, 8192u / 4);
  EXPECT_EQ(co_await ask(parties.address("10.0.0.2"), 1), 1u);
  const uint64_t first = co_await ask(parties.account("a"), 10'000);
  EXPECT_GT(first, 2'000u);
  EXPECT_EQ(co_await ask(parties.account("b"), 100), 100u);
  all.release();
  while (left > 0) {
    for (Pool::Hold& hold : holds) {
      if (hold.amount() > 0) hold.release();
    }
    co_await async::yield();
  }
}

TEST_F(PoolTest, OneThatWaitsALotLeavesRoomForOthersToWait) {
  Pool pool({.capacity = 100});
  async::block_on(crowd_of_waiters(pool, parties_));
  EXPECT_EQ(pool.status().waiting, 0u);
}

TEST_F(PoolTest, AWaitEndsAtItsDeadline) {
  Pool pool({.capacity = 10});
  Pool::Hold all = pool.try_take(nullptr, 10);
  const auto late = async::block_on(pool.take(account("a"), 5, deadline_in(1ms)));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(pool.status().waiting, 0u);
  EXPECT_EQ(pool.status().refused[1], 1u);
}

TEST_F(PoolTest, WhatIsFilledHoldsWhatHasCome) {
  Pool pool({.capacity = 1 << 20});
  Filling slow(pool, account("a"), 512 << 10, {});
  EXPECT_TRUE(async::block_on(slow.take(1, deadline_in(60s))));
  EXPECT_EQ(pool.status().in_use, Filling::kFirstBytes);
  EXPECT_TRUE(async::block_on(slow.take(Filling::kFirstBytes, deadline_in(60s))));
  EXPECT_EQ(pool.status().in_use, 512u << 10) << "there is room for all of it";
  EXPECT_LE(pool.status().used, 3 * Filling::kFirstBytes);
  EXPECT_TRUE(slow.complete());
  EXPECT_EQ(pool.status().in_use, pool.status().used);
}

}  // namespace
}  // namespace rondel::admission
