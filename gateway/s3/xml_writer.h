// XmlWriter: documents as S3 answers them, written front to back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rondel::s3 {

inline constexpr std::string_view kS3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/";

// Whether every character can stand in XML 1.0. Controls other than tab, line feed and carriage
// return cannot, nor U+FFFE and U+FFFF, nor bytes that are no UTF-8.
bool fits_xml(std::string_view text);

// How a quotation mark in text is written: S3 escapes it in answers (<ETag>&quot;...) and leaves it
// in the documents of errors.
enum class Quotes { kEscaped, kPlain };

class XmlWriter {
 public:
  // Declaration and root element; an empty name space is not written.
  explicit XmlWriter(std::string_view root, std::string_view xml_namespace = kS3Namespace,
                     Quotes quotes = Quotes::kEscaped);

  void open(std::string_view element);
  // With one attribute list, written as given: xsi:type="CanonicalUser".
  void open_with(std::string_view element, std::string_view attributes);
  void close();
  // Whatever the value is, what goes out is UTF-8 without a control character: those are
  // references, bytes that are no text U+FFFD.
  void text(std::string_view element, std::string_view value);
  void number(std::string_view element, uint64_t value);

  void boolean(std::string_view element, bool value) { text(element, value ? "true" : "false"); }

  std::string finish() &&;

 private:
  void escape(std::string_view value);

  Quotes quotes_;
  std::string out_;
  std::vector<std::string> open_;
};

}  // namespace rondel::s3
