// Byte views and shared immutable byte buffers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace rondel {

using ByteView = std::span<const std::byte>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A run of bytes inside a reference-counted buffer that nobody changes any more. Cheap to copy;
// safe to share between threads. The bytes live as long as any slice of the buffer.
class ByteSlice {
 public:
  ByteSlice() = default;

  ByteSlice(std::shared_ptr<const void> owner, ByteView bytes)
      : owner_(std::move(owner)), bytes_(bytes) {}

  // Copies `bytes` into a buffer of its own.
  static ByteSlice copy_of(ByteView bytes);

  ByteView view() const { return bytes_; }

  const std::byte* data() const { return bytes_.data(); }

  size_t size() const { return bytes_.size(); }

  bool empty() const { return bytes_.empty(); }

  // REQUIRES: offset + length <= size().
  ByteSlice sub(size_t offset, size_t length) const {
    return {owner_, bytes_.subspan(offset, length)};
  }

  const std::shared_ptr<const void>& owner() const { return owner_; }

 private:
  std::shared_ptr<const void> owner_;
  ByteView bytes_;
};

// Fixed-width integers at unaligned places. Formats on disk are little-endian unless their document
// says otherwise.
template <class T>
T load_le(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
void store_le(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

template <class T>
T load_be(const std::byte* from) {
  T value = 0;
  for (size_t i = 0; i < sizeof value; ++i) {
    value = static_cast<T>((value << 8) | std::to_integer<T>(from[i]));
  }
  return value;
}

template <class T>
void store_be(std::byte* to, T value) {
  for (size_t i = sizeof value; i-- > 0; value = static_cast<T>(value >> 8)) {
    to[i] = static_cast<std::byte>(value);
  }
}

}  // namespace rondel
