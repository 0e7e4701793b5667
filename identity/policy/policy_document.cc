#include "identity/policy/policy_document.h"

#include <algorithm>
#include <boost/json.hpp>
#include <set>

namespace rondel::policy {
namespace {

namespace json = boost::json;

template <class T>
using Parsed = std::expected<T, std::string>;

constexpr std::string_view kArnPrefix = "arn:aws:s3:::";

// Whether an object of this valid JSON has two members of one name. The parser would keep the last
// of them, and a condition that somebody wrote would be dropped.
bool has_twins(std::string_view text) {
  std::vector<std::set<std::string>> names;  // Of each object that is open.
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '{') names.emplace_back();
    if (text[at] == '}') names.pop_back();
    if (text[at] != '"') continue;
    const size_t begin = at++;
    while (text[at] != '"') at += text[at] == '\\' ? 2 : 1;
    const size_t next = text.find_first_not_of(" \t\r\n", at + 1);
    if (next == std::string_view::npos || text[next] != ':') continue;
    const json::value name = json::parse(json::string_view(text.data() + begin, at + 1 - begin));
    std::string plain(name.get_string().data(), name.get_string().size());
    if (!names.back().insert(std::move(plain)).second) return true;
  }
  return false;
}

std::unexpected<std::string> malformed(std::string reason) {
  return std::unexpected(std::move(reason));
}

// One string or a list of them.
Parsed<std::vector<std::string>> strings_of(const json::value& value, std::string_view field) {
  std::vector<std::string> out;
  if (const auto* text = value.if_string()) {
    out.emplace_back(text->data(), text->size());
    return out;
  }
  const auto* list = value.if_array();
  if (list == nullptr) return malformed("Invalid value of field " + std::string(field));
  for (const json::value& element : *list) {
    const auto* text = element.if_string();
    if (text == nullptr) return malformed("Invalid value of field " + std::string(field));
    out.emplace_back(text->data(), text->size());
  }
  return out;
}

// An Allow may name an account that there is not, by name (ceph/s3-tests does): it allows nobody.
// A Deny may not: it would deny nobody.
Parsed<void> parse_principal(const json::value& value, bool deny, PrincipalSet& out) {
  constexpr auto invalid = "Invalid principal in policy";
  if (const auto* text = value.if_string()) {
    if (*text != "*") return malformed(invalid);
    out.add_everybody();
    return {};
  }
  const auto* object = value.if_object();
  if (object == nullptr || object->empty()) return malformed(invalid);
  for (const auto& [kind, names] : *object) {
    auto list = strings_of(names, "Principal");
    if (!list || list->empty()) return malformed(invalid);
    for (const std::string& name : *list) {
      if (out.add(kind, name)) continue;
      if (deny || !PrincipalSet::is_nobody(kind, name)) return malformed(invalid);
    }
  }
  out.seal();
  return {};
}

// What kind of things the resources of a statement can be.
struct Reach {
  bool bucket = false;
  bool objects = false;
};

// A grant of an action on objects that names the bucket alone gives nobody anything, and is
// accepted for the sake of clients that write it. A denial like that would be believed in.
bool applies(Target target, const Reach& reach, bool deny) {
  return about_object(target) ? reach.objects || !deny : target == Target::kBucket && reach.bucket;
}

Parsed<ActionSet> parse_actions(const json::value& value, const Reach& reach, bool deny,
                                Work& work) {
  auto list = strings_of(value, "Action");
  if (!list) return malformed(std::move(list).error());
  if (list->empty()) return malformed("Policy has invalid action");
  ActionSet set;
  for (const std::string& text : *list) {
    const Wildcard pattern(text);
    bool known = false, applicable = false;
    for (const ActionRow& candidate : all_actions()) {
      if (!pattern.is_any() && !pattern.matches_ignoring_case(candidate.name, work)) continue;
      known = true;
      applicable = applicable || applies(candidate.target, reach, deny);
      set.set(static_cast<size_t>(candidate.action));
    }
    if (work.over()) return malformed("Policy has too many wildcards in its actions");
    if (!known) return malformed("Policy has invalid action");
    if (!applicable) return malformed("Action does not apply to any resource(s) in statement");
  }
  return set;
}

