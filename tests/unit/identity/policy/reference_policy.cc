#include "tests/unit/identity/policy/reference_policy.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <optional>

#include "common/base/encoding.h"

namespace rondel::policy::reference {
namespace {

// One place of a pattern.
struct Token {
  enum Kind { kByte, kOne, kRun } kind;

  char byte;
};

using Pattern = std::vector<Token>;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string lower(std::string_view text) {
  std::string out;
  for (const char c : text) out += lower(c);
  return out;
}

bool matches(const Token* pattern, const Token* end, std::string_view text) {
  if (pattern == end) return text.empty();
  if (pattern->kind == Token::kRun) {
    return matches(pattern + 1, end, text) ||
           (!text.empty() && matches(pattern, end, text.substr(1)));
  }
  if (text.empty()) return false;
  if (pattern->kind == Token::kByte) {
    return pattern->byte == text[0] && matches(pattern + 1, end, text.substr(1));
  }
  size_t size = 1;
  while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) ++size;
  return matches(pattern + 1, end, text.substr(size));
}

bool matches(const Pattern& pattern, std::string_view text) {
  return matches(pattern.data(), pattern.data() + pattern.size(), text);
}

// nullopt: a variable has neither value nor default.
std::optional<Pattern> expanded(std::string_view text, bool wildcards, const Said& said) {
  Pattern pattern;
  const auto literal = [&](std::string_view bytes) {
    for (const char c : bytes) pattern.push_back({Token::kByte, c});
  };
  while (!text.empty()) {
    if (!text.starts_with("${")) {
      const char c = text.front();
      pattern.push_back({wildcards && c == '*'   ? Token::kRun
                         : wildcards && c == '?' ? Token::kOne
                                                 : Token::kByte,
                         c});
      text.remove_prefix(1);
      continue;
    }
    const size_t end = text.find('}');
    const std::string inner(text.substr(2, end - 2));
    text.remove_prefix(end + 1);
    const size_t comma = inner.find(", '");
    const auto found = said.find(inner.substr(0, comma));
    if (inner == "*" || inner == "?" || inner == "$") {
      literal(inner);
    } else if (found != said.end() && found->second.size() == 1) {
      literal(found->second.front());
    } else if (comma != std::string::npos) {
      literal(std::string_view(inner).substr(comma + 3, inner.size() - comma - 4));
    } else {
      return std::nullopt;
    }
  }
  return pattern;
}

// The 128 bits of an address, version 4 as ::ffff:a.b.c.d.
std::vector<bool> bits_of(const std::string& text) {
  unsigned char bytes[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const bool v6 = text.find(':') != std::string::npos;
  if (inet_pton(v6 ? AF_INET6 : AF_INET, text.c_str(), v6 ? bytes : bytes + 12) != 1) return {};
  std::vector<bool> bits;
  for (const unsigned char byte : bytes) {
    for (int bit = 7; bit >= 0; --bit) bits.push_back((byte >> bit) & 1);
  }
  return bits;
}

bool in_range(const std::string& range, const std::string& address) {
  const size_t slash = range.find('/');
  const std::vector<bool> base = bits_of(range.substr(0, slash)), bits = bits_of(address);
  if (bits.empty()) return false;
  const size_t given = slash == std::string::npos ? 128 : std::stoul(range.substr(slash + 1));
  const size_t prefix =
      slash != std::string::npos && range.find(':') == std::string::npos ? given + 96 : given;
  return std::equal(base.begin(), base.begin() + static_cast<std::ptrdiff_t>(prefix), bits.begin());
}

std::optional<double> number_of(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return end != text.c_str() && *end == '\0' ? std::optional(value) : std::nullopt;
}

// Seconds since 1970, or a day and time in UTC.
std::optional<double> time_of(const std::string& text) {
  std::tm parts{};
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return end != nullptr && *end == '\0' ? std::optional(static_cast<double>(timegm(&parts)))
                                        : number_of(text);
}

std::vector<std::string> arn_parts(std::string_view text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ':' && parts.size() < 6) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

bool arn_matches(const std::string& wanted, const std::string& value, const Said& said) {
  if (wanted == "*") return true;
  if (wanted.find("${") != std::string::npos) {
    const auto pattern = expanded(wanted, true, said);
    return pattern && matches(*pattern, value);
  }
  const auto patterns = arn_parts(wanted), parts = arn_parts(value);
  return std::ranges::equal(patterns, parts,
                            [&](const std::string& pattern, const std::string& part) {
                              return matches(*expanded(pattern, true, {}), part);
                            });
}

bool compares(std::string_view op, const std::optional<double>& value,
              const std::optional<double>& wanted) {
  if (!value || !wanted) return false;
  if (op.ends_with("LessThan")) return *value < *wanted;
  if (op.ends_with("LessThanEquals")) return *value <= *wanted;
  if (op.ends_with("GreaterThan")) return *value > *wanted;
  if (op.ends_with("GreaterThanEquals")) return *value >= *wanted;
  return *value == *wanted;
}

// `op` without quantifier, IfExists and negation.
bool compares(const std::string& op, const std::string& value, const std::string& wanted,
              const Said& said) {
  if (op.starts_with("Numeric")) return compares(op, number_of(value), number_of(wanted));
  if (op.starts_with("Date")) return compares(op, time_of(value), time_of(wanted));
  if (op == "Bool") return lower(value) == lower(wanted);
  if (op == "BinaryEquals") {
    return from_base64(value) && *from_base64(value) == *from_base64(wanted);
  }
  if (op == "IpAddress") return in_range(wanted, value);
  if (op.starts_with("Arn")) return arn_matches(wanted, value, said);
  auto pattern = expanded(wanted, op == "StringLike", said);
  if (!pattern) return false;
  if (!op.ends_with("IgnoreCase")) return matches(*pattern, value);
  for (Token& token : *pattern) token.byte = lower(token.byte);
  return matches(*pattern, lower(value));
}

bool take(std::string& text, std::string_view part) {
  const size_t at = text.find(part);
  if (at == std::string::npos) return false;
  text.erase(at, part.size());
  return true;
}

bool holds(const Condition& condition, const Said& said) {
  const auto found = said.find(condition.key);
  const std::vector<std::string> present =
      found == said.end() ? std::vector<std::string>{} : found->second;
  std::string op = condition.op;
  if (op == "Null") {
    return std::ranges::any_of(condition.values, [&](const std::string& wanted) {
      return (wanted == "true") == present.empty();
    });
  }
  const bool any = take(op, "ForAnyValue:"), all = take(op, "ForAllValues:"),
             if_exists = take(op, "IfExists"), negated = take(op, "Not");
  if (present.empty()) return all || if_exists || (negated && !any);
  const auto satisfied = [&](const std::string& value) {
    return std::ranges::any_of(condition.values, [&](const std::string& wanted) {
             return compares(op, value, wanted, said);
           }) != negated;
  };
  return all || (negated && !any) ? std::ranges::all_of(present, satisfied)
                                  : std::ranges::any_of(present, satisfied);
}

bool is_about(const Statement& statement, std::string_view resource, const Said& said) {
  bool unresolved = false;
  const bool named = std::ranges::any_of(statement.resources, [&](const std::string& text) {
    const auto pattern = expanded(text, true, said);
    return pattern && matches(*pattern, resource);
  });
  for (const std::string& text : statement.resources) {
    unresolved = unresolved || !expanded(text, true, said);
  }
  return statement.not_resource ? !named && (statement.deny || !unresolved) : named;
}

bool matches(const Statement& statement, std::string_view action, std::string_view resource,
             const Caller& caller, const Said& said) {
  const bool principal = std::ranges::any_of(statement.principals, [&](const std::string& name) {
    return name == "*" || (!caller.anonymous && name == caller.account_id);
  });
  const bool acts = std::ranges::any_of(statement.actions, [&](const std::string& text) {
    return matches(*expanded(text, true, {}), action);
  });
  return principal != statement.not_principal && acts != statement.not_action &&
         is_about(statement, resource, said) &&
         std::ranges::all_of(statement.conditions,
                             [&](const Condition& condition) { return holds(condition, said); });
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) out.append(c == '"' || c == '\\' ? "\\" : "").push_back(c);
  return out + '"';
}

std::string list_of(const std::vector<std::string>& texts, std::string_view before = "") {
  std::string out = "[";
  for (const std::string& text : texts) {
    out += (out.size() > 1 ? "," : "") + quoted(std::string(before) + text);
  }
  return out + "]";
}

std::string json_of(const std::vector<Condition>& conditions) {
  std::map<std::string, std::string> by_operator;
  for (const Condition& condition : conditions) {
    std::string& members = by_operator[condition.op];
    members +=
        (members.empty() ? "" : ",") + quoted(condition.key) + ":" + list_of(condition.values);
  }
  std::string out;
  for (const auto& [op, members] : by_operator) {
    out += (out.empty() ? "" : ",") + quoted(op) + ":{" + members + "}";
  }
  return "{" + out + "}";
}

}  // namespace

std::string json_of(const std::vector<Statement>& statements) {
  std::string out;
  const auto field = [](bool negated, const std::string& name) {
    return quoted((negated ? "Not" : "") + name) + ":";
  };
  for (const Statement& statement : statements) {
    out += out.empty() ? "{" : ",{";
    out += R"("Effect":)" + quoted(statement.deny ? "Deny" : "Allow") + "," +
           field(statement.not_principal, "Principal") + R"({"AWS":)" +
           list_of(statement.principals) + "}," + field(statement.not_action, "Action") +
           list_of(statement.actions) + "," + field(statement.not_resource, "Resource") +
           list_of(statement.resources, "arn:aws:s3:::") + R"(,"Condition":)" +
           json_of(statement.conditions) + "}";
  }
  return R"({"Version":"2012-10-17","Statement":[)" + out + "]}";
}

Effect evaluate(const std::vector<Statement>& statements, std::string_view action,
                std::string_view resource, const Caller& caller, const Said& said) {
  Effect effect = Effect::kNone;
  for (const Statement& statement : statements) {
    if (!matches(statement, action, resource, caller, said)) continue;
    if (statement.deny) return Effect::kDeny;
    effect = Effect::kAllow;
  }
  return effect;
}

}  // namespace rondel::policy::reference
