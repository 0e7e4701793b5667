// How a program waits for its end, and serves on as a lame duck before it.
#include "common/program/run.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include "tests/fakes/manual_clock.h"

namespace rondel::program {
namespace {

using namespace std::chrono_literals;

class Signals : public ::testing::Test {
 protected:
  Signals() {
    sigemptyset(&set_);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set_, number);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }

  ~Signals() override {
    const timespec none{};
    while (sigtimedwait(&set_, nullptr, &none) > 0) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

  void send(int number) { pthread_kill(pthread_self(), number); }

  sigset_t set_{}, before_{};
  fakes::ManualClock clock_{SystemTime{}};
};

TEST_F(Signals, EndAProgram) {
  for (const int number : {SIGTERM, SIGINT}) {
    send(number);
    wait_for_end(set_);
  }
}

TEST_F(Signals, ALameDuckOfNoTimeEndsAtOnce) {
  EXPECT_TRUE(wait_as_lame_duck(set_, 0s, {}, clock_));
}

TEST_F(Signals, ASecondSignalCutsTheLameDuckShort) {
  for (const int number : {SIGTERM, SIGINT}) {
    send(number);
    EXPECT_FALSE(wait_as_lame_duck(set_, 1h, {}, clock_)) << number;
  }
}

// A hang-up ends nothing: certificates and log are read anew, and the time goes on.
TEST_F(Signals, ALameDuckLastsItsTimeThroughHangUps) {
  int heard = 0;
  const WhileWaiting meanwhile{[&] {
                                 clock_.advance(4s);
                                 if (++heard < 3) send(SIGHUP);
                               },
                               {}};
  send(SIGHUP);
  EXPECT_TRUE(wait_as_lame_duck(set_, 10s, meanwhile, clock_));
  EXPECT_EQ(heard, 3);
}

TEST(ServingState, IsServingBetweenItsListenersAndItsEnd) {
  ServingState state;
  const auto failing = [checks = state.checks()] {
    std::vector<std::string> names;
    for (const ReadyCheck& check : checks) {
      if (!async::block_on(check.run())) names.push_back(check.name);
    }
    return names;
  };
  EXPECT_EQ(failing(), std::vector<std::string>{"listeners"});
  state.begin();
  EXPECT_EQ(failing(), std::vector<std::string>{});
  state.end();
  EXPECT_EQ(failing(), std::vector<std::string>{"not draining"});
}

}  // namespace
}  // namespace rondel::program
