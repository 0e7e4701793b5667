// Heads of HTTP/1.1 messages as values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rondel::http {

bool iequals(std::string_view a, std::string_view b);  // ASCII case-insensitive.

// Header fields in order of arrival. Names keep their case; look-ups ignore it.
class Fields {
 public:
  void add(std::string name, std::string value) {
    fields_.emplace_back(std::move(name), std::move(value));
  }

  void set(std::string name, std::string value);
  // The first value; nullopt when absent.
  std::optional<std::string_view> find(std::string_view name) const;
  std::vector<std::string_view> find_all(std::string_view name) const;

  bool has(std::string_view name) const { return find(name).has_value(); }

  auto begin() const { return fields_.begin(); }

  auto end() const { return fields_.end(); }

  size_t size() const { return fields_.size(); }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

struct RequestHead {
  std::string method;  // As sent: "GET", "PUT", ...
  // As sent: path and query, not decoded. Absolute-form is reduced to origin-form.
  std::string target;
  int version = 11;  // 10 or 11.
  Fields fields;
  // Framing: exactly one of the two, or neither (no body).
  std::optional<uint64_t> content_length;
  bool chunked = false;

  // Of target, not decoded.
  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }

  std::string_view query() const;
};

// Why a request is refused before a handler sees it.
struct Refusal {
  enum class Kind {
    kMalformed,
    kTooLarge,     // The head is above head_bytes_max, or has too many fields.
    kTooSlow,      // It did not come in time.
    kUnsupported,  // HTTP that we do not speak.
  };
  Kind kind = Kind::kMalformed;
  int status = 400;
  std::string reason;
  size_t head_bytes_max = 0;  // kTooLarge: what would have been taken.
};

struct ResponseHead {
  int status = 200;
  // Without Content-Length, Transfer-Encoding, Connection, Date: the server writes those.
  Fields fields;
};

std::string_view reason_phrase(int status);

}  // namespace rondel::http
