#include "common/base/bytes.h"

namespace rondel {

ByteSlice ByteSlice::copy_of(ByteView bytes) {
  auto buffer = std::make_shared_for_overwrite<std::byte[]>(bytes.size());
  if (!bytes.empty()) std::memcpy(buffer.get(), bytes.data(), bytes.size());
  const std::byte* data = buffer.get();
  return {std::move(buffer), ByteView(data, bytes.size())};
}

}  // namespace rondel
