// Who sent this: signatures in header and query, everything that must make them fail.
#include "gateway/signature/authenticator.h"

#include <gtest/gtest.h>

#include "common/async/event_loop.h"
#include "common/base/encoding.h"
#include "common/crypto/digest.h"
#include "tests/fakes/fixed_identities.h"
#include "tests/fakes/manual_clock.h"

namespace rondel::signature {
namespace {

using namespace std::chrono_literals;
using Outcome = std::expected<Identity, RefusalDetail>;

const sigv4::Credentials kKeys{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};
const SystemTime kNow = std::chrono::sys_days(std::chrono::year(2024) / 5 / 24) + 13h;

std::vector<std::pair<std::string, std::string>> decoded(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> out;
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), part.size() + 1));
    const size_t equals = part.find('=');
    out.emplace_back(
        percent_decode(part.substr(0, equals)).value(),
        equals == std::string_view::npos ? "" : percent_decode(part.substr(equals + 1)).value());
  }
  return out;
}

class AuthenticatorTest : public ::testing::Test {
 protected:
  AuthenticatorTest() {
    metadata::Credential credential;
    credential.key = {.access_key = kKeys.access_key,
                      .secret_key = kKeys.secret_key,
                      .account_id = "123456789012",
                      .is_root = true};
    credential.account.id = "123456789012";
    accounts_.add(credential);
    credential.key.access_key = "AKIDDISABLED";
    credential.key.enabled = false;
    accounts_.add(credential);
    credential.key.access_key = "AKIDOFCLOSED";
    credential.key.enabled = true;
    credential.account.enabled = false;
    accounts_.add(credential);
  }

  // A request signed in its header at the clock's time.
  http::RequestHead signed_request(std::string method = "GET", std::string path = "/b/k",
                                   std::string query = "", sigv4::NameValues more = {},
                                   std::string payload = std::string(sigv4::kEmptySha256),
                                   sigv4::Credentials keys = kKeys,
                                   std::string region = "us-east-1") {
    http::RequestHead head;
    head.method = method;
    head.target = query.empty() ? path : path + "?" + query;
    sigv4::NameValues headers{{"host", "h.test"}};
    headers.insert(headers.end(), more.begin(), more.end());
    for (const auto& [name, value] : headers) head.fields.add(name, value);
    for (auto& [name, value] : sigv4::sign({keys, region, signed_at_.now()},
                                           {method, path, decoded(query), headers, payload})) {
      head.fields.add(name, value);
    }
    return head;
  }

  http::RequestHead presigned_request(std::string path = "/b/k", int expires_s = 600,
                                      sigv4::NameValues query = {}) {
    http::RequestHead head;
    head.method = "GET";
    head.target =
        path + "?" +
        sigv4::presign({kKeys, "us-east-1", signed_at_.now()},
                       {"GET", path, std::move(query), {{"host", "h.test"}}, {}}, expires_s);
    head.fields.add("host", "h.test");
    return head;
  }

  Outcome ask(const http::RequestHead& head) {
    Authenticator authenticator(identities_, {.clock = &clock_});
    return async::block_on(
        authenticator.authenticate(head, decoded(head.query()), deadline_in(60s)));
  }

  static http::RequestHead with(http::RequestHead head, std::string name, std::string value) {
    head.fields.set(std::move(name), std::move(value));
    return head;
  }

  static std::string replaced(std::string text, std::string_view what, std::string_view by) {
    const size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what << " in " << text;
    return text.replace(at, what.size(), by);
  }

  http::RequestHead with_authorization(const std::function<std::string(std::string)>& change) {
    http::RequestHead head = signed_request();
    const std::string now(*head.fields.find("authorization"));
    return with(std::move(head), "authorization", change(now));
  }

  // The refusal, which must be one.
  Refusal refusal(const http::RequestHead& head) {
    const Outcome outcome = ask(head);
    EXPECT_FALSE(outcome);
    return outcome ? Refusal::kUnavailable : outcome.error().refusal;
  }

