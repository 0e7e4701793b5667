// XmlDocument: a document that a client sent, bounded before it is parsed: no document types and
// entities of its own, valid UTF-8, at most 16 levels, 131,072 elements and as many attributes.
// Names are local: a name-space prefix is passed over.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/s3/error.h"

namespace pugi {
struct xml_node_struct;
}

namespace rondel::s3 {

// A view: the document must outlive it.
class XmlElement {
 public:
  explicit XmlElement(pugi::xml_node_struct* node) : node_(node) {}

  std::string_view name() const;
  // The character data directly below, as sent.
  std::string text() const;
  // Without white space at its ends.
  std::string trimmed_text() const;
  std::vector<XmlElement> children() const;
  std::vector<XmlElement> children(std::string_view name) const;
  // The first of that name.
  std::optional<XmlElement> child(std::string_view name) const;
  std::optional<std::string> child_text(std::string_view name) const;  // As sent.
  // By local name: "type" finds xsi:type.
  std::optional<std::string> attribute(std::string_view name) const;

 private:
  pugi::xml_node_struct* node_;
};

class XmlDocument {
 public:
  // kMalformedXML: not well-formed, above a bound, or its root element is not called `root`.
  static S3Result<XmlDocument> parse(std::string_view text, std::string_view root);
  ~XmlDocument();
  XmlDocument(XmlDocument&&) noexcept;
  XmlDocument& operator=(XmlDocument&&) noexcept;

  XmlElement root() const;

 private:
  struct Impl;
  explicit XmlDocument(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Nodes and attributes that this thread has looked at since it began: tests hold the readers of
// documents against it.
uint64_t xml_steps();

// Without spaces, tabs and line ends around it.
std::string xml_trimmed(std::string_view text);

}  // namespace rondel::s3
