#include "bench/options.h"

#include <CLI/CLI.hpp>
#include <array>
#include <charconv>
#include <cstdlib>

#include "common/program/version.h"

namespace rondel::bench {
namespace {

constexpr std::array<std::string_view, kOperations> kNames{"put", "get", "head", "list", "delete"};
constexpr uint64_t kSizeMax = 5ull << 30;

template <class T>
bool parse_number(std::string_view text, T& value) {
  const auto end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  return parsed.ec == std::errc() && parsed.ptr == end;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

Result<Operation> parse_operation(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Operation>(i);
  }
  return fail(ErrorCode::kInvalidArgument, "no operation is called '" + std::string(name) + "'");
}

// "get=45,head=30,put=15,delete=10"
Result<void> parse_mix(std::string_view text, Options& options) {
  for (std::string_view part : split(text, ',')) {
    const size_t equals = part.find('=');
    unsigned weight = 0;
    if (equals == std::string_view::npos || !parse_number(part.substr(equals + 1), weight) ||
        weight == 0) {
      return fail(ErrorCode::kInvalidArgument,
                  "--mix wants operation=weight,..., not '" + std::string(part) + "'");
    }
    TRY(const Operation operation, parse_operation(part.substr(0, equals)));
    options.mix.emplace_back(operation, weight);
  }
  return {};
}

// "gateway=12,13"
Result<ProcessNames> parse_processes(const std::string& text) {
  const size_t equals = text.find('=');
  ProcessNames group{text.substr(0, equals), {}};
  if (equals == std::string::npos || equals == 0) {
    return fail(ErrorCode::kInvalidArgument, "--pids wants name=pid,..., not '" + text + "'");
  }
  for (std::string_view part : split(std::string_view(text).substr(equals + 1), ',')) {
    int pid = 0;
    if (!parse_number(part, pid) || pid <= 0) {
      return fail(ErrorCode::kInvalidArgument,
                  "'" + std::string(part) + "' in --pids is no process id");
    }
    group.pids.push_back(pid);
  }
  return group;
}

// "x-amz-tagging: a=b"
Result<std::pair<std::string, std::string>> parse_header(std::string_view text) {
  const size_t colon = text.find(": ");
  const std::string_view name = text.substr(0, colon);
  const std::string_view value = colon == std::string_view::npos ? "" : text.substr(colon + 2);
  if (!name.starts_with("x-amz-") ||
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string_view::npos ||
      value.empty() || value.find_first_of("\r\n") != std::string_view::npos) {
    return fail(ErrorCode::kInvalidArgument,
                "--header wants 'x-amz-name: value', not '" + std::string(text) + "'");
  }
  return std::pair(std::string(name), std::string(value));
}

struct Words {
  std::string operation;
  std::string mix;
  std::string endpoint;
  std::string payload = "unsigned";
  std::string sizes = "4KiB";
  std::vector<std::string> headers;
  std::vector<std::string> processes;
  bool no_sign = false;
};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void describe(CLI::App& app, Options& options, Words& words) {
  app.add_option("operation", words.operation, "put, get, head, list, delete, or mixed with --mix")
      ->required()
      ->check(CLI::IsMember({"put", "get", "head", "list", "delete", "mixed"}));
  app.add_option("--mix", words.mix, "weights: get=45,head=30,put=15,delete=10");
  app.add_option("--endpoint", words.endpoint, "http://host:port (AWS_ENDPOINT_URL)");
  app.add_option("--bucket", options.bucket, "bucket")->capture_default_str();
  app.add_option("--region", options.region, "region of the signature")->capture_default_str();
  app.add_flag("--no-sign", words.no_sign, "no credentials, for servers that are no S3");
  app.add_option("--payload", words.payload, "signed: SHA-256 of every body; unsigned")
      ->capture_default_str()
      ->check(CLI::IsMember({"signed", "unsigned"}));
  app.add_option("--connections", options.connections, "connections")
      ->capture_default_str()
      ->check(CLI::Range(1, 10000));
  app.add_option("--threads", options.threads, "threads that share the connections")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  app.add_option("--rate", options.rate,
                 "open loop: requests a second, latency from the intended start; 0 = closed loop")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1e7));
  app.add_option("--warmup", options.warm_up_s, "seconds before measuring")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 3600.0));
  app.add_option("--duration", options.duration_s, "seconds measured")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 86400.0));
  app.add_option("--timeout", options.timeout_s, "seconds until a request counts as failed")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 3600.0));
  app.add_option("--size", words.sizes, "object size, or several: 4KiB,1MiB")
      ->capture_default_str();
  app.add_option("--header", words.headers,
                 "x-amz-name: value, of every PUT of an object; repeatable");
  app.add_flag("--checksum", options.checksum,
               "PUTs carry x-amz-checksum-sha256; with --payload signed");
  app.add_option("--prefix", options.prefix, "start of every key")->capture_default_str();
  app.add_option("--keys", options.keys, "objects to choose from")
      ->capture_default_str()
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 40));
  app.add_option("--folders", options.folders, "spread those keys over folders NNNNNN/; 0: none")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000000));
  app.add_flag("--preload", options.preload, "put those objects first");
  app.add_flag("--create-bucket", options.create_bucket, "make the bucket first");
  app.add_option("--seed", options.seed, "of the random choices")->capture_default_str();
  app.add_option("--page-size", options.page_size, "list: max-keys")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app.add_option("--delimiter", options.delimiter, "list: delimiter");
  app.add_option("--list-prefix", options.list_prefix, "list: prefix");
  app.add_option("--pids", words.processes,
                 "name=pid,...: report CPU and memory of them and their descendants; repeatable");
  app.add_option("--json", options.json_file, "write the result here");
}

