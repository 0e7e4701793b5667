#include "common/log/log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cmath>

namespace rondel::log {
namespace {

using Buffer = fmt::memory_buffer;

struct State {
  std::shared_ptr<spdlog::logger> logger;
  Options options;
  Level lowest = Level::kInfo;  // Of all modules: one comparison decides most debug lines.
  const State* replaced = nullptr;
};

// To standard error. spdlog's own writes each line by itself: a system call for every request.
class StandardError final : public spdlog::sinks::base_sink<std::mutex> {
  static constexpr size_t kBufferBytes = 32 << 10;

  void sink_it_(const spdlog::details::log_msg& line) override {
    buffer_.append(line.payload.data(), line.payload.size());
    buffer_ += '\n';
    if (buffer_.size() >= kBufferBytes) flush_();
  }

  void flush_() override {
    for (std::string_view left = buffer_; !left.empty();) {
      const ssize_t written = ::write(STDERR_FILENO, left.data(), left.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) break;
      left.remove_prefix(static_cast<size_t>(written));
    }
    buffer_.clear();
  }

  std::string buffer_;
};

// Each line is written at once, but for those of requests that ended well: they are logged at the
// lowest level.
std::shared_ptr<spdlog::logger> make_logger(spdlog::sink_ptr sink) {
  auto logger = std::make_shared<spdlog::logger>("rondel", std::move(sink));
  logger->set_pattern("%v");
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::debug);
  return logger;
}

// Replaced by init() before threads log, never freed: lines may be written until the very end of
// the process.
std::atomic<State*>& state() {
  static std::atomic<State*> instance = [] {
    auto* made = new State;
    made->logger = make_logger(std::make_shared<StandardError>());
    return made;
  }();
  return instance;
}

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 6> kSecretWords = {
    "secret", "password", "authorization", "signature", "master_key", "session_token"};

// Length of the well-formed UTF-8 sequence at the front; 0 when malformed.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto tail = [&](size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!tail(1) || !tail(2)) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;
    if (first == 0xED && byte(1) > 0x9F) return 0;
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

void append_text(Buffer& out, std::string_view text) {
  out.append(text.data(), text.data() + text.size());
}

// One character of the text as JSON has it: how many bytes of the text it takes, and what is
// written for it when that is not those bytes themselves.
struct Character {
  size_t length = 1;
  std::array<char, 6> escape{};
  size_t escape_bytes = 0;  // 0: written as it is.
};

Character unicode_escape(size_t length, unsigned code) {
  Character out{length, {}, 6};
  fmt::format_to(out.escape.data(), FMT_STRING("\\u{:04x}"), code);
  return out;
}

// Written as it is.
bool is_plain(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

Character character_at(std::string_view text, size_t at) {
  const auto c = static_cast<uint8_t>(text[at]);
  if (c == '"' || c == '\\') return {1, {'\\', static_cast<char>(c)}, 2};
  if (c < 0x20 || c == 0x7f) return unicode_escape(1, c);
  if (c < 0x80) return {};
  const size_t length = utf8_length(text.substr(at));
  if (length == 0) return unicode_escape(1, 0xfffd);
  // The second half of the control characters: terminals obey them too.
  const auto second = static_cast<uint8_t>(text[at + 1]);
  if (c == 0xc2 && second < 0xa0) return unicode_escape(2, second);
  return {length, {}, 0};
}

// At most `bytes_max` bytes between the quotes; of a longer text the end is left out, and how much
// of it.
void append_string(Buffer& out, std::string_view text, size_t bytes_max) {
  out.push_back('"');
  size_t start = 0;
  size_t at = 0;
  size_t written = 0;
  // Most texts are plain to their end.
  while (at < std::min(text.size(), bytes_max) && is_plain(text[at])) ++at;
  written = at;
  const auto copy_until_here = [&] { append_text(out, text.substr(start, at - start)); };
  while (at < text.size()) {
    const Character character = character_at(text, at);
    const size_t bytes = character.escape_bytes > 0 ? character.escape_bytes : character.length;
    if (written + bytes > bytes_max) break;
    written += bytes;
    if (character.escape_bytes > 0) {
      copy_until_here();
      append_text(out, {character.escape.data(), character.escape_bytes});
      start = at + character.length;
    }
    at += character.length;
  }
  copy_until_here();
  if (at < text.size()) {
    fmt::format_to(std::back_inserter(out), FMT_STRING("...[{} more bytes]"), text.size() - at);
  }
  out.push_back('"');
}

// Of a text where the row is this long already: the row stays below kRowBytesMax.
size_t bytes_left(const Buffer& out) {
  constexpr size_t kForTheRest = 1024;  // Numbers, keys, and marks of what was left out.
  const size_t used = out.size() + kForTheRest;
  return used < kRowBytesMax ? std::min(kFieldBytesMax, kRowBytesMax - used) : 0;
}

void append_string(Buffer& out, std::string_view text) {
  append_string(out, text, bytes_left(out));
}

void append_double(Buffer& out, double value) {
  if (!std::isfinite(value)) return append_text(out, "null");
  fmt::format_to(std::back_inserter(out), FMT_STRING("{:.9g}"), value);
}

void append_key(Buffer& out, std::string_view key) {
  out.push_back(',');
  append_string(out, key);
  out.push_back(':');
}

void append_field(Buffer& out, std::string_view key, std::string_view value) {
  append_key(out, key);
  append_string(out, value);
}

bool names_secret(std::string_view key) {
  for (std::string_view word : kSecretWords) {
    if (key.find(word) != std::string_view::npos) return true;
  }
  return false;
}

void append_field(Buffer& out, const Field& field) {
  append_key(out, field.key);
  if (names_secret(field.key)) return append_text(out, "\"***\"");
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    return append_string(out, *text);
  }
  if (const auto* flag = std::get_if<bool>(&field.value)) {
    return append_text(out, *flag ? "true" : "false");
  }
  if (const auto* real = std::get_if<double>(&field.value)) return append_double(out, *real);
  if (const auto* number = std::get_if<int64_t>(&field.value)) {
    fmt::format_to(std::back_inserter(out), FMT_STRING("{}"), *number);
    return;
  }
  fmt::format_to(std::back_inserter(out), FMT_STRING("{}"), std::get<uint64_t>(field.value));
}

// The date part changes once a second; it is formatted once a second and thread.
void append_time(Buffer& out) {
  thread_local time_t last = -1;
  thread_local std::string date;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  const time_t seconds = micros / 1'000'000;
  if (seconds != last) {
    date = fmt::format("{:%Y-%m-%dT%H:%M:%S}", fmt::gmtime(seconds));
    last = seconds;
  }
  fmt::format_to(std::back_inserter(out), FMT_STRING("{{\"time\":\"{}.{:06}Z\""), date,
                 micros % 1'000'000);
}

void append_head(Buffer& out, Level level, std::string_view module) {
  append_time(out);
  append_field(out, "level", kLevelNames[static_cast<size_t>(level)]);
  append_field(out, "module", module);
}

void emit(spdlog::level::level_enum level, Buffer& out) {
  out.push_back('}');
  state()
      .load(std::memory_order_acquire)
      ->logger->log(level, spdlog::string_view_t(out.data(), out.size()));
}

spdlog::level::level_enum level_of(Level level) {
  constexpr std::array kLevels = {spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                                  spdlog::level::err};
  return kLevels[static_cast<size_t>(level)];
}

Result<spdlog::sink_ptr> open_file(const std::string& path) {
  try {
    return std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
  } catch (const spdlog::spdlog_ex& error) {
    return fail(ErrorCode::kUnavailable, "log file " + path + ": " + error.what());
  }
}

Result<void> install(const Options& options) {
  spdlog::sink_ptr sink = std::make_shared<StandardError>();
  if (!options.file.empty()) {
    TRY(sink, open_file(options.file));
  }
  auto* made = new State;
  made->logger = make_logger(std::move(sink));
  made->options = options;
  made->lowest = options.level;
  for (const auto& [module, level] : options.modules) made->lowest = std::min(made->lowest, level);
  made->replaced = state().exchange(made, std::memory_order_acq_rel);
  // Lines that came since the last one.
  if (made->replaced != nullptr) made->replaced->logger->flush();
  spdlog::drop("rondel");
  spdlog::register_logger(made->logger);
  spdlog::flush_every(std::chrono::seconds(1));
  return {};
}

}  // namespace

