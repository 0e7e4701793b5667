#include "identity/policy/wildcard.h"

#include <gtest/gtest.h>

#include <random>

namespace rondel::policy {
namespace {

TEST(Wildcard, MatchesWholeTexts) {
  EXPECT_TRUE(Wildcard("a/b").matches("a/b"));
  EXPECT_FALSE(Wildcard("a/b").matches("a/bc"));
  EXPECT_FALSE(Wildcard("a/b").matches("a/"));
  EXPECT_TRUE(Wildcard("").matches(""));
  EXPECT_FALSE(Wildcard("").matches("a"));
}

TEST(Wildcard, StarsCrossSlashes) {
  EXPECT_TRUE(Wildcard("bucket/*").matches("bucket/a/b/c"));
  EXPECT_TRUE(Wildcard("bucket/*").matches("bucket/"));
  EXPECT_FALSE(Wildcard("bucket/*").matches("bucket"));
  EXPECT_TRUE(Wildcard("*.jpg").matches("a/b.jpg"));
  EXPECT_FALSE(Wildcard("*.jpg").matches("a/b.jpgx"));
  EXPECT_TRUE(Wildcard("a*b*c").matches("aXbYbZc"));
  EXPECT_TRUE(Wildcard("**").is_any());
}

TEST(Wildcard, AQuestionMarkIsOneCharacterOfUtf8) {
  EXPECT_TRUE(Wildcard("a?c").matches("abc"));
  EXPECT_TRUE(Wildcard("a?c").matches("a\xc3\xbc" "c"));
  EXPECT_FALSE(Wildcard("a?c").matches("ac"));
  EXPECT_FALSE(Wildcard("a?c").matches("abbc"));
}

TEST(Wildcard, CaseIsIgnoredOnlyWhenAsked) {
  EXPECT_FALSE(Wildcard("s3:Get*").matches("S3:getobject"));
  EXPECT_TRUE(Wildcard("s3:Get*").matches_ignoring_case("S3:getobject"));
}

TEST(Wildcard, LiteralPiecesAreNoPatterns) {
  Wildcard pattern;
  pattern.append_pattern("home/");
  pattern.append_literal("*");
  pattern.append_pattern("/*");
  EXPECT_TRUE(pattern.matches("home/*/x"));
  EXPECT_FALSE(pattern.matches("home/bob/x"));
}

bool slow_match(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') return slow_match(pattern.substr(1), text) || (!text.empty() && slow_match(pattern, text.substr(1)));
  return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) && slow_match(pattern.substr(1), text.substr(1));
}

TEST(Wildcard, AgreesWithTheDefinitionOnRandomPatterns) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const auto some = [&](std::string_view alphabet, size_t max) {
    std::string out(random() % (max + 1), ' ');
    for (char& c : out) c = alphabet[random() % alphabet.size()];
    return out;
  };
  for (int i = 0; i < 20'000; ++i) {
    const std::string pattern = some("ab*?", 7), text = some("ab", 9);
    EXPECT_EQ(Wildcard(pattern).matches(text), slow_match(pattern, text)) << pattern << " " << text;
  }
}

}  // namespace
}  // namespace rondel::policy
