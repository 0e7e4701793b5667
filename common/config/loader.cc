#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fstream>
#include <set>
#include <sstream>

#include <unistd.h>

#include "common/base/assert.h"
#include "common/base/encoding.h"
#include "common/config/config.h"

namespace rondel::config {
namespace {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// " (did you mean x?)", or nothing when no name is near.
std::string nearest(std::string_view name, const std::vector<std::string>& names) {
  const std::string* best = nullptr;
  size_t best_distance = std::max<size_t>(name.size() / 2, 2) + 1;
  for (const std::string& candidate : names) {
    const size_t distance = edit_distance(name, candidate);
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = &candidate;
  }
  return best ? " (did you mean " + *best + "?)" : "";
}

std::string environment_name(std::string_view key) {
  std::string out = "RONDEL_";
  for (char c : key) {
    out +=
        c == '.' || c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return out;
}

std::string first_section(const std::string& key) {
  return environment_name(key.substr(0, key.find('.'))) + "_";
}

// Kubernetes tells each container of each Service in its namespace, in the form that Docker's links
// had: NAME_SERVICE_HOST and NAME_SERVICE_PORT, and NAME_PORT with what follows from it.
bool is_service_link(std::string_view name, const std::map<std::string, std::string>& environment) {
  for (const std::string_view mark : {"_SERVICE_", "_PORT"}) {
    for (size_t at = name.find(mark); at != std::string_view::npos; at = name.find(mark, at + 1)) {
      const std::string service(name.substr(0, at));
      if (environment.contains(service + "_SERVICE_HOST") &&
          environment.contains(service + "_SERVICE_PORT")) {
        return true;
      }
    }
  }
  return false;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    std::string_view item = text.substr(0, comma);
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    out.emplace_back(item);
    text = comma == std::string_view::npos ? "" : text.substr(comma + 1);
  }
  return out;
}

}  // namespace

// Fills Settings from one source after the other. yaml-cpp throws; load() catches.
class Loader {
 public:
  explicit Loader(const std::vector<Key>& keys) : keys_(keys) {
    for (const Key& key : keys) settings_.entries_[key.name].type = key.type;
  }

  Result<void> set_defaults() {
    for (const Key& key : keys_) TRY_VOID(set_text(key, key.default_text, "default", false));
    return {};
  }

  Result<void> read_tree(const YAML::Node& node, const std::string& prefix,
                         const std::string& source) {
    std::set<std::string> seen;
    for (const auto& item : node) {
      const std::string name = prefix + item.first.as<std::string>();
      if (!seen.insert(name).second) return wrong(source, name, "is given twice");
      if (const Key* key = find(name)) {
        TRY_VOID(set_node(*key, item.second, source));
      } else if (item.second.IsMap() && has_section(name + ".")) {
        TRY_VOID(read_tree(item.second, name + ".", source));
      } else if (item.second.IsNull() && has_section(name + ".")) {
        continue;
      } else {
        return unknown(source, name);
      }
    }
    return {};
  }

  Result<void> read_file(const std::string& path) {
    std::ifstream in(path);
    if (!in) return fail(ErrorCode::kNotFound, "settings file " + path + " cannot be read");
    std::stringstream text;
    text << in.rdbuf();
    source_ = "file";
    const YAML::Node root = YAML::Load(text.str());
    if (root.IsNull()) return {};
    if (!root.IsMap()) {
      return fail(ErrorCode::kInvalidArgument,
                  "settings file " + path + ": expected a map of settings");
    }
    return read_tree(root, "", "settings file " + path);
  }

  Result<void> read_environment(const std::map<std::string, std::string>& environment) {
    source_ = "environment";
    std::map<std::string, const Key*> by_name;
    std::set<std::string> sections;
    std::vector<std::string> names;
    for (const Key& key : keys_) {
      by_name[environment_name(key.name)] = &key;
      names.push_back(environment_name(key.name));
      if (key.name.find('.') != std::string::npos) sections.insert(first_section(key.name));
    }
    for (const auto& [name, value] : environment) {
      if (auto found = by_name.find(name); found != by_name.end()) {
        TRY_VOID(set_text(*found->second, value, "environment " + name, true));
        continue;
      }
      if (is_service_link(name, environment)) continue;
      const bool ours =
          std::ranges::any_of(sections, [&](const std::string& s) { return name.starts_with(s); });
      if (ours) {
        return fail(ErrorCode::kInvalidArgument,
                    "environment: unknown setting " + name + nearest(name, names));
      }
    }
    return {};
  }

  Result<void> read_assignment(const std::string& assignment) {
    source_ = "flag";
    const size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(ErrorCode::kInvalidArgument, "--set " + assignment + ": expected key=value");
    }
    const std::string name = assignment.substr(0, equals);
    const Key* key = find(name);
    if (!key) return unknown("--set", name);
    if (holds_password(assignment.substr(equals + 1))) {
      return fail(ErrorCode::kInvalidArgument, "--set " + name + ": " + kPasswordElsewhere);
    }
    return set_text(*key, assignment.substr(equals + 1), "--set", true);
  }

