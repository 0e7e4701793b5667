#include <algorithm>
#include <numeric>

#include "common/ring/fill.h"

namespace rondel::ring {
namespace {

// Draws indices with probability proportional to their count (Fenwick 1994).
class WeightedDraw {
 public:
  explicit WeightedDraw(const std::vector<uint64_t>& counts)
      : tree_(counts.size() + 1, 0), total_(0) {
    for (size_t i = 0; i < counts.size(); ++i) add(i, static_cast<int64_t>(counts[i]));
    while ((step_ << 1) <= counts.size()) step_ <<= 1;
  }

  void add(size_t index, int64_t amount) {
    total_ += amount;
    for (size_t i = index + 1; i < tree_.size(); i += i & (~i + 1)) tree_[i] += amount;
  }

  int64_t total() const { return total_; }

  size_t draw(Random& random) const {
    auto left = static_cast<int64_t>(random.below(static_cast<uint64_t>(total_)));
    size_t position = 0;
    for (size_t step = step_; step > 0; step >>= 1) {
      if (position + step < tree_.size() && tree_[position + step] <= left) {
        position += step;
        left -= tree_[position];
      }
    }
    return position;
  }

 private:
  std::vector<int64_t> tree_;
  int64_t total_;
  size_t step_ = 1;
};

// Each domain's slots as a shuffled pile of its disks: taking from the pile is a draw without
// replacement.
std::vector<std::vector<DiskIndex>> disk_piles(const Domains& domains, const Quotas& quotas,
                                               Random& random) {
  std::vector<std::vector<DiskIndex>> piles(domains.size());
  for (size_t z = 0; z < domains.size(); ++z) {
    for (DiskIndex disk : domains.disks[z]) {
      piles[z].insert(piles[z].end(), quotas.of_disk[disk], disk);
    }
    random.shuffle(piles[z]);
  }
  return piles;
}

}  // namespace

// With m arcs left every domain has at most m slots left, and all together m * replicas. Domains
// with exactly m are forced; the rest is drawn in proportion to what is left. Both keep the
// invariant, so the fill never gets stuck.
std::vector<DiskIndex> fill_new(const Domains& domains, const Quotas& quotas, size_t arcs,
                                size_t replicas, Random& random) {
  auto piles = disk_piles(domains, quotas, random);
  std::vector<uint64_t> left = quotas.of_domain;
  WeightedDraw draw(left);
  std::vector<std::vector<uint32_t>> with_left(arcs + 1);
  for (uint32_t z = 0; z < left.size(); ++z) with_left[left[z]].push_back(z);
  std::vector<std::vector<DiskIndex>> rows(arcs);
  std::vector<uint32_t> chosen;
  for (size_t m = arcs; m > 0; --m) {
    chosen.clear();
    const auto choose = [&](uint32_t z) {
      chosen.push_back(z);
      draw.add(z, -static_cast<int64_t>(left[z]));
    };
    for (uint32_t z : with_left[m]) {
      if (left[z] == m && std::ranges::find(chosen, z) == chosen.end()) choose(z);
    }
    while (chosen.size() < replicas) choose(static_cast<uint32_t>(draw.draw(random)));
    std::vector<DiskIndex>& row = rows[m - 1];
    for (uint32_t z : chosen) {
      row.push_back(piles[z].back());
      piles[z].pop_back();
      --left[z];
      draw.add(z, static_cast<int64_t>(left[z]));
      with_left[left[z]].push_back(z);
    }
    random.shuffle(row);
  }
  random.shuffle(rows);
  std::vector<DiskIndex> table;
  table.reserve(arcs * replicas);
  for (const auto& row : rows) table.insert(table.end(), row.begin(), row.end());
  return table;
}

}  // namespace rondel::ring
