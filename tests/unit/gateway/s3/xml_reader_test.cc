#include "gateway/s3/xml_reader.h"

#include <gtest/gtest.h>

namespace rondel::s3 {
namespace {

std::string nested(int levels) {
  std::string out;
  for (int i = 0; i < levels; ++i) out += "<a>";
  for (int i = 0; i < levels; ++i) out += "</a>";
  return out;
}

TEST(XmlReader, NamesTextAttributes) {
  const auto document = XmlDocument::parse(
      "<?xml version=\"1.0\"?><p:Root xmlns:p='u'><A> x&amp;y </A><!-- c --><p:A "
      "t:k='v'>two<![CDATA[<&]]></p:A><B/></p:Root>",
      "Root");
  ASSERT_TRUE(document);
  const XmlElement root = document->root();
  EXPECT_EQ(root.children().size(), 3u);
  EXPECT_EQ(root.child_text("A"), " x&y ");
  EXPECT_EQ(root.child("A")->trimmed_text(), "x&y");
  EXPECT_EQ(root.children("A")[1].text(), "two<&");
  EXPECT_EQ(root.children("A")[1].attribute("k"), "v");
  EXPECT_EQ(root.child_text("B"), "");
  EXPECT_EQ(root.child_text("C"), std::nullopt);
}

TEST(XmlReader, ABodyThatIsNotThereIsToldApart) {
  EXPECT_EQ(XmlDocument::parse("", "Root").error().code, ErrorCode::kMissingRequestBodyError);
}

TEST(XmlReader, RefusesWhatIsNotBoundedPlainXml) {
  for (const std::string& text :
       {std::string("<"), std::string("<Root>"), std::string("<Other/>"), std::string("Root"),
        std::string("<!DOCTYPE r [<!ENTITY a 'b'>]><Root>&a;</Root>"),
        std::string("<Root>\xff</Root>"), std::string("<Root>\0</Root>", 14),
        "<Root>" + nested(20) + "</Root>"}) {
    const auto document = XmlDocument::parse(text, "Root");
    ASSERT_FALSE(document) << text;
    EXPECT_EQ(document.error().code, ErrorCode::kMalformedXML);
  }
  std::string wide = "<Root>";
  for (int i = 0; i < 140'000; ++i) wide += "<a/>";
  EXPECT_FALSE(XmlDocument::parse(wide + "</Root>", "Root"));
  std::string attributes = "<Root ";
  for (int i = 0; i < 140'000; ++i) attributes += "a='' ";
  EXPECT_FALSE(XmlDocument::parse(attributes + "/>", "Root"));
}

TEST(XmlReader, DepthIsCountedInTheTreeNotInTheText) {
  EXPECT_TRUE(
      XmlDocument::parse("<Root>" + nested(14) + "<!-- <a><a><a><a><a><a><a> --></Root>", "Root"));
  EXPECT_FALSE(XmlDocument::parse("<Root><x y='>'>" + nested(16) + "</x></Root>", "Root"));
}

// Numbers that a parser might let wrap, and characters that would end a text or be no UTF-8.
TEST(XmlReader, ReferencesAreCharacters) {
  const auto text = [](const std::string& inside) {
    const auto document = XmlDocument::parse("<R>" + inside + "</R>", "R");
    return document ? std::optional(document->root().text()) : std::nullopt;
  };
  EXPECT_EQ(text("a&#65;&#x41;&#x000041;&#0065;b"), "aAAAAb");
  EXPECT_EQ(text("&#1;&#x1f;&#127;"), "\x01\x1f\x7f") << "keys may hold them";
  EXPECT_EQ(text("&#x10ffff;"), "\xf4\x8f\xbf\xbf");
  EXPECT_EQ(text("&#xd7ff;&#xe000;"), "\xed\x9f\xbf\xee\x80\x80");
  EXPECT_EQ(text("<![CDATA[&#0;]]>&amp;#0;"), "&#0;&#0;");
  EXPECT_EQ(text("<!-- &#0; -->a"), "a");
  for (const char* bad : {"&#0;",
                          "a&#0;b",
                          "&#x0;",
                          "&#000;",
                          "&#4294967296;",
                          "&#4294967361;",
                          "&#18446744073709551681;",
                          "&#x100000041;",
                          "&#999999999999999999999999999999;",
                          "&#1114112;",
                          "&#x110000;",
                          "&#xd800;",
                          "&#xdfff;",
                          "&#55296;",
                          "&#-1;",
                          "&#+65;",
                          "&#1.5;",
                          "&#;",
                          "&#x;",
                          "&# 65;",
                          "&#65",
                          "&#x-41;",
                          "&#X41;",
                          "<![CDATA[]]>&#0;"}) {
    EXPECT_EQ(text(bad), std::nullopt) << bad;
  }
  EXPECT_FALSE(XmlDocument::parse("<R a=\"&#0;\"/>", "R")) << "in an attribute too";
}

}  // namespace
}  // namespace rondel::s3
