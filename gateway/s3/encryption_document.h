// Documents about encryption: the default of a bucket, and the new encryption of an object. Source:
// PutBucketEncryption, UpdateObjectEncryption, S3 API reference.
#pragma once

#include "gateway/s3/encryption_headers.h"

namespace rondel::s3 {

struct BucketEncryption {
  // kNone: nothing is encrypted by default (a document that only blocks SSE-C).
  Sse sse = Sse::kNone;
  std::string key_id;  // kKms: empty = the default key.
  bool bucket_key = false;
  bool block_customer_keys = false;
};

// kMalformedXML; kInvalidArgument: parts that do not go together; kNotImplemented: aws:kms:dsse.
S3Result<BucketEncryption> parse_bucket_encryption(std::string_view text);
// As it is stored and answered; parse_bucket_encryption() reads it.
std::string write_bucket_encryption(const BucketEncryption& encryption);

struct ObjectEncryption {
  std::string key_arn;
  bool bucket_key = false;
};

// kMalformedXML; kInvalidArgument: no ARN of a key.
S3Result<ObjectEncryption> parse_object_encryption(std::string_view text);

}  // namespace rondel::s3
