// Memory that a direct write takes (fs::kDirectAlignment), kept for the next one. Of one thread.
#pragma once

#include <cstdlib>
#include <span>

#include "common/fs/file_system.h"

namespace rondel::engine {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;

  ~AlignedBuffer() { std::free(data_); }

  // What it held before is gone.
  std::span<std::byte> take(size_t bytes) {
    if (bytes > capacity_) {
      std::free(data_);
      capacity_ = (bytes + kStep - 1) / kStep * kStep;
      data_ = static_cast<std::byte*>(std::aligned_alloc(fs::kDirectAlignment, capacity_));
    }
    return {data_, bytes};
  }

 private:
  static constexpr size_t kStep = 1 << 20;
  std::byte* data_ = nullptr;
  size_t capacity_ = 0;
};

}  // namespace rondel::engine
