// Settings of a program: a typed schema, filled from a YAML file, then RONDEL_* environment
// variables, then --set.
//
// A later source wins. The key `gateway.listen` is the YAML map entry `listen` under `gateway`, the
// environment variable RONDEL_GATEWAY_LISTEN and `--set gateway.listen=...`. Unknown keys are
// refused wherever they come from; of the environment, only variables that begin with RONDEL_ and a
// section of the schema ("RONDEL_GATEWAY_") are looked at. Those that Kubernetes makes of Services
// (RONDEL_GATEWAY_SERVICE_HOST and what goes with it) are no settings. A password on the command
// line is refused: everybody on the machine can read it there.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace rondel::config {

enum class Type {
  kString,      // Without control characters: it may go into a header or a line of a log.
  kInteger,     // Decimal.
  kBool,        // true, false.
  kSize,        // Bytes: "4096", "64KiB", "8MiB", "2GiB", "1TiB". At most kSizeMax.
  kDuration,    // "250ms", "10s", "5m", "2h", "7d". At most kDurationMax.
  kStringList,  // YAML sequence; "a,b" in environment and --set.
  // YAML sequence of maps; YAML flow form "[{path: /a, capacity: 1GiB}]" in environment and --set.
  kMapList,
};

struct Key {
  std::string name;  // "gateway.listen"
  Type type = Type::kString;
  std::string default_text;  // As it would be written; empty = empty, 0 or no element.
  std::string description;   // One line for docs/settings.md.
  // Bounds of kInteger, kSize (bytes) and kDuration (milliseconds), inclusive.
  int64_t min = 0;
  int64_t max = std::numeric_limits<int64_t>::max();
  bool required = false;                 // Must be given and not empty.
  std::vector<std::string> one_of = {};  // kString: the values allowed; empty = any.
  std::vector<Key> members = {};         // kMapList: keys of each map.
};

class Schema {
 public:
  // ASSERTs that names are unique and defaults parse.
  explicit Schema(std::vector<Key> keys);

  const std::vector<Key>& keys() const { return keys_; }

  const Key* find(std::string_view name) const;

  // The table of docs/settings.md (Markdown): key, type and bounds, default, description.
  std::string describe() const;

 private:
  std::vector<Key> keys_;
};

struct Sources {
  std::string file;  // Empty = none. kNotFound when it cannot be read.
  std::map<std::string, std::string> environment;  // All variables; see process_environment().
  std::vector<std::string> assignments;            // "key=value", of --set.
};

std::map<std::string, std::string> process_environment();

// Is a password in it, as a keyword of a connection string or in a URI?
bool holds_password(std::string_view text);
inline constexpr const char* kPasswordElsewhere =
    "a password does not belong on a command line: give it in the settings file, in "
    "RONDEL_METADATA_DSN or PGPASSWORD, or in a file by passfile=";

// Immutable; safe for concurrent use. Getters ASSERT that the schema has the key with that type.
class Settings {
 public:
  // Errors (kInvalidArgument, one line) name the source, the key, what is wrong, and the nearest
  // key for an unknown one.
  static Result<Settings> load(const Schema& schema, const Sources& sources);

  const std::string& text(std::string_view name) const;
  int64_t integer(std::string_view name) const;
  bool flag(std::string_view name) const;
  uint64_t size(std::string_view name) const;  // Bytes.
  Duration duration(std::string_view name) const;
  const std::vector<std::string>& list(std::string_view name) const;
  const std::vector<Settings>& maps(std::string_view name) const;

  // Given by a source, not the default.
  bool is_set(std::string_view name) const;

  // For people: every setting, by name. `value` as it would be written, without what is a secret
  // (a password in a connection string). `source`: default, file, environment or flag.
  struct Effective {
    std::string name, value, source;
  };

  std::vector<Effective> effective() const;

 private:
  friend class Loader;
  using Value = std::variant<std::monostate, std::string, int64_t, bool, std::vector<std::string>,
                             std::vector<Settings>>;

  struct Entry {
    Type type = Type::kString;
    Value value;
    bool given = false;
    std::string source = "default";
  };

  const Entry& entry(std::string_view name, Type type) const;
  static std::string text_of(const Entry& entry);

  std::map<std::string, Entry, std::less<>> entries_;
};

// The largest that any setting or flag may say. Code multiplies and adds them freely: eight
// durations side by side still fit into the nanoseconds of the steady clock, and eight sizes into
// 63 bits.
inline constexpr std::chrono::milliseconds kDurationMax = std::chrono::days(10'000);
inline constexpr uint64_t kSizeMax = 1ull << 56;  // 64 PiB.

// The text forms, also for flags and messages. kInvalidArgument says what is expected.
Result<uint64_t> parse_size(std::string_view text);
Result<Duration> parse_duration(std::string_view text);
std::string format_size(uint64_t bytes);  // "8MiB", "1500"

}  // namespace rondel::config
