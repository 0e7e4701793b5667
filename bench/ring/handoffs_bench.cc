// What the hand-off disks of an arc cost at 12, 1,000 and 5,000 disks: the four that a reader asks,
// and the owners beside them.
#include <benchmark/benchmark.h>

#include "common/ring/ring.h"
#include "common/ring/simulation.h"

namespace {

using namespace rondel;

ring::Ring ring_of(int64_t disks) {
  ring::RingOptions options;
  options.power = 14;
  return ring::Ring::build(ring::simulated_disks(static_cast<size_t>(disks), 1), options, 1)
      .value();
}

void handoffs(benchmark::State& state) {
  const ring::Ring ring = ring_of(state.range(0));
  size_t arc = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(ring.handoffs(arc, 4));
    arc = (arc + 1) % ring.arcs();
  }
}

BENCHMARK(handoffs)->Arg(12)->Arg(1000)->Arg(5000);

void owners(benchmark::State& state) {
  const ring::Ring ring = ring_of(state.range(0));
  size_t arc = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(ring.owners(arc));
    arc = (arc + 1) % ring.arcs();
  }
}

BENCHMARK(owners)->Arg(5000);

}  // namespace
