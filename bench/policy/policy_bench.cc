// What a bucket policy of 20 KiB costs a request after its first: the decision alone, with the real
// facts of a request. Shapes are the ones people write (a statement a prefix, lists of accounts, of
// addresses, of values) and the ones that are worst for us (no statement matches, every statement
// is about the same action and key).
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <functional>

#include "identity/access/authorization.h"

namespace {

using namespace rondel;

// As many of `item(i)` as go into a policy, between `before` and `after`.
std::string filled(const std::string& before, const std::string& after,
                   const std::function<std::string(int)>& item) {
  std::string text = before;
  for (int i = 0;; ++i) {
    std::string next = (i == 0 ? "" : ",") + item(i);
    if (text.size() + next.size() + after.size() > policy::kPolicyBytesMax) break;
    text += next;
  }
  return text + after;
}

std::string number(int i) { return std::to_string(100'000'000'000 + i); }

std::string address(int i) {
  return "10." + std::to_string(i / 256 % 256) + "." + std::to_string(i % 256) + ".0/24";
}

const std::string kBegin = R"({"Version":"2012-10-17","Statement":[)";
const std::string kStatement =
    kBegin + R"({"Effect":"Allow","Principal":"*","Action":"s3:GetObject",)";
const std::string kObjects = R"("Resource":"arn:aws:s3:::box/*")";

std::string statement(const std::string& fields) {
  return R"({"Effect":"Allow","Principal":"*","Action":"s3:GetObject",)" + fields + "}";
}

struct Shape {
  const char* name;
  std::function<std::string()> document;
};

const Shape kShapes[] = {
    {"statement_a_prefix",
     [] {
       return filled(kBegin, "]}", [](int i) {
         return statement(R"("Resource":"arn:aws:s3:::box/team-)" + std::to_string(i) + R"(/*")");
       });
     }},
    {"statement_an_account",
     [] {
       return filled(kBegin, "]}", [](int i) {
         return R"({"Effect":"Allow","Principal":{"AWS":")" + number(i) + R"("},"Action":"s3:*",)" +
                kObjects + "}";
       });
     }},
    {"statement_an_address",
     [] {
       return filled(kBegin, "]}", [](int i) {
         return statement(kObjects + R"(,"Condition":{"IpAddress":{"aws:SourceIp":")" + address(i) +
                          R"("}})");
       });
     }},
    {"statement_a_user_agent",
     [] {
       return filled(kBegin, "]}", [](int i) {
         return statement(kObjects + R"(,"Condition":{"StringLike":{"aws:UserAgent":"*agent-)" +
                          std::to_string(i) + R"(*"}})");
       });
     }},
    {"statement_with_variables",
     [] {
       return filled(kBegin, "]}", [](int i) {
         return statement(R"("Resource":"arn:aws:s3:::box/${aws:PrincipalAccount}/)" +
                          std::to_string(i) + R"(/*")");
       });
     }},
    {"statement_with_matching_variables",
     [] {
       return filled(kBegin, "]}", [](int i) {
         return statement(R"("Resource":"arn:aws:s3:::box/some/*/of/${aws:PrincipalAccount}/)" +
                          std::to_string(i) + R"(/*")");
       });
     }},
    {"statement_with_a_match_of_variables",
     [] {
       return filled(kBegin, "]}", [](int i) {
         return statement(R"("Resource":"arn:aws:s3:::box/*/of/${aws:username, 'usual'}/)" +
                          std::to_string(i) + R"(/*")");
       });
     }},
    {"statement_an_arn",
     [] {
       return filled(kBegin, "]}", [](int i) {
         return statement(kObjects +
                          R"(,"Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::)" +
                          number(i) + R"(:*"}})");
       });
     }},
    {"statement_a_date",
     [] {
       return filled(kBegin, "]}", [](int i) {
         return statement(kObjects + R"(,"Condition":{"DateLessThan":{"aws:CurrentTime":"19)" +
                          std::to_string(71 + i % 29) + R"(-01-01T00:00:00Z"}})");
       });
     }},
    {"statement_a_tag",
     [] {
       return filled(kBegin, "]}", [](int i) {
         return statement(kObjects +
                          R"(,"Condition":{"StringEquals":{"s3:ExistingObjectTag/class-)" +
                          std::to_string(i) + R"(":"open"}})");
       });
     }},
    {"statement_of_four_conditions",
     [] {
       return filled(kBegin, "]}", [](int i) {
         return R"({"Effect":"Deny","Principal":"*","Action":"s3:*",)" + kObjects +
                R"(,"Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"},)" +
                R"("StringNotEquals":{"aws:PrincipalAccount":")" + number(i) +
                R"("},"Bool":{"aws:SecureTransport":"false"},)" +
                R"("StringLike":{"aws:UserAgent":"*agent-)" + std::to_string(i) + R"(*"}}})";
       });
     }},
    {"list_of_suffixes",
     [] {
       return filled(kStatement + "\"Resource\":[", "]}]}",
                     [](int i) { return "\"arn:aws:s3:::box/*." + std::to_string(i) + "\""; });
     }},
    {"list_of_user_agents",
     [] {
       return filled(kStatement + kObjects + R"(,"Condition":{"StringLike":{"aws:UserAgent":[)",
                     "]}}}]}", [](int i) { return "\"*agent-" + std::to_string(i) + "*\""; });
     }},
    {"list_of_arns",
     [] {
       return filled(kStatement + kObjects + R"(,"Condition":{"ArnLike":{"aws:PrincipalArn":[)",
                     "]}}}]}", [](int i) { return "\"arn:aws:iam::" + number(i) + ":*\""; });
     }},
    {"list_with_variables",
     [] {
       return filled(kStatement + "\"Resource\":[", "]}]}", [](int i) {
         return "\"arn:aws:s3:::box/${aws:PrincipalAccount}/" + std::to_string(i) + "/*\"";
       });
     }},
    {"list_of_resources",
     [] {
       return filled(kStatement + "\"Resource\":[", "]}]}",
                     [](int i) { return "\"arn:aws:s3:::box/" + std::to_string(i) + "/*\""; });
     }},
    {"list_of_accounts",
     [] {
       return filled(kBegin + R"({"Effect":"Allow","Action":"s3:GetObject",)" + kObjects +
                         R"(,"Principal":{"AWS":[)",
                     "]}}]}", [](int i) { return "\"" + number(i) + "\""; });
     }},
    {"list_of_addresses",
     [] {
       return filled(kStatement + kObjects + R"(,"Condition":{"IpAddress":{"aws:SourceIp":[)",
                     "]}}}]}", [](int i) { return "\"" + address(i) + "\""; });
     }},
    {"list_of_referers",
     [] {
       return filled(kStatement + kObjects + R"(,"Condition":{"StringEquals":{"aws:Referer":[)",
                     "]}}}]}", [](int i) { return "\"http://site-" + std::to_string(i) + "/\""; });
     }},
    {"list_of_referer_patterns",
     [] {
       return filled(kStatement + kObjects + R"(,"Condition":{"StringLike":{"aws:Referer":[)",
                     "]}}}]}", [](int i) { return "\"http://site-" + std::to_string(i) + "/*\""; });
     }},
};

// What a GET of another account says of itself.
class Facts final : public policy::ConditionSource {
 public:
  std::vector<std::string> values(const policy::KeyName& key) const override {
    using Key = policy::ConditionKey;
    switch (key.key) {
      case Key::kUserAgent: return {"aws-sdk-cpp/1.11 linux/6.1 x86_64"};
      case Key::kReferer: return {"http://elsewhere.example/page"};
      case Key::kSourceIp: return {"192.0.2.7"};
      case Key::kSecureTransport: return {"false"};
      case Key::kPrincipalAccount: return {"333333333333"};
      case Key::kPrincipalArn: return {"arn:aws:iam::333333333333:root"};
      case Key::kCurrentTime: return {"2026-01-01T00:00:00Z"};
      default: return {};
    }
  }
};

struct Subject {
  explicit Subject(const std::string& document) {
    bucket.bucket = "box";
    bucket.owner_account = "111111111111";
    auto parsed =
        document.empty() ? nullptr : policy::Policy::parse(document, "box").value_or(nullptr);
    if (!document.empty() && !parsed) std::abort();
    bucket.policy = parsed;
    bucket.ownership = access::Ownership::kBucketOwnerEnforced;
  }

  bool decide_once() const {
    const Facts request;
    access::Question question{bucket, caller, policy::Action::kGetObject,
                              "some/key/of/usual/length.bin"};
    question.policy = access::settled_effect(question, request);
    return access::decide(question, request) != access::Verdict::kDeny &&
           access::decide_object(question, request, {"111111111111", {}});
  }

  access::BucketAccess bucket;
  policy::Caller caller{"333333333333", "oth", false};
};

void run(benchmark::State& state, const std::string& document) {
  const Subject subject(document);
  for (auto _ : state) benchmark::DoNotOptimize(subject.decide_once());
  state.counters["bytes"] = static_cast<double>(document.size());
}

const bool registered = [] {
  benchmark::RegisterBenchmark("no_policy", [](benchmark::State& state) {
    run(state, "");
  })->Unit(benchmark::kMicrosecond);
  for (const Shape& shape : kShapes) {
    benchmark::RegisterBenchmark(shape.name, [&shape](benchmark::State& state) {
      run(state, shape.document());
    })->Unit(benchmark::kMicrosecond);
  }
  return true;
}();

}  // namespace
