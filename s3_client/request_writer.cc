#include "s3_client/request_writer.h"

#include <algorithm>

#include "common/sigv4/sigv4.h"

namespace rondel::s3_client {
namespace {

std::string names_of(const Headers& headers) {
  std::string out;
  for (const auto& [name, value] : headers) out.append(out.empty() ? "" : ";").append(name);
  return out;
}

// `query` is sorted and encoded as canonical requests want it, so that it is signed as it is sent;
// `headers` are sorted.
std::string canonical_request(std::string_view method, std::string_view path,
                              std::string_view query, const Headers& headers,
                              std::string_view signed_names, std::string_view payload_hash) {
  std::string out;
  out.reserve(512);
  out.append(method).append(1, '\n').append(path).append(1, '\n').append(query);
  for (const auto& [name, value] : headers) {
    out.append(1, '\n').append(name).append(1, ':').append(value);
  }
  out.append("\n\n").append(signed_names).append(1, '\n').append(payload_hash);
  return out;
}

}  // namespace

void RequestWriter::refresh(SystemTime now) {
  const int64_t second = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  if (second == second_) return;
  second_ = second;
  timestamp_ = sigv4::format_timestamp(now);
  if (date_ == timestamp_.substr(0, 8)) return;
  date_ = timestamp_.substr(0, 8);
  signing_key_ = sigv4::signing_key(options_.secret_key, {date_, options_.region, "s3"});
}

void RequestWriter::write(const RequestLine& line, Headers headers, std::string_view payload_hash,
                          SystemTime now, std::string& head) {
  head.clear();
  head.append(line.method).append(1, ' ').append(line.path);
  if (!line.query.empty()) head.append(1, '?').append(line.query);
  head.append(" HTTP/1.1\r\nHost: ").append(options_.host);
  if (line.method == "PUT") {
    head.append("\r\nContent-Length: ").append(std::to_string(line.content_length));
  }
  for (const auto& [name, value] : headers) {
    head.append("\r\n").append(name).append(": ").append(value);
  }
  if (options_.sign) {
    refresh(now);
    const sigv4::Scope scope{date_, options_.region, "s3"};
    headers.insert(headers.end(), {{"host", options_.host},
                                   {"x-amz-content-sha256", payload_hash},
                                   {"x-amz-date", timestamp_}});
    std::ranges::sort(headers);
    const std::string names = names_of(headers);
    const std::string canonical =
        canonical_request(line.method, line.path, line.query, headers, names, payload_hash);
    const std::string signature =
        sigv4::signature(signing_key_, sigv4::string_to_sign(timestamp_, scope, canonical));
    head.append("\r\nx-amz-date: ")
        .append(timestamp_)
        .append("\r\nx-amz-content-sha256: ")
        .append(payload_hash);
    head.append("\r\nAuthorization: ")
        .append(sigv4::kAlgorithm)
        .append(" Credential=")
        .append(options_.access_key);
    head.append(1, '/').append(scope.text()).append(", SignedHeaders=").append(names);
    head.append(", Signature=").append(signature);
  }
  head.append("\r\n\r\n");
}

}  // namespace rondel::s3_client
