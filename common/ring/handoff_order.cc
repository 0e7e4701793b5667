#include "common/ring/handoff_order.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <set>

#include "common/ring/quota.h"

namespace rondel::ring {
namespace {

// Of each phase. Enough for the few that anybody asks for; what they do not hit is ranked.
constexpr uint64_t kDraws = 32;

// Even in 2^64, by arc and number of the draw.
uint64_t drawn(size_t arc, uint64_t draw) {
  std::byte key[16];
  store_le(key, static_cast<uint64_t>(arc));
  store_le(key + 8, draw);
  return XXH3_64bits(key, sizeof key);
}

uint64_t scaled(uint64_t number, uint64_t below) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(number) * below) >> 64);
}

}  // namespace

HandoffOrder::HandoffOrder(std::span<const Disk> disks, FailureDomain failure_domain)
    : disks_(disks.begin(), disks.end()) {
  Domains domains = group_by_domain(disks_, failure_domain);
  domain_of_ = std::move(domains.of_disk);
  // All weights together are less than 2^63, whatever capacities somebody declared.
  uint64_t largest = 1;
  for (const Disk& disk : disks_) largest = std::max(largest, disk.capacity_bytes);
  const int bits = std::bit_width(largest) + std::bit_width(disks_.size());
  const int shift = std::max(0, bits - 62);
  sums_.push_back(0);
  for (const auto& members : domains.disks) {
    Range range{static_cast<uint32_t>(places_.size()), 0};
    for (const DiskIndex disk : members) {
      if (disks_[disk].capacity_bytes == 0) continue;
      places_.push_back(disk);
      sums_.push_back(sums_.back() + std::max<uint64_t>(1, disks_[disk].capacity_bytes >> shift));
    }
    range.end = static_cast<uint32_t>(places_.size());
    domains_.push_back(range);
  }
  for (size_t i = 0; i < disks_.size(); ++i) by_id_.push_back(static_cast<DiskIndex>(i));
  std::ranges::sort(by_id_, {}, [this](DiskIndex disk) { return disks_[disk].id; });
}

std::optional<DiskIndex> HandoffOrder::find(const model::DiskId& id) const {
  const auto found =
      std::ranges::lower_bound(by_id_, id, {}, [this](DiskIndex disk) { return disks_[disk].id; });
  if (found == by_id_.end() || disks_[*found].id != id) return std::nullopt;
  return *found;
}

std::vector<DiskIndex> HandoffOrder::of(size_t arc, std::span<const DiskIndex> owners,
                                        size_t count) const {
  // Domains that owners use, and what lies between them.
  std::vector<Range> used;
  for (const DiskIndex owner : owners) used.push_back(domains_[domain_of_[owner]]);
  std::ranges::sort(used, {}, &Range::begin);
  used.erase(std::ranges::unique(used, {}, &Range::begin).begin(), used.end());
  std::vector<Range> unused;
  uint32_t at = 0;
  for (const Range& range : used) {
    if (range.begin > at) unused.push_back({at, range.begin});
    at = std::max(at, range.end);
  }
  if (at < places_.size()) unused.push_back({at, static_cast<uint32_t>(places_.size())});

  std::vector<DiskIndex> out;
  out.reserve(std::min(count, places_.size()));
  size_t left = 0;
  for (const Range& range : unused) left += range.end - range.begin;
  add_drawn({arc, 0}, unused, owners, std::min(count, left), out);
  // Of the domains in use the owners themselves are left out.
  for (const Range& range : used) left += range.end - range.begin;
  left -= std::ranges::count_if(std::set(owners.begin(), owners.end()), [this](DiskIndex owner) {
    return disks_[owner].capacity_bytes > 0;
  });
  add_drawn({arc, kDraws}, used, owners, std::min(count, left), out);
  return out;
}

// Until there are `count`: first those that draws hit, then the rest in a rank.
void HandoffOrder::add_drawn(Draws draws, std::span<const Range> ranges,
                             std::span<const DiskIndex> owners, size_t count,
                             std::vector<DiskIndex>& out) const {
  uint64_t total = 0;
  for (const Range& range : ranges) total += weight(range);
  for (uint64_t i = 0; i < kDraws && out.size() < count; ++i) {
    const DiskIndex disk = hit(ranges, scaled(drawn(draws.arc, draws.first + i), total));
    const bool taken = std::ranges::find(owners, disk) != owners.end() ||
                       std::ranges::find(out, disk) != out.end();
    if (!taken) out.push_back(disk);
  }
  if (out.size() < count) add_ranked(draws.arc, ranges, owners, out);
  out.resize(std::min(out.size(), count));
}

// REQUIRES: `offset` is less than the weight of all ranges.
DiskIndex HandoffOrder::hit(std::span<const Range> ranges, uint64_t offset) const {
  auto range = ranges.begin();
  while (offset >= weight(*range)) offset -= weight(*range++);
  const auto first = sums_.begin() + range->begin;
  const auto behind = std::upper_bound(first, sums_.begin() + range->end, *first + offset);
  return places_[static_cast<size_t>(behind - sums_.begin()) - 1];
}

// By a hash of arc and disk, the lowest first.
void HandoffOrder::add_ranked(size_t arc, std::span<const Range> ranges,
                              std::span<const DiskIndex> owners,
                              std::vector<DiskIndex>& out) const {
  std::vector<bool> taken(disks_.size(), false);
  for (const DiskIndex disk : owners) taken[disk] = true;
  for (const DiskIndex disk : out) taken[disk] = true;
  std::vector<std::pair<uint64_t, DiskIndex>> left;
  for (const Range& range : ranges) {
    for (uint32_t place = range.begin; place < range.end; ++place) {
      const DiskIndex disk = places_[place];
      const auto& id = disks_[disk].id.bytes;
      if (!taken[disk]) left.emplace_back(XXH3_64bits_withSeed(id.data(), id.size(), arc), disk);
    }
  }
  std::ranges::sort(left);
  for (const auto& [hash, disk] : left) out.push_back(disk);
}

}  // namespace rondel::ring
