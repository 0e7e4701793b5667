#include "gateway/signature/post_policy.h"

#include <gtest/gtest.h>

namespace rondel::signature {
namespace {

const SystemTime kNow = std::chrono::sys_days(std::chrono::year(2030) / 1 / 1);

std::string policy(std::string_view conditions,
                   std::string_view expiration = "2030-01-01T00:00:01Z") {
  return R"({"expiration": ")" + std::string(expiration) + R"(", "conditions": )" +
         std::string(conditions) + "}";
}

std::string verdict(std::string_view conditions, const FormFields& fields,
                    std::string_view bucket = "b",
                    std::string_view expiration = "2030-01-01T00:00:01Z") {
  const auto parsed = parse_post_policy(policy(conditions, expiration));
  if (!parsed) return parsed.error();
  const auto checked = check_post_policy(*parsed, fields, bucket, kNow);
  return checked ? "ok" : checked.error();
}

TEST(PostPolicy, ConditionsThatHold) {
  EXPECT_EQ(verdict(R"([{"bucket":"b"},["starts-with","$key","u/"],{"Acl":"private"}])",
                    {{"key", "u/x"}, {"acl", "private"}}),
            "ok");
  EXPECT_EQ(verdict(R"([{"BUCKET":"b"},["EQ","$Key","k"]])", {{"key", "k"},
                                                              {"policy", "p"},
                                                              {"signature", "s"},
                                                              {"awsaccesskeyid", "a"},
                                                              {"x-ignore-a", "1"},
                                                              {"x-amz-signature", "s"}}),
            "ok");
  EXPECT_EQ(verdict(R"([{"bucket":"b"}])", {{"x-amz-checksum-sha256", "s"}}), "ok");
  EXPECT_EQ(verdict(R"([["starts-with","$bucket",""],["starts-with","$key",""]])", {}), "ok");
  EXPECT_EQ(verdict(R"([{"bucket":"b"},["starts-with","$Content-Type","image/"]])",
                    {{"content-type", "image/png, image/gif"}}),
            "ok");
}

TEST(PostPolicy, ConditionsThatDoNot) {
  const std::string head = "Invalid according to Policy: ";
  EXPECT_EQ(verdict(R"([{"bucket":"other"}])", {}),
            head + R"(Policy Condition failed: ["eq", "$bucket", "other"])");
  EXPECT_EQ(verdict(R"([{"bucket":"b"}])", {{"bucket", "b"}}, "other"),
            head + R"(Policy Condition failed: ["eq", "$bucket", "b"])");
  EXPECT_EQ(verdict(R"([{"bucket":"b"},["starts-with","$key","u/"]])", {{"key", "x"}}),
            head + R"(Policy Condition failed: ["starts-with", "$key", "u/"])");
  EXPECT_EQ(verdict(R"([{"bucket":"b"},["eq","$x-amz-meta-a",""]])", {}),
            head + R"(Policy Condition failed: ["eq", "$x-amz-meta-a", ""])");
  EXPECT_EQ(verdict(R"([{"bucket":"b"},["starts-with","$content-type","image/"]])",
                    {{"content-type", "image/png,text/html"}}),
            head + R"(Policy Condition failed: ["starts-with", "$content-type", "image/"])");
  EXPECT_EQ(verdict(R"([{"bucket":"b"},["eq","key","k"]])", {{"key", "k"}}),
            head + R"(Policy Condition failed: ["eq", "key", "k"])");
  EXPECT_EQ(verdict(R"([{"bucket":"b"},["starts-with","key",""],["starts-with","$key",""]])",
                    {{"key", "k"}}),
            head + R"(Policy Condition failed: ["starts-with", "key", ""])");
  EXPECT_EQ(verdict(R"([{"bucket":"b"}])", {{"key", "k"}, {"x-amz-date", "d"}}),
            head + "Extra input fields: key, x-amz-date");
  EXPECT_EQ(verdict("[]", {}), head + "Extra input fields: bucket");
  EXPECT_EQ(verdict(R"([{"bucket":"b"}])", {}, "b", "2029-12-31T23:59:59.999Z"),
            head + "Policy expired.");
  EXPECT_EQ(verdict(R"([{"bucket":"b"}])", {}, "b", "2030-01-01T00:00:00.000Z"),
            head + "Policy expired.");
}

TEST(PostPolicy, Ranges) {
  EXPECT_EQ(parse_post_policy(policy("[]"))->size_max, UINT64_MAX);
  const auto one = parse_post_policy(
      policy(R"([["content-length-range", 1, 9], ["Content-Length-Range", "2", "12"]])"));
  ASSERT_TRUE(one);
  EXPECT_EQ(one->size_min, 2u);
  EXPECT_EQ(one->size_max, 9u);
  for (const char* bad :
       {R"([["content-length-range", 0]])", R"([["content-length-range", -1, 0]])",
        R"([["content-length-range", 2, 1]])", R"([["content-length-range", "x", 1]])",
        R"([["content-length-range", 0, 1, 2]])", R"([["content-length-range", 0.5, 1]])"}) {
    EXPECT_FALSE(parse_post_policy(policy(bad))) << bad;
  }
}

TEST(PostPolicy, ASimpleConditionIsAboutOneField) {
  for (const char* bad : {"[{}]", R"([{"bucket":"b","key":"k"}])",
                          R"([{"bucket":"b"},{"key":"k","acl":"private","x":"y"}])"}) {
    EXPECT_EQ(parse_post_policy(policy(bad)).error(),
              "Invalid Policy: Invalid Simple-Condition: Simple-Conditions must have exactly one "
              "property specified.")
        << bad;
  }
}

TEST(PostPolicy, DocumentsThatAreNone) {
  for (const std::string& bad :
       {std::string(""),
        std::string("{"),
        std::string("[]"),
        std::string(R"({"conditions": []})"),
        std::string(R"({"expiration": "2030-01-01T00:00:01Z"})"),
        std::string(R"({"EXPIRATION": "2030-01-01T00:00:01Z", "conditions": []})"),
        std::string(R"({"expiration": "2030-01-01T00:00:01Z", "CONDITIONS": []})"),
        policy("{}"),
        policy("[[]]"),
        policy("[{}]"),
        policy("[1]"),
        policy(R"([["eq", "$", "x"]])"),
        policy(R"([{"bucket":"b","key":"k"}])"),
        policy(R"([["like", "$key", "x"]])"),
        policy(R"([["eq", "$key"]])"),
        policy(R"([{"key": 1}])"),
        policy("[]", "2030-01-01 00:00:01"),
        policy("[]", "2030-01-01T00:00:01"),
        policy("[]", "2030-13-01T00:00:01Z"),
        policy("[]", "2030-01-01T00:00:01.Z"),
        policy("[]", "2030-01-01T00:00:01.1234567890Z"),
        policy("[]", ""),
        std::string(R"({"expiration": 5, "conditions": []})"),
        policy(std::string(100, '[') + std::string(100, ']'))}) {
    const auto parsed = parse_post_policy(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_TRUE(parsed.error().starts_with("Invalid Policy: ")) << parsed.error();
  }
}

}  // namespace
}  // namespace rondel::signature
