// What a client is told whose signature, form, checksum or framing is refused: status, code, words
// and further elements, as AWS gives them.
#include "gateway/payload/object_checksum.h"
#include "tests/unit/gateway/api/memory_gateway.h"

namespace rondel::api {
namespace {

using Elements = std::vector<std::pair<std::string, std::string>>;
using Headers = MemoryGateway::Headers;

constexpr const char* kPublic =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::box","arn:aws:s3:::box/*"]}]})";

// Of a text in XML.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

std::string base64(std::string_view text) { return to_base64(as_bytes(text)); }

std::string checksum(model::ChecksumAlgorithm algorithm, std::string_view bytes) {
  return base64(payload::object_checksum(algorithm, as_bytes(bytes)));
}

struct Wanted {
  int status;
  std::string code;
  std::string message;
  Elements elements = {};
};

void expect(const Answer& answer, const Wanted& wanted, const std::string& what) {
  SCOPED_TRACE(what + "\n" + answer.body);
  EXPECT_EQ(answer.status, wanted.status);
  EXPECT_EQ(answer.element("Code"), wanted.code);
  EXPECT_EQ(answer.element("Message"), escaped(wanted.message));
  for (const auto& [name, value] : wanted.elements) {
    EXPECT_TRUE(answer.body.contains("<" + name)) << name;
    EXPECT_EQ(answer.element(name), escaped(value)) << name;
  }
}

Wanted argument(std::string message, std::string name, std::string value = "") {
  return {400,
          "InvalidArgument",
          std::move(message),
          {{"ArgumentName", std::move(name)}, {"ArgumentValue", std::move(value)}}};
}

class RefusedAnswers : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(gateway.ask("PUT", "/box").status, 200); }

  static http::RequestHead head(std::string method, std::string target, const Headers& headers = {},
                                size_t length = 0) {
    http::RequestHead out;
    out.method = std::move(method);
    out.target = std::move(target);
    out.content_length = length;
    out.fields.add("host", "gateway.test");
    for (const auto& [name, value] : headers) out.fields.add(name, value);
    return out;
  }

  MemoryGateway gateway;
};

// A form in the order that its fields are set.
struct Form {
  Elements fields;

  Form& set(const std::string& name, std::string value) {
    const auto found = std::ranges::find(fields, name, &Elements::value_type::first);
    if (found != fields.end()) {
      found->second = std::move(value);
    } else {
      fields.emplace_back(name, std::move(value));
    }
    return *this;
  }

  Form& drop(const std::string& name) {
    std::erase_if(fields, [&](const auto& field) { return field.first == name; });
    return *this;
  }

  std::string value(const std::string& name) const {
    return std::ranges::find(fields, name, &Elements::value_type::first)->second;
  }

  std::string body() const {
    std::string out;
    for (const auto& [name, value] : fields) {
      out +=
          "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
    }
    return out + "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nfile\r\n--b--\r\n";
  }
};

class RefusedForms : public RefusedAnswers {
 protected:
  static std::string document(const std::string& conditions) {
    return R"({"expiration":"2999-01-01T00:00:00Z","conditions":[{"bucket":"box"},["starts-with","$key",""],["starts-with","$x-amz-",""],)"
           R"(["starts-with","$x-amz-algorithm",""],["starts-with","$x-amz-credential",""],["starts-with","$x-amz-date",""],["starts-with","$x-amz-security-token",""],)"
           R"(["starts-with","$success_action_status",""])" +
           conditions + "]}";
  }

  // Signed as AWS signs it: over the policy as it is sent.
  Form form(const std::string& policy_text) const {
    Form out;
    const std::string time = sigv4::format_timestamp(real_clock().now()), date = time.substr(0, 8);
    out.set("key", "a/b c").set("policy", policy_text).set("x-amz-algorithm", "AWS4-HMAC-SHA256");
    out.set("x-amz-credential", gateway.keys.access_key + "/" + date + "/us-east-1/s3/aws4_request")
        .set("x-amz-date", time);
    out.set("x-amz-signature",
            sigv4::signature(sigv4::signing_key(gateway.keys.secret_key, {date, "us-east-1", "s3"}),
                             policy_text));
    return out;
  }

  Form older_form(const std::string& policy_text) const {
    Form out;
    out.set("key", "a/b c")
        .set("policy", policy_text)
        .set("AWSAccessKeyId", gateway.keys.access_key);
    return out.set("signature", base64(crypto::hmac_sha1(gateway.keys.secret_key, policy_text)));
  }

  Form good() const { return form(base64(document(""))); }

  Answer post(const Form& form) {
    const std::string body = form.body();
    return gateway.send(
        head("POST", "/box", {{"Content-Type", "multipart/form-data; boundary=b"}}, body.size()),
        body);
  }
};

TEST_F(RefusedForms, AGoodOneIsTaken) {
  EXPECT_EQ(post(good()).status, 204);
  EXPECT_EQ(post(older_form(base64(document("")))).status, 204);
  const Answer told = post(good().set("success_action_status", "201"));
  EXPECT_EQ(told.status, 201);
  EXPECT_EQ(told.element("Location"), "http://gateway.test/box/a%2Fb%20c");
  EXPECT_EQ(told.field("Location"), "http://gateway.test/box/a%2Fb%20c");
  EXPECT_EQ(told.element("Key"), "a/b c");
}

// A signature over nothing would hold for ever, and for everything.
TEST_F(RefusedForms, APolicyThatSaysNothingAllowsNothing) {
  for (const char* nothing : {"", " ", "\r\n", " \r\n \r\n"}) {
    for (const Form& signed_form : {form(nothing), older_form(nothing)}) {
      const Answer told = post(signed_form);
      EXPECT_EQ(told.status, 400);
      EXPECT_EQ(told.element("Code"), "InvalidPolicyDocument") << told.body;
    }
  }
  for (const std::string& useless : {std::string("{}"), std::string("[]"), std::string("null"),
                                     std::string("\"\""), std::string(1, '\0')}) {
    EXPECT_EQ(post(form(base64(useless))).element("Code"), "InvalidPolicyDocument") << useless;
  }
  EXPECT_EQ(post(form("no base64!")).element("Code"), "InvalidPolicyDocument");
  EXPECT_EQ(gateway.ask("GET", "/box/a/b%20c").status, 404);
}

TEST_F(RefusedForms, ConditionsAreAboutOneFieldEach) {
  const std::string one =
      "Invalid Policy: Invalid Simple-Condition: Simple-Conditions must have exactly one property "
      "specified.";
  for (const char* conditions : {",{}", R"(,{"acl":"private","key":"a/b c"})"}) {
    expect(post(form(base64(document(conditions)))), {400, "InvalidPolicyDocument", one},
           conditions);
  }
  for (const char* condition : {R"(["eq", "key", "a/b c"])", R"(["starts-with", "key", ""])"}) {
    expect(post(form(base64(document("," + std::string(condition))))),
           {403, "AccessDenied",
            "Invalid according to Policy: Policy Condition failed: " + std::string(condition)},
           condition);
  }
}

TEST_F(RefusedForms, FieldsOfTheSignature) {
  const Form form = good();
  const std::string credential = form.value("x-amz-credential"), date = form.value("x-amz-date");
  const auto scope = [&](const std::string& from, const std::string& to) {
    std::string changed = credential;
    return changed.replace(changed.find(from), from.size(), to);
  };
  const std::string other_day = "/19990101/us", day = "/" + date.substr(0, 8) + "/us";

  const struct {
    std::string field, value, message;
  } rows[] = {
      {"X-Amz-Algorithm", "AWS4-HMAC-SHA1", "Only AWS4-HMAC-SHA256 is supported"},
      {"X-Amz-Algorithm", "", "Only AWS4-HMAC-SHA256 is supported"},
      {"X-Amz-Date", "2013-05-24T00:00:00Z", "X-Amz-Date must be formated via ISO8601 Long format"},
      {"X-Amz-Date", "", "X-Amz-Date must be formated via ISO8601 Long format"},
      {"X-Amz-Credential", "nonsense",
       "the Credential is mal-formed; expecting "
       "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."},
      {"X-Amz-Credential", "",
       "the Credential is mal-formed; expecting "
       "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."},
      {"X-Amz-Credential", scope("us-east-1", "us-west-2"),
       "the region 'us-west-2' is wrong; expecting 'us-east-1'"},
      {"X-Amz-Credential", scope("/s3/", "/ec2/"),
       "incorrect service \"ec2\". This endpoint belongs to \"s3\"."},
      {"X-Amz-Credential", scope("aws4_request", "aws5_request"),
       "incorrect terminal \"aws5_request\". This endpoint uses \"aws4_request\"."},
      {"X-Amz-Credential", scope(day, other_day),
       "Invalid credential date \"19990101\". This date is not the same as X-Amz-Date: \"" +
           date.substr(0, 8) + "\"."},
  };

  const auto lower = [](std::string name) {
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return name;
  };
  for (const auto& row : rows) {
    expect(post(good().set(lower(row.field), row.value)),
           argument(row.message, row.field, row.value), row.field + " " + row.value);
  }
  for (const char* name :
       {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature", "Policy"}) {
    expect(post(good().drop(lower(name))),
           argument("Bucket POST must contain a field named '" + std::string(name) +
                        "'.  If it is specified, please check the order of the fields.",
                    name),
           name);
  }
  const Form older = older_form(base64(document("")));
  expect(post(Form(older).drop("signature")),
         argument("Bucket POST must contain a field named 'Signature'.  If it is specified, please "
                  "check the order of the fields.",
                  "Signature"),
         "Signature");
  expect(post(Form(older).drop("AWSAccessKeyId")),
         argument("Bucket POST must contain a field named 'AWSAccessKeyId'.  If it is specified, "
                  "please check the order of the fields.",
                  "AWSAccessKeyId"),
         "AWSAccessKeyId");
}

TEST_F(RefusedForms, AWrongSignatureIsShownWithWhatItWasOver) {
  for (Form wrong : {good().set("x-amz-signature", std::string(64, '0')),
                     older_form(base64(document(""))).set("signature", "AAAA")}) {
    const std::string policy = wrong.value("policy");
    std::string bytes;
    for (const char c : policy) {
      bytes += (bytes.empty() ? "" : " ") + to_hex(as_bytes(std::string_view(&c, 1)));
    }
    const Answer told = post(wrong);
    expect(told,
           {403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check "
            "your key and signing method.",
            {{"AWSAccessKeyId", gateway.keys.access_key},
             {"StringToSign", policy},
             {"StringToSignBytes", bytes}}},
           "wrong");
    EXPECT_TRUE(told.body.contains("<SignatureProvided>"));
    EXPECT_FALSE(told.body.contains("CanonicalRequest"));
  }
}

TEST_F(RefusedForms, ATokenIsNoneOfOurs) {
  expect(post(good().set("x-amz-security-token", "t0")),
         {400,
          "InvalidToken",
          "The provided token is malformed or otherwise invalid.",
          {{"Token-0", "t0"}}},
         "token");
  EXPECT_EQ(
      post(good().set("x-amz-security-token", "t0").set("x-amz-signature", std::string(64, '0')))
          .element("Code"),
      "SignatureDoesNotMatch");
}

TEST_F(RefusedForms, TheKeyMustBeThere) {
  expect(post(good().drop("key")),
         argument("Bucket POST must contain a field named 'key'.  If it is specified, please check "
                  "the order of the fields.",
                  "key"),
         "none");
  expect(post(good().set("key", "")),
         argument("User key must have a length greater than 0.", "key"), "empty");
}

TEST_F(RefusedForms, ChecksumsAreThoseOfParts) {
  const std::string crc = checksum(model::ChecksumAlgorithm::kCrc32, "file");
  EXPECT_EQ(post(good().set("x-amz-checksum-crc32", crc)).status, 204);
  for (const char* bad : {"sailorjerry", "", "AAAA", "AAAAAA==="}) {
    expect(post(good().set("x-amz-checksum-sha256", bad)),
           {400, "InvalidRequest", "Value for x-amz-checksum-sha256 header is invalid."}, bad);
  }
  expect(post(good().set("x-amz-checksum-garbage", crc)),
         {400, "InvalidRequest",
          "The algorithm type you specified in x-amz-checksum- header is invalid."},
         "unknown");
  expect(post(good().set("x-amz-checksum-crc32", crc).set("x-amz-checksum-sha1", "")),
         {400, "InvalidRequest",
          "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."},
         "two");
  expect(
      post(good().set("x-amz-checksum-crc32", checksum(model::ChecksumAlgorithm::kCrc32, "other"))),
      {400, "BadDigest", "The CRC32 you specified did not match the calculated checksum."},
      "another's");
}

TEST_F(RefusedAnswers, WaysToSayWhoAsks) {
  const auto with = [&](const std::string& authorization, const std::string& target = "/box/k") {
    return gateway.send(head("GET", target, {{"Authorization", authorization}}), "");
  };
  const std::string no_blank =
                        "Authorization header is invalid -- one and only one ' ' (space) required",
                    unsupported = "Unsupported Authorization Type";
  expect(with(""), {403, "AccessDenied", "Access Denied"}, "empty");
  for (const char* text : {"AWS4-HMAC-SHA256", "AWS", "nonsense"}) {
    expect(with(text), argument(no_blank, "Authorization", text), text);
  }
  for (const char* text : {"Bearer abc", "Basic abc", "AWS2-HMAC x",
                           "AWS4-HMAC-SHA512 Credential=a", "aws4-hmac-sha256 x"}) {
    expect(with(text), argument(unsupported, "Authorization", text), text);
  }
  expect(with("AWS AKID:signature"),
         {400, "InvalidRequest",
          "The authorization mechanism you have provided is not supported. Please use "
          "AWS4-HMAC-SHA256. Clients of the AWS SDKs presign so with signature_version = s3v4 in "
          "their configuration."},
         "older");
  const std::string both =
      "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query "
      "string parameter or the Authorization header should be specified";
  for (const char* query :
       {"X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Signature=a", "X-Amz-Credential=a",
        "AWSAccessKeyId=a&Signature=b&Expires=9", "Signature=b"}) {
    for (const char* text : {"", "AWS4-HMAC-SHA256 Credential=a", "Bearer abc"}) {
      expect(with(text, "/box/k?" + std::string(query)), argument(both, "Authorization", text),
             query);
    }
  }
  http::RequestHead no_hash =
      head("GET", "/box/k",
           {{"Authorization",
             "AWS4-HMAC-SHA256 Credential=a/20240101/us-east-1/s3/aws4_request, "
             "SignedHeaders=host, Signature=b"},
            {"x-amz-date", "20240101T000000Z"}});
  expect(gateway.send(no_hash, ""),
         {400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"},
         "no hash");
}

TEST_F(RefusedAnswers, ATokenIsNoneOfOurs) {
  const Wanted wanted{400,
                      "InvalidToken",
                      "The provided token is malformed or otherwise invalid.",
                      {{"Token-0", "t0"}}};
  for (const char* method : {"GET", "PUT", "DELETE"}) {
    expect(gateway.ask(method, "/box/k", "", {{"x-amz-security-token", "t0"}}), wanted, method);
  }
  const std::string query =
      gateway.presigned_query("GET", "/box/k", {{"X-Amz-Security-Token", "t0"}});
  expect(gateway.send(head("GET", "/box/k?" + query), ""), wanted, "query");
  gateway.keys.secret_key = "another";
  EXPECT_EQ(gateway.ask("GET", "/box/k", "", {{"x-amz-security-token", "t0"}}).element("Code"),
            "SignatureDoesNotMatch");
}

TEST_F(RefusedAnswers, ChecksumsOfHeads) {
  const std::string upload = gateway.ask("POST", "/box/up?uploads").element("UploadId");
  const std::string part = "/box/up?partNumber=1&uploadId=" + upload;
  const std::string crc = checksum(model::ChecksumAlgorithm::kCrc32, "bytes"),
                    tags = "<Tagging><TagSet/></Tagging>";

  const struct {
    std::string target, body;
    bool bad_digest;  // Of a value that is none.
  } bodies[] = {{"/box/k", "bytes", true}, {part, "bytes", false}, {"/box?tagging", tags, false}};

  for (const auto& row : bodies) {
    const auto put = [&](const Headers& headers) {
      return gateway.ask("PUT", row.target, row.body, headers);
    };
    expect(put({{"x-amz-checksum-crc32", crc}, {"x-amz-checksum-sha1", ""}}),
           {400, "InvalidRequest",
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."},
           row.target + " two");
    expect(put({{"x-amz-checksum-crc32", ""}, {"x-amz-checksum-sha256", ""}}),
           {400, "InvalidRequest",
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."},
           row.target + " two empty");
    expect(put({{"x-amz-checksum-garbage", crc}}),
           {400, "InvalidRequest",
            "The algorithm type you specified in x-amz-checksum- header is invalid."},
           row.target + " unknown");
    for (const model::ChecksumAlgorithm algorithm : model::all_checksum_algorithms()) {
      const std::string name(model::header_name(algorithm));
      for (const char* bad : {"", "AAAA", "no base64"}) {
        expect(put({{name, bad}}),
               {400, row.bad_digest ? "BadDigest" : "InvalidRequest",
                "Value for " + name + " header is invalid."},
               row.target + " " + name + " " + bad);
      }
      EXPECT_TRUE(put({{name, checksum(algorithm, row.body)}}).status < 300) << row.target << name;
    }
  }
}

TEST_F(RefusedAnswers, APartHasTheChecksumOfItsUpload) {
  const auto begin = [&](const Headers& headers) {
    return gateway.ask("POST", "/box/up?uploads", "", headers).element("UploadId");
  };
  const auto put = [&](const std::string& upload, const Headers& headers) {
    return gateway.ask("PUT", "/box/up?partNumber=1&uploadId=" + upload, "bytes", headers);
  };
  const std::string composite = begin({{"x-amz-checksum-algorithm", "CRC32"}});
  const std::string full =
      begin({{"x-amz-checksum-algorithm", "CRC32"}, {"x-amz-checksum-type", "FULL_OBJECT"}});
  const std::string plain = begin({});
  const std::string sha = checksum(model::ChecksumAlgorithm::kSha256, "bytes"),
                    crc = checksum(model::ChecksumAlgorithm::kCrc32, "bytes");
  const auto mismatch = [](const std::string& actual) {
    return Wanted{
        400, "InvalidRequest",
        "Checksum Type mismatch occurred, expected checksum Type: crc32, actual checksum Type: " +
            actual};
  };
  for (const std::string& upload : {composite, full}) {
    for (const std::string& value :
         {sha, checksum(model::ChecksumAlgorithm::kSha256, "other bytes")}) {
      const Answer told = put(upload, {{"x-amz-checksum-sha256", value}});
      expect(told, mismatch("sha256"), value);
      EXPECT_EQ(told.body_reads, 0) << "the head says it";
    }
    EXPECT_EQ(put(upload, {{"x-amz-checksum-crc32", crc}}).status, 200);
  }
  const Answer none = put(composite, {});
  expect(none, mismatch("null"), "none");
  EXPECT_EQ(none.body_reads, 0);
  EXPECT_EQ(put(full, {}).status, 200);
  EXPECT_EQ(put(plain, {}).status, 200);
  EXPECT_EQ(put(plain, {{"x-amz-checksum-sha256", sha}}).status, 200);
}

TEST_F(RefusedAnswers, ChecksumsOfACompleteUpload) {
  const auto begin = [&](const Headers& headers) {
    return gateway.ask("POST", "/box/up?uploads", "", headers).element("UploadId");
  };
  const auto put = [&](const std::string& upload, const Headers& headers) {
    return gateway.ask("PUT", "/box/up?partNumber=1&uploadId=" + upload, "bytes", headers)
        .field("ETag");
  };
  const std::string sha = checksum(model::ChecksumAlgorithm::kSha1, "bytes"),
                    crc = checksum(model::ChecksumAlgorithm::kCrc32, "bytes");
  const std::string composite = begin({{"x-amz-checksum-algorithm", "SHA1"}}),
                    etag = put(composite, {{"x-amz-checksum-sha1", sha}});
  const auto complete = [&](const std::string& upload, const std::string& sums,
                            const Headers& headers = {}) {
    return gateway.ask("POST", "/box/up?uploadId=" + upload,
                       "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" + etag +
                           "</ETag>" + sums + "</Part></CompleteMultipartUpload>",
                       headers);
  };
  const auto element = [](const std::string& name, const std::string& value) {
    return "<Checksum" + name + ">" + value + "</Checksum" + name + ">";
  };
  const std::string form = "Invalid Base64 or multiple checksums present in request";
  for (const char* bad : {"invalid_checksum", "AAAA", ""}) {
    expect(complete(composite, element("CRC32", bad)),
           argument(form, "Checksum", "CRC32:" + std::string(bad) + ";"), bad);
    expect(complete(composite, element("SHA1", bad)),
           argument(form, "Checksum", "SHA1:" + std::string(bad) + ";"), bad);
  }
  expect(complete(composite, element("SHA1", sha) + element("CRC32", crc)),
         argument(form, "Checksum", "CRC32:" + crc + ";SHA1:" + sha + ";"), "two");
  expect(complete(composite, element("CRC32", crc)),
         {400, "BadDigest", "The crc32 you specified for part 1 did not match what we received."},
         "another algorithm");
  EXPECT_EQ(complete(composite, element("SHA1", checksum(model::ChecksumAlgorithm::kSha1, "other")))
                .element("Code"),
            "InvalidPart");
  expect(complete(composite, "", {{"x-amz-checksum-sha1", "bad"}}),
         {400, "BadDigest", "Value for x-amz-checksum-sha1 header is invalid."}, "bad object");
  expect(complete(composite, "", {{"x-amz-checksum-sha1", sha}}),
         {400, "BadDigest", "The SHA1 you specified did not match the calculated checksum."},
         "wrong object");
  expect(complete(composite, element("SHA1", sha), {{"x-amz-checksum-garbage", sha}}),
         {400, "InvalidRequest",
          "The algorithm type you specified in x-amz-checksum- header is invalid."},
         "unknown");
  expect(complete(composite, element("SHA1", sha),
                  {{"x-amz-checksum-sha1", ""}, {"x-amz-checksum-crc32", ""}}),
         {400, "InvalidRequest",
          "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."},
         "two headers");
  expect(complete(composite, element("SHA1", sha), {{"x-amz-checksum-type", "FULL_OBJECT"}}),
         {400, "InvalidRequest",
          "The upload was created using the COMPOSITE checksum mode. The complete request must use "
          "the same checksum mode."},
         "another type");
  EXPECT_EQ(
      complete(composite, element("SHA1", sha), {{"x-amz-checksum-type", "COMPOSITE"}}).status,
      200);

  const std::string full = begin({{"x-amz-checksum-algorithm", "CRC32"},
                                  {"x-amz-checksum-type", "FULL_OBJECT"}}),
                    plain = begin({});
  for (const std::string& upload : {full, plain}) put(upload, {});
  for (const char* type : {"COMPOSITE", "FULL_OBJECT"}) {
    expect(complete(plain, "", {{"x-amz-checksum-type", type}}),
           {400, "InvalidRequest",
            "The upload was created using the null checksum mode. The complete request must use "
            "the same checksum mode."},
           type);
  }
  expect(complete(plain, element("CRC32", crc)),
         {400, "BadDigest", "The crc32 you specified for part 1 did not match what we received."},
         "nobody keeps it");
  EXPECT_EQ(complete(full, "").status, 200);
  EXPECT_EQ(complete(plain, "").status, 200);
}

TEST_F(RefusedAnswers, ARangeBehindTheSourceOfAPart) {
  ASSERT_EQ(gateway.ask("PUT", "/box/source", "0123456789").status, 200);
  const std::string target =
      "/box/up?partNumber=1&uploadId=" + gateway.ask("POST", "/box/up?uploads").element("UploadId");
  const auto copy = [&](const std::string& range) {
    return gateway.ask("PUT", target, "",
                       {{"x-amz-copy-source", "box/source"}, {"x-amz-copy-source-range", range}});
  };
  for (const char* range : {"bytes=100-200", "bytes=10-10"}) {
    expect(
        copy(range),
        {400, "InvalidRequest", "The specified copy range is invalid for the source object size"},
        range);
  }
  EXPECT_EQ(copy("bytes=0-21").element("Code"), "InvalidRange");
  EXPECT_EQ(copy("bytes=9-9").status, 200);
}

TEST_F(RefusedAnswers, ADeleteOfManyNeedsADigest) {
  const std::string body = "<Delete><Object><Key>k</Key></Object></Delete>";
  const auto ask = [&](const Headers& headers) {
    return gateway.ask("POST", "/box?delete", body, headers);
  };
  const Wanted missing{400, "InvalidRequest",
                       "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"};
  expect(ask({}), missing, "the hash of the payload is none");
  for (const char* name :
       {"x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"}) {
    expect(ask({{name, "CRC32"}}), missing, name);
  }
  EXPECT_EQ(ask({{"content-md5", base64(crypto::md5(body))}}).status, 200);
  EXPECT_EQ(
      ask({{"x-amz-checksum-crc32", checksum(model::ChecksumAlgorithm::kCrc32, body)}}).status,
      200);
  expect(ask({{"x-amz-checksum-garbage", "AAAA"}}),
         {400, "InvalidRequest",
          "The algorithm type you specified in x-amz-checksum- header is invalid."},
         "unknown");
}

TEST_F(RefusedAnswers, UnsignedChunksAreForObjectsAlone) {
  const std::string form(sigv4::kStreamingUnsignedTrailer);
  const std::string upload = gateway.ask("POST", "/box/up?uploads").element("UploadId");
  const auto coded = [](const std::string& bytes) {
    char size[20];
    std::snprintf(size, sizeof size, "%zx", bytes.size());
    return std::string(size) + "\r\n" + bytes + "\r\n0\r\n\r\n";
  };
  const auto ask = [&](const std::string& method, const std::string& target,
                       const std::string& bytes, bool with_length = true) {
    Headers headers;
    if (with_length) {
      headers.emplace_back("x-amz-decoded-content-length", std::to_string(bytes.size()));
    }
    return gateway.ask_with(form, method, target, coded(bytes), headers);
  };
  EXPECT_EQ(ask("PUT", "/box/k", "bytes").status, 200);
  EXPECT_EQ(ask("PUT", "/box/up?partNumber=1&uploadId=" + upload, "bytes").status, 200);
  const Wanted invalid{400, "InvalidRequest",
                       "The value of x-amz-content-sha256 header is invalid."};
  const std::pair<const char*, std::string> others[] = {{"PUT", "/box?tagging"},
                                                        {"PUT", "/box/k?tagging"},
                                                        {"PUT", "/box?policy"},
                                                        {"PUT", "/other"},
                                                        {"POST", "/box?delete"},
                                                        {"POST", "/box/k?uploads"},
                                                        {"POST", "/box/up?uploadId=" + upload},
                                                        {"GET", "/box/k"},
                                                        {"GET", "/box"},
                                                        {"DELETE", "/box/k"},
                                                        {"PUT", "/box/k?acl"}};
  for (const auto& [method, target] : others) {
    for (const bool with_length : {true, false}) {
      const Answer told = ask(method, target, "<Tagging><TagSet/></Tagging>", with_length);
      expect(told, invalid, method + (" " + target));
      EXPECT_EQ(told.body_reads, 0);
    }
  }
  EXPECT_EQ(ask("PUT", "/box/k", "bytes", false).element("Code"), "MissingContentLength");
  gateway.keys.secret_key = "another";
  EXPECT_EQ(ask("PUT", "/box?tagging", "x").element("Code"), "SignatureDoesNotMatch");
}

TEST_F(RefusedAnswers, NobodySignsTheChunksOfAStranger) {
  const std::string policy = kPublic;
  ASSERT_EQ(gateway.ask("PUT", "/box?policy", policy).status, 204);
  ASSERT_EQ(gateway.send(head("PUT", "/box/free", {}, 5), "bytes").status, 200);
  for (const auto form : {sigv4::kStreamingSigned, sigv4::kStreamingSignedTrailer}) {
    for (const bool with_length : {true, false}) {
      Headers headers{{"x-amz-content-sha256", std::string(form)}};
      if (with_length) headers.emplace_back("x-amz-decoded-content-length", "5");
      expect(gateway.send(head("PUT", "/box/free", headers, 5), "bytes"),
             {400, "InvalidRequest",
              "Anonymous requests don't support this x-amz-content-sha256 value. Please use "
              "UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER."},
             std::string(form));
    }
  }
}

TEST_F(RefusedAnswers, FramingAndTrailers) {
  const std::string form(sigv4::kStreamingUnsignedTrailer), big(8192, 'a'),
      sum = checksum(model::ChecksumAlgorithm::kCrc32, "hello");
  const auto put = [&](const std::string& coded, size_t length,
                       const std::string& announced = "x-amz-checksum-crc32") {
    Headers headers{{"x-amz-decoded-content-length", std::to_string(length)}};
    if (!announced.empty()) headers.emplace_back("x-amz-trailer", announced);
    return gateway.ask_with(form, "PUT", "/box/k", coded, headers);
  };
  const std::string start = "5\r\nhello\r\n0\r\n", line = "x-amz-checksum-crc32:" + sum;
  const Wanted trailer{400, "MalformedTrailerError",
                       "The request contained trailing data that was not well-formed or did not "
                       "conform to our published schema."};
  const Wanted framing{400, "IncompleteBody", "The request body terminated unexpectedly"};
  EXPECT_EQ(put(start + line + "\r\n\r\n", 5).status, 200);
  EXPECT_EQ(put(start + line + "\n\r\n\r\n", 5).status, 200) << "as minio-go writes it";
  EXPECT_EQ(put(start + "X-Amz-Checksum-CRC32 : " + sum + " \r\n\r\n", 5).status, 200);
  EXPECT_EQ(put(start + "\r\n", 5, "").status, 200);
  expect(put(start + "\r\n", 5), trailer, "announced and not sent");
  expect(put(start + line + "\r\n\r\n", 5, ""), trailer, "sent and not announced");
  expect(put(start + line + "\r\n\r\n", 5, "x-amz-checksum-sha1"), trailer, "another one");
  expect(put(start + ":abc\r\n\r\n", 5), trailer, "no name");
  expect(put(start + "x-amz-checksum-crc32" + sum + "\r\n\r\n", 5), trailer, "no colon");
  expect(put(start + line + "\r\n" + line + "\r\n\r\n", 5), trailer, "twice");
  expect(put(start + "x-amz-checksum-crc32:AAAA\r\n\r\n", 5),
         {400, "InvalidRequest", "Value for x-amz-checksum-crc32 trailing header is invalid."},
         "no checksum");
  expect(put(start + "x-amz-checksum-crc32:AAAAAA==\r\n\r\n", 5),
         {400, "BadDigest", "The CRC32 you specified did not match the calculated checksum."},
         "another's");
  for (const std::string& coded :
       {start + line + "\r\n", start + line, start + line + "\n", start + line + "\n\r\n",
        "5\nhello\r\n0\r\n" + line + "\r\n\r\n", "5\r\nhello0\r\n" + line + "\r\n\r\n",
        "3\r\nhello\r\n0\r\n" + line + "\r\n\r\n", start + line + "\r\n\rX",
        start + line + "\r\n\r\n\r\n"}) {
    expect(put(coded, 5), framing, coded);
  }
  expect(put("5\r\nhello\r\n1\r\n!\r\n0\r\n" + line + "\r\n\r\n", 6),
         {403,
          "InvalidChunkSizeError",
          "Only the last chunk is allowed to have a size less than 8192 bytes",
          {{"Chunk", "2"}, {"BadChunkSize", "5"}}},
         "small");
  EXPECT_EQ(put("2000\r\n" + big + "\r\n1\r\n!\r\n0\r\n\r\n", 8193, "").status, 200);
}

TEST_F(RefusedAnswers, AnObjectHasALength) {
  const std::string upload = gateway.ask("POST", "/box/up?uploads").element("UploadId");
  ASSERT_EQ(gateway.ask("PUT", "/box?policy", kPublic).status, 204);
  http::RequestHead put = head("PUT", "/box/k");
  put.content_length.reset();
  expect(gateway.send(put, ""),
         {411, "MissingContentLength", "You must provide the Content-Length HTTP header."}, "put");
  put.target = "/box/up?partNumber=1&uploadId=" + upload;
  expect(gateway.send(put, ""),
         {411, "MissingContentLength", "You must provide the Content-Length HTTP header."}, "part");
  put.target = "/box/k";
  put.chunked = true;
  EXPECT_EQ(gateway.send(put, "bytes").status, 200);
  EXPECT_EQ(gateway.ask("PUT", "/box/k", "").status, 200);
}

}  // namespace
}  // namespace rondel::api
