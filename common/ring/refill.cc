#include <algorithm>
#include <deque>

#include "common/ring/fill.h"

namespace rondel::ring {
namespace {

// Slots (arc * replicas + replica) are homeless (holes, and what disks hold above their quota) or
// settled. Homeless slots are matched to domains that lack some: directly, else by re-routing slots
// that move in this change anyway (augmenting paths, no further movement), else by moving one
// settled slot out of the way.
class Refill {
 public:
  Refill(std::vector<DiskIndex>& table, const Domains& domains, const Quotas& quotas,
         size_t replicas, Random& random)
      : table_(table),
        domains_(domains),
        replicas_(replicas),
        random_(random),
        needs_(domains.size()),
        moved_into_(domains.size()),
        freed_from_(table.size(), kHole) {
    count_needs(quotas);
  }

  bool run(const Quotas& quotas) {
    std::vector<size_t> homeless = holes();
    add_surplus(quotas, homeless);
    random_.shuffle(homeless);
    std::vector<size_t> waiting;
    for (size_t slot : homeless) {
      if (!settle_directly(slot)) waiting.push_back(slot);
    }
    for (size_t slot : waiting) {
      if (!settle_by_rerouting(slot) && !settle_by_exchanging(slot) &&
          !settle_by_displacing(slot)) {
        return false;
      }
    }
    return true;
  }

 private:
  void count_needs(const Quotas& quotas) {
    std::vector<uint64_t> held(domains_.of_disk.size(), 0);
    for (DiskIndex disk : table_) {
      if (disk != kHole) ++held[disk];
    }
    for (size_t disk = 0; disk < held.size(); ++disk) {
      if (quotas.of_disk[disk] <= held[disk]) continue;
      auto& pile = needs_[domains_.of_disk[disk]];
      pile.insert(pile.end(), quotas.of_disk[disk] - held[disk], static_cast<DiskIndex>(disk));
    }
    for (auto& pile : needs_) random_.shuffle(pile);
  }

  std::vector<size_t> holes() const {
    std::vector<size_t> out;
    for (size_t slot = 0; slot < table_.size(); ++slot) {
      if (table_[slot] == kHole) out.push_back(slot);
    }
    return out;
  }

  // Frees slots of disks above their quota, preferring arcs where a domain in need is not yet
  // present.
  void add_surplus(const Quotas& quotas, std::vector<size_t>& homeless) {
    std::vector<std::vector<size_t>> slots(domains_.of_disk.size());
    for (size_t slot = 0; slot < table_.size(); ++slot) {
      if (table_[slot] != kHole) slots[table_[slot]].push_back(slot);
    }
    std::vector<int64_t> open(domains_.size());
    for (size_t z = 0; z < open.size(); ++z) open[z] = static_cast<int64_t>(needs_[z].size());
    for (size_t disk = 0; disk < slots.size(); ++disk) {
      if (slots[disk].size() <= quotas.of_disk[disk]) continue;
      random_.shuffle(slots[disk]);
      free_surplus(static_cast<DiskIndex>(disk), slots[disk].size() - quotas.of_disk[disk],
                   slots[disk], open, homeless);
    }
  }

  void free_surplus(DiskIndex disk, uint64_t excess, const std::vector<size_t>& slots,
                    std::vector<int64_t>& open, std::vector<size_t>& homeless) {
    const uint32_t own = domains_.of_disk[disk];
    std::vector<size_t> second_choice;
    for (size_t slot : slots) {
      if (excess == 0) return;
      const auto target = open[own] > 0 ? own : neediest(slot, open);
      if (open[own] <= 0 && (target == kNone || open[target] <= 0)) {
        second_choice.push_back(slot);
        continue;
      }
      --open[target];
      --excess;
      freed_from_[slot] = disk;
      table_[slot] = kHole;
      homeless.push_back(slot);
    }
    for (size_t i = 0; i < second_choice.size() && excess > 0; ++i, --excess) {
      freed_from_[second_choice[i]] = disk;
      table_[second_choice[i]] = kHole;
      homeless.push_back(second_choice[i]);
    }
  }

  static constexpr uint32_t kNone = 0xffffffff;

