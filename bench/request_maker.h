// Makes request heads, signed with AWS Signature Version 4. The signing key is derived once a day.
#pragma once

#include <string>
#include <string_view>

#include "bench/options.h"
#include "common/base/clock.h"
#include "s3_client/request_writer.h"

namespace rondel::bench {

struct Request {
  Operation operation = Operation::kGet;
  // LIST: start-after, empty for the first page. PUT of an empty key makes the bucket.
  std::string key;
  uint64_t size = 0;  // PUT: bytes of the body.
};

// One thread at a time. REQUIRES: `options` outlives it.
class RequestMaker {
 public:
  explicit RequestMaker(const Options& options);

  // Replaces `head`. `payload_hash`: hexadecimal SHA-256 of the body, or UNSIGNED-PAYLOAD.
  void make(const Request& request, std::string_view payload_hash, SystemTime now,
            std::string& head);

 private:
  void write(const s3_client::RequestLine& line, const Request& request,
             std::string_view payload_hash, SystemTime now, std::string& head);
  std::string list_query(const Request& request) const;

  const Options& options_;
  std::string bucket_path_;
  s3_client::RequestWriter writer_;
};

}  // namespace rondel::bench
