#include "identity/policy/policy_text.h"

#include <algorithm>
#include <utility>

#include "common/http/message.h"

namespace rondel::policy {
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

std::optional<PolicyText> PolicyText::parse(std::string_view text, bool with_variables,
                                            bool with_wildcards, KeyTable& keys) {
  PolicyText out;
  const auto compiled = [with_wildcards](std::string_view literal) {
    Wildcard pattern;
    with_wildcards ? pattern.append_pattern(literal) : pattern.append_literal(literal);
    return pattern;
  };
  // "${*}", "${?}" and "${$}" are these characters themselves: pieces that are literal, so kept as
  // variables with a default.
  while (!text.empty()) {
    const size_t begin = with_variables ? text.find("${") : std::string_view::npos;
    Piece piece{compiled(text.substr(0, begin)), {}, {}, 0, {}};
    piece.runs.emplace_back(piece.text.literal_prefix());
    for (const std::string_view run : piece.text.literal_runs()) piece.runs.emplace_back(run);
    if (begin == std::string_view::npos) {
      if (out.pieces_.empty()) {
        out.pattern_ = std::move(piece.text);
      } else {
        out.pieces_.push_back(std::move(piece));
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
      const auto key = variable ? parse_key(variable->name) : std::nullopt;
      if (!key) return std::nullopt;
      piece.key = key->key;
      piece.key_number = keys.number_of(*key);
      piece.otherwise = variable->otherwise;
    }
    out.pieces_.push_back(std::move(piece));
    text.remove_prefix(end + 1);
  }
  return out;
}

std::optional<std::string_view> PolicyText::Piece::value(const RequestValues& request) const {
  if (key) {
    const std::vector<RequestValue>& values = request.of(key_number);
    // A key with several values cannot stand for one text.
    if (values.size() == 1) return values.front().text();
  }
  return otherwise;
}

bool PolicyText::matches(std::string_view text, const RequestValues& request,
                         bool ignore_case) const {
  std::string_view rest = text;
  const auto take = [&](std::string_view literal) {
    if (literal.size() > rest.size()) return false;
    request.work().add(literal.size() / (ignore_case ? 1 : 8) + 1);
    const std::string_view head = rest.substr(0, literal.size());
    if (ignore_case ? !http::iequals(head, literal) : head != literal) return false;
    rest.remove_prefix(literal.size());
    return true;
  };
  // Piece by piece as long as they are literal, which tells most texts apart without building the
  // pattern.
  for (const Piece& piece : pieces_) {
    if (!piece.text.is_literal()) {
      return piece.has_variable() ? matches_expanded(text, request)
                                  : piece.text.matches(rest, request.work());
    }
    if (!take(piece.text.text())) return false;
    if (!piece.has_variable()) break;
    const auto value = piece.value(request);
    if (!value || !take(*value)) return false;
  }
  return rest.empty();
}

bool PolicyText::matches_expanded(std::string_view text, const RequestValues& request) const {
  Work& work = request.work();
  // Values may be kilobytes in the place of a few characters: what is longer than the text is never
  // built.
  size_t least = 0;
  for (const Piece& piece : pieces_) {
    work.add(1);
    const auto value = piece.value(request);
    least += piece.text.size_min() + (value ? value->size() : 0);
    if (least > text.size()) return false;
  }
  // What does not hold all literal runs in their order needs no pattern. The last one before all:
  // texts of a policy often begin alike.
  const Piece& last = pieces_.back();
  size_t at = 0;
  const auto find = [&](std::string_view run) {
    const auto end = find_end(text, run, at, work);
    if (end) at = *end;
    return end.has_value();
  };
  if (!last.has_variable() && !find_end(text, last.runs.back(), 0, work)) return false;
  for (const Piece& piece : pieces_) {
    if (!std::ranges::all_of(piece.runs, find)) return false;
    const auto value = piece.value(request);
    if (piece.has_variable() && (!value || !find(*value))) return false;
  }
  Wildcard pattern;
  for (const Piece& piece : pieces_) {
    pattern.append(piece.text);
    if (const auto value = piece.value(request)) pattern.append_literal(*value);
  }
  work.add(pattern.text().size());
  return pattern.matches(text, work);
}

bool PolicyText::resolves(const RequestValues& request) const {
  return std::ranges::all_of(
      pieces_, [&](const Piece& piece) { return !piece.has_variable() || piece.value(request); });
}

size_t PolicyText::memory_bytes() const {
  size_t bytes = pattern_.memory_bytes() + pieces_.capacity() * sizeof(Piece);
  for (const Piece& piece : pieces_) {
    bytes += piece.text.memory_bytes() + piece.runs.capacity() * sizeof(std::string);
    for (const std::string& run : piece.runs) bytes += run.capacity();
    if (piece.otherwise) bytes += piece.otherwise->capacity();
  }
  return bytes;
}

bool PolicyText::uses(ConditionKey key) const {
  return std::ranges::any_of(pieces_, [key](const Piece& piece) { return piece.key == key; });
}

}  // namespace rondel::policy
