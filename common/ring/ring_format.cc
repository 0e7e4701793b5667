// The stored form of a ring: docs/formats/ring.md.
#include <xxhash.h>

#include "common/ring/ring.h"

namespace rondel::ring {
namespace {

constexpr std::string_view kMagic = "RNDLRING";
constexpr uint16_t kVersion = 1;
constexpr size_t kChecksumBytes = 8;

template <class T>
void append(std::string& out, T value) {
  std::byte bytes[sizeof value];
  store_le(bytes, value);
  out.append(reinterpret_cast<const char*>(bytes), sizeof value);
}

void append_text(std::string& out, const std::string& text) {
  append(out, static_cast<uint16_t>(text.size()));
  out += text;
}

// Reads on until something is missing; then everything answers empty and failed() is true.
class Cursor {
 public:
  explicit Cursor(ByteView bytes) : rest_(bytes) {}

  bool failed() const { return failed_; }

  size_t left() const { return rest_.size(); }

  ByteView take(size_t count) {
    if (failed_ || count > rest_.size()) {
      failed_ = true;
      return {};
    }
    const ByteView out = rest_.first(count);
    rest_ = rest_.subspan(count);
    return out;
  }

  template <class T>
  T number() {
    const ByteView bytes = take(sizeof(T));
    return bytes.empty() ? T{} : load_le<T>(bytes.data());
  }

  std::string text() { return std::string(as_text(take(number<uint16_t>()))); }

  template <class Id>
  Id id() {
    return Id::from_bytes(take(Id::kBytes)).value_or(Id{});
  }

 private:
  ByteView rest_;
  bool failed_ = false;
};

std::unexpected<Error> corrupt(std::string why) {
  return fail(ErrorCode::kCorruption, "ring: " + std::move(why));
}

}  // namespace

std::string Ring::serialize() const {
  std::string out(kMagic);
  append(out, kVersion);
  append(out, power_);
  append(out, options_.replicas);
  append(out, static_cast<uint8_t>(options_.failure_domain));
  append(out, options_.power);
  append(out, uint16_t{0});
  append(out, epoch_);
  append(out, options_.seed);
  append(out, static_cast<uint32_t>(disks_.size()));
  for (const Disk& disk : disks_) {
    out += as_text(disk.id.view());
    out += as_text(disk.node.view());
    append(out, disk.capacity_bytes);
    append_text(out, disk.host);
    append_text(out, disk.zone);
  }
  for (DiskIndex owner : table_) append(out, owner);
  append(out, static_cast<uint64_t>(XXH3_64bits(out.data(), out.size())));
  return out;
}

Result<Ring> Ring::parse(ByteView stored) {
  if (stored.size() < kMagic.size() + kChecksumBytes) return corrupt("too short");
  const ByteView content = stored.first(stored.size() - kChecksumBytes);
  const auto checksum = load_le<uint64_t>(stored.data() + content.size());
  if (XXH3_64bits(content.data(), content.size()) != checksum) {
    return corrupt("the checksum differs");
  }
  Cursor cursor(content);
  if (as_text(cursor.take(kMagic.size())) != kMagic) return corrupt("not a ring");
  if (cursor.number<uint16_t>() != kVersion) return corrupt("a format of a newer version");
  Ring ring;
  ring.power_ = cursor.number<uint8_t>();
  ring.options_.replicas = cursor.number<uint8_t>();
  const auto domain = cursor.number<uint8_t>();
  ring.options_.failure_domain = static_cast<FailureDomain>(domain);
  ring.options_.power = cursor.number<uint8_t>();
  cursor.number<uint16_t>();
  ring.epoch_ = cursor.number<uint64_t>();
  ring.options_.seed = cursor.number<uint64_t>();
  const auto disks = cursor.number<uint32_t>();
  if (ring.power_ > 24 || ring.options_.replicas < 1 || ring.options_.replicas > 8 || domain < 1 ||
      domain > 3 || disks > kDisksMax) {
    return corrupt("a field is out of bounds");
  }
  std::vector<Disk> known;
  for (uint32_t i = 0; i < disks && !cursor.failed(); ++i) {
    Disk disk;
    disk.id = cursor.id<model::DiskId>();
    disk.node = cursor.id<model::NodeId>();
    disk.capacity_bytes = cursor.number<uint64_t>();
    disk.host = cursor.text();
    disk.zone = cursor.text();
    known.push_back(std::move(disk));
  }
  ring.take_disks(std::move(known));
  const size_t slots = ring.arcs() * ring.options_.replicas;
  if (cursor.failed() || cursor.left() != slots * sizeof(DiskIndex)) {
    return corrupt("the length is wrong");
  }
  ring.table_.reserve(slots);
  for (size_t i = 0; i < slots; ++i) ring.table_.push_back(cursor.number<DiskIndex>());
  for (size_t slot = 0; slot < slots; ++slot) {
    if (ring.table_[slot] >= ring.disks_.size()) return corrupt("an owner does not exist");
    for (size_t other = slot - slot % ring.options_.replicas; other < slot; ++other) {
      if (ring.share_domain(ring.table_[slot], ring.table_[other])) {
        return corrupt("two replicas share a failure domain");
      }
    }
  }
  return ring;
}

}  // namespace rondel::ring
