// Heads of requests to an S3 server, signed with AWS Signature Version 4.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"

namespace rondel::s3_client {

struct RequestWriterOptions {
  std::string host;  // As the Host header has it, with the port.
  std::string region = "us-east-1";
  std::string access_key;
  std::string secret_key;
  bool sign = true;  // Off: no credentials at all.
};

// Of one request. `path` and `query` are percent-encoded, the query's parameters sorted by name.
struct RequestLine {
  std::string_view method;
  std::string_view path;
  std::string_view query = {};
  uint64_t content_length = 0;  // Said by a PUT alone.
};

// Names in lower case.
using Headers = std::vector<std::pair<std::string_view, std::string_view>>;

// One thread at a time. The signing key is derived once a day.
class RequestWriter {
 public:
  explicit RequestWriter(RequestWriterOptions options) : options_(std::move(options)) {}

  // Replaces `head`. `payload_hash`: hexadecimal SHA-256 of the body, or UNSIGNED-PAYLOAD. All
  // headers are signed.
  void write(const RequestLine& line, Headers headers, std::string_view payload_hash,
             SystemTime now, std::string& head);

 private:
  void refresh(SystemTime now);

  const RequestWriterOptions options_;
  std::string timestamp_;
  int64_t second_ = -1;
  std::string date_;
  std::string signing_key_;
};

}  // namespace rondel::s3_client
