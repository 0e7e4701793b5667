#include "common/program/end_watch.h"

#include <gtest/gtest.h>

#include <future>

namespace rondel::program {
namespace {

using namespace std::chrono_literals;

TEST(EndWatch, SaysWhatWasWaitedForWhenTheTimeIsOver) {
  std::promise<std::string> said;
  {
    EndWatch watch([&](const std::string& step) { said.set_value(step); });  // Throws if again.
    watch.step("the clients");
    watch.step("the disks");
    watch.begin(deadline_in(0s));
    EXPECT_EQ(said.get_future().get(), "the disks");
    watch.step("later");
    watch.begin(deadline_in(0s));
  }
}

TEST(EndWatch, IsSilentWhenItIsNotBegunOrTheEndIsInTime) {
  for (const bool begun : {false, true}) {
    std::atomic<int> said{0};
    {
      EndWatch watch([&](const std::string&) { ++said; });
      watch.step("the disks");
      if (begun) watch.begin(deadline_in(24h));
    }
    EXPECT_EQ(said, 0) << begun;
  }
}

// As a program does that cannot wait any longer.
TEST(EndWatchDeathTest, MayEndTheProcessWhileOthersHang) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        EndWatch watch([](const std::string& step) {
          fprintf(stderr, "waits for %s\n", step.c_str());
          _exit(3);
        });
        watch.step("a disk");
        watch.begin(deadline_in(0s));
        std::promise<void>().get_future().wait();
      },
      ::testing::ExitedWithCode(3), "waits for a disk");
}

}  // namespace
}  // namespace rondel::program
