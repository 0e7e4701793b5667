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
  EXPECT_TRUE(
      Wildcard("a?c").matches("a\xc3\xbc"
                              "c"));
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

// Where a text may stand after each element of the pattern: the definition, in time that multiplies
// both.
bool slow_match(std::string_view pattern, std::string_view text) {
  std::vector<bool> at(text.size() + 1);
  at[0] = true;
  for (const char element : pattern) {
    std::vector<bool> next(text.size() + 1);
    for (size_t i = 0; i <= text.size(); ++i) {
      if (element == '*') {
        next[i] = at[i] || (i > 0 && next[i - 1]);
      } else if (at[i] && i < text.size() && (element == '?' || element == text[i])) {
        size_t end = i + 1;
        while (element == '?' && end < text.size() && (text[end] & '\xc0') == '\x80') ++end;
        next[end] = true;
      }
    }
    at = std::move(next);
  }
  return at[text.size()];
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
    const std::string pattern = some("ab*?", 7), text = some("ab\xc3\xa9", 9);
    EXPECT_EQ(Wildcard(pattern).matches(text), slow_match(pattern, text)) << pattern << " " << text;
  }
}

// Long enough that not one place after the other is tried, and longer than a word of the automaton.
TEST(Wildcard, AgreesWithTheDefinitionOnLongPatterns) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 100; ++i) {
    std::string text(200 + random() % 400, 'a');
    for (int b = 0; b < 3; ++b) text[random() % text.size()] = "b\xc3\xa9"[random() % 3];
    std::string run(1 + random() % 150, 'a');
    for (int b = 0; b < 2; ++b) run[random() % run.size()] = "?b"[random() % 2];
    for (const std::string& pattern :
         {"*" + run, "*" + run + "*", run + "*", "*?" + run + "*b*", "*b*" + run + "?"}) {
      EXPECT_EQ(Wildcard(pattern).matches(text), slow_match(pattern, text))
          << pattern << " " << text;
      std::string upper = text;
      for (char& c : upper) c = c == 'a' ? 'A' : c == 'b' ? 'B' : c;
      EXPECT_EQ(Wildcard(pattern).matches_ignoring_case(upper), slow_match(pattern, text))
          << pattern << " " << text;
    }
  }
}

std::string times(size_t count, std::string_view text) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

// What strangers can send: a text of a head, a pattern of a policy, and of both what makes others
// try again.
TEST(Wildcard, NothingIsTriedAgainFromEveryPlace) {
  struct Case {
    const char* name;
    std::string pattern;
    std::string text;
  };

  for (const size_t n : {500u, 2'000u, 8'000u}) {
    for (const size_t m : {n / 8, n / 2, n - 2}) {
      const std::vector<Case> cases{
          {"one letter but for the end", "*" + times(m, "a") + "b", times(n, "a")},
          {"and a question mark", "*" + times(m, "a") + "?b", times(n, "a")},
          {"question marks", "*" + times(m, "?") + "b", times(n, "a")},
          {"question marks between", "*" + times(m / 2, "a?") + "b*", times(n, "a")},
          {"at the front", "*?" + times(m, "a") + "b*c", times(n, "a")},
          {"a star at each letter", times(m / 2, "a*") + "b", times(n, "a")},
          {"a star at each question mark", times(m / 2, "?*") + "b", times(n, "a")},
          {"a star at each word", "*" + times(m / 8, "aaaaa?b*") + "c", times(n / 7, "aaaaaab")},
          {"nearly all", "*" + times(m / 8, "aaaaab*") + "c", times(n, "a")},
          {"no character but its end", "*" + times(m, "?") + "b", times(n, "\x80")},
          {"long characters", "*" + times(m / 4, "?") + "b*", times(n / 4, "\xf0\x9f\x98\x80")},
      };
      for (const Case& one : cases) {
        SCOPED_TRACE(std::string(one.name) + " " + std::to_string(n) + " " + std::to_string(m));
        const size_t text = one.text.size(), pattern = one.pattern.size();
        const size_t most =
            5 * text + pattern + 64 +
            (one.pattern.contains('?') ? text * (pattern / 64 + 1) + 4 * pattern + 256 : 0);
        Work work, folded;
        (void)Wildcard(one.pattern).matches(one.text, work);
        EXPECT_LE(work.steps(), most);
        (void)Wildcard(one.pattern).matches_ignoring_case(one.text, folded);
        EXPECT_LE(folded.steps(),
                  5 * text + pattern + 64 + text * (pattern / 64 + 1) + 4 * pattern + 256);
        EXPECT_FALSE(work.over());
      }
    }
  }
}

// A denial holds however long the text is that somebody chose.
TEST(Wildcard, NothingIsCutBeforeItIsMatched) {
  for (const size_t n : {10u, 2'047u, 2'048u, 2'049u, 8'191u}) {
    for (const std::string& text : {times(n, "a") + "bad", "bad" + times(n, "a"),
                                    times(n / 2, "a") + "bad" + times(n / 2, "a")}) {
      for (const char* pattern : {"*bad*", "*b?d*", "*?bad*", "*a*b?d*"}) {
        const bool begins = text.starts_with("bad") && pattern[1] != 'b';
        EXPECT_EQ(Wildcard(pattern).matches(text), !begins) << pattern << " " << n;
      }
    }
  }
}

}  // namespace
}  // namespace rondel::policy
