#include "gateway/s3/tagging.h"

#include <gtest/gtest.h>

namespace rondel::s3 {
namespace {

std::string tag(const std::string& key, const std::string& value) {
  return "<Tag><Key>" + key + "</Key><Value>" + value + "</Value></Tag>";
}

std::string document(const std::string& tags) {
  return "<Tagging><TagSet>" + tags + "</TagSet></Tagging>";
}

std::string error_of(const std::string& text, size_t max = kObjectTagsMax) {
  const auto parsed = parse_tagging_document(text, max);
  return parsed ? "none" : std::string(name(parsed.error().code));
}

std::string header_error(std::string_view text) {
  const auto parsed = parse_tagging_header(text);
  return parsed ? "none" : std::string(name(parsed.error().code));
}

TEST(Tagging, DocumentIsSortedByKey) {
  const auto parsed = parse_tagging_document(
      document(tag("b key", "+-=._:/@") + tag("a", "") + tag("\xc3\xbc", "\xe6\x97\xa5")),
      kObjectTagsMax);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, (Tags{{"a", ""}, {"b key", "+-=._:/@"}, {"\xc3\xbc", "\xe6\x97\xa5"}}));
  EXPECT_TRUE(parse_tagging_document(document(""), kObjectTagsMax)->empty());
}

TEST(Tagging, LimitsAreInCharacters) {
  std::string umlauts;
  for (int i = 0; i < 128; ++i) umlauts += "\xc3\xbc";
  EXPECT_EQ(error_of(document(tag(umlauts, umlauts + umlauts))), "none");
  EXPECT_EQ(error_of(document(tag(umlauts + "x", ""))), "InvalidTag");
  EXPECT_EQ(error_of(document(tag("k", umlauts + umlauts + "x"))), "InvalidTag");
  std::string ten;
  for (int i = 0; i < 10; ++i) ten += tag("k" + std::to_string(i), "v");
  EXPECT_EQ(error_of(document(ten)), "none");
  EXPECT_EQ(error_of(document(ten + tag("more", "v"))), "InvalidTag");
  EXPECT_EQ(error_of(document(ten + tag("more", "v")), kBucketTagsMax), "none");
}

TEST(Tagging, BadSetsAreRefused) {
  EXPECT_EQ(error_of(document(tag("", "v"))), "InvalidTag");
  EXPECT_EQ(error_of(document(tag("k", "v") + tag("k", "w"))), "InvalidTag");
  EXPECT_EQ(error_of(document(tag("aws:k", "v"))), "InvalidTag");
  EXPECT_EQ(error_of(document(tag("k!", "v"))), "InvalidTag");
  EXPECT_EQ(error_of(document(tag("k", "a\tb"))), "InvalidTag");
  EXPECT_EQ(error_of(document("<Tag><Key>k</Key></Tag>")), "MalformedXML");
  EXPECT_EQ(error_of(document("<Other/>")), "MalformedXML");
  EXPECT_EQ(error_of("<Tagging/>"), "MalformedXML");
  EXPECT_EQ(error_of("<Tagging><TagSet>"), "MalformedXML");
}

TEST(Tagging, HeaderIsFormEncoded) {
  EXPECT_EQ(*parse_tagging_header("a=1&b+c=d%3De&f="),
            (Tags{{"a", "1"}, {"b c", "d=e"}, {"f", ""}}));
  EXPECT_EQ(*parse_tagging_header("flag"), (Tags{{"flag", ""}}));
  EXPECT_TRUE(parse_tagging_header("")->empty());
  EXPECT_EQ(header_error("a=1&a=2"), "InvalidArgument");
  EXPECT_EQ(header_error("a=%zz"), "InvalidArgument");
  EXPECT_EQ(header_error("a=%ff"), "InvalidArgument");
  for (const char* text : {"=v", "=", "a=1&=", "a=b=c", "a=b,c=d"}) {
    EXPECT_EQ(header_error(text), "InvalidArgument") << text;
  }
}

}  // namespace
}  // namespace rondel::s3