// Variables in the bucket's place may become anything.
std::string without_variables(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t begin = text.find("${");
    out += text.substr(0, begin);
    const size_t end = begin == std::string_view::npos ? begin : text.find('}', begin);
    if (end == std::string_view::npos) break;
    out += '*';
    text.remove_prefix(end + 1);
  }
  return out;
}

Parsed<void> parse_resources(const json::value& value, std::string_view bucket, bool with_variables,
                             KeyTable& keys, Statement& out, Reach& reach) {
  auto list = strings_of(value, "Resource");
  if (!list || list->empty()) return malformed("Policy has invalid resource");
  for (const std::string& text : *list) {
    if (!text.starts_with(kArnPrefix)) return malformed("Policy has invalid resource");
    const std::string_view path = std::string_view(text).substr(kArnPrefix.size());
    const std::string plain = with_variables ? without_variables(path) : std::string(path);
    const size_t slash = plain.find('/');
    if (plain.empty() || !Wildcard(std::string_view(plain).substr(0, slash)).matches(bucket)) {
      return malformed("Policy has invalid resource");
    }
    auto resource = PolicyText::parse(path, with_variables, true, keys);
    if (!resource) return malformed("Policy has an invalid policy variable");
    reach.bucket = reach.bucket || slash == std::string::npos;
    reach.objects =
        reach.objects || slash != std::string::npos || plain.find('*') != std::string::npos;
    out.resources.add(*std::move(resource));
  }
  out.resources.seal();
  return {};
}

// Values of conditions may also be numbers and truth values.
Parsed<std::vector<std::string>> condition_values(const json::value& value) {
  std::vector<std::string> out;
  const auto add = [&out](const json::value& element) {
    if (const auto* text = element.if_string()) {
      out.emplace_back(text->data(), text->size());
    } else if (element.is_bool() || element.is_number()) {
      out.push_back(json::serialize(element));
    } else {
      return false;
    }
    return true;
  };
  if (const auto* list = value.if_array()) {
    if (!std::ranges::all_of(*list, add)) return malformed("Invalid condition value");
  } else if (!add(value)) {
    return malformed("Invalid condition value");
  }
  return out;
}

Parsed<std::vector<Condition>> parse_conditions(const json::value& value, bool with_variables,
                                                KeyTable& keys) {
  std::vector<Condition> out;
  const auto* operators = value.if_object();
  if (operators == nullptr) return malformed("Invalid value of field Condition");
  for (const auto& [op, conditions] : *operators) {
    const auto* by_key = conditions.if_object();
    if (by_key == nullptr) return malformed("Invalid value of field Condition");
    for (const auto& [key, wanted] : *by_key) {
      auto values = condition_values(wanted);
      if (!values) return malformed(std::move(values).error());
      auto condition = Condition::compile(op, key, *values, with_variables, keys);
      if (!condition) return malformed(std::move(condition).error());
      out.push_back(*std::move(condition));
    }
  }
  return out;
}

// Exactly one of a field and its opposite: "Action" or "NotAction".
struct Either {
  const json::value* value = nullptr;
  bool negated = false;
};

Parsed<Either> one_of(const json::object& statement, std::string_view field) {
  const std::string opposite = "Not" + std::string(field);
  const json::value* plain = statement.if_contains(field);
  const json::value* negated = statement.if_contains(opposite);
  if (plain != nullptr && negated != nullptr) {
    return malformed("Statement must not have both " + std::string(field) + " and " + opposite);
  }
  if (plain == nullptr && negated == nullptr) {
    return malformed("Missing required field " + std::string(field));
  }
  return Either{plain != nullptr ? plain : negated, plain == nullptr};
}

Parsed<void> check_fields(const json::object& object,
                          std::initializer_list<std::string_view> known) {
  for (const auto& member : object) {
    if (std::ranges::find(known, std::string_view(member.key())) == known.end()) {
      return malformed("Unknown field " + std::string(member.key()));
    }
  }
  return {};
}

Parsed<bool> parse_effect(const json::object& statement) {
  const json::value* effect = statement.if_contains("Effect");
  if (effect == nullptr) return malformed("Missing required field Effect");
  const auto* text = effect->if_string();
  if (text != nullptr && (*text == "Allow" || *text == "Deny")) return *text == "Deny";
  return malformed("Invalid effect: " +
                   (text != nullptr ? std::string(*text) : json::serialize(*effect)));
}

