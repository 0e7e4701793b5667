#include "gateway/auth/policy_text.h"

#include <algorithm>
#include <utility>

namespace rondel::auth {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

struct Variable {
  std::string_view name;
  std::optional<std::string> otherwise;
};

// "aws:username, 'default'" between the braces.
std::optional<Variable> parse_variable(std::string_view text) {
  const size_t comma = text.find(',');
  Variable variable{trimmed(text.substr(0, comma)), std::nullopt};
  if (comma == std::string_view::npos) return variable;
  const std::string_view quoted = trimmed(text.substr(comma + 1));
  if (quoted.size() < 2 || quoted.front() != '\'' || quoted.back() != '\'') return std::nullopt;
  variable.otherwise = quoted.substr(1, quoted.size() - 2);
  return variable;
}

}  // namespace

std::optional<PolicyText> PolicyText::parse(std::string_view text, bool with_variables, bool with_wildcards) {
  PolicyText out;
  out.source_ = text;
  out.with_wildcards_ = with_wildcards;
  Piece piece;
  // "${*}", "${?}" and "${$}" are these characters themselves: pieces that are literal, so kept as variables with a default.
  while (!text.empty()) {
    const size_t begin = with_variables ? text.find("${") : std::string_view::npos;
    piece.text = text.substr(0, begin);
    if (begin == std::string_view::npos) {
      if (out.pieces_.empty()) {
        out.append(out.pattern_, piece.text);
      } else {
        out.pieces_.push_back(std::exchange(piece, {}));
      }
      break;
    }
    const size_t end = text.find('}', begin);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view inner = text.substr(begin + 2, end - begin - 2);
    if (inner == "*" || inner == "?" || inner == "$") {
      piece.otherwise = inner;
    } else {
      const auto variable = parse_variable(inner);
      if (!variable) return std::nullopt;
      piece.variable = parse_key(variable->name);
      if (!piece.variable) return std::nullopt;
      piece.otherwise = variable->otherwise;
    }
    out.pieces_.push_back(std::exchange(piece, {}));
    text.remove_prefix(end + 1);
  }
  return out;
}

void PolicyText::append(Wildcard& pattern, std::string_view text) const {
  with_wildcards_ ? pattern.append_pattern(text) : pattern.append_literal(text);
}

std::optional<Wildcard> PolicyText::expand(const ConditionSource& request) const {
  Wildcard pattern;
  for (const Piece& piece : pieces_) {
    append(pattern, piece.text);
    std::vector<std::string> values;
    if (piece.variable) values = request.values(*piece.variable);
    // A key with several values cannot stand for one text.
    if (values.size() == 1) {
      pattern.append_literal(values.front());
    } else if (piece.otherwise) {
      pattern.append_literal(*piece.otherwise);
    } else if (piece.variable) {
      return std::nullopt;
    }
  }
  return pattern;
}

bool PolicyText::uses(ConditionKey key) const {
  return std::ranges::any_of(pieces_, [key](const Piece& piece) { return piece.variable && piece.variable->key == key; });
}

}  // namespace rondel::auth