Result<Level> parse_level(std::string_view text) {
  for (size_t i = 0; i < kLevelNames.size(); ++i) {
    if (text == kLevelNames[i]) return static_cast<Level>(i);
  }
  if (text == "off") return Level::kOff;
  return fail(ErrorCode::kInvalidArgument,
              "log level \"" + std::string(text) + "\": expected debug, info, warn, error or off");
}

Result<std::map<std::string, Level>> parse_modules(std::string_view text) {
  std::map<std::string, Level> out;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const size_t equals = item.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return fail(ErrorCode::kInvalidArgument,
                  "log modules \"" + std::string(item) + "\": expected module=level");
    }
    TRY(const Level level, parse_level(item.substr(equals + 1)));
    out[std::string(item.substr(0, equals))] = level;
  }
  return out;
}

Result<void> init(const Options& options) { return install(options); }

Result<void> reopen() {
  flush();
  const Options options = state().load()->options;
  return install(options);
}

void flush() { state().load()->logger->flush(); }

bool enabled(std::string_view module, Level level) {
  const State* now = state().load(std::memory_order_acquire);
  if (level < now->lowest) return false;
  if (now->options.modules.empty()) return level >= now->options.level;
  for (const auto& [name, wanted] : now->options.modules) {
    if (name == module) return level >= wanted;
  }
  return level >= now->options.level;
}