  fakes::FixedIdentities accounts_;
  fakes::ManualClock clock_{kNow};
  metadata::IdentityCache identities_{accounts_, clock_};
  fakes::ManualClock signed_at_{kNow};
};

#define EXPECT_REFUSED(reason, head) \
  EXPECT_EQ(static_cast<int>(refusal(head)), static_cast<int>(Refusal::reason))

TEST_F(AuthenticatorTest, ASignedHeaderIsBelieved) {
  const Outcome outcome = ask(signed_request(
      "PUT", "/b/a%20b//%C3%A9", "x=1&a=%2F&empty=", {{"x-amz-meta-a", "  two   words "}}));
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(outcome->credential->key.access_key, kKeys.access_key);
  EXPECT_FALSE(outcome->presigned);
  EXPECT_EQ(outcome->payload_form, PayloadForm::kHash);
  EXPECT_EQ(outcome->payload_hash, sigv4::kEmptySha256);
}

TEST_F(AuthenticatorTest, ASignedQueryIsBelieved) {
  const Outcome outcome = ask(presigned_request("/b/k", 600, {{"response-content-type", "a/b"}}));
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_TRUE(outcome->presigned);
  EXPECT_EQ(outcome->payload_form, PayloadForm::kUnsigned);
}

TEST_F(AuthenticatorTest, WithoutCredentialsARequestIsAnonymous) {
  http::RequestHead head;
  head.method = "GET";
  head.target = "/b/k";
  head.fields.add("host", "h");
  EXPECT_TRUE(ask(head)->anonymous());
  EXPECT_EQ(accounts_.lookups(), 0);
  for (const auto form : {sigv4::kStreamingSigned, sigv4::kStreamingSignedTrailer}) {
    EXPECT_REFUSED(kInvalidRequest, with(with(head, "x-amz-content-sha256", std::string(form)),
                                         "x-amz-decoded-content-length", "1"));
    EXPECT_REFUSED(kInvalidRequest, with(head, "x-amz-content-sha256", std::string(form)));
    EXPECT_EQ(ask(with(head, "x-amz-content-sha256", std::string(form))).error().message,
              "Anonymous requests don't support this x-amz-content-sha256 value. Please use "
              "UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER.");
  }
}

TEST_F(AuthenticatorTest, AnyChangeOfWhatWasSignedIsNoticed) {
  const auto base = signed_request("GET", "/b/k", "prefix=a", {{"x-amz-meta-a", "b"}});
  ASSERT_TRUE(ask(base));
  http::RequestHead method = base, path = base, query = base, more = base;
  method.method = "DELETE";
  path.target = "/b/other?prefix=a";
  query.target = "/b/k?prefix=b";
  more.target = "/b/k?prefix=a&x=y";
  EXPECT_REFUSED(kSignatureDoesNotMatch, method);
  EXPECT_REFUSED(kSignatureDoesNotMatch, path);
  EXPECT_REFUSED(kSignatureDoesNotMatch, query);
  EXPECT_REFUSED(kSignatureDoesNotMatch, more);
  EXPECT_REFUSED(kSignatureDoesNotMatch, with(base, "x-amz-meta-a", "c"));
  EXPECT_REFUSED(kSignatureDoesNotMatch, with(base, "host", "other.test"));
  EXPECT_REFUSED(kSignatureDoesNotMatch, with(base, "x-amz-content-sha256", std::string(64, 'a')));
  EXPECT_REFUSED(kSignatureDoesNotMatch,
                 with(base, "x-amz-content-sha256", std::string(sigv4::kUnsignedPayload)));
  EXPECT_REFUSED(kSignatureDoesNotMatch, with(base, "x-amz-date", "20240524T130001Z"));
  http::RequestHead doubled = base;
  doubled.fields.add("x-amz-meta-a", "c");
  EXPECT_REFUSED(kSignatureDoesNotMatch, doubled);
  const std::string authorization(*base.fields.find("authorization"));
  const char last = authorization.back() == '0' ? '1' : '0';
  EXPECT_REFUSED(
      kSignatureDoesNotMatch,
      with(base, "authorization", authorization.substr(0, authorization.size() - 1) + last));
  EXPECT_REFUSED(kSignatureDoesNotMatch,
                 with(base, "authorization", authorization.substr(0, authorization.size() - 1)));
}

