#include "identity/policy/condition.h"

#include <gtest/gtest.h>

#include "tests/unit/identity/policy/request_of.h"

namespace rondel::policy {
namespace {

using Values = std::vector<std::string>;

// A request that says `present` of `key`, and of others what `request` says.
class With final : public ConditionSource {
 public:
  With(std::string_view key, const Values& present, const ConditionSource& request)
      : key_(parse_key(key).value()), present_(present), request_(request) {}

  Values values(const KeyName& key) const override {
    return key == key_ ? present_ : request_.values(key);
  }

 private:
  const KeyName key_;
  const Values& present_;
  const ConditionSource& request_;
};

bool holds(std::string_view op, std::string_view key, const Values& wanted, const Values& present,
           const ConditionSource& request = RequestOf(), bool with_variables = true) {
  KeyTable keys;
  const auto condition = Condition::compile(op, key, wanted, with_variables, keys);
  EXPECT_TRUE(condition) << op << ": " << condition.error();
  return condition && condition->holds(RequestValues(keys, With(key, present, request)));
}

struct Case {
  const char* op;
  const char* key;
  Values wanted;
  Values present;
  bool expected;
};

class Operators : public testing::TestWithParam<Case> {};

TEST_P(Operators, Decide) {
  const Case& c = GetParam();
  EXPECT_EQ(holds(c.op, c.key, c.wanted, c.present), c.expected);
}

INSTANTIATE_TEST_SUITE_P(
    Every, Operators,
    testing::Values(
        Case{"StringEquals", "s3:prefix", {"a", "b"}, {"b"}, true},
        Case{"StringEquals", "s3:prefix", {"a"}, {"A"}, false},
        Case{"StringEquals", "s3:prefix", {"a*"}, {"ab"}, false},
        Case{"StringEquals", "s3:prefix", {""}, {""}, true},
        Case{"StringEquals", "s3:prefix", {""}, {}, false},
        Case{"StringNotEquals", "s3:prefix", {"a", "b"}, {"b"}, false},
        Case{"StringNotEquals", "s3:prefix", {"a", "b"}, {"c"}, true},
        Case{"StringNotEquals", "s3:prefix", {"a"}, {}, true},
        Case{"StringEqualsIgnoreCase", "s3:prefix", {"aB"}, {"Ab"}, true},
        Case{"StringNotEqualsIgnoreCase", "s3:prefix", {"aB"}, {"Ab"}, false},
        Case{"StringLike", "s3:prefix", {"home/*"}, {"home/x"}, true},
        Case{"StringLike", "s3:prefix", {"h?me"}, {"home"}, true},
        Case{"StringNotLike", "s3:prefix", {"home/*"}, {"home/x"}, false},
        Case{"StringNotLike", "s3:prefix", {"home/*"}, {"root"}, true},
        Case{"NumericEquals", "s3:max-keys", {"10"}, {"10.0"}, true},
        Case{"NumericNotEquals", "s3:max-keys", {"10"}, {"11"}, true},
        Case{"NumericLessThan", "s3:max-keys", {"10"}, {"10"}, false},
        Case{"NumericLessThanEquals", "s3:max-keys", {"10"}, {"10"}, true},
        Case{"NumericGreaterThan", "s3:max-keys", {"10"}, {"11"}, true},
        Case{"NumericGreaterThanEquals", "s3:max-keys", {"10"}, {"9"}, false},
        Case{"NumericEquals", "s3:max-keys", {"10"}, {"ten"}, false},
        Case{"NumericLessThan", "s3:TlsVersion", {"1.2"}, {"1.1"}, true},
        Case{"DateLessThan", "aws:CurrentTime", {"2026-01-02T00:00:00Z"}, {"1767225600"}, true},
        Case{"DateLessThanEquals", "aws:CurrentTime", {"2026-01-01"}, {"1767225600"}, true},
        Case{"DateGreaterThan",
             "aws:CurrentTime",
             {"2026-01-01T01:00:00+01:00"},
             {"1767225601"},
             true},
        Case{"DateGreaterThanEquals", "aws:EpochTime", {"1767225600"}, {"1767225600"}, true},
        Case{"DateEquals", "aws:EpochTime", {"2026-01-01T00:00:00.5Z"}, {"1767225600"}, false},
        Case{"DateNotEquals", "aws:EpochTime", {"2026-01-01"}, {"1767225600"}, false},
        Case{"Bool", "aws:SecureTransport", {"true"}, {"true"}, true},
        Case{"Bool", "aws:SecureTransport", {"False"}, {"true"}, false},
        Case{"Bool", "aws:SecureTransport", {"false"}, {}, false},
        Case{"BinaryEquals", "s3:x-amz-content-sha256", {"QQ=="}, {"QQ=="}, true},
        Case{"BinaryEquals", "s3:x-amz-content-sha256", {"QQ=="}, {"QR=="}, false},
        Case{"IpAddress", "aws:SourceIp", {"10.0.0.0/8", "2001:db8::/32"}, {"10.1.2.3"}, true},
        Case{"IpAddress", "aws:SourceIp", {"10.0.0.0/8", "2001:db8::/32"}, {"2001:db8::1"}, true},
        Case{"IpAddress", "aws:SourceIp", {"10.0.0.0/9"}, {"10.128.0.1"}, false},
        Case{"IpAddress", "aws:SourceIp", {"10.0.0.1"}, {"::ffff:10.0.0.1"}, true},
        Case{"NotIpAddress", "aws:SourceIp", {"10.0.0.0/8"}, {"11.0.0.1"}, true},
        Case{"NotIpAddress", "aws:SourceIp", {"0.0.0.0/0"}, {"11.0.0.1"}, false},
        Case{"ArnEquals",
             "aws:PrincipalArn",
             {"arn:aws:iam::*:root"},
             {"arn:aws:iam::111122223333:root"},
             true},
        Case{"ArnLike",
             "aws:PrincipalArn",
             {"arn:aws:iam::111122223333:*"},
             {"arn:aws:iam::111122223333:root"},
             true},
        Case{"ArnNotEquals",
             "aws:PrincipalArn",
             {"arn:aws:iam::1:root"},
             {"arn:aws:iam::2:root"},
             true},
        Case{"ArnNotLike",
             "aws:PrincipalArn",
             {"arn:aws:iam::*:root"},
             {"arn:aws:iam::2:root"},
             false},
        Case{"Null", "s3:x-amz-acl", {"true"}, {}, true},
        Case{"Null", "s3:x-amz-acl", {"true"}, {"private"}, false},
        Case{"Null", "s3:x-amz-acl", {"false"}, {"private"}, true},
        Case{"StringEqualsIfExists", "s3:x-amz-acl", {"private"}, {}, true},
        Case{"StringEqualsIfExists", "s3:x-amz-acl", {"private"}, {"public-read"}, false},
        Case{"BoolIfExists", "aws:SecureTransport", {"true"}, {}, true},
        Case{"ForAllValues:StringEquals", "s3:RequestObjectTagKeys", {"a", "b"}, {"a", "b"}, true},
        Case{"ForAllValues:StringEquals", "s3:RequestObjectTagKeys", {"a", "b"}, {"a", "c"}, false},
        Case{"ForAllValues:StringEquals", "s3:RequestObjectTagKeys", {"a"}, {}, true},
        Case{"ForAnyValue:StringEquals", "s3:RequestObjectTagKeys", {"a"}, {"b", "a"}, true},
        Case{"ForAnyValue:StringEquals", "s3:RequestObjectTagKeys", {"a"}, {}, false},
        Case{"ForAnyValue:StringNotEquals", "s3:RequestObjectTagKeys", {"a"}, {"a", "b"}, true},
        Case{"ForAnyValue:StringNotEquals", "s3:RequestObjectTagKeys", {"a"}, {"a"}, false},
        Case{"ForAllValues:StringNotLike", "s3:RequestObjectTagKeys", {"x*"}, {"a", "xb"}, false},
        Case{"ForAnyValue:StringLikeIfExists", "s3:RequestObjectTagKeys", {"x*"}, {}, true}));

TEST(Condition, LongListsAreSearchedLikeShortOnes) {
  const Values mixed{"zebra", "a*", "${s3:delimiter}", "mule", "ape"};
  const RequestOf request{{"s3:delimiter", {"/"}}};
  for (const char* present : {"zebra", "mule", "ape", "axe", "/"}) {
    EXPECT_TRUE(holds("StringLike", "s3:prefix", mixed, {present}, request)) << present;
  }
  EXPECT_FALSE(holds("StringLike", "s3:prefix", mixed, {"mul"}, request));
  EXPECT_TRUE(holds("StringNotLike", "s3:prefix", mixed, {"mul"}, request));
  EXPECT_TRUE(holds("StringEqualsIgnoreCase", "s3:prefix", mixed, {"ZEBRA"}, request));
  EXPECT_FALSE(holds("StringEquals", "s3:prefix", mixed, {"axe"}, request));
}

TEST(Condition, AddressesMatchByTheBitsOfTheRange) {
  for (const auto& [range, address, expected] :
       std::vector<std::tuple<const char*, const char*, bool>>{
           {"0.0.0.0/0", "255.255.255.255", true},
           {"0.0.0.0/0", "::1", false},
           {"128.0.0.0/1", "192.0.2.1", true},
           {"128.0.0.0/1", "127.0.0.1", false},
           {"192.0.2.6/31", "192.0.2.7", true},
           {"192.0.2.6/31", "192.0.2.8", false},
           {"192.0.2.7", "192.0.2.7", true},
           {"192.0.2.7", "192.0.2.6", false},
           {"::/0", "2001:db8::1", true},
           {"2001:db8::/63", "2001:db8:0:1::1", true},
           {"2001:db8::/63", "2001:db8:0:2::1", false},
           {"2001:db8::/64", "2001:db8:0:1::1", false},
           {"2001:db8::8000:0:0:0/65", "2001:db8::8000:0:0:1", true},
           {"2001:db8::/65", "2001:db8::8000:0:0:1", false},
           {"192.0.2.0/24", "::ffff:192.0.2.9", true}}) {
    EXPECT_EQ(holds("IpAddress", "aws:SourceIp", {range}, {address}), expected)
        << range << " " << address;
  }
}

TEST(Condition, RefusesWhatItCannotEnforce) {
  const auto reason = [](std::string_view op, std::string_view key, const Values& values) {
    KeyTable keys;
    const auto condition = Condition::compile(op, key, values, true, keys);
    return condition ? std::string() : condition.error();
  };
  EXPECT_EQ(reason("StringAlmost", "s3:prefix", {"a"}), "Invalid Condition type : StringAlmost");
  EXPECT_EQ(reason("NullIfExists", "s3:prefix", {"true"}), "Invalid Condition type : NullIfExists");
  EXPECT_EQ(reason("StringEquals", "s3:nothing", {"a"}), "Policy has an invalid condition key");
  EXPECT_EQ(reason("StringEquals", "s3:ExistingObjectTag/", {"a"}),
            "Policy has an invalid condition key");
  EXPECT_NE(reason("IpAddress", "aws:SourceIp", {"10.0.0.0/33"}), "");
  EXPECT_NE(reason("IpAddress", "s3:prefix", {"10.0.0.0/8"}), "");
  EXPECT_NE(reason("NumericLessThan", "s3:max-keys", {"many"}), "");
  EXPECT_NE(reason("DateLessThan", "aws:CurrentTime", {"tomorrow"}), "");
  EXPECT_NE(reason("Bool", "aws:SecureTransport", {"maybe"}), "");
  EXPECT_NE(reason("ArnLike", "aws:PrincipalArn", {"arn:aws"}), "");
  EXPECT_NE(reason("StringEquals", "s3:prefix", {"${aws:unheard-of}"}), "");
  EXPECT_NE(reason("StringEquals", "s3:prefix", {}), "");
}

TEST(Condition, VariablesStandForTheRequestsValuesLiterally) {
  const RequestOf request{{"aws:userid", {"1*2"}}, {"s3:x-amz-acl", {"private"}}};
  EXPECT_TRUE(holds("StringLike", "s3:prefix", {"home/${aws:userid}/*"}, {"home/1*2/x"}, request));
  EXPECT_FALSE(holds("StringLike", "s3:prefix", {"home/${aws:userid}/*"}, {"home/1x2/x"}, request));
  EXPECT_FALSE(holds("StringLike", "s3:prefix", {"home/${aws:username}/*"}, {"home//x"}, request));
  EXPECT_TRUE(holds("StringEquals", "s3:prefix", {"home/${aws:username, 'nobody'}"},
                    {"home/nobody"}, request));
  EXPECT_TRUE(holds("StringLike", "s3:prefix", {"a${*}${?}${$}b"}, {"a*?$b"}, request));
  EXPECT_FALSE(holds("StringLike", "s3:prefix", {"a${*}b"}, {"axb"}, request));
}

TEST(Condition, OldVersionsHaveNoVariables) {
  EXPECT_TRUE(holds("StringEquals", "s3:prefix", {"${aws:userid}"}, {"${aws:userid}"},
                    RequestOf{{"aws:userid", {"1"}}}, false));
}

}  // namespace
}  // namespace rondel::policy