void write(Level level, std::string_view module, std::string_view message, Fields fields) {
  Buffer out;
  append_head(out, level, module);
  append_field(out, "message", message);
  for (const Field& field : fields) append_field(out, field);
  emit(level_of(level), out);
}

void request(const RequestLine& line, Stages stages) {
  const Level level = line.status >= 500 ? Level::kWarn : Level::kInfo;
  if (!enabled("request", level)) return;
  Buffer out;
  append_head(out, level, "request");
  const auto text = [&](std::string_view key, std::string_view value,
                        size_t bytes_max = kWordBytesMax) {
    if (value.empty()) return;
    append_key(out, key);
    append_string(out, value, bytes_max);
  };
  text("request_id", line.request_id);
  text("operation", line.operation);
  text("method", line.method);
  text("path", line.path, kPathBytesMax);
  text("peer", line.peer);
  text("tls", line.tls);
  text("cipher", line.cipher);
  text("authentication", line.authentication);
  text("access_key_id", line.access_key_id);
  text("account", line.account);
  text("bucket", line.bucket);
  text("key", line.key, kPathBytesMax);
  text("version_id", line.version_id);
  text("user_agent", line.user_agent, kUserAgentBytesMax);
  fmt::format_to(std::back_inserter(out), FMT_STRING(",\"status\":{}"), line.status);
  text("error", line.error_code);
  text("reason", line.reason, kReasonBytesMax);
  fmt::format_to(std::back_inserter(out),
                 FMT_STRING(",\"bytes_in\":{},\"bytes_out\":{},\"seconds\":{:.6f}"), line.bytes_in,
                 line.bytes_out, line.seconds);
  if (stages.size() > 0) {
    append_text(out, ",\"stages\":{");
    bool first = true;
    for (const auto& [name, seconds] : stages) {
      if (!std::exchange(first, false)) out.push_back(',');
      append_string(out, name);
      fmt::format_to(std::back_inserter(out), FMT_STRING(":{:.6f}"), seconds);
    }
    out.push_back('}');
  }
  emit(level == Level::kInfo ? spdlog::level::trace : level_of(level), out);
}

}  // namespace rondel::log
