#include "gateway/s3/xml_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "common/base/encoding.h"

namespace rondel::s3 {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD.

std::string reference(uint32_t code) { return fmt::format("&#x{:x};", code); }

// Of a character behind ASCII that never goes out as it is: a control (U+0080 to U+009F), or none
// (U+FFFE, U+FFFF).
std::optional<uint32_t> forbidden_code(std::string_view character) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 2 && byte(0) == 0xc2 && byte(1) < 0xa0) return byte(1);
  if (character.size() == 3 && byte(0) == 0xef && byte(1) == 0xbf && byte(2) >= 0xbe) {
    return 0xffc0 + (byte(2) & 0x3fu);
  }
  return std::nullopt;
}

}  // namespace

XmlWriter::XmlWriter(std::string_view root, std::string_view xml_namespace, Quotes quotes)
    : quotes_(quotes) {
  out_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  if (xml_namespace.empty()) {
    open(root);
  } else {
    open_with(root, "xmlns=\"" + std::string(xml_namespace) + "\"");
  }
}

void XmlWriter::open(std::string_view element) {
  out_.append("<").append(element).append(">");
  open_.emplace_back(element);
}

void XmlWriter::open_with(std::string_view element, std::string_view attributes) {
  out_.append("<").append(element).append(" ").append(attributes).append(">");
  open_.emplace_back(element);
}

void XmlWriter::close() {
  out_.append("</").append(open_.back()).append(">");
  open_.pop_back();
}

void XmlWriter::text(std::string_view element, std::string_view value) {
  out_.append("<").append(element).append(">");
  escape(value);
  out_.append("</").append(element).append(">");
}

void XmlWriter::number(std::string_view element, uint64_t value) {
  text(element, std::to_string(value));
}

bool fits_xml(std::string_view text) {
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text.front());
    const size_t length = utf8_character(text);
    if (length == 0 || (c < 0x20 && c != '\t' && c != '\n' && c != '\r')) return false;
    if (length == 3 && forbidden_code(text.substr(0, length))) return false;
    text.remove_prefix(length);
  }
  return true;
}

// Some control characters cannot stand in XML 1.0, not even as references; S3 writes the references
// all the same, and clients that expect such keys ask for encoding-type=url. Bytes that are no text
// at all are a replacement character each.
void XmlWriter::escape(std::string_view value) {
  size_t plain = 0;  // Of the front of `value`: goes out as it is.
  const auto replace = [&](size_t length, std::string_view with) {
    out_.append(value.substr(0, plain)).append(with);
    value.remove_prefix(plain + length);
    plain = 0;
  };
  while (plain < value.size()) {
    const std::string_view rest = value.substr(plain);
    const auto c = static_cast<unsigned char>(rest.front());
    switch (c) {
      case '&': replace(1, "&amp;"); continue;
      case '<': replace(1, "&lt;"); continue;
      case '>': replace(1, "&gt;"); continue;
      case '"':
        if (quotes_ == Quotes::kPlain) break;
        replace(1, "&quot;");
        continue;
      default: break;
    }
    if (c < 0x20 || c == 0x7f) {
      replace(1, reference(c));
    } else if (c < 0x80) {
      ++plain;
    } else if (const size_t length = utf8_character(rest); length == 0) {
      replace(1, kReplacement);
    } else if (const auto code = forbidden_code(rest.substr(0, length))) {
      replace(length, reference(*code));
    } else {
      plain += length;
    }
  }
  out_.append(value);
}

std::string XmlWriter::finish() && {
  while (!open_.empty()) close();
  return std::move(out_);
}

}  // namespace rondel::s3
