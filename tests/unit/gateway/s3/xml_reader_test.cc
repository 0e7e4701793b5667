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
      "<?xml version=\"1.0\"?><p:Root xmlns:p='u'><A> x&amp;y </A><!-- c --><p:A t:k='v'>two<![CDATA[<&]]></p:A><B/></p:Root>", "Root");
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

TEST(XmlReader, RefusesWhatIsNotBoundedPlainXml) {
  for (const std::string& text : {std::string(), std::string("<"), std::string("<Root>"), std::string("<Other/>"), std::string("Root"),
                                  std::string("<!DOCTYPE r [<!ENTITY a 'b'>]><Root>&a;</Root>"), std::string("<Root>\xff</Root>"),
                                  std::string("<Root>\0</Root>", 14), "<Root>" + nested(20) + "</Root>"}) {
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
  EXPECT_TRUE(XmlDocument::parse("<Root>" + nested(14) + "<!-- <a><a><a><a><a><a><a> --></Root>", "Root"));
  EXPECT_FALSE(XmlDocument::parse("<Root><x y='>'>" + nested(16) + "</x></Root>", "Root"));
}

}  // namespace
}  // namespace rondel::s3
