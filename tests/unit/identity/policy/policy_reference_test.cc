#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "tests/unit/identity/policy/reference_policy.h"

namespace rondel::policy {
namespace {

using Texts = std::vector<std::string>;

// Small alphabets, so that about as much matches as does not.
class Maker {
 public:
  explicit Maker(uint32_t seed) : random_(seed) {}

  size_t below(size_t n) { return random_() % n; }

  bool once_in(size_t n) { return below(n) == 0; }

  const std::string& one_of(const Texts& texts) { return texts[below(texts.size())]; }

  std::string text(std::string_view alphabet, size_t max) {
    std::string out(below(max + 1), ' ');
    for (char& c : out) c = alphabet[below(alphabet.size())];
    return out;
  }

  // Mostly short, at times long enough to be searched.
  template <class Make>
  Texts list(Make make) {
    Texts out(once_in(4) ? 1 + below(40) : 1 + below(3));
    for (std::string& element : out) element = make();
    return out;
  }

  std::string pattern() {
    std::string out;
    for (size_t i = 0, pieces = 1 + below(3); i < pieces; ++i) {
      out += text("ab/", 3) + text("ab*?/", 2);
      if (once_in(6)) {
        out += one_of({"${aws:username}", "${aws:userid, 'b'}", "${s3:delimiter}", "${*}", "${?}",
                       "${$}", "${s3:RequestObjectTagKeys, ''}"});
      }
    }
    return out;
  }

  std::string resource() {
    return one_of({"box/", "box/", "box/", "b?x/", "box*/", "*/"}) + pattern() + one_of({"", "*"});
  }

  std::string address() {
    return one_of({"10.", "10.0.", "192.168."}) +
           (once_in(2) ? "0.0" : std::to_string(below(4)) + "." + std::to_string(64 * below(4)));
  }

  std::string full_address() {
    if (once_in(4)) return "2001:db8:" + std::to_string(below(2)) + "::" + std::to_string(below(4));
    if (once_in(10)) return "neither";
    std::string out = address();
    while (std::ranges::count(out, '.') < 3) out += "." + std::to_string(below(2));
    return once_in(6) ? "::ffff:" + out : out;
  }

  std::string range() {
    std::string out = full_address();
    while (out == "neither") out = full_address();
    if (once_in(3)) return out;
    return out + "/" + std::to_string(out.find(':') == std::string::npos ? below(33) : below(129));
  }

  std::string arn() {
    return "arn:aws:iam:" + text("ab", 1) + ":" + text("12", 2) + ":" +
           one_of({"root", "user/a:b", ""});
  }

  std::string arn_pattern() {
    if (once_in(20)) return "*";
    if (once_in(4)) return "arn:aws:iam::${aws:userid}:" + pattern();
    return one_of({"arn", "a?n", "*"}) + ":aws:iam:" + text("ab*", 1) + ":" + text("12*?", 2) +
           ":" + one_of({"root", "user/*", "*", "*:b", ""});
  }

