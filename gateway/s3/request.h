// A request as S3 understands it: operation, bucket, key, decoded query. No I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/http/message.h"
#include "gateway/s3/error.h"
#include "gateway/s3/operation.h"

namespace rondel::s3 {

struct Query {
  std::vector<std::pair<std::string, std::string>> parameters;  // Decoded, in order of arrival.
  // Of parse_query(), when there are many: their numbers by name, so that none is searched for
  // among thousands.
  std::vector<uint32_t> by_name = {};
  bool has(std::string_view name) const;
  // The first of that name.
  std::optional<std::string_view> find(std::string_view name) const;
};

struct Request {
  Operation operation;
  std::string bucket;  // Empty for ListBuckets.
  std::string key;     // Decoded, opaque, 1 to 1024 bytes of UTF-8; empty below the object level.
  Query query;
  bool virtual_host = false;  // The host names the bucket.
};

// kInvalidURI: malformed escapes. nullopt parameters have an empty value.
S3Result<Query> parse_query(std::string_view query);

struct RouterOptions {
  std::string virtual_host_base;  // Empty: path style alone.
};

struct Address {
  std::string bucket;  // Empty: the service.
  std::string key;     // Decoded; empty: the bucket.
  bool virtual_host = false;
};

// Bucket and key alone, path and virtual-host style. Errors: kInvalidURI.
S3Result<Address> locate(const http::RequestHead& head, const RouterOptions& options);

// Finds bucket and key (path and virtual-host style) and the operation in the table. Errors:
// kInvalidURI, kInvalidBucketName, kKeyTooLongError, kMethodNotAllowed; kInvalidArgument,
// kInvalidRequest and kNoLoggingStatusForKey: what selects an operation does not fit the method,
// the level or a copy.
S3Result<Request> route(const http::RequestHead& head, const RouterOptions& options);

// Whether its ".." leave, read from the left, more elements than came before them: "../x",
// "a/../../b". No operation takes such a key, but for entries of DeleteObjects.
bool climbs_above_bucket(std::string_view key);

// 3 to 63 of a-z 0-9 - . and AWS's further rules.
bool is_valid_bucket_name(std::string_view name);

}  // namespace rondel::s3
