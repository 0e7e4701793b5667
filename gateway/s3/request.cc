#include "gateway/s3/request.h"

#include <algorithm>
#include <numeric>

#include "common/base/encoding.h"

namespace rondel::s3 {
namespace {

constexpr size_t kKeyBytesMax = 1024;
constexpr size_t kParametersFew = 16;

// A name that AWS's SDKs could be talked into from an IP address.
bool looks_like_address(std::string_view name) {
  int dots = 0;
  for (const char c : name) {
    if (c == '.') {
      ++dots;
    } else if (c < '0' || c > '9') {
      return false;
    }
  }
  return dots == 3;
}

// Names of hosts have no case, and may say by a dot at the end that they are whole.
std::string host_name(std::string_view host) {
  const size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && !host.ends_with(']')) host = host.substr(0, colon);
  if (host.ends_with('.')) host.remove_suffix(1);
  std::string name(host);
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return name;
}

std::optional<std::string> virtual_bucket(const http::RequestHead& head,
                                          const RouterOptions& options) {
  if (options.virtual_host_base.empty()) return std::nullopt;
  const auto host = head.fields.find("Host");
  if (!host) return std::nullopt;
  const std::string name = host_name(*host);
  const std::string base = host_name(options.virtual_host_base);
  if (name.size() <= base.size() + 1 || !name.ends_with(base) ||
      name[name.size() - base.size() - 1] != '.') {
    return std::nullopt;
  }
  return name.substr(0, name.size() - base.size() - 1);
}

// What selects a copy is a header.
bool selects(const OperationRow& row, const Query& query) {
  return !query.parameters.empty() && !row.sub_resource.empty() &&
         row.operation != Operation::kCopyObject && query.has(row.sub_resource);
}

std::unexpected<Error> not_allowed(std::string_view method, Level level) {
  const std::string_view type = level == Level::kService  ? "SERVICE"
                                : level == Level::kBucket ? "BUCKET"
                                                          : "OBJECT";
  return fail(ErrorCode::kMethodNotAllowed, {},
              {{"Method", std::string(method)}, {"ResourceType", std::string(type)}});
}

// What selects an operation of the other level: of buckets on a key, or of keys on a bucket. The
// plain operation is not what was meant, and it may overwrite or delete.
S3Result<void> check_no_other_level(std::string_view method, Level level, const Query& query) {
  if (query.parameters.empty()) return {};
  for (const OperationRow& candidate : all_operations()) {
    if (candidate.level == level || candidate.operation == Operation::kListObjectsV2) continue;
    if (!selects(candidate, query)) continue;
    if (level != Level::kObject) return not_allowed(method, level);
    const std::string message = "There is no such thing as the ?" +
                                std::string(candidate.sub_resource) + " sub-resource for a key";
    const bool logging = candidate.sub_resource == "logging";
    return fail(logging ? ErrorCode::kNoLoggingStatusForKey : ErrorCode::kInvalidRequest, message);
  }
  return {};
}

// The operation, were there no source of a copy.
S3Result<Operation> selected_operation(std::string_view method, Level level, const Query& query) {
  if (level == Level::kObject && method == "PUT") {
    const bool part = query.has("partNumber");
    if (part && query.find("uploadId").value_or("").empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  "This operation does not accept partNumber without uploadId",
                  {{"ArgumentName", "partNumber"}, {"ArgumentValue", "partNumber"}});
    }
    if (part || query.has("uploadId")) return Operation::kUploadPart;
  }
  const OperationRow* plain = nullptr;
  bool known_sub_resource = false;
  for (const OperationRow& candidate : all_operations()) {
    if (candidate.level != level) continue;
    if (selects(candidate, query)) {
      if (candidate.method == method) {
        // "list-type=2" alone is ListObjectsV2; anything else is not known to AWS either.
        if (candidate.operation == Operation::kListObjectsV2 && query.find("list-type") != "2") {
          return fail(ErrorCode::kInvalidArgument, "Invalid List Type");
        }
        return candidate.operation;
      }
      known_sub_resource = true;
    }
    if (candidate.sub_resource.empty() && candidate.method == method && plain == nullptr) {
      plain = &candidate;
    }
  }
  if (level == Level::kObject && method == "GET" && query.has("uploads")) {
    return fail(ErrorCode::kInvalidRequest,
                "Key is not expected for the GET method ?uploads subresource");
  }
  if (known_sub_resource || plain == nullptr) return not_allowed(method, level);
  if (auto good = check_no_other_level(method, level, query); !good) {
    return std::unexpected(good.error());
  }
  return plain->operation;
}

// A source makes a copy of two operations and of no other: whatever else it stands beside is not
// done.
S3Result<Operation> operation_of(const http::RequestHead& head, Level level, const Query& query) {
  const auto source = head.fields.find("x-amz-copy-source");
  auto operation = selected_operation(head.method, level, query);
  if (!operation || !source) return operation;
  if (operation == Operation::kPutObject) return Operation::kCopyObject;
  if (operation == Operation::kUploadPart) return Operation::kUploadPartCopy;
  return fail(ErrorCode::kInvalidArgument,
              "You can only specify a copy source header for copy requests.",
              {{"ArgumentName", "x-amz-copy-source"}, {"ArgumentValue", std::string(*source)}});
}

}  // namespace