  Result<Settings> finish(const std::string& where) {
    for (const Key& key : keys_) {
      if (key.required && !settings_.entries_[key.name].given) {
        return fail(ErrorCode::kInvalidArgument, where + ": setting " + key.name + " is required");
      }
    }
    return std::move(settings_);
  }

 private:
  static Result<void> wrong(const std::string& source, const std::string& name,
                            const std::string& what) {
    return fail(ErrorCode::kInvalidArgument, source + ": setting " + name + " " + what);
  }

  Result<void> unknown(const std::string& source, const std::string& name) const {
    std::vector<std::string> names;
    for (const Key& key : keys_) names.push_back(key.name);
    return fail(ErrorCode::kInvalidArgument,
                source + ": unknown setting " + name + nearest(name, names));
  }

  const Key* find(std::string_view name) const {
    for (const Key& key : keys_) {
      if (key.name == name) return &key;
    }
    return nullptr;
  }

  bool has_section(std::string_view prefix) const {
    return std::ranges::any_of(keys_, [&](const Key& key) { return key.name.starts_with(prefix); });
  }

  void store(const Key& key, Settings::Value value, bool given) {
    auto& entry = settings_.entries_[key.name];
    entry.value = std::move(value);
    entry.given = given;
    entry.source = given ? source_ : "default";
  }

  Result<void> set_node(const Key& key, const YAML::Node& node, const std::string& source) {
    if (key.type == Type::kStringList) {
      if (node.IsScalar()) return set_text(key, node.Scalar(), source, true);
      if (!node.IsSequence()) {
        return wrong(source, key.name, "is wrong: expected a list of strings");
      }
      std::vector<std::string> items;
      for (const auto& item : node) {
        if (!item.IsScalar()) {
          return wrong(source, key.name, "is wrong: expected a list of strings");
        }
        items.push_back(item.Scalar());
      }
      store(key, std::move(items), true);
      return {};
    }
    if (key.type == Type::kMapList) return set_maps(key, node, source);
    if (node.IsNull()) return set_text(key, "", source, true);
    if (!node.IsScalar()) return wrong(source, key.name, "is wrong: expected one value");
    return set_text(key, node.Scalar(), source, true);
  }

  Result<void> set_maps(const Key& key, const YAML::Node& node, const std::string& source) {
    std::vector<Settings> maps;
    if (!node.IsSequence()) return wrong(source, key.name, "is wrong: expected a list of maps");
    for (const auto& item : node) {
      if (!item.IsMap()) return wrong(source, key.name, "is wrong: expected a list of maps");
      Loader inner(key.members);
      const std::string where = source + ": " + key.name + "[" + std::to_string(maps.size()) + "]";
      TRY_VOID(inner.set_defaults());
      TRY_VOID(inner.read_tree(item, "", where));
      TRY(Settings map, inner.finish(where));
      maps.push_back(std::move(map));
    }
    store(key, std::move(maps), true);
    return {};
  }

  Result<void> set_text(const Key& key, const std::string& text, const std::string& source,
                        bool given) {
    if (given && key.required && text.empty()) return wrong(source, key.name, "must not be empty");
    const auto bad = [&](const std::string& expected) {
      return wrong(source, key.name, "is wrong (\"" + text + "\"): " + expected);
    };
    const auto bounded = [&](int64_t value, std::string unit) -> Result<void> {
      if (value >= key.min && value <= key.max) return {};
      return bad("expected at least " + std::to_string(key.min) + unit + " and at most " +
                 std::to_string(key.max) + unit);
    };
    const bool absent = !given && text.empty();
    switch (key.type) {
      case Type::kString: {
        if (has_control_character(text)) {
          return wrong(source, key.name, "is wrong: it contains a control character");
        }
        const bool known =
            key.one_of.empty() || std::ranges::find(key.one_of, text) != key.one_of.end();
        if (!known && !absent) {
          std::string expected = "expected one of";
          for (const std::string& value : key.one_of) expected += " " + value;
          return bad(expected);
        }
        store(key, text, given);
        return {};
      }
      case Type::kInteger: {
        int64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (!absent && (error != std::errc() || end != text.data() + text.size())) {
          return bad("expected a whole number");
        }
        if (!absent) TRY_VOID(bounded(value, ""));
        store(key, value, given);
        return {};
      }
      case Type::kBool:
        if (text != "true" && text != "false" && !absent) return bad("expected true or false");
        store(key, text == "true", given);
        return {};
      case Type::kSize: {
        const Result<uint64_t> value = absent ? Result<uint64_t>(0) : parse_size(text);
        if (!value) return bad(value.error().message);
        if (!absent) TRY_VOID(bounded(static_cast<int64_t>(*value), " bytes"));
        store(key, static_cast<int64_t>(*value), given);
        return {};
      }
      case Type::kDuration: {
        const Result<Duration> value =
            absent ? Result<Duration>(Duration::zero()) : parse_duration(text);
        if (!value) return bad(value.error().message);
        const int64_t count = std::chrono::duration_cast<std::chrono::milliseconds>(*value).count();
        if (!absent) TRY_VOID(bounded(count, "ms"));
        store(key, count, given);
        return {};
      }
      case Type::kStringList:
        if (text.starts_with('[')) return set_node(key, YAML::Load(text), source);
        store(key, split_list(text), given);
        return {};
      case Type::kMapList:
        if (absent) {
          store(key, std::vector<Settings>{}, false);
          return {};
        }
        return set_maps(key, YAML::Load(text), source);
    }
    return {};
  }

