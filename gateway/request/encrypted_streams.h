// Stream writers and readers of ciphertext that take and give plaintext.
#pragma once

#include "common/crypto/secret.h"
#include "gateway/blobs/blob_store.h"
#include "kms/frames.h"

namespace rondel::request {

// `size`: of the plaintext, when known. `inner` was opened for stored_size(size).
std::unique_ptr<blobs::StreamWriter> make_encrypting_writer(
    std::unique_ptr<blobs::StreamWriter> inner, const crypto::Secret& data_key,
    std::optional<uint64_t> size);

// `ranges` of plaintext; stream sizes are stored ones. kCorruption: a stream does not hold its
// range.
Result<std::unique_ptr<blobs::StreamReader>> make_decrypting_reader(
    blobs::BlobStore& store, const crypto::Secret& data_key, std::vector<blobs::StreamRange> ranges,
    Deadline deadline, admission::PartyRef payer);

}  // namespace rondel::request