TEST_F(AuthenticatorTest, TheSecretMustFit) {
  EXPECT_REFUSED(kSignatureDoesNotMatch,
                 signed_request("GET", "/b/k", "", {}, std::string(sigv4::kEmptySha256),
                                {kKeys.access_key, "another"}));
  const Outcome outcome = ask(signed_request(
      "GET", "/b/k", "", {}, std::string(sigv4::kEmptySha256), {kKeys.access_key, "another"}));
  for (const auto& [name, value] : outcome.error().details) {
    EXPECT_EQ(value.find(kKeys.secret_key), std::string::npos) << name;
  }
}

TEST_F(AuthenticatorTest, UnknownAndDisabledKeysAreRefused) {
  EXPECT_REFUSED(kInvalidAccessKeyId,
                 signed_request("GET", "/b/k", "", {}, std::string(sigv4::kEmptySha256),
                                {"AKIDNOBODY", kKeys.secret_key}));
  EXPECT_REFUSED(kAccessKeyDisabled,
                 signed_request("GET", "/b/k", "", {}, std::string(sigv4::kEmptySha256),
                                {"AKIDDISABLED", kKeys.secret_key}));
  EXPECT_REFUSED(kAccessKeyDisabled,
                 signed_request("GET", "/b/k", "", {}, std::string(sigv4::kEmptySha256),
                                {"AKIDOFCLOSED", kKeys.secret_key}));
  // Who does not know the secret does not learn that the key is disabled.
  EXPECT_REFUSED(kSignatureDoesNotMatch,
                 signed_request("GET", "/b/k", "", {}, std::string(sigv4::kEmptySha256),
                                {"AKIDDISABLED", "guess"}));
}

TEST_F(AuthenticatorTest, AStoreThatIsDownIsNoRefusalOfTheKey) {
  accounts_.break_with(Error{ErrorCode::kUnavailable, "no database"});
  EXPECT_REFUSED(kUnavailable, signed_request());
}

TEST_F(AuthenticatorTest, TheClocksMayDifferByAQuarterOfAnHour) {
  for (const auto skew : {-15min, 0min, 15min}) {
    signed_at_.set(kNow + skew);
    EXPECT_TRUE(ask(signed_request())) << skew.count();
  }
  for (const std::chrono::seconds skew :
       {std::chrono::seconds(-15min) - 1s, std::chrono::seconds(15min) + 1s,
        std::chrono::seconds(-1h * 24 * 365)}) {
    signed_at_.set(kNow + skew);
    EXPECT_REFUSED(kRequestTimeTooSkewed, signed_request());
  }
}

TEST_F(AuthenticatorTest, ASignedUrlLivesAsLongAsItSays) {
  const auto url = presigned_request("/b/k", 600);
  clock_.set(kNow + 599s);
  EXPECT_TRUE(ask(url));
  clock_.set(kNow + 600s);
  EXPECT_REFUSED(kAccessDenied, url);
  EXPECT_NE(ask(url).error().message.find("expired"), std::string::npos);
  clock_.set(kNow - 16min);
  EXPECT_REFUSED(kAccessDenied, url);
  clock_.set(kNow);
  http::RequestHead at_once = url;
  at_once.target = replaced(at_once.target, "X-Amz-Expires=600", "X-Amz-Expires=0");
  EXPECT_REFUSED(kAccessDenied, at_once);
  for (const char* expires : {"-1", "604801", "x", "", "99999999999999999999"}) {
    http::RequestHead changed = url;
    changed.target =
        replaced(changed.target, "X-Amz-Expires=600", "X-Amz-Expires=" + std::string(expires));
    EXPECT_REFUSED(kAuthorizationQueryParametersError, changed);
  }
  http::RequestHead longer = url;
  longer.target = replaced(longer.target, "X-Amz-Expires=600", "X-Amz-Expires=700");
  EXPECT_REFUSED(kSignatureDoesNotMatch, longer);
}

