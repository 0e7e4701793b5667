// Log lines as JSON objects, one a line, to stderr or a file.
//
//   log::info("blobs", "disk avoided", {{"disk", id}, {"failures", 3}});
//   {"time":"2026-01-31T12:00:00.000000Z","level":"info","module":"blobs","message":"disk avoided","disk":"...","failures":3}
//
// Safe for concurrent use. Before init() lines go to stderr at info. Values of keys that name
// secrets (secret, password, authorization, signature, master_key, session_token, also as parts of
// a key) are written as "***".
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "common/base/result.h"

namespace rondel::log {

enum class Level { kDebug, kInfo, kWarn, kError, kOff };

// A key and its value; both must live until the call returns. Use it in place only.
struct Field {
  std::string_view key;
  std::variant<std::string_view, int64_t, uint64_t, double, bool> value;

  Field(std::string_view k, std::string_view v) : key(k), value(v) {}

  Field(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}

  Field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}

  Field(std::string_view k, bool v) : key(k), value(v) {}

  template <std::signed_integral T>
  Field(std::string_view k, T v) : key(k), value(int64_t{v}) {}

  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  Field(std::string_view k, T v) : key(k), value(uint64_t{v}) {}

  template <std::floating_point T>
  Field(std::string_view k, T v) : key(k), value(double{v}) {}
};

using Fields = std::initializer_list<Field>;

struct Options {
  std::string file;  // Empty = stderr. Appended to.
  Level level = Level::kInfo;
  std::map<std::string, Level> modules;  // Levels that differ from `level`.
};

// "debug", "info", "warn", "error", "off"; kInvalidArgument otherwise.
Result<Level> parse_level(std::string_view text);
// "blobs=debug,http=error" on top of a level.
Result<std::map<std::string, Level>> parse_modules(std::string_view text);

// Once, before threads log. kUnavailable when the file cannot be opened.
Result<void> init(const Options& options);
// Opens the file again, for log rotation.
Result<void> reopen();
// Writes what is buffered (lines of requests below warn wait for up to a second).
void flush();

bool enabled(std::string_view module, Level level);
void write(Level level, std::string_view module, std::string_view message, Fields fields);

inline void debug(std::string_view module, std::string_view message, Fields fields = {}) {
  if (enabled(module, Level::kDebug)) write(Level::kDebug, module, message, fields);
}

inline void info(std::string_view module, std::string_view message, Fields fields = {}) {
  if (enabled(module, Level::kInfo)) write(Level::kInfo, module, message, fields);
}

inline void warn(std::string_view module, std::string_view message, Fields fields = {}) {
  if (enabled(module, Level::kWarn)) write(Level::kWarn, module, message, fields);
}

inline void error(std::string_view module, std::string_view message, Fields fields = {}) {
  if (enabled(module, Level::kError)) write(Level::kError, module, message, fields);
}

// Bytes of a row without its line end, whatever is logged. Control characters are escaped, and
// count as what is written for them. A text that is longer than its bound is cut at a character and
// says so: "abc...[12 more bytes]".
inline constexpr size_t kRowBytesMax = 8 * 1024;
inline constexpr size_t kFieldBytesMax = 2 * 1024;  // Of one text of an event.
// Of texts of a request's row.
inline constexpr size_t kPathBytesMax = 1024;  // Path; key.
inline constexpr size_t kReasonBytesMax = 512;
inline constexpr size_t kUserAgentBytesMax = 256;
inline constexpr size_t kWordBytesMax = 128;  // All others.

// The one line a request gets, in module "request" (which can be switched off by its level).
// `stages`: name and seconds; written as "stages":{"auth":0.000012,...}. What is empty is left out.
struct RequestLine {
  std::string_view request_id;
  std::string_view operation;
  std::string_view method;
  std::string_view path;  // Without query: signatures live there.
  std::string_view peer;  // The client's address, also behind proxies that are believed.
  std::string_view tls;   // "1.3"; "none"; "unknown": a proxy does not say which.
  std::string_view cipher;
  std::string_view authentication;  // "none", "v4-header", "v4-query", "v4-form", "v2-header", ...
  std::string_view access_key_id;   // As claimed: whether it was believed says `error`.
  std::string_view account;         // Empty = anonymous, or not believed.
  std::string_view bucket;
  std::string_view key;
  std::string_view version_id;  // Of the answer; otherwise the one asked for.
  std::string_view user_agent;
  int status = 0;
  std::string_view error_code;  // S3 code; empty = none.
  std::string_view reason;      // Why it failed or was denied, for us alone.
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  double seconds = 0;
};

using Stages = std::initializer_list<std::pair<std::string_view, double>>;
void request(const RequestLine& line, Stages stages = {});

}  // namespace rondel::log
