#include "jobs/gc/removal_batch.h"

#include <algorithm>

namespace rondel::gc {
namespace {

constexpr size_t kHandoffs = 4;
constexpr size_t kQuorum = 2;

std::vector<uint32_t> chunks_of(const metadata::ReleasedStream& stream) {
  std::vector<uint32_t> chunks = stream.chunks;
  std::erase_if(chunks, [](uint32_t chunk) { return chunk >= kStreamChunksMax; });
  if (!chunks.empty()) return chunks;
  const uint64_t count = std::min(model::chunk_count(stream.size), kStreamChunksMax);
  for (uint32_t chunk = 0; chunk < count; ++chunk) chunks.push_back(chunk);
  return chunks;
}

}  // namespace

void RemovalBatch::add(const metadata::ReleasedStream& stream) {
  streams_.push_back(stream);
  const std::vector<uint32_t> chunks = chunks_of(stream);
  chunks_ += chunks.size();
  for (const uint32_t chunk : chunks) {
    const model::BlobId id{stream.stream, chunk};
    for (const auto& ring : topology_.rings) {
      const size_t arc = ring->arc_of(id.ring_hash());
      for (ring::DiskIndex owner : ring->owners(arc)) ask(ring->disks()[owner], id);
      for (ring::DiskIndex handoff : ring->handoffs(arc, kHandoffs)) {
        ask(ring->disks()[handoff], id);
      }
    }
  }
}

void RemovalBatch::ask(const ring::Disk& disk, const model::BlobId& id) {
  const auto [entry, is_new] = position_.try_emplace(disk.id, per_disk_.size());
  if (is_new) per_disk_.push_back({{disk.node, disk.id}, {}});
  auto& ids = per_disk_[entry->second].second;
  // A disk may own the chunk in several epochs.
  if (ids.empty() || ids.back() != id) ids.push_back(id);
}

std::vector<metadata::ReleaseRow> RemovalBatch::finished() const {
  std::vector<metadata::ReleaseRow> rows;
  for (const metadata::ReleasedStream& stream : streams_) {
    if (left_of(stream).empty()) rows.push_back(stream.row());
  }
  return rows;
}

std::vector<metadata::DeferredStream> RemovalBatch::deferred() const {
  std::vector<metadata::DeferredStream> rows;
  for (const metadata::ReleasedStream& stream : streams_) {
    std::vector<uint32_t> left = left_of(stream);
    if (!left.empty()) rows.push_back({stream.row(), std::move(left)});
  }
  return rows;
}

std::vector<uint32_t> RemovalBatch::left_of(const metadata::ReleasedStream& stream) const {
  std::vector<uint32_t> left = chunks_of(stream);
  std::erase_if(left, [&](uint32_t chunk) { return quorum_done({stream.stream, chunk}); });
  return left;
}

bool RemovalBatch::quorum_done(const model::BlobId& id) const {
  const ring::Ring& ring = *topology_.current();
  const auto owners = ring.owners(ring.arc_of(id.ring_hash()));
  const auto done = std::ranges::count_if(
      owners, [&](ring::DiskIndex owner) { return done_.contains(ring.disks()[owner].id); });
  return static_cast<size_t>(done) >= std::min(kQuorum, owners.size());
}

}  // namespace rondel::gc
