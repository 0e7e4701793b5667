// HandoffOrder: in which order disks stand in for an arc's owners. docs/formats/ring.md, "Hand-off
// disks".
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "common/model/ids.h"
#include "common/ring/disk.h"

namespace rondel::ring {

// Made once for a ring; immutable and safe for concurrent use.
class HandoffOrder {
 public:
  explicit HandoffOrder(std::span<const Disk> disks, FailureDomain failure_domain);

  // At most `count` disks for an arc with these owners. The first few cost the same however many
  // disks there are; all of them cost a sort.
  std::vector<DiskIndex> of(size_t arc, std::span<const DiskIndex> owners, size_t count) const;

  std::optional<DiskIndex> find(const model::DiskId& id) const;

  bool share_domain(DiskIndex a, DiskIndex b) const { return domain_of_[a] == domain_of_[b]; }

 private:
  // Of places_.
  struct Range {
    uint32_t begin = 0;
    uint32_t end = 0;
  };

  struct Draws {
    size_t arc = 0;
    uint64_t first = 0;
  };

  uint64_t weight(const Range& range) const { return sums_[range.end] - sums_[range.begin]; }

  DiskIndex hit(std::span<const Range> ranges, uint64_t offset) const;
  void add_drawn(Draws draws, std::span<const Range> ranges, std::span<const DiskIndex> owners,
                 size_t count, std::vector<DiskIndex>& out) const;
  void add_ranked(size_t arc, std::span<const Range> ranges, std::span<const DiskIndex> owners,
                  std::vector<DiskIndex>& out) const;

  std::vector<Disk> disks_;
  std::vector<uint32_t> domain_of_;  // By disk.
  std::vector<DiskIndex> places_;    // Disks with capacity, domain after domain.
  std::vector<uint64_t> sums_;       // Of the weights before each place; one more than places_.
  std::vector<Range> domains_;
  std::vector<DiskIndex> by_id_;  // All disks.
};

}  // namespace rondel::ring