TEST_F(AuthenticatorTest, ASignedUrlNeedsEveryParameter) {
  const auto url = presigned_request();
  for (const char* name : {"X-Amz-Algorithm=", "X-Amz-Date=", "X-Amz-SignedHeaders=",
                           "X-Amz-Signature=", "X-Amz-Credential=", "X-Amz-Expires="}) {
    http::RequestHead changed = url;
    changed.target = replaced(changed.target, name, "x=");
    EXPECT_FALSE(ask(changed)) << name;
    if (std::string_view(name) != "X-Amz-Algorithm=") {
      EXPECT_REFUSED(kAuthorizationQueryParametersError, changed);
    }
  }
}

TEST_F(AuthenticatorTest, RegionServiceTerminatorAndDateOfTheScopeAreChecked) {
  EXPECT_REFUSED(
      kAuthorizationHeaderMalformed,
      signed_request("GET", "/b/k", "", {}, std::string(sigv4::kEmptySha256), kKeys, "eu-west-1"));
  const auto scope = [&](std::string_view what, std::string_view by) {
    return with_authorization([&](std::string text) { return replaced(text, what, by); });
  };
  EXPECT_REFUSED(kAuthorizationHeaderMalformed, scope("/s3/", "/ec2/"));
  EXPECT_REFUSED(kAuthorizationHeaderMalformed, scope("aws4_request", "aws5_request"));
  EXPECT_REFUSED(kAuthorizationHeaderMalformed, scope("/20240524/", "/20240523/"));
  EXPECT_REFUSED(kAuthorizationHeaderMalformed, scope("/us-east-1/", "/"));
  const auto url = presigned_request();
  for (const auto& [what, by] :
       std::vector<std::pair<std::string, std::string>>{{"us-east-1", "eu-west-1"},
                                                        {"%2Fs3%2F", "%2Fiam%2F"},
                                                        {"%2F20240524%2F", "%2F20240525%2F"}}) {
    http::RequestHead changed = url;
    changed.target = replaced(changed.target, what, by);
    EXPECT_REFUSED(kAuthorizationQueryParametersError, changed);
  }
}

TEST_F(AuthenticatorTest, EveryAmzHeaderMustBeSigned) {
  http::RequestHead head = signed_request();
  head.fields.add("X-AMZ-Meta-Sneaked", "in");
  EXPECT_REFUSED(kUnsignedHeader, head);
  http::RequestHead url = presigned_request();
  url.fields.add("x-amz-acl", "public-read");
  EXPECT_REFUSED(kUnsignedHeader, url);
  http::RequestHead plain = signed_request();
  plain.fields.add("Range", "bytes=0-1");
  EXPECT_TRUE(ask(plain)) << "other headers may be unsigned";
  EXPECT_REFUSED(kUnsignedHeader, with_authorization([](std::string text) {
                   return replaced(text, "SignedHeaders=host;", "SignedHeaders=");
                 }));
}

TEST_F(AuthenticatorTest, MalformedAuthorizationIsSaidToBeThat) {
  const auto changed = [&](std::string_view what, std::string_view by) {
    return with_authorization([&](std::string text) { return replaced(text, what, by); });
  };
  EXPECT_REFUSED(kAuthorizationHeaderMalformed, changed("Credential=", "Credentials="));
  EXPECT_REFUSED(kAuthorizationHeaderMalformed, changed("Signature=", "Signature"));
  EXPECT_REFUSED(kAuthorizationHeaderMalformed,
                 changed("SignedHeaders=host", "SignedHeaders=HOST"));
  EXPECT_REFUSED(kAuthorizationHeaderMalformed,
                 changed("SignedHeaders=host", "SignedHeaders=host;host"));
  EXPECT_REFUSED(kAuthorizationHeaderMalformed, changed("Signature=", "Signature=, Signature="));
  EXPECT_REFUSED(kAuthorizationHeaderMalformed,
                 with_authorization([](const std::string&) { return "AWS4-HMAC-SHA256 "; }));
}

