#include "common/ring/ring.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>

#include "common/ring/fill.h"
#include "common/ring/handoff_order.h"

namespace rondel::ring {
namespace {

constexpr double kPowerMin = 12;
constexpr double kPowerMax = 20;
constexpr double kPowerOfComfort = 19;

double power_for(double arcs) { return std::ceil(std::log2(arcs)); }

// The smallest disk owns at least 200 virtual nodes (rounding then costs half a per cent) as long
// as the table stays small, and 40 beyond that.
uint8_t choose_power(std::span<const Disk> disks, uint8_t replicas) {
  double total = 0;
  double smallest = 0;
  size_t count = 0;
  for (const Disk& disk : disks) {
    if (disk.capacity_bytes == 0) continue;
    const auto weight = static_cast<double>(disk.capacity_bytes);
    total += weight;
    smallest = count == 0 ? weight : std::min(smallest, weight);
    ++count;
  }
  const double arcs_per_node = (total / smallest) / replicas;
  const double wanted = std::min(power_for(200 * arcs_per_node),
                                 std::max(kPowerOfComfort, power_for(40 * arcs_per_node)));
  return static_cast<uint8_t>(std::clamp(wanted, kPowerMin, kPowerMax));
}

Result<void> check(std::span<const Disk> disks, const RingOptions& options) {
  if (options.replicas < 1 || options.replicas > 8) {
    return fail(ErrorCode::kInvalidArgument, "replicas must be 1 to 8");
  }
  if (options.power > 24) return fail(ErrorCode::kInvalidArgument, "power must be at most 24");
  if (disks.size() > kDisksMax) {
    return fail(ErrorCode::kInvalidArgument, "a ring has at most 65,535 disks");
  }
  std::set<model::DiskId> ids;
  bool any = false;
  for (const Disk& disk : disks) {
    if (!ids.insert(disk.id).second) {
      return fail(ErrorCode::kInvalidArgument, "disk " + disk.id.to_hex() + " is given twice");
    }
    any = any || disk.capacity_bytes > 0;
  }
  return any ? Result<void>{} : fail(ErrorCode::kInvalidArgument, "no disk has capacity");
}

}  // namespace

Result<Ring> Ring::build(std::vector<Disk> disks, RingOptions options, uint64_t epoch) {
  TRY_VOID(check(disks, options));
  Ring ring;
  ring.epoch_ = epoch;
  ring.power_ = options.power != 0 ? options.power : choose_power(disks, options.replicas);
  ring.options_ = options;
  ring.take_disks(std::move(disks));
  const Domains domains = group_by_domain(ring.disks_, options.failure_domain);
  TRY(const Quotas quotas, share_out(ring.disks_, domains, ring.arcs(), options.replicas, {}));
  Random random(options.seed);
  ring.table_ = fill_new(domains, quotas, ring.arcs(), options.replicas, random);
  return ring;
}

Result<Ring> Ring::change(std::vector<Disk> disks) const {
  TRY_VOID(check(disks, options_));
  Ring next;
  next.epoch_ = epoch_ + 1;
  next.power_ = power_;
  next.options_ = options_;
  next.take_disks(std::move(disks));
  std::unordered_map<model::DiskId, DiskIndex> index;
  for (size_t i = 0; i < next.disks_.size(); ++i) {
    index[next.disks_[i].id] = static_cast<DiskIndex>(i);
  }

  const Domains domains = group_by_domain(next.disks_, options_.failure_domain);
  next.table_.assign(table_.size(), kHole);
  std::vector<uint64_t> held(next.disks_.size(), 0);
  for (size_t slot = 0; slot < table_.size(); ++slot) {
    const auto found = index.find(disks_[table_[slot]].id);
    if (found == index.end() || next.disks_[found->second].capacity_bytes == 0) continue;
    // A disk that changed its domain may now clash with another replica of the arc.
    const size_t first = slot - slot % options_.replicas;
    const bool clash = std::any_of(
        next.table_.begin() + static_cast<ptrdiff_t>(first),
        next.table_.begin() + static_cast<ptrdiff_t>(slot), [&](DiskIndex other) {
          return other != kHole && domains.of_disk[other] == domains.of_disk[found->second];
        });
    if (clash) continue;
    next.table_[slot] = found->second;
    ++held[found->second];
  }
  TRY(const Quotas quotas, share_out(next.disks_, domains, arcs(), options_.replicas, held));
  Random random(options_.seed + next.epoch_);
  if (!refill(next.table_, domains, quotas, options_.replicas, random)) {
    return fail(ErrorCode::kInternal, "no placement keeps the replicas of every arc apart");
  }
  return next;
}

std::vector<DiskIndex> Ring::handoffs(size_t arc, size_t count) const {
  return order_->of(arc, owners(arc), count);
}

std::optional<DiskIndex> Ring::find(const model::DiskId& id) const { return order_->find(id); }

bool Ring::share_domain(DiskIndex a, DiskIndex b) const { return order_->share_domain(a, b); }

void Ring::take_disks(std::vector<Disk> disks) {
  disks_ = std::move(disks);
  order_ = std::make_shared<const HandoffOrder>(disks_, options_.failure_domain);
}

uint64_t Ring::moved(const Ring& from, const Ring& to) {
  uint64_t moves = 0;
  const size_t replicas = from.options_.replicas;
  for (size_t slot = 0; slot < to.table_.size(); ++slot) {
    const model::DiskId& id = to.disks_[to.table_[slot]].id;
    const size_t first = slot - slot % replicas;
    bool kept = false;
    for (size_t old = first; old < first + replicas && !kept; ++old) {
      kept = from.disks_[from.table_[old]].id == id;
    }
    moves += kept ? 0 : 1;
  }
  return moves;
}

bool Topology::is_owner(const model::DiskId& disk, const model::BlobId& blob) const {
  for (const auto& ring : rings) {
    const auto index = ring->find(disk);
    if (!index) continue;
    const auto owners = ring->owners(ring->arc_of(blob.ring_hash()));
    if (std::ranges::find(owners, *index) != owners.end()) return true;
  }
  return false;
}

const Topology::Node* Topology::find_node(const model::NodeId& id) const {
  const auto found = std::ranges::find(nodes, id, &Node::id);
  return found == nodes.end() ? nullptr : &*found;
}

}  // namespace rondel::ring
