#include "gateway/s3/xml_writer.h"

#include <algorithm>
#include <cstdint>

namespace rondel::s3 {

XmlWriter::XmlWriter(std::string_view root, std::string_view xml_namespace, Quotes quotes) : quotes_(quotes) {
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

void XmlWriter::number(std::string_view element, uint64_t value) { text(element, std::to_string(value)); }

bool fits_xml(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r'; });
}

// Control bytes cannot stand in XML 1.0, not even as references; S3 writes the references all the same, and clients that
// expect such keys ask for encoding-type=url.
void XmlWriter::escape(std::string_view value) {
  for (const char c : value) {
    switch (c) {
      case '&': out_ += "&amp;"; break;
      case '<': out_ += "&lt;"; break;
      case '>': out_ += "&gt;"; break;
      case '"': out_ += quotes_ == Quotes::kEscaped ? "&quot;" : "\""; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out_ += "&#x" + std::string(1, "0123456789abcdef"[static_cast<unsigned char>(c) >> 4]) + "0123456789abcdef"[c & 15] + ";";
        } else {
          out_ += c;
        }
    }
  }
}

std::string XmlWriter::finish() && {
  while (!open_.empty()) close();
  return std::move(out_);
}

}  // namespace rondel::s3