  bool is_legal(size_t slot, uint32_t domain) const {
    const size_t first = slot - slot % replicas_;
    for (size_t other = first; other < first + replicas_; ++other) {
      if (other != slot && table_[other] != kHole && domains_.of_disk[table_[other]] == domain) {
        return false;
      }
    }
    return true;
  }

  // Few domains: the one with most need. Many: a random legal one, since needs are spread thin
  // then.
  uint32_t neediest(size_t slot, const std::vector<int64_t>& open) {
    constexpr size_t kScanMax = 64;
    const size_t count = open.size();
    uint32_t best = kNone;
    const size_t start = random_.below(count);
    for (size_t i = 0; i < count; ++i) {
      const auto z = static_cast<uint32_t>((start + i) % count);
      if (open[z] <= 0 || !is_legal(slot, z)) continue;
      if (best == kNone || open[z] > open[best]) best = z;
      if (count > kScanMax) return best;
    }
    return best;
  }

  void settle(size_t slot, uint32_t domain) {
    table_[slot] = needs_[domain].back();
    needs_[domain].pop_back();
    moved_into_[domain].push_back(slot);
  }

  void unsettle(size_t slot) {
    const uint32_t domain = domains_.of_disk[table_[slot]];
    needs_[domain].push_back(table_[slot]);
    table_[slot] = kHole;
  }

  bool settle_directly(size_t slot) {
    const size_t count = domains_.size();
    uint32_t best = kNone;
    const size_t start = random_.below(count);
    for (size_t i = 0; i < count; ++i) {
      const auto z = static_cast<uint32_t>((start + i) % count);
      if (needs_[z].empty() || !is_legal(slot, z)) continue;
      if (best == kNone || needs_[z].size() > needs_[best].size()) best = z;
      if (count > 64) break;
    }
    if (best == kNone) return false;
    settle(slot, best);
    return true;
  }

  bool is_in(size_t slot, uint32_t domain) const {
    return table_[slot] != kHole && domains_.of_disk[table_[slot]] == domain;
  }

  // Breadth-first over domains: `slot` may enter u when a slot that moved into u can go on to v,
  // and so on to a domain in need. No slot moves that did not move already.
  bool settle_by_rerouting(size_t slot) {
    struct Step {
      uint32_t from = kNone;
      size_t via = 0;
      bool seen = false;
    };

    std::vector<Step> steps(domains_.size());
    std::deque<uint32_t> queue;
    for (uint32_t z = 0; z < domains_.size(); ++z) {
      if (!is_legal(slot, z)) continue;
      steps[z].seen = true;
      queue.push_back(z);
    }
    while (!queue.empty()) {
      const uint32_t here = queue.front();
      queue.pop_front();
      if (!needs_[here].empty()) {
        // Walk back: the slot that came into `from` moves on to `to`, which frees a place in
        // `from`.
        uint32_t to = here;
        while (steps[to].from != kNone) {
          unsettle(steps[to].via);
          settle(steps[to].via, to);
          to = steps[to].from;
        }
        settle(slot, to);
        return true;
      }
      for (size_t via : moved_into_[here]) {
        if (!is_in(via, here) || via / replicas_ == slot / replicas_) continue;
        for (uint32_t next = 0; next < domains_.size(); ++next) {
          if (steps[next].seen || !is_legal(via, next)) continue;
          steps[next] = {here, via, true};
          queue.push_back(next);
        }
      }
    }
    return false;
  }

  // The slot was freed from a disk above its quota but no domain in need may enter its arc: the
  // disk takes it back and frees another one. Where it has none that helps, it takes over an arc
  // that another disk gave up, which then looks further: breadth-first over disks, so that nothing
  // moves that need not.
  bool settle_by_exchanging(size_t slot) {
    const DiskIndex first = freed_from_[slot];
    if (first == kHole || !is_legal(slot, domains_.of_disk[first])) return false;
    for (uint32_t needy = 0; needy < domains_.size(); ++needy) {
      if (!needs_[needy].empty() && exchange(slot, first, needy)) return true;
    }
    return false;
  }

