#include "gateway/s3/cors.h"

#include <gtest/gtest.h>

namespace rondel::s3 {
namespace {

std::string rule(std::string_view inner) {
  return "<CORSRule>" + std::string(inner) + "</CORSRule>";
}

std::string document(std::string_view inner) {
  return "<CORSConfiguration>" + std::string(inner) + "</CORSConfiguration>";
}

const std::string kPlain =
    "<AllowedOrigin>http://a</AllowedOrigin><AllowedMethod>GET</AllowedMethod>";

TEST(Cors, ReadsWhatItWrites) {
  const auto first =
      parse_cors_document(document(rule("<ID>i&amp;d</ID><AllowedOrigin>https://*.example.com</"
                                        "AllowedOrigin><AllowedMethod>PUT</AllowedMethod>"
                                        "<AllowedMethod>HEAD</AllowedMethod><AllowedHeader>x-*</"
                                        "AllowedHeader><ExposeHeader>ETag</ExposeHeader>"
                                        "<MaxAgeSeconds> 30 </MaxAgeSeconds>") +
                                   rule(kPlain)));
  ASSERT_TRUE(first);
  ASSERT_EQ(first->size(), 2u);
  EXPECT_EQ(first->front().max_age_seconds, 30u);
  const std::string text = cors_document(*first);
  const auto second = parse_cors_document(text);
  ASSERT_TRUE(second);
  EXPECT_EQ(cors_document(*second), text);
  EXPECT_EQ(second->front().id, "i&d");
}

TEST(Cors, Refusals) {
  struct Row {
    std::string text;
    ErrorCode code;
    std::string message;
  };

  std::string many;
  for (int i = 0; i < 101; ++i) many += rule(kPlain);
  const Row rows[] = {
      {"", ErrorCode::kMissingRequestBodyError, ""},
      {document(""), ErrorCode::kMalformedXML, ""},
      {document("<Rule/>"), ErrorCode::kMalformedXML, ""},
      {document(rule("<AllowedOrigin>*</AllowedOrigin>")), ErrorCode::kMalformedXML, ""},
      {document(rule("<AllowedMethod>GET</AllowedMethod>")), ErrorCode::kMalformedXML, ""},
      {document(rule(kPlain + "<MaxAgeSeconds>x</MaxAgeSeconds>")), ErrorCode::kMalformedXML, ""},
      {document(rule(kPlain + "<AllowedMethod>PATCH</AllowedMethod>")), ErrorCode::kInvalidRequest,
       "Found unsupported HTTP method in CORS config. Unsupported method is PATCH"},
      {document(rule(kPlain + "<AllowedMethod>get</AllowedMethod>")), ErrorCode::kInvalidRequest,
       "Found unsupported HTTP method in CORS config. Unsupported method is get"},
      {document(rule(kPlain + "<AllowedOrigin>http://*.*.b</AllowedOrigin>")),
       ErrorCode::kInvalidRequest,
       "AllowedOrigin \"http://*.*.b\" can not have more than one wildcard."},
      {document(rule(kPlain + "<AllowedHeader>*x*</AllowedHeader>")), ErrorCode::kInvalidRequest,
       "AllowedHeader \"*x*\" can not have more than one wildcard."},
      {document(rule(kPlain + "<ExposeHeader>*</ExposeHeader>")), ErrorCode::kInvalidRequest,
       "ExposeHeader \"*\" contains wildcard. We currently do not support wildcard for "
       "ExposeHeader."},
      {document(many), ErrorCode::kInvalidRequest,
       "The number of CORS rules should not exceed allowed limit of 100 rules."},
  };
  for (const Row& row : rows) {
    const auto parsed = parse_cors_document(row.text);
    ASSERT_FALSE(parsed) << row.text.substr(0, 200);
    EXPECT_EQ(parsed.error().code, row.code) << row.text.substr(0, 200);
    EXPECT_EQ(parsed.error().message, row.message);
  }
}

TEST(Cors, TheFirstRuleThatFitsCounts) {
  CorsConfiguration rules(3);
  rules[0] = {"one", {"http://start*end"}, {"GET"}, {}, {}, {}};
  rules[1] = {"two", {"http://start*"}, {"GET", "PUT"}, {"X-Amz-*", "content-type"}, {}, {}};
  rules[2] = {"three", {"*"}, {"HEAD"}, {"*"}, {}, {}};
  const CorsRules prepared(rules);
  const auto id = [&](std::string_view origin, std::string_view method,
                      std::vector<std::string> headers = {}) {
    const CorsRule* found = prepared.find(origin, method, headers);
    return found ? found->id : "none";
  };
  EXPECT_EQ(id("http://startend", "GET"), "one");
  EXPECT_EQ(id("http://start-x-end", "GET"), "one");
  EXPECT_EQ(id("http://starend", "GET"), "none");
  EXPECT_EQ(id("http://startend", "PUT"), "two");
  EXPECT_EQ(id("http://startend", "GET", {"x-amz-date"}), "two");
  EXPECT_EQ(id("http://start", "GET", {"content-type", "x-amz-meta-a"}), "two");
  EXPECT_EQ(id("http://start", "GET", {"content-types"}), "none");
  EXPECT_EQ(id("null", "HEAD", {"anything"}), "three");
  EXPECT_EQ(id("HTTP://startend", "GET"), "none");
}

// A document at its bound against a preflight at its own.
TEST(Cors, APreflightComparesEachNameWithTheRulesOnce) {
  std::vector<std::string> names;
  for (size_t i = 0; i < kPreflightNamesMax; ++i) names.push_back("x-" + std::to_string(i));
  for (const size_t rules : {1u, 100u}) {
    for (const char* header :
         {"<AllowedHeader>zz*</AllowedHeader>", "<AllowedHeader>x-zz</AllowedHeader>",
          "<AllowedHeader>*</AllowedHeader>"}) {
      const size_t each = ((64 << 10) / rules - 250) / std::string(header).size();
      size_t patterns = 0;
      std::string text;
      for (size_t i = 0; i < rules; ++i) {
        std::string headers;
        for (size_t k = 0; k < each; ++k, ++patterns) headers += header;
        // All but the last name fit, after everything was compared.
        text += rule("<AllowedOrigin>http://*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>" +
                     headers + "<AllowedHeader>x-*</AllowedHeader>");
      }
      const auto parsed = parse_cors_document(document(text));
      ASSERT_TRUE(parsed);
      const CorsRules prepared(*parsed);
      uint64_t steps = 0;
      names.back() = "y";
      (void)prepared.find("http://a", "GET", names, &steps);
      EXPECT_LE(steps, (patterns + 2 * rules) * (names.size() + 1)) << header;
      EXPECT_LE(steps, 400'000u);
      EXPECT_GE(prepared.memory_bytes(), text.size() / 2);
    }
  }
  names.back() = "x-y";
  CorsConfiguration any(1);
  any[0] = {"any", {"*"}, {"GET"}, {"*"}, {}, {}};
  const CorsRules prepared(any);
  EXPECT_NE(prepared.find("http://a", "GET", names), nullptr);
  names.push_back("x-z");
  EXPECT_EQ(prepared.find("http://a", "GET", names), nullptr);
}

TEST(Cors, FieldsOfAnAnswer) {
  const CorsRule one{"", {"http://a"}, {"GET", "PUT"}, {"*"}, {"ETag", "x-amz-id-2"}, 60};
  using Fields = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(cors_fields(one, "http://a", {"x", "y"}),
            (Fields{{"Access-Control-Allow-Origin", "http://a"},
                    {"Access-Control-Allow-Methods", "GET, PUT"},
                    {"Access-Control-Allow-Headers", "x, y"},
                    {"Access-Control-Expose-Headers", "ETag, x-amz-id-2"},
                    {"Access-Control-Max-Age", "60"},
                    {"Access-Control-Allow-Credentials", "true"}}));
  const CorsRule any{"", {"http://b", "*"}, {"GET"}, {}, {}, {}};
  EXPECT_EQ(cors_fields(any, "http://a", {}), (Fields{{"Access-Control-Allow-Origin", "*"},
                                                      {"Access-Control-Allow-Methods", "GET"}}));
  EXPECT_EQ(parse_header_names(" X-a,, y "), (std::vector<std::string>{"x-a", "y"}));
}

}  // namespace
}  // namespace rondel::s3
