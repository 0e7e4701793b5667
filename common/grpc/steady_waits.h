// Waits of gRPC that no wall clock lengthens.
//
// gRPC waits with the mutexes of Abseil, and these wait until a time of the wall clock: after that
// clock was set back by a day the thread that looks after all of gRPC's timers sleeps for a day,
// and until then no call ends at its deadline, no channel connects anew, no keepalive is missed.
// steady_waits.cc takes the place of libc's syscall(), through which Abseil waits, and turns such a
// wait into one by the steady clock; every other call goes on unchanged. Linux alone.
#pragma once

#include <time.h>

namespace rondel::rpc {

// A program that calls this has them; whoever opens channels or listens does. Costs nothing.
void use_steady_waits();

// The time of the steady clock that is as far away as `until` is by the wall clock. Never before 0.
timespec steady_time_of(timespec until, timespec wall_now, timespec steady_now);

}  // namespace rondel::rpc
