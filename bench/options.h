// What the load generator is asked to do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/http/client.h"

namespace rondel::bench {

enum class Operation { kPut, kGet, kHead, kList, kDelete };
inline constexpr size_t kOperations = 5;
std::string_view to_string(Operation operation);

enum class Payload { kSigned, kUnsigned };

// Process ids whose CPU time and memory are reported under a name, their descendants included.
struct ProcessNames {
  std::string name;
  std::vector<int> pids;
};

struct Options {
  http::Endpoint endpoint;
  std::string bucket = "bench";
  std::string region = "us-east-1";
  std::string access_key;
  std::string secret_key;
  bool sign = true;  // Off: no credentials at all (static servers).
  Payload payload = Payload::kUnsigned;

  std::vector<std::pair<Operation, unsigned>> mix;  // Operation and weight.
  int connections = 64;
  int threads = 1;
  double rate = 0;  // Requests a second, open loop; 0 = closed loop.
  double warm_up_s = 1;
  double duration_s = 5;
  double timeout_s = 30;  // Of one request.

  std::vector<uint64_t> sizes = {4096};  // Bytes; each equally likely.
  // Of every PUT of an object, signed; names in lower case.
  std::vector<std::pair<std::string, std::string>> headers;
  bool checksum = false;  // PUTs carry x-amz-checksum-sha256. REQUIRES: payload == kSigned.
  std::string prefix = "object-";
  uint64_t keys = 1000;  // Objects 0..keys-1 that GET, HEAD, LIST and DELETE choose from.
  uint64_t folders = 0;  // 0: keys have no folder. Else the keys are spread over so many, in order.
  bool preload = false;  // Put them first.
  bool create_bucket = false;
  uint64_t seed = 1;

  int page_size = 1000;  // LIST: max-keys.
  std::string delimiter;
  std::string list_prefix;

  std::vector<ProcessNames> processes;
  std::string json_file;  // Empty: none.
};

// From the command line. kCancelled: help was asked for, the message is the text to print.
// kInvalidArgument.
Result<Options> parse_options(int count, const char* const* words);

// "4096", "4KiB", "64MiB", "1GiB".
Result<uint64_t> parse_size(std::string_view text);

}  // namespace rondel::bench
