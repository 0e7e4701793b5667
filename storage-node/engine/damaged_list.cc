#include "storage-node/engine/damaged_list.h"

#include "common/hash/hash64.h"

namespace rondel::engine {
namespace {

constexpr uint64_t kMagic = 0x31474d414445444e;  // "NDEDAMG1"
constexpr size_t kFrontBytes = 16;
constexpr size_t kIdBytes = 16;
constexpr size_t kCheckBytes = 8;

}  // namespace

// Magic, number of blobs, their ids, check value of all that.
std::string DamagedList::encode_locked() const {
  std::string text(kFrontBytes + kIdBytes * blobs_.size() + kCheckBytes, '\0');
  auto* out = reinterpret_cast<std::byte*>(text.data());
  store_le(out, kMagic);
  store_le(out + 8, static_cast<uint64_t>(blobs_.size()));
  out += kFrontBytes;
  for (const model::BlobId& id : blobs_) {
    std::ranges::copy(id.bytes(), out);
    out += kIdBytes;
  }
  store_le(out, hash::hash64(as_bytes(text).first(text.size() - kCheckBytes)));
  return text;
}

Result<void> DamagedList::load() {
  const auto text = fs::read_file(fs_, path_);
  if (!text && text.error().code == ErrorCode::kNotFound) return {};
  if (!text) return fail(ErrorCode::kCorruption, text.error().message);
  const ByteView bytes = as_bytes(*text);
  const bool sized = bytes.size() >= kFrontBytes + kCheckBytes &&
                     (bytes.size() - kFrontBytes - kCheckBytes) % kIdBytes == 0;
  if (!sized || load_le<uint64_t>(bytes.data()) != kMagic ||
      load_le<uint64_t>(bytes.data() + bytes.size() - kCheckBytes) !=
          hash::hash64(bytes.first(bytes.size() - kCheckBytes))) {
    return fail(ErrorCode::kCorruption, path_ + " is damaged");
  }
  MutexLock lock(mutex_);
  for (size_t at = kFrontBytes; at + kCheckBytes < bytes.size() && blobs_.size() < kMax;
       at += kIdBytes) {
    blobs_.insert(model::BlobId::from_bytes(bytes.data() + at));
  }
  return {};
}

bool DamagedList::add(const model::BlobId& id) {
  MutexLock lock(mutex_);
  if (blobs_.size() >= kMax || !blobs_.insert(id).second) return false;
  changed_ = true;
  return true;
}

void DamagedList::remove(const model::BlobId& id) {
  MutexLock lock(mutex_);
  if (blobs_.erase(id) > 0) changed_ = true;
}

bool DamagedList::contains(const model::BlobId& id) const {
  MutexLock lock(mutex_);
  return blobs_.contains(id);
}

size_t DamagedList::size() const {
  MutexLock lock(mutex_);
  return blobs_.size();
}

std::vector<model::BlobId> DamagedList::some(size_t max) {
  MutexLock lock(mutex_);
  std::vector<model::BlobId> out;
  auto next = blobs_.upper_bound(last_);
  for (size_t i = std::min(max, blobs_.size()); i > 0; --i) {
    if (next == blobs_.end()) next = blobs_.begin();
    out.push_back(*next++);
  }
  if (!out.empty()) last_ = out.back();
  return out;
}

Result<void> DamagedList::save() {
  if (!save_mutex_.try_lock()) return {};
  auto saved = save_changes();
  save_mutex_.unlock();
  return saved;
}

Result<void> DamagedList::save_changes() {
  for (;;) {
    std::string text;
    {
      MutexLock lock(mutex_);
      if (!std::exchange(changed_, false)) return {};
      text = encode_locked();
    }
    auto written = fs::write_file_atomically(fs_, path_, as_bytes(text));
    if (written) continue;
    MutexLock lock(mutex_);
    changed_ = true;
    return written;
  }
}

}  // namespace rondel::engine
