#include "common/grpc/steady_waits.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstdint>

namespace rondel::rpc {
namespace {

constexpr int64_t kNanoseconds = 1'000'000'000;
// Centuries: "for ever" is told as a time at the end of days.
constexpr int64_t kSecondsMax = int64_t{1} << 33;

struct Arguments {
  long a, b, c, d, e, f;
};

long call_kernel(long number, const Arguments& with) {
#if defined(__x86_64__)
  long result = 0;
  register long d asm("r10") = with.d;
  register long e asm("r8") = with.e;
  register long f asm("r9") = with.f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(with.a), "S"(with.b), "d"(with.c), "r"(d), "r"(e), "r"(f)
               : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long n asm("x8") = number;
  register long a asm("x0") = with.a;
  register long b asm("x1") = with.b;
  register long c asm("x2") = with.c;
  register long d asm("x3") = with.d;
  register long e asm("x4") = with.e;
  register long f asm("x5") = with.f;
  asm volatile("svc 0" : "+r"(a) : "r"(n), "r"(b), "r"(c), "r"(d), "r"(e), "r"(f) : "memory");
  return a;
#else
#error "steady waits are not written for this processor"
#endif
}

bool waits_by_the_wall_clock(long number, const Arguments& with) {
  return number == SYS_futex && (with.b & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET &&
         (with.b & FUTEX_CLOCK_REALTIME) != 0 && with.d != 0;
}

}  // namespace

timespec steady_time_of(timespec until, timespec wall_now, timespec steady_now) {
  const int64_t farthest = int64_t{wall_now.tv_sec} + kSecondsMax;
  const int64_t seconds = std::clamp<int64_t>(until.tv_sec, 0, farthest) - wall_now.tv_sec;
  const int64_t nanoseconds = int64_t{until.tv_nsec} - wall_now.tv_nsec + steady_now.tv_nsec;
  // Both parts of a time that is over may be negative.
  int64_t whole = steady_now.tv_sec + seconds + nanoseconds / kNanoseconds;
  int64_t rest = nanoseconds % kNanoseconds;
  if (rest < 0) {
    rest += kNanoseconds;
    --whole;
  }
  if (whole < 0) return {0, 0};
  return {static_cast<time_t>(whole), static_cast<long>(rest)};
}

}  // namespace rondel::rpc

extern "C" __attribute__((visibility("default"))) long syscall(long number, ...) noexcept {
  va_list list;
  va_start(list, number);
  rondel::rpc::Arguments with{};
  for (long* argument : {&with.a, &with.b, &with.c, &with.d, &with.e, &with.f}) {
    *argument = va_arg(list, long);
  }
  va_end(list);
  timespec until{};
  if (rondel::rpc::waits_by_the_wall_clock(number, with)) {
    timespec wall{}, steady{};
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_MONOTONIC, &steady);
    until = rondel::rpc::steady_time_of(*reinterpret_cast<const timespec*>(with.d), wall, steady);
    with.b &= ~long{FUTEX_CLOCK_REALTIME};
    with.d = reinterpret_cast<long>(&until);
  }
  const long result = rondel::rpc::call_kernel(number, with);
  if (result >= 0 || result < -4095) return result;
  errno = static_cast<int>(-result);
  return -1;
}

namespace rondel::rpc {

void use_steady_waits() {}

}  // namespace rondel::rpc