  const std::vector<Key>& keys_;
  std::string source_ = "default";
  Settings settings_;
};

Result<Settings> Settings::load(const Schema& schema, const Sources& sources) {
  std::string where = sources.file.empty() ? "settings" : "settings file " + sources.file;
  try {
    Loader loader(schema.keys());
    TRY_VOID(loader.set_defaults());
    if (!sources.file.empty()) TRY_VOID(loader.read_file(sources.file));
    where = "environment";
    TRY_VOID(loader.read_environment(sources.environment));
    where = "--set";
    for (const std::string& assignment : sources.assignments) {
      TRY_VOID(loader.read_assignment(assignment));
    }
    return loader.finish("settings");
  } catch (const YAML::Exception& error) {
    return fail(ErrorCode::kInvalidArgument, where + ": " + error.what());
  }
}

const Settings::Entry& Settings::entry(std::string_view name, Type type) const {
  const auto found = entries_.find(name);
  ASSERT(found != entries_.end() && found->second.type == type);
  return found->second;
}

const std::string& Settings::text(std::string_view name) const {
  return std::get<std::string>(entry(name, Type::kString).value);
}

int64_t Settings::integer(std::string_view name) const {
  return std::get<int64_t>(entry(name, Type::kInteger).value);
}

bool Settings::flag(std::string_view name) const {
  return std::get<bool>(entry(name, Type::kBool).value);
}

uint64_t Settings::size(std::string_view name) const {
  return static_cast<uint64_t>(std::get<int64_t>(entry(name, Type::kSize).value));
}

Duration Settings::duration(std::string_view name) const {
  return std::chrono::milliseconds(std::get<int64_t>(entry(name, Type::kDuration).value));
}

const std::vector<std::string>& Settings::list(std::string_view name) const {
  return std::get<std::vector<std::string>>(entry(name, Type::kStringList).value);
}

const std::vector<Settings>& Settings::maps(std::string_view name) const {
  return std::get<std::vector<Settings>>(entry(name, Type::kMapList).value);
}

std::vector<Settings::Effective> Settings::effective() const {
  std::vector<Effective> all;
  for (const auto& [name, entry] : entries_) {
    std::string value = text_of(entry);
    if (holds_password(value)) value = "(holds a password)";
    all.push_back({name, std::move(value), entry.source});
  }
  return all;
}

std::string Settings::text_of(const Entry& entry) {
  switch (entry.type) {
    case Type::kString: return std::get<std::string>(entry.value);
    case Type::kInteger: return std::to_string(std::get<int64_t>(entry.value));
    case Type::kBool: return std::get<bool>(entry.value) ? "true" : "false";
    case Type::kSize: return format_size(static_cast<uint64_t>(std::get<int64_t>(entry.value)));
    case Type::kDuration: return std::to_string(std::get<int64_t>(entry.value)) + "ms";
    case Type::kStringList: {
      std::string list;
      for (const std::string& item : std::get<std::vector<std::string>>(entry.value)) {
        list += (list.empty() ? "" : ",") + item;
      }
      return list;
    }
    case Type::kMapList: break;
  }
  std::string maps;
  for (const Settings& map : std::get<std::vector<Settings>>(entry.value)) {
    std::string one;
    for (const Effective& member : map.effective()) {
      one += (one.empty() ? "" : ", ") + member.name + ": " + member.value;
    }
    maps += (maps.empty() ? "{" : ", {") + one + "}";
  }
  return "[" + maps + "]";
}

bool Settings::is_set(std::string_view name) const {
  const auto found = entries_.find(name);
  return found != entries_.end() && found->second.given;
}

bool holds_password(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (size_t at = lower.find("password"); at != std::string::npos;
       at = lower.find("password", at + 1)) {
    const size_t next = lower.find_first_not_of(" \t", at + std::string_view("password").size());
    if (next != std::string::npos && lower[next] == '=') return true;
  }
  const size_t scheme = lower.find("://");
  if (scheme == std::string::npos) return false;
  const std::string_view authority = std::string_view(lower).substr(
      scheme + 3, lower.find_first_of("/?", scheme + 3) - scheme - 3);
  const size_t user = authority.rfind('@');
  return user != std::string_view::npos && authority.substr(0, user).contains(':');
}

std::map<std::string, std::string> process_environment() {
  std::map<std::string, std::string> out;
  for (char** item = environ; item && *item; ++item) {
    const std::string_view text(*item);
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) {
      out.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return out;
}

}  // namespace rondel::config
