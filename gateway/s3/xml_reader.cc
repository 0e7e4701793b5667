#include "gateway/s3/xml_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <pugixml.hpp>

#include "common/base/encoding.h"

namespace rondel::s3 {
namespace {

thread_local uint64_t steps = 0;

constexpr size_t kDepthMax = 16;
constexpr size_t kElementsMax = 131'072;

std::string_view local_name(std::string_view name) {
  const size_t colon = name.rfind(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

// A parsed node is twenty times its shortest text: what a document may hold is bounded by its
// characters first.
bool is_bounded(std::string_view text) {
  size_t tags = 0, attributes = 0;
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] == '<' && text[i + 1] != '/') ++tags;
    if (text[i] == '=' && (text[i + 1] == '"' || text[i + 1] == '\'')) ++attributes;
  }
  return tags <= kElementsMax && attributes <= kElementsMax;
}

bool is_plain(std::string_view text) {
  for (const std::string_view banned : {"<!DOCTYPE", "<!ENTITY"}) {
    if (text.find(banned) != std::string_view::npos) return false;
  }
  return text.find('\0') == std::string_view::npos && is_valid_utf8(text);
}

// Of "&#...;", what is behind the ampersand and the hash up to the semicolon: a character that
// UTF-8 can say, and no NUL, which would end the text for the parser. The parser itself lets the
// number wrap.
bool is_character(std::string_view digits) {
  const bool hexadecimal = digits.starts_with('x');
  if (hexadecimal) digits.remove_prefix(1);
  const std::string_view allowed = hexadecimal ? "0123456789abcdefABCDEF" : "0123456789";
  uint32_t value = 0;
  if (digits.find_first_not_of(allowed) != std::string_view::npos) return false;
  const char* const last = digits.data() + digits.size();
  const auto [end, error] = std::from_chars(digits.data(), last, value, hexadecimal ? 16 : 10);
  if (error != std::errc()) return false;  // Also of no digit at all.
  return value > 0 && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
}

// Whether every reference to a character by its number is one. Sections and comments have none.
bool has_good_references(std::string_view text) {
  using Marks = std::pair<std::string_view, std::string_view>;
  static constexpr std::array<Marks, 2> kLiteral{{{"<![CDATA[", "]]>"}, {"<!--", "-->"}}};
  while (true) {
    const size_t at = text.find_first_of("&<");
    if (at == std::string_view::npos) return true;
    text.remove_prefix(at);
    const auto begins = [&](const Marks& marks) { return text.starts_with(marks.first); };
    const auto literal = std::ranges::find_if(kLiteral, begins);
    if (literal != kLiteral.end()) {
      const size_t end = text.find(literal->second, literal->first.size());
      if (end == std::string_view::npos) return true;  // The parser says what is wrong.
      text.remove_prefix(end);
    } else if (text.starts_with("&#")) {
      const size_t end = text.find(';');
      if (end == std::string_view::npos || !is_character(text.substr(2, end - 2))) return false;
    }
    text.remove_prefix(1);
  }
}

bool is_shallow(const pugi::xml_node& root) {
  size_t depth = 1;
  pugi::xml_node node = root;
  while (node) {
    if (node.first_child()) {
      if (++depth > kDepthMax) return false;
      node = node.first_child();
      continue;
    }
    while (node && node != root && !node.next_sibling()) {
      node = node.parent();
      --depth;
    }
    if (node == root) break;
    node = node.next_sibling();
  }
  return true;
}

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

}  // namespace

struct XmlDocument::Impl {
  pugi::xml_document document;
};

XmlDocument::XmlDocument(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

XmlDocument::~XmlDocument() = default;
XmlDocument::XmlDocument(XmlDocument&&) noexcept = default;
XmlDocument& XmlDocument::operator=(XmlDocument&&) noexcept = default;

S3Result<XmlDocument> XmlDocument::parse(std::string_view text, std::string_view root) {
  if (text.empty()) return fail(ErrorCode::kMissingRequestBodyError);
  if (!is_plain(text) || !is_bounded(text) || !has_good_references(text)) {
    return fail(ErrorCode::kMalformedXML);
  }
  auto impl = std::make_unique<Impl>();
  const unsigned flags =
      pugi::parse_cdata | pugi::parse_escapes | pugi::parse_eol | pugi::parse_ws_pcdata_single;
  if (!impl->document.load_buffer(text.data(), text.size(), flags, pugi::encoding_utf8)) {
    return fail(ErrorCode::kMalformedXML);
  }
  const pugi::xml_node node = impl->document.document_element();
  if (!node || local_name(node.name()) != root || !is_shallow(node)) {
    return fail(ErrorCode::kMalformedXML);
  }
  return XmlDocument(std::move(impl));
}

XmlElement XmlDocument::root() const {
  return XmlElement(impl_->document.document_element().internal_object());
}

std::string_view XmlElement::name() const { return local_name(pugi::xml_node(node_).name()); }

// Text with a comment or CDATA section in it is several nodes.
std::string XmlElement::text() const {
  std::string out;
  for (const pugi::xml_node& child : pugi::xml_node(node_).children()) {
    ++steps;
    if (child.type() == pugi::node_pcdata || child.type() == pugi::node_cdata) out += child.value();
  }
  return out;
}

std::string XmlElement::trimmed_text() const { return xml_trimmed(text()); }

std::vector<XmlElement> XmlElement::children() const {
  std::vector<XmlElement> found;
  for (const pugi::xml_node& child : pugi::xml_node(node_).children()) {
    ++steps;
    if (child.type() == pugi::node_element) found.emplace_back(child.internal_object());
  }
  return found;
}

std::vector<XmlElement> XmlElement::children(std::string_view name) const {
  std::vector<XmlElement> found;
  for (const XmlElement& child : children()) {
    if (child.name() == name) found.push_back(child);
  }
  return found;
}

std::optional<XmlElement> XmlElement::child(std::string_view name) const {
  for (const pugi::xml_node& child : pugi::xml_node(node_).children()) {
    ++steps;
    if (child.type() == pugi::node_element && local_name(child.name()) == name) {
      return XmlElement(child.internal_object());
    }
  }
  return std::nullopt;
}

std::optional<std::string> XmlElement::child_text(std::string_view name) const {
  const auto found = child(name);
  return found ? std::optional(found->text()) : std::nullopt;
}

std::optional<std::string> XmlElement::attribute(std::string_view name) const {
  for (const pugi::xml_attribute& attribute : pugi::xml_node(node_).attributes()) {
    ++steps;
    if (local_name(attribute.name()) == name) return std::string(attribute.value());
  }
  return std::nullopt;
}

uint64_t xml_steps() { return steps; }

std::string xml_trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  return std::string(text);
}

}  // namespace rondel::s3
