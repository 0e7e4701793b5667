#include "storage-node/service/metadata_memory.h"

#include <fmt/format.h>

#include <sstream>

#include "common/fs/posix_file_system.h"
#include "common/log/log.h"

namespace rondel::node {
namespace {

constexpr auto kStorePause = std::chrono::seconds(10);

}  // namespace

// One line: accepted, system, timeline, position.
Result<void> MetadataMemory::load() {
  const auto text = fs::read_file(fs::posix_file_system(), file_);
  if (!text && text.error().code == ErrorCode::kNotFound) return {};
  TRY_VOID(text);
  std::istringstream in(*text);
  model::MetadataGeneration read;
  if (!(in >> read.accepted >> read.system >> read.timeline >> read.position)) return fail(ErrorCode::kCorruption, file_ + " is damaged");
  std::lock_guard lock(mutex_);
  seen_ = read;
  return {};
}

bool MetadataMemory::accept(const model::MetadataGeneration& generation) {
  std::lock_guard lock(mutex_);
  if (!generation.follows(seen_)) return false;
  model::MetadataGeneration moved = seen_;
  moved.position = generation.position;
  const bool only_moved = moved == generation;
  seen_ = generation;
  const SteadyTime now = std::chrono::steady_clock::now();
  if (!only_moved || now - stored_at_ > kStorePause) store_locked(now);
  return true;
}

model::MetadataGeneration MetadataMemory::seen() const {
  std::lock_guard lock(mutex_);
  return seen_;
}

void MetadataMemory::store_locked(SteadyTime now) {
  stored_at_ = now;
  const std::string text = fmt::format("{} {} {} {}\n", seen_.accepted, seen_.system, seen_.timeline, seen_.position);
  if (auto stored = fs::write_file_atomically(fs::posix_file_system(), file_, as_bytes(text)); !stored) {
    log::warn("ring", "what was seen of the database cannot be written", {{"error", stored.error().message}});
  }
}

}  // namespace rondel::node
