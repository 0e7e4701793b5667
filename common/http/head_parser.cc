#include "common/http/head_parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <charconv>
#include <limits>
#include <optional>
#include <string>

namespace rondel::http {
namespace {

namespace beast = boost::beast;

// Beast checks the grammar; the fields are kept as they came.
class Parser final : public beast::http::basic_parser<true> {
 public:
  RequestHead head;

 private:
  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target,
                       int version, beast::error_code&) override {
    head.method.assign(method.data(), method.size());
    head.target.assign(target.data(), target.size());
    head.version = version;
  }

  void on_response_impl(int, beast::string_view, int, beast::error_code&) override {}

  void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value,
                     beast::error_code&) override {
    head.fields.add(std::string(name), std::string(value));
  }

  void on_header_impl(beast::error_code&) override {}

  void on_body_init_impl(const boost::optional<uint64_t>&, beast::error_code&) override {}

  size_t on_body_impl(beast::string_view body, beast::error_code&) override { return body.size(); }

  void on_chunk_header_impl(uint64_t, beast::string_view, beast::error_code&) override {}

  size_t on_chunk_body_impl(uint64_t, beast::string_view body, beast::error_code&) override {
    return body.size();
  }

  void on_finish_impl(beast::error_code&) override {}
};

std::unexpected<Refusal> refuse(int status, std::string reason) {
  const auto kind = status == 431   ? Refusal::Kind::kTooLarge
                    : status >= 500 ? Refusal::Kind::kUnsupported
                                    : Refusal::Kind::kMalformed;
  return std::unexpected(Refusal{kind, status, std::move(reason)});
}

bool has_obsolete_folding(std::string_view text) {
  return text.find("\n ") != std::string_view::npos || text.find("\n\t") != std::string_view::npos;
}

// Control characters and bare line ends: accepted by some parsers, a way to smuggle.
bool has_bad_bytes(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != 0x7f) continue;
    if (c == '\t') continue;
    if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    if (c == '\n' && i > 0 && text[i - 1] == '\r') continue;
    return true;
  }
  return false;
}

// "Transfer-Encoding: identity" beside a length says nothing that the length does not: the head
// without that line. nullopt: there is none, or another coding beside it, which is judged as it is.
// REQUIRES: no folded lines, no bare line ends.
std::optional<std::string> without_identity(std::string_view text) {
  constexpr std::string_view kName = "Transfer-Encoding:";
  constexpr std::string_view kLength = "Content-Length:";
  size_t begin = std::string_view::npos, end = 0, codings = 0, lengths = 0;
  for (size_t at = text.find("\r\n"); at != std::string_view::npos && at + 2 < text.size();) {
    const size_t line = at + 2;
    at = text.find("\r\n", line);
    const std::string_view field = text.substr(line, at - line);
    lengths += iequals(field.substr(0, kLength.size()), kLength) ? 1 : 0;
    if (!iequals(field.substr(0, kName.size()), kName)) continue;
    ++codings;
    std::string_view value = field.substr(kName.size());
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) {
      value.remove_prefix(1);
    }
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    if (!iequals(value, "identity")) return std::nullopt;
    begin = line;
    end = at == std::string_view::npos ? text.size() : at + 2;
  }
  if (codings != 1 || lengths != 1) return std::nullopt;
  return std::string(text.substr(0, begin)) + std::string(text.substr(end));
}

std::expected<void, Refusal> frame(RequestHead& head) {
  const auto lengths = head.fields.find_all("Content-Length");
  const auto codings = head.fields.find_all("Transfer-Encoding");
  if (!lengths.empty() && !codings.empty()) {
    return refuse(400, "both Content-Length and Transfer-Encoding");
  }
  if (lengths.size() > 1) return refuse(400, "more than one Content-Length");
  if (!lengths.empty()) {
    uint64_t length = 0;
    const std::string_view text = lengths.front();
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), length);
    if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
      return refuse(400, "bad Content-Length");
    }
    head.content_length = length;
  }
  if (codings.size() > 1 || (codings.size() == 1 && !iequals(codings.front(), "chunked"))) {
    return refuse(501, "unknown transfer coding");
  }
  if (!codings.empty() && head.version < 11) return refuse(400, "Transfer-Encoding in HTTP/1.0");
  head.chunked = !codings.empty();
  return {};
}

// Characters of a host and its port (RFC 3986, section 3.2.2): it stands in addresses that answers
// hold, in heads and in XML.
bool is_host(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-._~:[]%!$()*+,;=").contains(c);
  });
}

// "http://host/path" to "/path": what proxies send.
bool reduce_target(RequestHead& head) {
  if (head.target.starts_with('/') || head.target == "*") return true;
  for (std::string_view scheme : {"http://", "https://"}) {
    if (!iequals(std::string_view(head.target).substr(0, scheme.size()), scheme)) continue;
    const size_t end = head.target.find_first_of("/?", scheme.size());
    std::string rest = end == std::string::npos ? "" : head.target.substr(end);
    head.target = rest.starts_with('/') ? std::move(rest) : "/" + rest;
    return true;
  }
  return false;
}

}  // namespace

std::expected<RequestHead, Refusal> parse_request_head(std::string_view text, size_t fields_max) {
  const std::string_view line = text.substr(0, text.find("\r\n"));
  const size_t version = line.rfind(" HTTP/");
  if (version == std::string_view::npos) return refuse(400, "malformed request line");
  const std::string_view number = line.substr(version + 6);
  if (number != "1.1" && number != "1.0") return refuse(505, "HTTP version not supported");
  if (has_obsolete_folding(text)) return refuse(400, "obsolete line folding");
  if (has_bad_bytes(text)) return refuse(400, "control characters in the head");

  const std::optional<std::string> plain = without_identity(text);
  if (plain) text = *plain;

  // Beast looks at the framing fields with rules of its own; only the grammar is wanted of it.
  Parser parser;
  parser.header_limit(std::numeric_limits<uint32_t>::max());
  parser.body_limit(boost::none);
  parser.eager(false);
  beast::error_code error;
  parser.put(boost::asio::const_buffer(text.data(), text.size()), error);
  if (error && error != beast::http::error::need_more) {
    // Beast says the same of an unknown coding and of one beside a Content-Length.
    const bool coding = error == beast::http::error::bad_transfer_encoding &&
                        !parser.head.fields.has("Content-Length");
    return refuse(coding ? 501 : 400, error.message());
  }
  if (!parser.is_header_done()) return refuse(400, "incomplete head");
  RequestHead head = std::move(parser.head);
  if (head.fields.size() > fields_max) return refuse(431, "too many fields");
  if (head.version == 11 && head.fields.find_all("Host").size() != 1) {
    return refuse(400, "exactly one Host is wanted");
  }
  if (!is_host(head.fields.find("Host").value_or(""))) return refuse(400, "malformed Host");
  if (!reduce_target(head)) return refuse(400, "malformed request target");
  if (auto framed = frame(head); !framed) return std::unexpected(std::move(framed).error());
  // It may be signed.
  if (plain) head.fields.add("Transfer-Encoding", "identity");
  return head;
}

bool has_token(const Fields& fields, std::string_view name, std::string_view token) {
  for (std::string_view value : fields.find_all(name)) {
    while (!value.empty()) {
      const size_t comma = value.find(',');
      std::string_view item = value.substr(0, comma);
      while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
      while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
      if (iequals(item, token)) return true;
      value = comma == std::string_view::npos ? std::string_view() : value.substr(comma + 1);
    }
  }
  return false;
}

}  // namespace rondel::http