  std::string time() {
    return once_in(2) ? std::to_string(1'700'000'000 + below(4))
                      : "2023-11-14T22:13:2" + std::to_string(below(4)) + "Z";
  }

  std::string number() { return std::to_string(below(5)) + one_of({"", ".0", ".5"}); }

  std::string bytes() { return one_of({"QQ==", "QUI=", "QUJD", ""}); }

  reference::Condition condition() {
    const auto make = [&](const Texts& operators, const std::string& key, Texts values) {
      std::string op = one_of(operators);
      if (op != "Null") {
        op = one_of({"", "", "ForAnyValue:", "ForAllValues:"}) + op + one_of({"", "", "IfExists"});
      }
      return reference::Condition{op, key, std::move(values)};
    };
    switch (below(9)) {
      case 0:
        return make({"IpAddress", "NotIpAddress"}, "aws:SourceIp", list([&] { return range(); }));
      case 1:
        return make({"NumericEquals", "NumericNotEquals", "NumericLessThan",
                     "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals"},
                    "s3:max-keys", list([&] { return number(); }));
      case 2:
        return make({"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals",
                     "DateGreaterThan", "DateGreaterThanEquals"},
                    "aws:CurrentTime", list([&] { return time(); }));
      case 3: return make({"Bool"}, "aws:SecureTransport", {one_of({"true", "false", "True"})});
      case 4:
        return make({"BinaryEquals"}, "s3:x-amz-content-sha256", list([&] { return bytes(); }));
      case 5:
        return make({"ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"}, "aws:PrincipalArn",
                    list([&] { return arn_pattern(); }));
      case 6:
        return make({"Null"}, one_of({"aws:username", "s3:delimiter"}),
                    {one_of({"true", "false"})});
      default:
        return make({"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase",
                     "StringNotEqualsIgnoreCase", "StringLike", "StringLike", "StringNotLike"},
                    one_of({"s3:prefix", "s3:RequestObjectTagKeys", "aws:username"}),
                    list([&] { return once_in(3) ? text("abAB", 2) : pattern(); }));
    }
  }

  reference::Statement statement() {
    reference::Statement out;
    out.deny = once_in(2);
    out.not_principal = out.deny && once_in(4);
    out.principals =
        list([&] { return one_of({"*", "111111111111", "222222222222", "333333333333"}); });
    out.not_action = once_in(5);
    out.actions = {
        one_of({"s3:GetObject", "s3:Get*", "s3:PutObject", "s3:*Object", "s3:?etObject"})};
    out.not_resource = once_in(5);
    out.resources = list([&] { return resource(); });
    std::set<std::pair<std::string, std::string>> seen;
    for (size_t i = below(3); i > 0; --i) {
      auto next = condition();
      if (seen.emplace(next.op, next.key).second) out.conditions.push_back(std::move(next));
    }
    return out;
  }

  reference::Said said() {
    reference::Said out;
    const auto say = [&](const std::string& key, std::string value) {
      if (!once_in(4)) out[key] = {std::move(value)};
    };
    say("aws:SourceIp", full_address());
    say("s3:max-keys", once_in(10) ? "many" : number());
    say("aws:CurrentTime", time());
    say("aws:SecureTransport", one_of({"true", "false"}));
    say("s3:x-amz-content-sha256", once_in(10) ? "?" : bytes());
    say("aws:PrincipalArn", once_in(10) ? "arn:a" : arn());
    say("s3:prefix", text("abAB*?/", 4));
    say("s3:delimiter", one_of({"/", "*", "ab", ""}));
    say("aws:userid", text("ab12", 2));
    say("aws:username", text("ab*", 3));
    if (!once_in(3)) out["s3:RequestObjectTagKeys"] = list([&] { return text("abA", 2); });
    return out;
  }

  std::string key() { return text("ab/*?", 7) + (once_in(5) ? "\xc3\xbc" : ""); }

 private:
  std::mt19937 random_;
};

class SaidRequest final : public ConditionSource {
 public:
  explicit SaidRequest(const reference::Said& said) : said_(said) {}

  Texts values(const KeyName& key) const override {
    const auto found = said_.find(std::string(name_of(key.key)));
    return found == said_.end() ? Texts{} : found->second;
  }

 private:
  const reference::Said& said_;
};

TEST(PolicyReference, TheCompiledPolicyAgreesOnRandomPoliciesAndRequests) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  Maker maker(seed);
  const Caller callers[] = {{"111111111111", "aa", false}, {"222222222222", "bb", false}, {}};
  size_t said_yes = 0, said_no = 0, said_nothing = 0;
  for (int i = 0; i < 3'000; ++i) {
    std::vector<reference::Statement> statements(1 + maker.below(4));
    for (reference::Statement& statement : statements) statement = maker.statement();
    const std::string json = json_of(statements);
    const auto policy = Policy::parse(json, "box");
    ASSERT_TRUE(policy) << policy.error() << " " << json;
    for (int j = 0; j < 10; ++j) {
      const reference::Said said = maker.said();
      const Action action = maker.once_in(2) ? Action::kGetObject : Action::kPutObject;
      const Caller& caller = callers[maker.below(3)];
      const std::string resource = "box/" + maker.key();
      const Effect expected =
          reference::evaluate(statements, row(action).name, resource, caller, said);
      std::string what;
      for (const auto& [key, values] : said) {
        what += key + "=" + testing::PrintToString(values) + " ";
      }
      ASSERT_EQ((*policy)->evaluate(action, resource, caller, SaidRequest(said)), expected)
          << json << "\n"
          << row(action).name << " " << resource << " by " << caller.account_id << " " << what;
      ++(expected == Effect::kAllow  ? said_yes
         : expected == Effect::kDeny ? said_no
                                     : said_nothing);
    }
  }
  // Otherwise agreement would say little.
  EXPECT_GT(said_yes, 1'000u);
  EXPECT_GT(said_no, 1'000u);
  EXPECT_GT(said_nothing, 1'000u);
}

}  // namespace
}  // namespace rondel::policy