bool Query::has(std::string_view name) const { return find(name).has_value(); }

std::optional<std::string_view> Query::find(std::string_view name) const {
  if (!by_name.empty()) {
    const auto name_of = [this](uint32_t number) {
      return std::string_view(parameters[number].first);
    };
    const auto found = std::ranges::lower_bound(by_name, name, {}, name_of);
    if (found == by_name.end() || name_of(*found) != name) return std::nullopt;
    return parameters[*found].second;
  }
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return std::nullopt;
}

S3Result<Query> parse_query(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    auto name = percent_decode(pair.substr(0, equals), true);
    auto value =
        percent_decode(equals == std::string_view::npos ? "" : pair.substr(equals + 1), true);
    if (!name || !value) return fail(ErrorCode::kInvalidURI);
    query.parameters.emplace_back(*std::move(name), *std::move(value));
  }
  if (query.parameters.size() > kParametersFew) {
    query.by_name.resize(query.parameters.size());
    std::iota(query.by_name.begin(), query.by_name.end(), 0u);
    // Those of one name stay in their order.
    std::ranges::sort(query.by_name, {}, [&](uint32_t number) {
      return std::pair(std::string_view(query.parameters[number].first), number);
    });
  }
  return query;
}

S3Result<Address> locate(const http::RequestHead& head, const RouterOptions& options) {
  std::string_view path = head.path();
  if (!path.starts_with('/')) return fail(ErrorCode::kInvalidURI);
  path.remove_prefix(1);
  const auto decoded = percent_decode(path);
  if (!decoded) return fail(ErrorCode::kInvalidURI);
  Address address;
  if (const auto bucket = virtual_bucket(head, options)) {
    address.bucket = *bucket;
    address.key = *decoded;
    address.virtual_host = true;
    return address;
  }
  // The slash between bucket and key is one that was sent as such.
  const size_t slash = path.find('/');
  const auto bucket = percent_decode(path.substr(0, slash));
  address.bucket = *bucket;
  if (slash != std::string_view::npos) address.key = *percent_decode(path.substr(slash + 1));
  return address;
}

S3Result<Request> route(const http::RequestHead& head, const RouterOptions& options) {
  auto query = parse_query(head.query());
  if (!query) return std::unexpected(query.error());
  auto address = locate(head, options);
  if (!address) return std::unexpected(address.error());
  if (address->bucket.empty() && head.path() != "/") {
    return fail(ErrorCode::kInvalidBucketName, {}, {{"BucketName", ""}});
  }
  Level level = Level::kService;
  if (!address->bucket.empty()) level = !address->key.empty() ? Level::kObject : Level::kBucket;
  auto operation = operation_of(head, level, *query);
  if (!operation) return std::unexpected(operation.error());
  if (level != Level::kService && !is_valid_bucket_name(address->bucket)) {
    return fail(ErrorCode::kInvalidBucketName, {}, {{"BucketName", address->bucket}});
  }
  if (address->key.size() > kKeyBytesMax) {
    return fail(ErrorCode::kKeyTooLongError, {},
                {{"Size", std::to_string(address->key.size())},
                 {"MaxSizeAllowed", std::to_string(kKeyBytesMax)}});
  }
  if (!is_valid_utf8(address->key) || climbs_above_bucket(address->key)) {
    return fail(ErrorCode::kInvalidURI);
  }
  return Request{*operation, std::move(address->bucket), std::move(address->key), *std::move(query),
                 address->virtual_host};
}

// Source: "Naming Amazon S3 objects", S3 user guide (relative path elements).
bool climbs_above_bucket(std::string_view key) {
  size_t depth = 0;
  while (true) {
    const size_t slash = key.find('/');
    const std::string_view element = key.substr(0, slash);
    if (element == "..") {
      if (depth == 0) return true;
      --depth;
    } else if (element != ".") {
      ++depth;
    }
    if (slash == std::string_view::npos) return false;
    key.remove_prefix(slash + 1);
  }
}

// Source: "General purpose bucket naming rules", S3 user guide.
bool is_valid_bucket_name(std::string_view name) {
  if (name.size() < 3 || name.size() > 63 || looks_like_address(name)) return false;
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (!plain(name.front()) || !plain(name.back())) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    if (!plain(name[i]) && name[i] != '-' && name[i] != '.') return false;
    // The ends are letters or digits, so both neighbours exist. A hyphen next to a period is no DNS
    // label.
    if (name[i] == '.' && (!plain(name[i + 1]) || !plain(name[i - 1]))) return false;
  }
  for (const std::string_view prefix : {"xn--", "sthree-", "amzn-s3-demo-"}) {
    if (name.starts_with(prefix)) return false;
  }
  for (const std::string_view suffix : {"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"}) {
    if (name.ends_with(suffix)) return false;
  }
  return true;
}

}  // namespace rondel::s3