  bool exchange(size_t slot, DiskIndex first, uint32_t needy) {
    if (exchange_visits_left_ < table_.size()) return false;
    exchange_visits_left_ -= table_.size();

    struct Step {
      DiskIndex from = kHole;
      size_t given = 0;       // Slot of `from` that goes to the domain in need,
      size_t taken_back = 0;  // and the slot in its arc that this disk takes back for it.
      bool seen = false;
    };

    std::vector<std::vector<size_t>> slots(domains_.of_disk.size());
    for (size_t s = 0; s < table_.size(); ++s) {
      if (table_[s] != kHole) slots[table_[s]].push_back(s);
    }
    std::vector<Step> steps(domains_.of_disk.size());
    std::deque<DiskIndex> queue{first};
    steps[first].seen = true;
    while (!queue.empty()) {
      const DiskIndex here = queue.front();
      queue.pop_front();
      if (domains_.of_disk[here] == needy) continue;
      for (size_t given : slots[here]) {
        if (freed_from_[given] != kHole) continue;
        if (is_legal(given, needy)) {
          settle_from(given, here, needy);
          for (DiskIndex at = here; steps[at].from != kHole; at = steps[at].from) {
            swap_back(steps[at].given, steps[at].taken_back);
          }
          table_[slot] = first;
          freed_from_[slot] = kHole;
          return true;
        }
        const size_t taken = slot_in_arc_of(given, needy);
        if (taken == table_.size() || freed_from_[taken] == kHole) continue;
        const DiskIndex next = freed_from_[taken];
        if (steps[next].seen || !may_return(taken, next, given)) continue;
        steps[next] = {here, given, taken, true};
        queue.push_back(next);
      }
    }
    return false;
  }

  void settle_from(size_t slot, DiskIndex owner, uint32_t domain) {
    freed_from_[slot] = owner;
    table_[slot] = kHole;
    settle(slot, domain);
  }

  // `given` gets the newcomer that sits in `taken_back`, whose former disk returns.
  void swap_back(size_t given, size_t taken_back) {
    const DiskIndex newcomer = table_[taken_back];
    table_[taken_back] = freed_from_[taken_back];
    freed_from_[taken_back] = kHole;
    freed_from_[given] = table_[given];
    table_[given] = newcomer;
    moved_into_[domains_.of_disk[newcomer]].push_back(given);
  }

  size_t slot_in_arc_of(size_t slot, uint32_t domain) const {
    const size_t first = slot - slot % replicas_;
    for (size_t other = first; other < first + replicas_; ++other) {
      if (other != slot && is_in(other, domain)) return other;
    }
    return table_.size();
  }

  bool may_return(size_t slot, DiskIndex disk, size_t leaving) const {
    const size_t first = slot - slot % replicas_;
    for (size_t other = first; other < first + replicas_; ++other) {
      if (other != slot && other != leaving && is_in(other, domains_.of_disk[disk])) return false;
    }
    return true;
  }

  // Last resort: one settled slot moves to the domain in need and makes room.
  bool settle_by_displacing(size_t slot) {
    const size_t start = random_.below(table_.size());
    for (uint32_t needy = 0; needy < domains_.size(); ++needy) {
      if (needs_[needy].empty()) continue;
      for (size_t i = 0; i < table_.size(); ++i) {
        const size_t other = (start + i) % table_.size();
        if (table_[other] == kHole || other / replicas_ == slot / replicas_) continue;
        const DiskIndex disk = table_[other];
        if (!is_legal(slot, domains_.of_disk[disk]) || !is_legal(other, needy)) continue;
        settle(other, needy);
        table_[slot] = disk;
        return true;
      }
    }
    return false;
  }

  std::vector<DiskIndex>& table_;
  const Domains& domains_;
  const size_t replicas_;
  Random& random_;
  // Per domain: disks below their quota, once for each slot they lack.
  std::vector<std::vector<DiskIndex>> needs_;
  // Per domain: slots settled there in this change (some left again).
  std::vector<std::vector<size_t>> moved_into_;
  // Per slot: the disk above its quota that gave it up in this change.
  std::vector<DiskIndex> freed_from_;
  uint64_t exchange_visits_left_ = 400'000'000;  // Bounds the time that perfection may cost.
};

}  // namespace

bool refill(std::vector<DiskIndex>& table, const Domains& domains, const Quotas& quotas,
            size_t replicas, Random& random) {
  return Refill(table, domains, quotas, replicas, random).run(quotas);
}

}  // namespace rondel::ring
