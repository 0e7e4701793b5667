// Headers that ask for server-side encryption, as values. Source: "Protecting data with server-side
// encryption", S3 user guide; PutObject, GetObject, CopyObject in the S3 API reference.
#pragma once

#include <optional>
#include <string>

#include "common/crypto/secret.h"
#include "common/http/message.h"
#include "gateway/s3/error.h"

namespace rondel::s3 {

// SSE-C: the key a client sends with every request.
struct CustomerKey {
  crypto::Secret key;  // 32 bytes.
  std::string md5;     // Of the key, base64, as sent.
};

enum class Sse { kNone, kS3, kKms };

struct EncryptionHeaders {
  Sse sse = Sse::kNone;
  std::string key_id;   // kKms: empty = the default key.
  std::string context;  // kKms: JSON, a map of strings; empty = none.
  std::optional<bool> bucket_key;
  std::optional<CustomerKey> customer;  // Then `sse` is kNone.

  bool any() const { return sse != Sse::kNone || customer.has_value(); }
};

inline constexpr std::string_view kTargetPrefix = "x-amz-";
inline constexpr std::string_view kSourcePrefix = "x-amz-copy-source-";

// Whether a text may name a key: it goes into headers as it is. At most 2048 bytes, no control
// character.
bool is_key_id(std::string_view text);

// PREFIXserver-side-encryption-customer-*; nullopt when none of the three is there.
// kInvalidArgument when one of them is missing or wrong, kInvalidEncryptionAlgorithmError for
// another algorithm than AES256.
S3Result<std::optional<CustomerKey>> parse_customer_key(const http::Fields& fields,
                                                        std::string_view prefix);

// What a new object is to be encrypted with. kInvalidArgument: unknown method, or headers that do
// not go together; kNotImplemented: aws:kms:dsse.
S3Result<EncryptionHeaders> parse_encryption_headers(const http::Fields& fields);

// Reads have no method of encryption to choose: kInvalidArgument when they name one.
S3Result<void> refuse_encryption_headers(const http::Fields& fields);

}  // namespace rondel::s3
