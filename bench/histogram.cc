#include "bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace rondel::bench {
namespace {

constexpr unsigned kStepBits = 7;
constexpr uint64_t kSteps = 1ull << kStepBits;

// Values below 2 * kSteps have a bucket each; above, the top kStepBits + 1 bits choose it.
size_t bucket_of(uint64_t value) {
  if (value < 2 * kSteps) return value;
  const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kStepBits - 1;
  return shift * kSteps + (value >> shift);
}

uint64_t highest_of(size_t bucket) {
  if (bucket < 2 * kSteps) return bucket;
  const unsigned shift = static_cast<unsigned>(bucket / kSteps - 1);
  return ((bucket - shift * kSteps + 1) << shift) - 1;
}

}  // namespace

Histogram::Histogram() : buckets_(bucket_of(UINT64_MAX) + 1) {}

void Histogram::record(uint64_t nanoseconds) {
  ++buckets_[bucket_of(nanoseconds)];
  ++count_;
  max_ = std::max(max_, nanoseconds);
  sum_ += static_cast<double>(nanoseconds);
}

void Histogram::merge(const Histogram& other) {
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
}

double Histogram::mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

uint64_t Histogram::percentile(double percent) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(static_cast<double>(count_) * percent / 100);
  const auto rank = std::clamp<uint64_t>(static_cast<uint64_t>(wanted), 1, count_);
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::min(highest_of(i), max_);
  }
  return max_;
}

}  // namespace rondel::bench
