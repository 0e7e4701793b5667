#include "identity/policy/policy.h"

#include <gtest/gtest.h>

#include "tests/unit/identity/policy/request_of.h"

namespace rondel::policy {
namespace {

constexpr std::string_view kAlice = "111111111111", kBob = "222222222222";
const Caller alice{kAlice, "a11ce", false};
const Caller bob{kBob, "b0b", false};
const Caller nobody;

std::shared_ptr<const Policy> parsed(const std::string& json) {
  auto policy = Policy::parse(json, "box");
  EXPECT_TRUE(policy) << json << ": " << policy.error();
  return policy ? *policy : nullptr;
}

std::string statement(const std::string& members) {
  return R"({"Version":"2012-10-17","Statement":[{)" + members + "}]}";
}

std::string allow(const std::string& principal, const std::string& action,
                  const std::string& resource, const std::string& more = "") {
  return statement(R"("Effect":"Allow","Principal":)" + principal + R"(,"Action":)" + action +
                   R"(,"Resource":)" + resource + more);
}

std::string reason(const std::string& json) {
  const auto policy = Policy::parse(json, "box");
  return policy ? "" : policy.error();
}

TEST(Policy, RefusesTwoMembersOfOneName) {
  const std::string begin =
      R"({"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::box/*","Condition":)";
  const auto document = [&](const std::string& condition) {
    return R"({"Statement":[)" + begin + condition + "}]}";
  };
  EXPECT_EQ(
      reason(document(R"({"StringEquals":{"s3:prefix":"a"},"StringLike":{"s3:prefix":"a"}})")), "");
  EXPECT_EQ(
      reason(document(R"({"StringEquals":{"s3:prefix":"a"},"StringEquals":{"s3:delimiter":"a"}})")),
      "This policy contains invalid Json");
  EXPECT_EQ(reason(document(R"({"StringEquals" :{"s3:prefix":"{\"","s3:pref\u0069x":"a"}})")),
            "This policy contains invalid Json");
  EXPECT_EQ(reason(document(R"({"StringEquals":{"s3:prefix":["s3:prefix","s3:prefix:"]}})")), "");
  EXPECT_EQ(reason(R"({"Statement":[],"Statement":[]})"), "This policy contains invalid Json");
}

TEST(Policy, AVariableWithoutValueAllowsNothing) {
  const RequestOf request;
  const auto policy = parsed(statement(
      R"("Effect":"Allow","Principal":"*","Action":"s3:GetObject","NotResource":"arn:aws:s3:::box/${aws:username}/*")"));
  EXPECT_EQ(policy->evaluate(Action::kGetObject, "box/k", alice, request), Effect::kNone);
  EXPECT_EQ(
      policy->evaluate(Action::kGetObject, "box/k", alice, RequestOf{{"aws:username", {"alice"}}}),
      Effect::kAllow);
  EXPECT_EQ(policy->evaluate(Action::kGetObject, "box/alice/k", alice,
                             RequestOf{{"aws:username", {"alice"}}}),
            Effect::kNone);
  const auto denial = parsed(statement(
      R"("Effect":"Deny","Principal":"*","Action":"s3:GetObject","NotResource":"arn:aws:s3:::box/${aws:username}/*")"));
  EXPECT_EQ(denial->evaluate(Action::kGetObject, "box/k", alice, request), Effect::kDeny);
}

TEST(Policy, OnlyActionsThatReadOrTagWhatIsStoredAskItsTags) {
  const auto policy =
      parsed(allow(R"("*")", R"("s3:*")", R"(["arn:aws:s3:::box","arn:aws:s3:::box/*"])",
                   R"(,"Condition":{"StringEquals":{"s3:ExistingObjectTag/a":"b"}})"));
  EXPECT_TRUE(policy->asks_object_tags(Action::kGetObject));
  EXPECT_TRUE(policy->asks_object_tags(Action::kPutObjectTagging));
  for (const Action action :
       {Action::kPutObject, Action::kDeleteObject, Action::kListBucket, Action::kDeleteBucket}) {
    EXPECT_FALSE(policy->asks_object_tags(action));
  }
}

std::string times(size_t count, std::string_view text) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

// As much of `element` as a policy may hold, in a list, each with its number in the place of '#'.
std::string list_of(std::string element, size_t bytes_max) {
  std::string out = "[";
  for (size_t i = 0;; ++i) {
    std::string one = element;
    if (const size_t at = one.find('#'); at != std::string::npos) {
      one.replace(at, 1, std::to_string(i));
    }
    if (out.size() + one.size() + 4 > bytes_max) break;
    out += (i == 0 ? "\"" : ",\"") + one + "\"";
  }
  return out + "]";
}

// Policies and requests at their bounds: what a stranger's request costs under a stranger's policy.
TEST(Policy, NoRequestCostsMoreThanItsSteps) {
  const std::string head = times(7'500, "a"), resource = "box/" + times(1'024, "a");
  const std::string any = R"(["arn:aws:s3:::box","arn:aws:s3:::box/*"])";
  const auto with = [&](const std::string& condition) {
    return allow(R"("*")", R"("s3:*")", any, R"(,"Condition":)" + condition);
  };
  const size_t room = kPolicyBytesMax - 300;

  struct Case {
    const char* name;
    std::string policy;
    bool known = true;  // What it says is found out within the steps.
  };

  const std::vector<Case> cases{
      {"one pattern",
       with(R"({"StringLike":{"aws:UserAgent":"*)" + times(7'000, "a") + R"(?b"}})")},
      {"two patterns", with(R"({"StringLike":{"aws:UserAgent":["*)" + times(7'000, "a") +
                            R"(?b","*)" + times(7'000, "?") + R"(b"]}})")},
      {"patterns without end",
       with(R"({"StringLike":{"aws:UserAgent":)" + list_of("*a*b#*", room) + "}}")},
      {"patterns of question marks",
       with(R"({"StringLike":{"aws:UserAgent":)" + list_of("*a?a?a?a?a?a?b*", room) + "}}"), false},
      {"prefixes of one another",
       with(
           R"({"StringLike":{"aws:UserAgent":["a*b","aa*b","aaa*b","aaaa*b","aaaaa*b","aaaaaa*b","aaaaaaa*b"]}})")},
      {"literals",
       with(R"({"StringEqualsIgnoreCase":{"aws:UserAgent":)" + list_of("a#", room) + "}}")},
      {"variables", with(R"({"StringLike":{"aws:UserAgent":)" +
                         list_of("${aws:Referer}${aws:Referer}*b", room) + "}}")},
      {"variables that fit",
       with(R"({"StringLike":{"s3:prefix":)" + list_of("*?${aws:Referer}?*b*", room) + "}}"),
       false},
      {"variables alone",
       with(R"({"StringEquals":{"s3:prefix":)" + list_of("${aws:Referer}b", room) + "}}")},
      {"ARNs",
       with(R"({"ArnLike":{"aws:SourceArn":)" + list_of("arn:aws:s3:*:*:*a?#", room) + "}}")},
      {"resources", allow(R"("*")", R"("s3:GetObject")", list_of("arn:aws:s3:::box/*a?a#", room))},
      {"resources with variables",
       allow(R"("*")", R"("s3:GetObject")", list_of("arn:aws:s3:::box/*${aws:Referer}?#", room))},
  };
  const RequestOf request{{"aws:UserAgent", {head}},
                          {"aws:Referer", {times(3'700, "a")}},
                          {"s3:prefix", {"b" + times(3'790, "a")}},
                          {"aws:SourceArn", {"arn:aws:s3:a:a:" + head}}};
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    ASSERT_LE(one.policy.size(), kPolicyBytesMax);
    const auto policy = parsed(one.policy);
    ASSERT_TRUE(policy);
    Evaluation evaluation(*policy, nobody, request);
    const Effect effect = evaluation.evaluate(Action::kGetObject, resource);
    EXPECT_EQ(effect, evaluation.steps() > Work::kStepsMax ? Effect::kDeny : Effect::kNone);
    EXPECT_TRUE(!one.known || effect == Effect::kNone);
    // One value more at most is looked at when it is over.
    EXPECT_LE(evaluation.steps(), Work::kStepsMax + 10 * head.size());
    std::cout << one.name << ": " << evaluation.steps() << " steps\n";
  }
}

// A thousand keys are one request: what it says beside the key is found out once.
TEST(Policy, ConditionsAreEvaluatedOnceForAllResources) {
  const auto policy = parsed(allow(
      R"("*")", R"("s3:DeleteObject")", R"("arn:aws:s3:::box/a*")",
      R"(,"Condition":{"StringLike":{"aws:UserAgent":"*)" + times(3'000, "a") + R"(?*b?"}})"));
  const RequestOf request{{"aws:UserAgent", {times(7'000, "a") + "bc"}}};
  Evaluation evaluation(*policy, nobody, request);
  EXPECT_EQ(evaluation.evaluate(Action::kDeleteObject, "box/a"), Effect::kAllow);
  EXPECT_GT(evaluation.steps(), 7'000u);
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_EQ(evaluation.evaluate(Action::kDeleteObject, "box/a" + std::to_string(i)),
              Effect::kAllow);
    EXPECT_LT(evaluation.steps(), 100u);
    EXPECT_EQ(evaluation.evaluate(Action::kDeleteObject, "box/b" + std::to_string(i)),
              Effect::kNone);
  }
  EXPECT_EQ(request.asked, 1u);
}

// What a cache counts is what a policy holds: at least as much as its texts, and not more than all
// that can hang on a byte.
TEST(Policy, KnowsWhatItHolds) {
  const std::string any = R"(["arn:aws:s3:::box","arn:aws:s3:::box/*"])";
  const size_t room = kPolicyBytesMax - 300;
  const std::string small = allow(R"("*")", R"("s3:GetObject")", R"("arn:aws:s3:::box/*")");
  EXPECT_LT(parsed(small)->memory_bytes(), 16u << 10);
  std::string statements;
  for (int i = 0; i < 200; ++i) {
    statements +=
        (i == 0 ? "" : ",") +
        std::string(
            R"({"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::box"})");
  }
  std::string conditions;
  for (int i = 0; i < 100; ++i) {
    conditions += (i == 0 ? "" : ",") + std::string("\"s3:ExistingObjectTag/") + std::to_string(i) +
                  "\":\"\"";
  }
  const std::string large[] = {
      allow(R"("*")", R"("s3:GetObject")", list_of("arn:aws:s3:::box/*a?a#", room)),
      allow(R"("*")", R"("s3:*")", any,
            R"(,"Condition":{"StringLike":{"aws:UserAgent":)" + list_of("#", room) + "}}"),
      allow(R"("*")", R"("s3:*")", any,
            R"(,"Condition":{"StringLike":{"aws:UserAgent":)" +
                list_of("${aws:Referer}${*}#*", room) + "}}"),
      allow(R"("*")", R"("s3:*")", any,
            R"(,"Condition":{"ArnLike":{"aws:SourceArn":)" + list_of("arn:aws:s3:*:*:*a?#", room) +
                "}}"),
      R"({"Statement":[)" + statements + "]}",
      allow(R"("*")", R"("s3:*")", any, R"(,"Condition":{"StringEquals":{)" + conditions + "}}"),
  };
  for (const std::string& text : large) {
    const size_t bytes = parsed(text)->memory_bytes();
    EXPECT_GT(bytes, text.size() / 2) << text.substr(0, 100);
    EXPECT_LT(bytes, 100 * text.size()) << text.substr(0, 100);
  }
}

TEST(Policy, IsReadInTimeThatGrowsWithIt) {
  const std::string begin =
      R"({"Statement":[{"Effect":"Deny","Principal":"*","Resource":"arn:aws:s3:::box/*","Action":)";
  const size_t room = kPolicyBytesMax - begin.size() - 10;
  EXPECT_EQ(reason(begin + list_of("*#a*b*c*", room) + "}]}"), "Policy has invalid action");
  EXPECT_EQ(reason(begin + list_of("*?t", room) + "}]}"),
            "Policy has too many wildcards in its actions");
  EXPECT_EQ(reason(begin + list_of("s3:GetObject", room) + "}]}"), "");
  // Names by the thousand, each compared with those before it.
  std::string names;
  for (int i = 0; i < 1'500; ++i) names += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":1";
  EXPECT_EQ(reason(begin + R"("s3:*","Condition":{"StringEquals":{)" + names + "}}}]}"),
            "Policy has an invalid condition key");
}

TEST(Policy, NamesWhatIsWrong) {
  const std::string all = R"("arn:aws:s3:::box/*")";
  EXPECT_EQ(reason(""), "Policies must be valid JSON and the first byte must be '{'");
  EXPECT_EQ(reason("[]"), "Policies must be valid JSON and the first byte must be '{'");
  EXPECT_EQ(reason("{"), "This policy contains invalid Json");
  EXPECT_EQ(reason("{}"), "Missing required field Statement");
  EXPECT_EQ(reason(R"({"Statement":[]})"), "Statement is empty!");
  EXPECT_EQ(reason(R"({"Version":"2020-01-01","Statement":[]})"),
            "The policy must contain a valid version string");
  EXPECT_EQ(reason(R"({"Statements":[]})"), "Unknown field Statements");
  EXPECT_EQ(reason(statement(R"("Effect":"Allow","Principal":"*","Resource":)" + all)),
            "Missing required field Action");
  EXPECT_EQ(reason(statement(R"("Effect":"Allow","Action":"s3:GetObject","Resource":)" + all)),
            "Missing required field Principal");
  EXPECT_EQ(reason(statement(R"("Effect":"Allow","Principal":"*","Action":"s3:GetObject")")),
            "Missing required field Resource");
  EXPECT_EQ(reason(statement(R"("Principal":"*","Action":"s3:GetObject","Resource":)" + all)),
            "Missing required field Effect");
  EXPECT_EQ(reason(statement(
                R"("Effect":"Perhaps","Principal":"*","Action":"s3:GetObject","Resource":)" + all)),
            "Invalid effect: Perhaps");
  EXPECT_EQ(reason(allow(R"("*")", R"("s3:Frobnicate")", all)), "Policy has invalid action");
  EXPECT_EQ(reason(allow(R"("*")", R"("ec2:*")", all)), "Policy has invalid action");
  EXPECT_EQ(reason(allow(R"("*")", R"("s3:GetObject")", R"("arn:aws:s3:::other/*")")),
            "Policy has invalid resource");
  EXPECT_EQ(reason(allow(R"("*")", R"("s3:GetObject")", R"("*")")), "Policy has invalid resource");
  EXPECT_EQ(
      reason(statement(
          R"("Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::box")")),
      "Action does not apply to any resource(s) in statement");
  EXPECT_EQ(reason(allow(R"("*")", R"("s3:GetObject")", R"("arn:aws:s3:::box")")), "");
  EXPECT_EQ(reason(allow(R"("*")", R"("s3:ListBucket")", all)),
            "Action does not apply to any resource(s) in statement");
  EXPECT_EQ(reason(allow(R"("*")", R"(["s3:GetObject","s3:ListBucket"])", all)),
            "Action does not apply to any resource(s) in statement");
  EXPECT_EQ(reason(allow(R"("*")", R"("s3:ListAllMyBuckets")", all)),
            "Action does not apply to any resource(s) in statement");
  EXPECT_EQ(reason(allow(R"("me")", R"("s3:GetObject")", all)), "Invalid principal in policy");
  EXPECT_EQ(reason(allow(R"({"AWS":"arn:aws:iam::1:user/x"})", R"("s3:GetObject")", all)),
            "Invalid principal in policy");
  EXPECT_EQ(reason(allow(R"({"Federated":"x"})", R"("s3:GetObject")", all)),
            "Invalid principal in policy");
  EXPECT_EQ(
      reason(statement(
          R"("Effect":"Allow","NotPrincipal":{"AWS":"111111111111"},"Action":"s3:GetObject","Resource":)" +
          all)),
      "Allow with NotPrincipal is not allowed");
  EXPECT_EQ(reason(allow(R"("*")", R"("s3:GetObject")", all,
                         R"(,"Condition":{"StringEquals":{"s3:what":"x"}})")),
            "Policy has an invalid condition key");
  EXPECT_EQ(reason(allow(R"("*")", R"("s3:GetObject")", all, R"(,"Sid":"a b")")), "");
  EXPECT_EQ(reason("{" + std::string(kPolicyBytesMax, ' ') + "}"),
            "Policy exceeds the maximum allowed document size.");
}

TEST(Policy, PrincipalsAreAccountsCanonicalIdsOrEverybody) {
  const RequestOf request;
  const auto allows = [&](const std::string& principal, const Caller& caller) {
    return parsed(allow(principal, R"("s3:GetObject")", R"("arn:aws:s3:::box/*")"))
               ->evaluate(Action::kGetObject, "box/k", caller, request) == Effect::kAllow;
  };
  for (const std::string principal :
       {R"({"AWS":"111111111111"})", R"({"AWS":["arn:aws:iam::111111111111:root"]})",
        R"({"CanonicalUser":"a11ce"})"}) {
    EXPECT_TRUE(allows(principal, alice)) << principal;
    EXPECT_FALSE(allows(principal, bob)) << principal;
    EXPECT_FALSE(allows(principal, nobody)) << principal;
  }
  for (const std::string principal :
       {R"("*")", R"({"AWS":"*"})", R"({"AWS":["111111111111","*"]})"}) {
    EXPECT_TRUE(allows(principal, bob)) << principal;
    EXPECT_TRUE(allows(principal, nobody)) << principal;
  }
  EXPECT_FALSE(allows(R"({"Service":"logging.s3.amazonaws.com"})", alice));
}

TEST(Policy, AnExplicitDenyWins) {
  const auto policy = parsed(R"({"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Principal":"*","Action":"s3:Get*","Resource":"arn:aws:s3:::box/*"},
    {"Effect":"Deny","NotPrincipal":{"AWS":"111111111111"},"NotAction":["s3:ListBucket"],"NotResource":"arn:aws:s3:::box/open/*"}]})");
  const RequestOf request;
  EXPECT_EQ(policy->evaluate(Action::kGetObject, "box/k", alice, request), Effect::kAllow);
  EXPECT_EQ(policy->evaluate(Action::kGetObject, "box/k", bob, request), Effect::kDeny);
  EXPECT_EQ(policy->evaluate(Action::kGetObject, "box/open/k", bob, request), Effect::kAllow);
  EXPECT_EQ(policy->evaluate(Action::kPutObject, "box/open/k", bob, request), Effect::kNone);
  EXPECT_EQ(policy->evaluate(Action::kListBucket, "box", bob, request), Effect::kNone);
}

TEST(Policy, ActionsAreReadWithoutCaseAndWithWildcards) {
  const auto policy = parsed(allow(R"("*")", R"("S3:get?bject")", R"("arn:aws:s3:::box/*")"));
  const RequestOf request;
  EXPECT_EQ(policy->evaluate(Action::kGetObject, "box/k", nobody, request), Effect::kAllow);
  EXPECT_EQ(policy->evaluate(Action::kGetObjectAcl, "box/k", nobody, request), Effect::kNone);
}

TEST(Policy, ResourcesMayHoldVariables) {
  const auto policy = parsed(
      allow(R"("*")", R"("s3:PutObject")", R"("arn:aws:s3:::box/home/${aws:PrincipalAccount}/*")"));
  EXPECT_EQ(policy->evaluate(Action::kPutObject, "box/home/111/x", alice,
                             RequestOf{{"aws:PrincipalAccount", {"111"}}}),
            Effect::kAllow);
  EXPECT_EQ(policy->evaluate(Action::kPutObject, "box/home/222/x", alice,
                             RequestOf{{"aws:PrincipalAccount", {"111"}}}),
            Effect::kNone);
  EXPECT_EQ(policy->evaluate(Action::kPutObject, "box/home//x", nobody, RequestOf()),
            Effect::kNone);
}

TEST(Policy, EveryConditionMustHoldAndEachKeyIsAskedOnce) {
  const auto policy = parsed(R"({"Version":"2012-10-17","Statement":[
    {"Effect":"Deny","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::box","Condition":{"StringEquals":{"s3:prefix":"x"}}},
    {"Effect":"Deny","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::box","Condition":{"StringEquals":{"s3:prefix":"y"}}},
    {"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::box",
     "Condition":{"StringLike":{"s3:prefix":"home/*","s3:delimiter":"/"},"NumericLessThanEquals":{"s3:max-keys":100}}}]})");
  const RequestOf good{
      {"s3:prefix", {"home/a"}}, {"s3:delimiter", {"/"}}, {"s3:max-keys", {"100"}}};
  EXPECT_EQ(policy->evaluate(Action::kListBucket, "box", nobody, good), Effect::kAllow);
  EXPECT_EQ(good.asked, 3u);
  const RequestOf many{
      {"s3:prefix", {"home/a"}}, {"s3:delimiter", {"/"}}, {"s3:max-keys", {"101"}}};
  EXPECT_EQ(policy->evaluate(Action::kListBucket, "box", nobody, many), Effect::kNone);
}

TEST(Policy, KnowsWhichActionsAskForTheObjectsTags) {
  const auto policy =
      parsed(allow(R"("*")", R"(["s3:GetObject","s3:GetObjectAcl"])", R"("arn:aws:s3:::box/*")",
                   R"(,"Condition":{"StringEquals":{"s3:ExistingObjectTag/colour":"red"}})"));
  EXPECT_TRUE(policy->asks_object_tags(Action::kGetObject));
  EXPECT_FALSE(policy->asks_object_tags(Action::kPutObject));
  EXPECT_EQ(policy->evaluate(Action::kGetObject, "box/k", nobody,
                             RequestOf{{"s3:ExistingObjectTag/colour", {"red"}}}),
            Effect::kAllow);
  EXPECT_EQ(policy->evaluate(Action::kGetObject, "box/k", nobody,
                             RequestOf{{"s3:ExistingObjectTag/colour", {"blue"}}}),
            Effect::kNone);
}

TEST(Policy, IsPublicWhenItGrantsSomethingToEverybody) {
  const auto is_public = [](const std::string& principal, const std::string& more) {
    return parsed(allow(principal, R"("s3:GetObject")", R"("arn:aws:s3:::box/*")", more))
        ->is_public();
  };
  const auto condition = [](const std::string& op, const std::string& key,
                            const std::string& value) {
    return R"(,"Condition":{")" + op + R"(":{")" + key + R"(":")" + value + R"("}})";
  };
  EXPECT_TRUE(is_public(R"("*")", ""));
  EXPECT_TRUE(is_public(R"({"AWS":"*"})", condition("StringEquals", "s3:x-amz-acl", "private")));
  EXPECT_FALSE(is_public(R"({"AWS":"111111111111"})", ""));
  EXPECT_FALSE(is_public(R"("*")", condition("IpAddress", "aws:SourceIp", "10.0.0.0/32")));
  EXPECT_FALSE(is_public(R"("*")", condition("IpAddress", "aws:SourceIp", "10.0.0.0/8")));
  EXPECT_TRUE(is_public(R"("*")", condition("IpAddress", "aws:SourceIp", "0.0.0.0/1")));
  EXPECT_TRUE(is_public(R"("*")", condition("IpAddress", "aws:SourceIp", "2000::/16")));
  EXPECT_TRUE(is_public(R"("*")", condition("NotIpAddress", "aws:SourceIp", "10.0.0.0/32")));
  EXPECT_FALSE(is_public(R"("*")", condition("StringEquals", "aws:SourceVpc", "vpc-1")));
  EXPECT_TRUE(is_public(R"("*")", condition("StringLike", "aws:SourceVpc", "vpc-*")));
  EXPECT_TRUE(is_public(R"("*")", condition("StringEqualsIfExists", "aws:SourceVpc", "vpc-1")));
  EXPECT_TRUE(
      is_public(R"("*")", condition("StringEquals", "aws:PrincipalAccount", "${aws:userid}")));
  EXPECT_FALSE(
      parsed(
          statement(
              R"("Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::box/*")"))
          ->is_public());
}

TEST(Policy, TellsWhichAccountsMustExist) {
  const auto policy = parsed(allow(
      R"({"AWS":["111111111111","arn:aws:iam::222222222222:root","arn:aws:iam::name:root"],"CanonicalUser":"c"})",
      R"("s3:GetObject")", R"("arn:aws:s3:::box/*")"));
  EXPECT_EQ(policy->named_accounts(), (std::vector<std::string>{"111111111111", "222222222222"}));
  EXPECT_EQ(policy->named_canonical_ids(), std::vector<std::string>{"c"});
}

// An account may get a name that another one had: a name in an ARN allows nobody, and denies
// nothing.
TEST(Policy, ANameIsNobody) {
  for (const char* name : {"bob", "anonymous", "1111"}) {
    const auto policy = parsed(allow(R"({"AWS":"arn:aws:iam::)" + std::string(name) + R"(:root"})",
                                     R"("s3:GetObject")", R"("arn:aws:s3:::box/*")"));
    EXPECT_FALSE(policy->is_public());
    EXPECT_TRUE(policy->named_accounts().empty());
  }
  const std::string rest = R"("Action":"s3:GetObject","Resource":"arn:aws:s3:::box/*")";
  for (const char* refused : {R"("Effect":"Deny","Principal":{"AWS":"arn:aws:iam::bob:root"},)",
                              R"("Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::bob:root"},)",
                              R"("Effect":"Allow","Principal":{"AWS":"bob"},)",
                              R"("Effect":"Allow","Principal":{"CanonicalUser":""},)"}) {
    EXPECT_FALSE(Policy::parse(statement(refused + rest), "box")) << refused;
  }
}

}  // namespace
}  // namespace rondel::policy