Parsed<Statement> parse_statement(const json::value& value, std::string_view bucket,
                                  bool with_variables, KeyTable& keys, Work& work) {
  const auto* object = value.if_object();
  if (object == nullptr) return malformed("Statement is not an object");
  if (auto known = check_fields(*object, {"Sid", "Effect", "Principal", "NotPrincipal", "Action",
                                          "NotAction", "Resource", "NotResource", "Condition"});
      !known) {
    return malformed(std::move(known).error());
  }
  if (const json::value* sid = object->if_contains("Sid"); sid != nullptr && !sid->is_string()) {
    return malformed("Invalid value of field Sid");
  }
  Statement out;
  auto deny = parse_effect(*object);
  if (!deny) return malformed(std::move(deny).error());
  out.deny = *deny;
  const auto principal = one_of(*object, "Principal");
  if (!principal) return malformed(principal.error());
  out.not_principal = principal->negated;
  // It would allow everybody but the ones named, unsigned requests too.
  if (out.not_principal && !out.deny) return malformed("Allow with NotPrincipal is not allowed");
  if (auto parsed = parse_principal(*principal->value, out.deny, out.principals); !parsed) {
    return malformed(std::move(parsed).error());
  }
  const auto action = one_of(*object, "Action");
  if (!action) return malformed(action.error());
  const auto resource = one_of(*object, "Resource");
  if (!resource) return malformed(resource.error());
  Reach reach;
  if (auto parsed = parse_resources(*resource->value, bucket, with_variables, keys, out, reach);
      !parsed) {
    return malformed(std::move(parsed).error());
  }
  out.not_resource = resource->negated;
  const bool anything = out.not_resource || action->negated;
  auto actions =
      parse_actions(*action->value, anything ? Reach{true, true} : reach, out.deny, work);
  if (!actions) return malformed(std::move(actions).error());
  out.actions = action->negated ? ~*actions : *actions;
  if (const json::value* condition = object->if_contains("Condition")) {
    auto conditions = parse_conditions(*condition, with_variables, keys);
    if (!conditions) return malformed(std::move(conditions).error());
    out.conditions = *std::move(conditions);
  }
  return out;
}

Parsed<bool> parse_version(const json::object& document) {
  const json::value* version = document.if_contains("Version");
  if (version == nullptr) return false;
  const auto* text = version->if_string();
  if (text != nullptr && *text == "2012-10-17") return true;
  if (text != nullptr && *text == "2008-10-17") return false;
  return malformed("The policy must contain a valid version string");
}

}  // namespace

std::expected<PolicyDocument, std::string> parse_policy_document(std::string_view text,
                                                                 std::string_view bucket) {
  if (text.size() > kPolicyBytesMax) {
    return malformed("Policy exceeds the maximum allowed document size.");
  }
  if (text.empty() || text.front() != '{') {
    return malformed("Policies must be valid JSON and the first byte must be '{'");
  }
  json::error_code error;
  const json::value document = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || has_twins(text)) return malformed("This policy contains invalid Json");
  const json::object& object = document.get_object();
  if (auto known = check_fields(object, {"Version", "Id", "Statement"}); !known) {
    return malformed(std::move(known).error());
  }
  const auto with_variables = parse_version(object);
  if (!with_variables) return malformed(with_variables.error());
  const json::value* statements = object.if_contains("Statement");
  if (statements == nullptr) return malformed("Missing required field Statement");
  PolicyDocument out;
  out.lacks_version = !object.contains("Version");
  Work work;  // Of comparing the patterns of all statements with the names of actions.
  const auto add = [&](const json::value& value) -> Parsed<void> {
    auto statement = parse_statement(value, bucket, *with_variables, out.keys, work);
    if (!statement) return malformed(std::move(statement).error());
    out.statements.push_back(*std::move(statement));
    return {};
  };
  if (const auto* list = statements->if_array()) {
    for (const json::value& value : *list) {
      if (auto added = add(value); !added) return malformed(std::move(added).error());
    }
  } else if (auto added = add(*statements); !added) {
    return malformed(std::move(added).error());
  }
  if (out.statements.empty()) return malformed("Statement is empty!");
  return out;
}

}  // namespace rondel::policy
