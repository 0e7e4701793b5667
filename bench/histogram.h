// Histogram of latencies with a bounded relative error, in constant memory: 128 linear steps in
// every power of two.
#pragma once

#include <cstdint>
#include <vector>

namespace rondel::bench {

// Nanoseconds. One thread at a time.
class Histogram {
 public:
  Histogram();

  void record(uint64_t nanoseconds);
  void merge(const Histogram& other);

  uint64_t count() const { return count_; }

  uint64_t max() const { return max_; }

  double mean() const;
  // The value that `percent` of the recorded ones do not exceed, at most 0.8 % too high; 0 when
  // nothing was recorded.
  uint64_t percentile(double percent) const;

 private:
  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
  uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace rondel::bench
