#include "bench/request_maker.h"

#include "common/base/encoding.h"

namespace rondel::bench {
namespace {

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

}  // namespace

RequestMaker::RequestMaker(const Options& options)
    : options_(options),
      bucket_path_("/" + percent_encode(options.bucket, false)),
      writer_({options.endpoint.authority(), options.region, options.access_key, options.secret_key,
               options.sign}) {}

std::string RequestMaker::list_query(const Request& request) const {
  std::string query;
  if (!options_.delimiter.empty()) append_parameter(query, "delimiter", options_.delimiter);
  append_parameter(query, "list-type", "2");
  append_parameter(query, "max-keys", std::to_string(options_.page_size));
  if (!options_.list_prefix.empty()) append_parameter(query, "prefix", options_.list_prefix);
  if (!request.key.empty()) append_parameter(query, "start-after", request.key);
  return query;
}

void RequestMaker::make(const Request& request, std::string_view payload_hash, SystemTime now,
                        std::string& head) {
  if (request.operation == Operation::kList) {
    write({"GET", bucket_path_, list_query(request), request.size}, request, payload_hash, now,
          head);
    return;
  }
  const std::string path =
      request.key.empty() ? bucket_path_ : bucket_path_ + "/" + percent_encode(request.key, true);
  write({method_of(request.operation), path, "", request.size}, request, payload_hash, now, head);
}

void RequestMaker::write(const s3_client::RequestLine& line, const Request& request,
                         std::string_view payload_hash, SystemTime now, std::string& head) {
  s3_client::Headers headers;
  std::string checksum;
  if (request.operation == Operation::kPut && !request.key.empty()) {
    headers.assign(options_.headers.begin(), options_.headers.end());
    if (options_.checksum) {
      checksum = to_base64(as_bytes(from_hex(payload_hash).value()));
      headers.emplace_back("x-amz-checksum-sha256", checksum);
    }
  }
  writer_.write(line, std::move(headers), payload_hash, now, head);
}

}  // namespace rondel::bench
