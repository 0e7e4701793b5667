#include "common/grpc/steady_waits.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include "common/grpc/deadline.hpp"

namespace rondel::rpc {
namespace {

TEST(SteadyWaits, ATimeIsAsFarAwayByBothClocks) {
  struct Case {
    timespec until, wall_now, steady_now, expected;
  };

  constexpr time_t kWall = 1'800'000'000;
  const Case cases[] = {
      {{kWall + 5, 0}, {kWall, 0}, {100, 0}, {105, 0}},
      {{kWall + 5, 100}, {kWall, 900'000'000}, {100, 0}, {104, 100'000'100}},
      {{kWall + 1, 900'000'000}, {kWall, 0}, {100, 900'000'000}, {102, 800'000'000}},
      {{kWall - 5, 0}, {kWall, 0}, {100, 0}, {95, 0}},  // Over.
      {{kWall, 0}, {kWall, 1}, {100, 0}, {99, 999'999'999}},
      // Over for longer than the machine runs.
      {{kWall - 86'400, 0}, {kWall, 0}, {100, 0}, {0, 0}},
      // For ever.
      {{INT64_MAX, 999'999'999}, {kWall, 0}, {100, 0}, {100 + (int64_t{1} << 33), 999'999'999}},
  };
  for (const Case& one : cases) {
    const timespec got = steady_time_of(one.until, one.wall_now, one.steady_now);
    EXPECT_EQ(got.tv_sec, one.expected.tv_sec);
    EXPECT_EQ(got.tv_nsec, one.expected.tv_nsec);
  }
}

// Abseil calls it from a library: it finds ours before libc's.
TEST(SteadyWaits, LibrariesCallOurs) {
  use_steady_waits();
  EXPECT_EQ(dlsym(RTLD_DEFAULT, "syscall"), reinterpret_cast<void*>(&::syscall));
  Dl_info where{};
  ASSERT_NE(dladdr(reinterpret_cast<void*>(&::syscall), &where), 0);
  EXPECT_EQ(std::string_view(where.dli_fname).find("libc.so"), std::string_view::npos);
}

TEST(SteadyWaits, CallsDoWhatTheyDid) {
  EXPECT_EQ(::syscall(SYS_getpid), getpid());
  errno = 0;
  EXPECT_EQ(::syscall(SYS_close, -1), -1);
  EXPECT_EQ(errno, EBADF);
  int word = 7;
  timespec until{};
  clock_gettime(CLOCK_REALTIME, &until);
  EXPECT_EQ(
      ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME, 7,
                &until, nullptr, FUTEX_BITSET_MATCH_ANY),
      -1);
  EXPECT_EQ(errno, ETIMEDOUT);
  EXPECT_EQ(
      ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME, 8,
                &until, nullptr, FUTEX_BITSET_MATCH_ANY),
      -1);
  EXPECT_EQ(errno, EAGAIN);
}

// A span from now: gRPC takes it for what it is, also one that is over.
TEST(GrpcDeadline, IsASpanThatEnds) {
  EXPECT_EQ(grpc_deadline(deadline_in(std::chrono::seconds(-5))).tv_sec, 0);
  EXPECT_EQ(grpc_deadline(deadline_in(std::chrono::seconds(5))).clock_type, GPR_TIMESPAN);
  grpc::CompletionQueue queue;
  for (const auto in : {std::chrono::milliseconds(-5), std::chrono::milliseconds(20)}) {
    grpc::Alarm alarm;
    alarm.Set(&queue, grpc_deadline(deadline_in(in)), nullptr);
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_TRUE(ok);
  }
}

}  // namespace
}  // namespace rondel::rpc
