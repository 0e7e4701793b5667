#include "common/hash/xxhash_digest.h"

#include <xxhash.h>

#include "common/base/assert.h"

namespace rondel::hash {
namespace {

using State64 = std::unique_ptr<XXH64_state_t, decltype(&XXH64_freeState)>;
using State3 = std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)>;

template <class Canonical>
std::string bytes_of(const Canonical& canonical) {
  return {reinterpret_cast<const char*>(canonical.digest), sizeof canonical.digest};
}

std::string canonical64(XXH64_hash_t value) {
  XXH64_canonical_t canonical;
  XXH64_canonicalFromHash(&canonical, value);
  return bytes_of(canonical);
}

std::string canonical128(XXH128_hash_t value) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, value);
  return bytes_of(canonical);
}

}  // namespace

struct XxhashDigest::State {
  XxhashKind kind;
  State64 state64{nullptr, &XXH64_freeState};
  State3 state3{nullptr, &XXH3_freeState};

  explicit State(XxhashKind kind_) : kind(kind_) {
    if (kind == XxhashKind::kXxh64) {
      state64.reset(XXH64_createState());
      ASSERT(state64 != nullptr);
    } else {
      state3.reset(XXH3_createState());
      ASSERT(state3 != nullptr);
    }
    restart();
  }

  void restart() {
    switch (kind) {
      case XxhashKind::kXxh64: XXH64_reset(state64.get(), 0); break;
      case XxhashKind::kXxh3: XXH3_64bits_reset(state3.get()); break;
      case XxhashKind::kXxh128: XXH3_128bits_reset(state3.get()); break;
    }
  }
};

XxhashDigest::XxhashDigest(XxhashKind kind) : state_(std::make_unique<State>(kind)) {}

XxhashDigest::~XxhashDigest() = default;
XxhashDigest::XxhashDigest(XxhashDigest&&) noexcept = default;
XxhashDigest& XxhashDigest::operator=(XxhashDigest&&) noexcept = default;

void XxhashDigest::update(ByteView bytes) {
  if (bytes.empty()) return;
  switch (state_->kind) {
    case XxhashKind::kXxh64: XXH64_update(state_->state64.get(), bytes.data(), bytes.size()); break;
    case XxhashKind::kXxh3:
      XXH3_64bits_update(state_->state3.get(), bytes.data(), bytes.size());
      break;
    case XxhashKind::kXxh128:
      XXH3_128bits_update(state_->state3.get(), bytes.data(), bytes.size());
      break;
  }
}

std::string XxhashDigest::finish() {
  std::string value;
  switch (state_->kind) {
    case XxhashKind::kXxh64: value = canonical64(XXH64_digest(state_->state64.get())); break;
    case XxhashKind::kXxh3: value = canonical64(XXH3_64bits_digest(state_->state3.get())); break;
    case XxhashKind::kXxh128:
      value = canonical128(XXH3_128bits_digest(state_->state3.get()));
      break;
  }
  state_->restart();
  return value;
}

}  // namespace rondel::hash
