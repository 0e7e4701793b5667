// Encryption of objects as handlers see it: choose a key for what is written, open the key of what
// is read, wrap streams.
//
// Every function does nothing for plaintext: an ObjectKey of mode kNone costs a comparison.
#pragma once

#include "common/crypto/secret.h"
#include "common/http/message.h"
#include "gateway/blobs/blob_store.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/s3/encryption_document.h"
#include "gateway/s3/encryption_headers.h"
#include "gateway/s3/error.h"
#include "kms/envelope.h"
#include "kms/object_keys.h"
#include "metadata/model/object.h"

namespace rondel::request {

// The key of one version or upload, open for the time of a request.
struct ObjectKey {
  kms::Envelope envelope;    // mode kNone: plaintext.
  crypto::Secret data_key;   // Empty until it is needed (HEAD).
  std::string customer_md5;  // SSE-C: as the client sent it.

  kms::Mode mode() const { return envelope.mode; }

  bool plaintext() const { return envelope.mode == kms::Mode::kNone; }

  // As the row keeps it; empty for plaintext.
  std::string encoded() const { return plaintext() ? std::string() : encode(envelope); }

  // SSE-KMS and SSE-C: no digest of the plaintext, but a value that is the same for the same bytes
  // under the same key.
  std::string etag_of(const std::string& md5_hex) const;
};

// What a new version is to be encrypted with, before there is a key.
struct EncryptionChoice {
  kms::Envelope wanted;
  std::optional<s3::CustomerKey> customer;
};

// Before every handler. kInvalidRequest: a customer key came without TLS, whatever the request is.
// Source: "Using server-side encryption with customer-provided keys", S3 user guide.
s3::S3Result<void> check_customer_key_transport(const Context& context);

// By the request's headers, otherwise by the bucket's default. kAccessDenied: the bucket blocks
// SSE-C. The choice is noted in the context.
s3::S3Result<EncryptionChoice> choose_encryption(Context& context);

// Whether the caller may use the key, named as a client or a bucket names it: its own, one that was
// granted to it, and the shared one. Kept in mind for check_encryption_again. kAccessDenied.
// Source: "Protecting data using SSE-KMS", permissions, S3 user guide.
s3::S3Result<void> check_key_use(Context& context, const std::string& key_id,
                                 metadata::KmsOperation operation);

// After the bucket or the credential was read again: kAccessDenied when a key may not be used any
// more; kServiceUnavailable when its settings would now choose otherwise, so that bytes are never
// committed as an older default wanted them; the client sends them again.
s3::S3Result<void> check_encryption_again(Context& context);

// A key for `key` of the request's bucket as chosen, around the data key given or a fresh one.
Answer<ObjectKey> make_object_key(Context& context, EncryptionChoice choice,
                                  crypto::Secret data_key = {});

// The key of a version that is read. `prefix`: of the headers that carry a customer key
// (s3::kTargetPrefix, kSourcePrefix). kInvalidRequest: a customer key is missing, or given for
// nothing; kAccessDenied: it is another one. With `open` false the data key is opened for SSE-C
// alone, so that a wrong key is refused without asking key management.
struct Sealed {
  const std::string& encoded;
  int64_t bucket_id = 0;
  const std::string& key;
};

Answer<ObjectKey> open_object_key(Context& context, Sealed sealed, std::string_view prefix,
                                  bool open = true);

// The key of an upload for one of its parts: kInvalidRequest when SSE-C headers are missing or of
// another key.
Answer<ObjectKey> open_upload_key(Context& context, const metadata::Upload& upload);

// x-amz-server-side-encryption*. `with_context`: also the encryption context, as answers to writes
// have it.
void add_encryption_headers(http::Fields& fields, const ObjectKey& key, bool with_context = false);

// A writer of plaintext; `size` as for BlobStore::open_writer.
std::unique_ptr<blobs::StreamWriter> open_object_writer(Context& context, const ObjectKey& key,
                                                        std::optional<uint64_t> size);
// [offset, offset + length) of the plaintext of a version. REQUIRES: its extents cover it.
s3::S3Result<std::unique_ptr<blobs::StreamReader>> open_object_reader(
    Context& context, const ObjectKey& key, const std::vector<metadata::Extent>& extents,
    uint64_t offset, uint64_t length);

// Key management's errors as KMS would answer.
s3::Error kms_error(const Error& error, std::string_view key_id);

// [offset, offset + length) of a version as ranges of streams. REQUIRES: its extents cover it.
std::vector<blobs::StreamRange> stream_ranges(const std::vector<metadata::Extent>& extents,
                                              uint64_t offset, uint64_t length);

}  // namespace rondel::request
