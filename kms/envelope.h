// Envelope: how a version's data key is kept with its row. Byte by byte:
// docs/formats/encryption.md.
//
// Bytes of an object are encrypted with a random data key. The data key is sealed under a wrapping
// key and bound to bucket and key of the object, so that an envelope moved to another row does not
// open. The wrapping key is the client's own (SSE-C, never kept) or was wrapped by key management,
// whose answer is kept beside it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/crypto/secret.h"

namespace rondel::kms {

// Values are stored: never renumber.
enum class Mode : uint8_t { kNone = 0, kSseS3 = 1, kSseKms = 2, kSseC = 3 };

struct Envelope {
  Mode mode = Mode::kNone;
  bool bucket_key = false;  // The wrapping key is shared by objects of the bucket.
  std::string key_id;       // SSE-KMS: as the client named it.
  std::string context;      // SSE-KMS: encryption context, JSON; empty = none.
  std::string wrapped_key;  // The wrapping key, wrapped by key management. Empty for SSE-C.
  std::string sealed_data_key;

  bool operator==(const Envelope&) const = default;
};

// What an envelope belongs to. The strings must live while it is used.
struct Binding {
  int64_t bucket_id = 0;
  std::string_view key;
};

std::string encode(const Envelope& envelope);
// kCorruption: cut off, of an unknown version or mode, or with bytes behind.
Result<Envelope> decode(std::string_view encoded);

// The sealed form of `data_key` for an envelope whose other fields are final.
std::string seal_data_key(const crypto::Secret& wrapping_key, const crypto::Secret& data_key,
                          const Envelope& envelope, const Binding& binding);
// kPermissionDenied: not this wrapping key, or the envelope belongs to something else or is
// damaged.
Result<crypto::Secret> open_data_key(const crypto::Secret& wrapping_key, const Envelope& envelope,
                                     const Binding& binding);

}  // namespace rondel::kms
