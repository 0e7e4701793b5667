#include "common/program/secrets.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>

namespace rondel::program {
namespace {

using Taken = std::map<std::string, std::string, std::less<>>;

Taken& taken() {
  static Taken variables;
  return variables;
}

bool contains_any(std::string_view name, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(words, [name](std::string_view word) { return name.contains(word); });
}

// The bytes that the kernel shows are those that the process was started with.
void overwrite(char* value) { explicit_bzero(value, strlen(value)); }

}  // namespace

bool is_secret_variable(std::string_view name) {
  if (contains_any(name, {"SECRET", "PASSWORD", "PASSWD", "TOKEN", "CREDENTIAL"})) return true;
  return name.starts_with("RONDEL_") && contains_any(name, {"_KEY", "_DSN"});
}

std::map<std::string, std::string> take_secrets() {
  std::map<std::string, std::string> found;
  std::string database_password;
  bool has_database_password = false;
  for (char** item = environ; item != nullptr && *item != nullptr; ++item) {
    char* const equals = strchr(*item, '=');
    if (equals == nullptr) continue;
    const std::string name(*item, equals);
    if (name == "PGPASSWORD") {
      database_password = equals + 1;
      has_database_password = true;
      overwrite(equals + 1);
    } else if (name.starts_with("RONDEL_") && is_secret_variable(name)) {
      found.emplace(name, equals + 1);
      overwrite(equals + 1);
    }
  }
  if (has_database_password) setenv("PGPASSWORD", database_password.c_str(), 1);
  for (const auto& [name, value] : found) unsetenv(name.c_str());
  taken().insert(found.begin(), found.end());
  return found;
}

std::string secret(std::string_view name) {
  const auto known = taken().find(name);
  return known == taken().end() ? "" : known->second;
}

std::vector<std::string> environment_for_children() {
  std::vector<std::string> kept;
  for (char** item = environ; item != nullptr && *item != nullptr; ++item) {
    const std::string_view variable(*item);
    if (!is_secret_variable(variable.substr(0, variable.find('=')))) kept.emplace_back(variable);
  }
  return kept;
}

}  // namespace rondel::program
