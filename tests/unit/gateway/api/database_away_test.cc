// What a client is told by the whole service when the database is away: by every way to prove who
// asks, by every look-up before an operation begins. (The operations: authorization_matrix_test.)
#include "gateway/api/s3_service.h"
#include "tests/unit/gateway/api/access_fixture.h"

namespace rondel::api {
namespace {

struct Request {
  std::string name;
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
};

const std::string kScope = "/20231114/us-east-1/s3/aws4_request";  // Of the fixture's clock.
const std::string kTime = "20231114T221320Z";
const std::string kSignature(64, 'a');
const std::string kAuthorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE" + kScope +
                                   ", SignedHeaders=host;x-amz-content-sha256;x-amz-date"
                                   ", Signature=" +
                                   kSignature;
const std::string kPresigned = "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE" +
                               kScope + "&X-Amz-Date=" + kTime +
                               "&X-Amz-Expires=60"
                               "&X-Amz-SignedHeaders=host&X-Amz-Signature=" +
                               kSignature;

std::string field(const std::string& name, const std::string& value) {
  return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
}

std::string form(bool v4) {
  std::string body = field("key", "k") + field("policy", "e30=");
  if (v4) {
    body += field("x-amz-algorithm", "AWS4-HMAC-SHA256") +
            field("x-amz-credential", "AKIDEXAMPLE" + kScope) + field("x-amz-date", kTime) +
            field("x-amz-signature", kSignature);
  } else {
    body +=
        field("AWSAccessKeyId", "AKIDEXAMPLE") + field("signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
  }
  return body + field("file", "bytes") + "--b--\r\n";
}

const std::vector<std::pair<std::string, std::string>> kSigned = {
    {"x-amz-date", kTime},
    {"x-amz-content-sha256", "UNSIGNED-PAYLOAD"},
    {"Authorization", kAuthorization}};
const std::pair<std::string, std::string> kForm{"Content-Type", "multipart/form-data; boundary=b"};

const std::vector<Request> kRequests = {
    {"signed by a header", "GET", "/box/k", kSigned},
    {"signed by a header, writes", "PUT", "/box/k", kSigned, "bytes"},
    {"signed by a header, buckets", "GET", "/", kSigned},
    {"presigned", "GET", "/box/k" + kPresigned},
    {"signature version 2",
     "GET",
     "/box/k",
     {{"Date", "Tue, 14 Nov 2023 22:13:20 GMT"},
      {"Authorization", "AWS AKIDEXAMPLE:AAAAAAAAAAAAAAAAAAAAAAAAAAA="}}},
    {"presigned, version 2", "GET",
     "/box/"
     "k?AWSAccessKeyId=AKIDEXAMPLE&Expires=1700000060&Signature=AAAAAAAAAAAAAAAAAAAAAAAAAAA%3D"},
    {"form", "POST", "/box", {kForm}, form(true)},
    {"form, version 2", "POST", "/box", {kForm}, form(false)},
    {"unsigned", "GET", "/box/k"},
    {"unsigned, of a bucket", "GET", "/box?cors"},
    {"unsigned, writes", "PUT", "/box/k", {}, "bytes"},
    {"unsigned from a script", "GET", "/box/k", {{"Origin", "http://example.com"}}},
    {"preflight",
     "OPTIONS",
     "/box/k",
     {{"Origin", "http://example.com"}, {"Access-Control-Request-Method", "GET"}}},
};

struct DatabaseAway : ::testing::Test, AccessFixture {
  fakes::MemoryExchange answer_to(const Request& request) {
    http::RequestHead head;
    head.method = request.method;
    head.target = request.target;
    head.content_length = request.body.size();
    head.fields.add("Host", "localhost");
    head.fields.add("Content-Length", std::to_string(request.body.size()));
    for (const auto& [name, value] : request.headers) head.fields.add(name, value);
    fakes::MemoryExchange exchange(head);
    exchange.set_body(request.body);
    metrics::Registry registry;
    S3Service service({store,
                       uploads,
                       listing,
                       bucket_store,
                       database,
                       bucket_cache,
                       identities,
                       blobs,
                       releases,
                       authenticator,
                       object_keys,
                       clock,
                       {}},
                      registry);
    async::block_on(service.handle(exchange));
    return exchange;
  }
};

TEST_F(DatabaseAway, IsToldWhateverWasToBeLookedUp) {
  for (const ErrorCode code : {ErrorCode::kUnavailable, ErrorCode::kDeadlineExceeded,
                               ErrorCode::kOutcomeUnknown, ErrorCode::kResourceExhausted}) {
    const std::string wanted =
        code == ErrorCode::kResourceExhausted ? "SlowDown" : "ServiceUnavailable";
    for (const Request& request : kRequests) {
      break_lookups({code, "inner words"});
      const fakes::MemoryExchange exchange = answer_to(request);
      const std::string what = request.name + ", " + std::string(to_string(code));
      EXPECT_GT(failed_lookups(), 0) << what << ": " << exchange.response_body;
      EXPECT_EQ(exchange.response.status, 503) << what << ": " << exchange.response_body;
      EXPECT_EQ(exchange.response.fields.find("Retry-After"), "1") << what;
      EXPECT_TRUE(exchange.response_body.contains("<Code>" + wanted + "</Code>")) << what;
      EXPECT_FALSE(exchange.response_body.contains("inner words")) << what;
    }
  }
}

TEST(Refusals, OfTheServerItselfAreErrorsOfS3) {
  using Kind = http::Refusal::Kind;

  const struct {
    http::Refusal refusal;
    int status;
    const char* document;
  } cases[] = {
      {{Kind::kMalformed, 400, "malformed request line", 0},
       400,
       "<Code>InvalidRequest</Code><Message>malformed request line</Message>"},
      {{Kind::kTooSlow, 408, "late", 0},
       400,
       "<Code>RequestTimeout</Code><Message>Your socket connection to the server was not read from "
       "or written to within the timeout "
       "period."},
      {{Kind::kTooLarge, 431, "large", 8192},
       400,
       "<Code>RequestHeaderSectionTooLarge</Code><Message>Your request header section exceeds the "
       "maximum allowed "
       "size.</Message><MaxSizeAllowed>8192</MaxSizeAllowed>"},
      {{Kind::kUnsupported, 505, "HTTP version not supported", 0},
       505,
       "<Code>NotImplemented</Code>"},
  };

  for (const auto& c : cases) {
    http::ResponseHead head;
    head.status = c.refusal.status;
    const std::string body = S3Service::refusal_body(c.refusal, head);
    EXPECT_TRUE(body.contains(c.document)) << body;
    EXPECT_EQ(head.status, c.status) << body;
    EXPECT_EQ(head.fields.find("Content-Type"), "application/xml");
  }
}

}  // namespace
}  // namespace rondel::api
