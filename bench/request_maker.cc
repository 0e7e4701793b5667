#include "bench/request_maker.h"

#include <algorithm>
#include <vector>

#include "common/base/encoding.h"
#include "common/sigv4/sigv4.h"

namespace rondel::bench {
namespace {

using Headers = std::vector<std::pair<std::string_view, std::string_view>>;

std::string_view method_of(Operation operation) {
  switch (operation) {
    case Operation::kPut: return "PUT";
    case Operation::kHead: return "HEAD";
    case Operation::kDelete: return "DELETE";
    case Operation::kGet:
    case Operation::kList: return "GET";
  }
  return "GET";
}

void append_parameter(std::string& query, std::string_view name, std::string_view value) {
  if (!query.empty()) query += '&';
  query.append(name).append(1, '=').append(percent_encode(value, false));
}

std::string names_of(const Headers& headers) {
  std::string out;
  for (const auto& [name, value] : headers) out.append(out.empty() ? "" : ";").append(name);
  return out;
}

// `query` is sorted and encoded as canonical requests want it, so that it is signed as it is sent; `headers` are sorted.
std::string canonical_request(std::string_view method, std::string_view path, std::string_view query, const Headers& headers,
                              std::string_view signed_names, std::string_view payload_hash) {
  std::string out;
  out.reserve(512);
  out.append(method).append(1, '\n').append(path).append(1, '\n').append(query);
  for (const auto& [name, value] : headers) out.append(1, '\n').append(name).append(1, ':').append(value);
  out.append("\n\n").append(signed_names).append(1, '\n').append(payload_hash);
  return out;
}

}  // namespace

RequestMaker::RequestMaker(const Options& options)
    : options_(options),
      host_(options.endpoint.host + ":" + std::to_string(options.endpoint.port)),
      bucket_path_("/" + percent_encode(options.bucket, false)) {}

void RequestMaker::refresh(SystemTime now) {
  const int64_t second = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  if (second == second_) return;
  second_ = second;
  timestamp_ = sigv4::format_timestamp(now);
  if (date_ == timestamp_.substr(0, 8)) return;
  date_ = timestamp_.substr(0, 8);
  signing_key_ = sigv4::signing_key(options_.secret_key, {date_, options_.region, "s3"});
}

std::string RequestMaker::list_query(const Request& request) const {
  std::string query;
  if (!options_.delimiter.empty()) append_parameter(query, "delimiter", options_.delimiter);
  append_parameter(query, "list-type", "2");
  append_parameter(query, "max-keys", std::to_string(options_.page_size));
  if (!options_.list_prefix.empty()) append_parameter(query, "prefix", options_.list_prefix);
  if (!request.key.empty()) append_parameter(query, "start-after", request.key);
  return query;
}

void RequestMaker::make(const Request& request, std::string_view payload_hash, SystemTime now, std::string& head) {
  if (request.operation == Operation::kList) {
    write("GET", bucket_path_, list_query(request), request, payload_hash, now, head);
    return;
  }
  const std::string path = request.key.empty() ? bucket_path_ : bucket_path_ + "/" + percent_encode(request.key, true);
  write(method_of(request.operation), path, "", request, payload_hash, now, head);
}

void RequestMaker::write(std::string_view method, std::string_view path, std::string_view query, const Request& request,
                         std::string_view payload_hash, SystemTime now, std::string& head) {
  Headers headers;
  std::string checksum;
  if (request.operation == Operation::kPut && !request.key.empty()) {
    headers.assign(options_.headers.begin(), options_.headers.end());
    if (options_.checksum) {
      checksum = to_base64(as_bytes(from_hex(payload_hash).value()));
      headers.emplace_back("x-amz-checksum-sha256", checksum);
    }
  }
  head.clear();
  head.append(method).append(1, ' ').append(path);
  if (!query.empty()) head.append(1, '?').append(query);
  head.append(" HTTP/1.1\r\nHost: ").append(host_);
  if (method == "PUT") head.append("\r\nContent-Length: ").append(std::to_string(request.size));
  for (const auto& [name, value] : headers) head.append("\r\n").append(name).append(": ").append(value);
  if (options_.sign) {
    refresh(now);
    const sigv4::Scope scope{date_, options_.region, "s3"};
    headers.insert(headers.end(), {{"host", host_}, {"x-amz-content-sha256", payload_hash}, {"x-amz-date", timestamp_}});
    std::ranges::sort(headers);
    const std::string names = names_of(headers);
    const std::string canonical = canonical_request(method, path, query, headers, names, payload_hash);
    const std::string signature = sigv4::signature(signing_key_, sigv4::string_to_sign(timestamp_, scope, canonical));
    head.append("\r\nx-amz-date: ").append(timestamp_).append("\r\nx-amz-content-sha256: ").append(payload_hash);
    head.append("\r\nAuthorization: ").append(sigv4::kAlgorithm).append(" Credential=").append(options_.access_key);
    head.append(1, '/').append(scope.text()).append(", SignedHeaders=").append(names);
    head.append(", Signature=").append(signature);
  }
  head.append("\r\n\r\n");
}

}  // namespace rondel::bench