TEST_F(AuthenticatorTest, SchemesThatAreNotOursAreToldApart) {
  using Details = std::vector<std::pair<std::string, std::string>>;
  const std::string no_blank =
                        "Authorization header is invalid -- one and only one ' ' (space) required",
                    unsupported = "Unsupported Authorization Type";

  const struct {
    std::string header;
    Refusal refusal;
    std::string message;
  } rows[] = {
      {"", Refusal::kAccessDenied, ""},
      {"AWS4-HMAC-SHA256", Refusal::kInvalidArgument, no_blank},
      {"AWS", Refusal::kInvalidArgument, no_blank},
      {"nonsense", Refusal::kInvalidArgument, no_blank},
      {"Basic abc", Refusal::kInvalidArgument, unsupported},
      {"Bearer x", Refusal::kInvalidArgument, unsupported},
      {"AWS2-HMAC-SHA256 Credential=a", Refusal::kInvalidArgument, unsupported},
      {"AWS4-HMAC-SHA512 Credential=a", Refusal::kInvalidArgument, unsupported},
      {"AWS4-ECDSA-P256-SHA256 Credential=a", Refusal::kInvalidArgument, unsupported},
      {"aws4-hmac-sha256 x", Refusal::kInvalidArgument, unsupported},
      {"AWS AKID:sig", Refusal::kUnsupportedVersion,
       "The authorization mechanism you have provided is not supported. Please use "
       "AWS4-HMAC-SHA256. Clients of the AWS SDKs presign so with signature_version = s3v4 in "
       "their configuration."},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.header);
    const Outcome outcome = ask(with_authorization([&](const std::string&) { return row.header; }));
    ASSERT_FALSE(outcome);
    EXPECT_EQ(static_cast<int>(outcome.error().refusal), static_cast<int>(row.refusal));
    EXPECT_EQ(outcome.error().message, row.message);
    if (row.refusal == Refusal::kInvalidArgument) {
      EXPECT_EQ(outcome.error().details,
                (Details{{"ArgumentName", "Authorization"}, {"ArgumentValue", row.header}}));
    }
  }
}

TEST_F(AuthenticatorTest, AHeaderSignatureNeedsAPayloadHash) {
  http::RequestHead head = signed_request(), without = head;
  without.fields = {};
  for (const auto& [name, value] : head.fields) {
    if (!http::iequals(name, "x-amz-content-sha256")) without.fields.add(name, value);
  }
  EXPECT_REFUSED(kInvalidRequest, without);
  EXPECT_EQ(ask(without).error().message,
            "Missing required header for this request: x-amz-content-sha256");
}

TEST_F(AuthenticatorTest, TwoMechanismsAtOnceAreRefused) {
  http::RequestHead head = presigned_request();
  head.fields.add("authorization", std::string(*signed_request().fields.find("authorization")));
  http::RequestHead older = signed_request();
  older.target += "?AWSAccessKeyId=a&Signature=b&Expires=9999999999";
  http::RequestHead empty = presigned_request();
  empty.fields.add("authorization", "");
  for (const http::RequestHead& both : {head, older, empty}) {
    const Outcome outcome = ask(both);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(static_cast<int>(outcome.error().refusal),
              static_cast<int>(Refusal::kInvalidArgument));
    EXPECT_EQ(outcome.error().message,
              "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "
              "Signature query string parameter or the Authorization header should be specified");
    ASSERT_EQ(outcome.error().details.size(), 2u);
    EXPECT_EQ(outcome.error().details[0].second, "Authorization");
    EXPECT_EQ(outcome.error().details[1].second, *both.fields.find("authorization"));
  }
}

