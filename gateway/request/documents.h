// Bodies that are documents.
#pragma once

#include <string>

#include "common/http/message.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/s3/error.h"

namespace rondel::request {

// Reads a small body whole (XML); kMaxMessageLengthExceeded / kMalformedXML above `bytes_max`;
// everything promised about it is verified.
async::Task<s3::S3Result<std::string>> read_document(Context& context, size_t bytes_max);

// A document whose bytes the request must have vouched for: a checksum header or a signed payload
// hash.
Answer<std::string> read_vouched_document(Context& context, size_t bytes_max);

// Content-MD5, x-amz-checksum-* in the head or announced as a trailer.
bool has_integrity_header(const http::Fields& fields);
// InvalidRequest where it is missing.
s3::S3Result<void> check_integrity_header(const http::Fields& fields);

}  // namespace rondel::request
