#include <set>

#include "common/base/assert.h"
#include "common/config/config.h"

namespace rondel::config {
namespace {

std::string_view type_name(Type type) {
  switch (type) {
    case Type::kString: return "string";
    case Type::kInteger: return "integer";
    case Type::kBool: return "bool";
    case Type::kSize: return "size";
    case Type::kDuration: return "duration";
    case Type::kStringList: return "list of strings";
    case Type::kMapList: return "list of maps";
  }
  return "";
}

std::string type_text(const Key& key) {
  std::string out(type_name(key.type));
  for (size_t i = 0; i < key.one_of.size(); ++i) out += (i == 0 ? ": " : ", ") + key.one_of[i];
  if (key.type == Type::kInteger) {
    const bool open = key.max == std::numeric_limits<int64_t>::max();
    out += " >= " + std::to_string(key.min);
    if (!open) out += ", <= " + std::to_string(key.max);
  }
  return out;
}

void describe_rows(const std::vector<Key>& keys, const std::string& prefix, std::string& out) {
  for (const Key& key : keys) {
    const std::string shown = key.required               ? "required"
                              : key.default_text.empty() ? ""
                                                         : "`" + key.default_text + "`";
    out += "| `" + prefix + key.name + "` | " + type_text(key) + " | " + shown + " | " +
           key.description + " |\n";
    describe_rows(key.members, prefix + key.name + "[].", out);
  }
}

}  // namespace

Schema::Schema(std::vector<Key> keys) : keys_(std::move(keys)) {
  std::set<std::string_view> names;
  for (const Key& key : keys_) {
    const bool fresh = names.insert(key.name).second;
    ASSERT(fresh);
    ASSERT((key.type == Type::kMapList) == !key.members.empty());
  }
}

const Key* Schema::find(std::string_view name) const {
  for (const Key& key : keys_) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

std::string Schema::describe() const {
  std::string out = "| key | type | default | meaning |\n|---|---|---|---|\n";
  describe_rows(keys_, "", out);
  return out;
}

}  // namespace rondel::config