Result<void> apply(const Words& words, Options& options) {
  if ((words.operation == "mixed") != !words.mix.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "--mix goes with the operation mixed, and mixed needs it");
  }
  if (words.mix.empty()) {
    TRY(const Operation operation, parse_operation(words.operation));
    options.mix.emplace_back(operation, 1);
  } else {
    TRY_VOID(parse_mix(words.mix, options));
  }
  TRY(options.endpoint,
      http::Endpoint::parse(words.endpoint.empty() ? environment("AWS_ENDPOINT_URL")
                                                   : words.endpoint));
  if (options.endpoint.tls) {
    return fail(ErrorCode::kInvalidArgument, "the load generator speaks plain HTTP only");
  }
  options.sign = !words.no_sign;
  options.access_key = environment("AWS_ACCESS_KEY_ID");
  options.secret_key = environment("AWS_SECRET_ACCESS_KEY");
  if (options.sign && (options.access_key.empty() || options.secret_key.empty())) {
    return fail(ErrorCode::kInvalidArgument,
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set (or use --no-sign)");
  }
  options.payload = words.payload == "signed" ? Payload::kSigned : Payload::kUnsigned;
  options.sizes.clear();
  for (std::string_view part : split(words.sizes, ',')) {
    TRY(const uint64_t size, parse_size(part));
    options.sizes.push_back(size);
  }
  for (const std::string& text : words.headers) {
    TRY(auto header, parse_header(text));
    options.headers.push_back(std::move(header));
  }
  for (const std::string& text : words.processes) {
    TRY(auto group, parse_processes(text));
    options.processes.push_back(std::move(group));
  }
  if (options.checksum && options.payload != Payload::kSigned) {
    return fail(ErrorCode::kInvalidArgument, "--checksum wants --payload signed");
  }
  if (options.threads > options.connections) {
    return fail(ErrorCode::kInvalidArgument, "more --threads than --connections");
  }
  if (options.folders > options.keys) {
    return fail(ErrorCode::kInvalidArgument, "more --folders than --keys");
  }
  if (options.bucket.empty()) return fail(ErrorCode::kInvalidArgument, "--bucket is empty");
  return {};
}

}  // namespace

std::string_view to_string(Operation operation) { return kNames[static_cast<size_t>(operation)]; }

Result<uint64_t> parse_size(std::string_view text) {
  uint64_t unit = 1;
  const std::array<std::pair<std::string_view, uint64_t>, 3> units{
      {{"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}}};
  std::string_view digits = text;
  for (const auto& [suffix, factor] : units) {
    if (!text.ends_with(suffix)) continue;
    unit = factor;
    digits.remove_suffix(suffix.size());
  }
  uint64_t number = 0;
  if (!parse_number(digits, number) || number > kSizeMax / unit) {
    return fail(ErrorCode::kInvalidArgument,
                "'" + std::string(text) + "' is no size from 0 to 5GiB");
  }
  return number * unit;
}

Result<Options> parse_options(int count, const char* const* words) {
  Options options;
  Words raw;
  CLI::App app("rondel-bench: puts load on an S3 endpoint and says what it cost");
  describe(app, options, raw);
  app.set_version_flag("--version", program::version_line("rondel-bench"));
  try {
    app.parse(count, words);
  } catch (const CLI::CallForVersion& version) {
    return fail(ErrorCode::kCancelled, version.what());
  } catch (const CLI::CallForHelp&) {
    return fail(ErrorCode::kCancelled, app.help());
  } catch (const CLI::ParseError& error) {
    return fail(ErrorCode::kInvalidArgument, error.what());
  }
  TRY_VOID(apply(raw, options));
  return options;
}

}  // namespace rondel::bench
