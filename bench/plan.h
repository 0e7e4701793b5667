// Chooses what is asked next. Each worker has its own plan over its share of the keys.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>

#include "bench/options.h"
#include "bench/request_maker.h"

namespace rondel::bench {

// Hands out requests until it is exhausted. One thread at a time.
class Plan {
 public:
  virtual ~Plan() = default;
  virtual std::optional<Request> next() = 0;
};

// The key of object `number`: fixed width, so that keys sort by number. "PREFIX000000000042", with
// folders "PREFIX000001/000000000042".
std::string key_of(const Options& options, uint64_t number);

// PUT of objects worker, worker + workers, ... below options.keys.
class PreloadPlan final : public Plan {
 public:
  PreloadPlan(const Options& options, unsigned worker, unsigned workers);
  std::optional<Request> next() override;

 private:
  const Options& options_;
  uint64_t number_;
  const unsigned workers_;
};

// The measured load. PUT writes keys of its own; GET and HEAD choose among the objects 0..keys-1;
// LIST begins behind one of the lower half of them, so that pages are full. DELETE alone takes each
// of those once and is then exhausted; in a mix it takes the oldest of what the mix has put, and a
// HEAD stands in for it until enough has been put.
class LoadPlan final : public Plan {
 public:
  LoadPlan(const Options& options, unsigned worker, unsigned workers);
  std::optional<Request> next() override;

 private:
  Operation choose();
  std::string random_key(uint64_t below);
  std::optional<Request> next_delete();

  const Options& options_;
  const unsigned worker_;
  const unsigned workers_;
  std::mt19937_64 random_;
  unsigned weight_sum_ = 0;
  uint64_t next_put_ = 0;
  uint64_t next_delete_ = 0;
  std::string run_;  // Tells the keys of one run from those of another.
};

}  // namespace rondel::bench
