#include "metadata/connection/sql_names.h"

#include <cstdlib>
#include <map>
#include <utility>

#include "common/model/metadata_generation.h"
#include "metadata/model/change.h"
#include "metadata/model/kms_key.h"
#include "metadata/model/object.h"
#include "metadata/store/bucket_store.h"
#include "metadata/store/commit_result.h"
#include "metadata/store/identity_store.h"
#include "metadata/store/object_store.h"

namespace rondel::metadata {
namespace {

using Names = std::map<std::string, int64_t, std::less<>>;

// "kNoSuchKey", or nothing where the enum has no such value: the compiler writes "(Enum)99" then.
template <auto value>
consteval std::string_view enumerator() {
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.rfind("value = ") + 8);
  text.remove_suffix(1);
  if (text.front() == '(') return {};
  return text.substr(text.rfind(':') + 1);
}

template <class Enum, size_t... values>
void add_enum(Names& names, const std::string& group, std::index_sequence<values...>) {
  const auto add = [&](std::string_view name, size_t value) {
    if (!name.empty()) names[group + "." + std::string(name)] = static_cast<int64_t>(value);
  };
  (add(enumerator<static_cast<Enum>(values)>(), values), ...);
}

template <class Enum>
void add_enum(Names& names, const std::string& group) {
  add_enum<Enum>(names, group, std::make_index_sequence<64>());
}

Names make_names() {
  Names names;
  add_enum<CommitStatus>(names, "CommitStatus");
  add_enum<BucketStatus>(names, "BucketStatus");
  add_enum<Versioning>(names, "Versioning");
  add_enum<SettingKind>(names, "SettingKind");
  add_enum<Retention::Mode>(names, "Retention");
  add_enum<DeleteObject::Guard>(names, "Guard");
  add_enum<ExtentRange::Kind>(names, "ExtentRange");
  add_enum<Layout>(names, "Layout");
  add_enum<Change>(names, "Change");
  add_enum<VersionChoice>(names, "VersionChoice");
  add_enum<Held>(names, "Held");
  add_enum<KeyChange>(names, "KeyChange");
  add_enum<KmsOperation>(names, "KmsOperation");
  add_enum<model::Recognition>(names, "Recognition");
  names["Limit.kKeyBytesMax"] = Limit::kKeyBytesMax;
  names["Limit.kPartBytesMin"] = Limit::kPartBytesMin;
  names["Limit.kExtentsMax"] = Limit::kExtentsMax;
  return names;
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// The length of "Group.kName" at the begin of `text`; 0: it is something else.
size_t name_length(std::string_view text) {
  if (text.empty() || text.front() < 'A' || text.front() > 'Z') return 0;
  size_t at = 0;
  while (at < text.size() && is_word(text[at])) ++at;
  if (!text.substr(at).starts_with(".k")) return 0;
  for (++at; at < text.size() && is_word(text[at]);) ++at;
  return at;
}

}  // namespace

Result<std::string> with_names(std::string_view sql) {
  static const Names names = make_names();
  std::string out;
  for (size_t colon; (colon = sql.find(':')) != sql.npos;) {
    out += sql.substr(0, colon);
    sql.remove_prefix(colon + 1);
    const size_t length = out.ends_with(':') ? 0 : name_length(sql);
    if (length == 0) {
      out += ':';
      continue;
    }
    const auto name = names.find(sql.substr(0, length));
    if (name == names.end()) {
      return fail(ErrorCode::kInvalidArgument,
                  "SQL says " + std::string(sql.substr(0, length)) + ", and nothing is called so");
    }
    out += std::to_string(name->second);
    sql.remove_prefix(length);
  }
  return out.append(sql);
}

std::string named_sql(std::string_view sql) {
  auto named = with_names(sql);
  if (!named) std::abort();
  return *std::move(named);
}

}  // namespace rondel::metadata
