#include "metadata/model/version_clock.h"

#include <algorithm>
#include <random>

#include "common/base/bytes.h"
#include "common/crypto/digest.h"

namespace rondel::metadata {

namespace {

constexpr uint64_t kStepBackIds = static_cast<uint64_t>(VersionClock::kStepBack.count()) << 16;

}  // namespace

model::VersionId VersionClock::next() {
  const auto micros = clock_.now().time_since_epoch().count();
  const uint64_t wall = static_cast<uint64_t>(micros / 1000) << 16;
  uint64_t last = last_.load();
  uint64_t mine;
  do {
    mine = last > wall + kStepBackIds ? wall : std::max(wall, last + 1);
  } while (!last_.compare_exchange_weak(last, mine));
  thread_local std::mt19937_64 random{std::random_device{}()};
  model::VersionId id;
  store_be(id.bytes.data(), mine);
  store_be(id.bytes.data() + 8, (uint64_t{site_} << 48) | (random() >> 16));
  return id;
}

namespace {

uint32_t mark_of(std::string_view key) {
  return load_be<uint32_t>(as_bytes(crypto::md5(key)).data());
}

SystemTime first_48_bits(const std::byte* id) {
  return SystemTime(std::chrono::milliseconds(load_be<uint64_t>(id) >> 16));
}

}  // namespace

SystemTime time_of(const model::VersionId& version) { return first_48_bits(version.bytes.data()); }

model::UploadId new_upload_id(SystemTime begun, std::string_view key) {
  model::UploadId id = model::UploadId::random();
  const auto since = std::chrono::floor<std::chrono::milliseconds>(begun.time_since_epoch());
  const uint64_t random = load_be<uint64_t>(id.bytes.data()) & 0xffff;
  store_be(id.bytes.data(), (static_cast<uint64_t>(since.count()) << 16) | random);
  store_be(id.bytes.data() + 8, mark_of(key));
  return id;
}

bool is_upload_of(const model::UploadId& upload, std::string_view key) {
  return load_be<uint32_t>(upload.bytes.data() + 8) == mark_of(key);
}

SystemTime time_of(const model::UploadId& upload) { return first_48_bits(upload.bytes.data()); }

}  // namespace rondel::metadata