TEST_F(AuthenticatorTest, TheDateMustBeThereAndReadable) {
  http::RequestHead head = signed_request();
  EXPECT_FALSE(ask(with(head, "x-amz-date", "yesterday")));
  EXPECT_FALSE(ask(with(head, "x-amz-date", "20240524T130000")));
  EXPECT_FALSE(ask(with(head, "x-amz-date", "20240524T250000Z")));
  // What was signed differs, but the date itself is taken.
  const auto about_the_date = [&](std::string date) {
    http::RequestHead changed = head;
    changed.fields = {};
    for (const auto& [name, value] : head.fields) {
      if (!http::iequals(name, "x-amz-date")) changed.fields.add(name, value);
    }
    changed.fields.add("Date", std::move(date));
    return ask(changed).error().message.contains("valid Date");
  };
  for (const char* good : {"Fri, 24 May 2024 13:00:00 GMT", "Fri, 24 May 2024 13:00:00 -0000",
                           "Fri, 24 May 2024 13:00:00 +0000"}) {
    EXPECT_FALSE(about_the_date(good)) << good;
  }
  for (const char* bad : {"Fri, 24 May 2024 13:00:00 +0100", "Fri, 24 May 2024 -0000", " -0000"}) {
    EXPECT_TRUE(about_the_date(bad)) << bad;
  }
}

TEST_F(AuthenticatorTest, PayloadFormsAreToldApart) {
  const auto form_of = [&](std::string payload) {
    const Outcome outcome =
        ask(signed_request("PUT", "/b/k", "", {{"x-amz-decoded-content-length", "5"}}, payload));
    EXPECT_TRUE(outcome) << payload;
    return outcome ? outcome->payload_form : PayloadForm::kHash;
  };
  EXPECT_EQ(form_of(std::string(sigv4::kUnsignedPayload)), PayloadForm::kUnsigned);
  EXPECT_EQ(form_of(std::string(sigv4::kStreamingSigned)), PayloadForm::kStreamingSigned);
  EXPECT_EQ(form_of(std::string(sigv4::kStreamingSignedTrailer)),
            PayloadForm::kStreamingSignedTrailer);
  EXPECT_EQ(form_of(std::string(sigv4::kStreamingUnsignedTrailer)),
            PayloadForm::kStreamingUnsignedTrailer);
  for (const char* bad :
       {"", "abc", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "unsigned-payload"}) {
    EXPECT_REFUSED(kInvalidPayloadHash, signed_request("PUT", "/b/k", "", {}, bad));
  }
  EXPECT_REFUSED(kInvalidPayloadHash, signed_request("PUT", "/b/k", "", {}, std::string(64, 'g')));
  EXPECT_REFUSED(kMissingDecodedLength,
                 signed_request("PUT", "/b/k", "", {}, std::string(sigv4::kStreamingSigned)));
  for (const char* bad : {"", "-1", "5x", "+5", "1.5"}) {
    EXPECT_REFUSED(kMissingDecodedLength,
                   signed_request("PUT", "/b/k", "", {{"x-amz-decoded-content-length", bad}},
                                  std::string(sigv4::kStreamingSigned)));
  }
}

TEST_F(AuthenticatorTest, ATokenWeDidNotIssueIsRefusedBehindTheSignature) {
  const http::RequestHead in_header =
      signed_request("GET", "/b/k", "", {{"x-amz-security-token", "t"}});
  const http::RequestHead in_query =
      presigned_request("/b/k", 600, {{"X-Amz-Security-Token", "t"}});
  for (const http::RequestHead& head : {in_header, in_query}) {
    EXPECT_REFUSED(kInvalidToken, head);
    EXPECT_EQ(ask(head).error().message, "The provided token is malformed or otherwise invalid.");
  }
  EXPECT_REFUSED(kSignatureDoesNotMatch,
                 signed_request("GET", "/b/k", "", {{"x-amz-security-token", "t"}},
                                std::string(sigv4::kEmptySha256), {kKeys.access_key, "another"}));
  EXPECT_REFUSED(
      kInvalidAccessKeyId,
      signed_request("GET", "/b/k", "", {{"x-amz-security-token", "t"}},
                     std::string(sigv4::kEmptySha256), {"AKIDNOBODY", kKeys.secret_key}));
}

}  // namespace
}  // namespace rondel::signature
