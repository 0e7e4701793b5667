// What a stranger chooses has a bound: names, fields, keys by the thousand, documents at their
// caps, bytes that are no text.
#include "common/base/encoding.h"
#include "gateway/api/post_object.h"
#include "tests/unit/gateway/api/memory_gateway.h"

namespace rondel::api {
namespace {

std::string times(size_t count, std::string_view text) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

// A form up to its file, and what became of its fields.
struct Form {
  std::string code = "OK";
  signature::FormFields fields;
};

Form post(const std::vector<std::pair<std::string, std::string>>& fields,
          const std::string& file_name, size_t run = 1 << 20) {
  http::RequestHead head;
  head.method = "POST";
  head.target = "/box";
  head.chunked = true;
  head.fields.add("Content-Type", "multipart/form-data; boundary=b");
  std::string body;
  for (const auto& [name, value] : fields) {
    body += "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
  }
  fakes::MemoryExchange exchange(head);
  exchange.set_body(body + "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" +
                        file_name + "\"\r\n\r\nx\r\n--b--\r\n",
                    run);
  const auto open = [](http::Exchange& outer) -> async::Task<Form> {
    admission::Gate gate;
    const auto opened =
        co_await PostForm::open(outer, gate.documents, gate.parties.address("127.0.0.1"));
    if (!opened) co_return Form{std::string(s3::name(opened.error().code)), {}};
    co_return Form{"OK", (*opened)->fields()};
  };
  return async::block_on(open(exchange));
}

constexpr std::string_view kVariable = "${filename}";

TEST(FormBounds, TheNameOfAFileIsPutInOnceAndMeasuredBefore) {
  const auto key = [](const Form& form) {
    return form.fields.empty() ? "" : form.fields.front().second;
  };
  EXPECT_EQ(key(post({{"key", "a/${filename}-${filename}"}}, "f.txt")), "a/f.txt-f.txt");
  EXPECT_EQ(key(post({{"key", "${filename}"}}, "${filename}${filename}")), "${filename}${filename}")
      << "one pass";
  EXPECT_EQ(key(post({{"key", "$${filename}{filename}"}}, "")), "${filename}");
  EXPECT_EQ(post({{"key", std::string(kVariable)}}, std::string(1'024, 'f')).code, "OK");
  EXPECT_EQ(post({{"key", std::string(kVariable)}}, std::string(1'025, 'f')).code,
            "KeyTooLongError");
  EXPECT_EQ(post({{"key", times(1'800, kVariable)}}, std::string(70'000, 'f')).code,
            "KeyTooLongError");
  EXPECT_EQ(post({{"key", times(1'800, kVariable)}}, std::string(70'000, 'f'), 3).code,
            "KeyTooLongError");
  // Any other field: all of them together as large as fields may be.
  for (const char* name :
       {"x-amz-meta-a", "tagging", "success_action_redirect", "content-type", "x-ignore-a"}) {
    EXPECT_EQ(post({{"key", "k"}, {name, times(1'800, kVariable)}}, std::string(70'000, 'f')).code,
              "MaxPostPreDataLengthExceededError")
        << name;
    EXPECT_EQ(post({{"key", "k"}, {name, std::string(kVariable)}}, std::string(20'480, 'f')).code,
              "MaxPostPreDataLengthExceededError")
        << name;
  }
  EXPECT_EQ(
      post({{"key", "k"}, {"x-ignore-a", std::string(kVariable)}}, std::string(20'000, 'f')).code,
      "OK");
  // What is signed is as it was sent.
  for (const char* name : {"policy", "x-amz-signature", "x-amz-credential"}) {
    const Form form = post({{"key", "k"}, {name, std::string(kVariable)}}, "f");
    EXPECT_EQ(form.fields.back().second, kVariable) << name;
  }
}

// A signed request of this gateway's owner, and what its document says.
class Bounds : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(gateway_.ask("PUT", "/box").status, 200); }

  std::string code(const Answer& answer) {
    return answer.status < 300 ? "OK" : answer.element("Code");
  }

  std::string put(const std::string& target, const std::string& document) {
    return code(gateway_.ask("PUT", target, document,
                             {{"content-md5", to_base64(as_bytes(crypto::md5(document)))}}));
  }

  MemoryGateway gateway_;
};

TEST_F(Bounds, DocumentsAreRefusedAboveTheirCaps) {
  struct Row {
    const char* name;
    std::string target, before, element, after;
    size_t max;
    std::string refusal;
  };

  const auto numbered = [](std::string element, size_t number) {
    while (true) {
      const size_t at = element.find('#');
      if (at == std::string::npos) return element;
      element.replace(at, 1, std::to_string(number));
    }
  };
  const std::string rule = "<Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>";
  const Row rows[] = {
      {"tags of a bucket", "/box?tagging", "<Tagging><TagSet>",
       "<Tag><Key>k#</Key><Value>v</Value></Tag>", "</TagSet></Tagging>", 50, "BadRequest"},
      {"lifecycle rules", "/box?lifecycle", "<LifecycleConfiguration>",
       "<Rule><ID>r#</ID><Filter><Prefix>p#</Prefix></Filter>" + rule, "</LifecycleConfiguration>",
       1'000, "InvalidRequest"},
      {"tags of a lifecycle filter", "/box?lifecycle",
       "<LifecycleConfiguration><Rule><Filter><And>", "<Tag><Key>k#</Key><Value>v</Value></Tag>",
       "</And></Filter>" + rule + "</LifecycleConfiguration>", 10, "InvalidTag"},
      {"prefixes of a lifecycle filter", "/box?lifecycle", "<LifecycleConfiguration><Rule><Filter>",
       "<Prefix>p</Prefix>", "</Filter>" + rule + "</LifecycleConfiguration>", 1, "MalformedXML"},
      {"CORS rules", "/box?cors", "<CORSConfiguration>",
       "<CORSRule><AllowedOrigin>http://#</AllowedOrigin><AllowedMethod>GET</AllowedMethod></"
       "CORSRule>",
       "</CORSConfiguration>", 100, "InvalidRequest"},
      {"encryption rules", "/box?encryption", "<ServerSideEncryptionConfiguration>",
       "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></"
       "ApplyServerSideEncryptionByDefault></Rule>",
       "</ServerSideEncryptionConfiguration>", 1, "MalformedXML"},
      {"ownership rules", "/box?ownershipControls", "<OwnershipControls>",
       "<Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>", "</OwnershipControls>", 1,
       "MalformedXML"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    for (const size_t count : {row.max, row.max + 1, row.max * 4}) {
      std::string document = row.before;
      for (size_t i = 0; i < count; ++i) document += numbered(row.element, i);
      EXPECT_EQ(put(row.target, document + row.after), count <= row.max ? "OK" : row.refusal)
          << count;
    }
  }
  // As many as a body may hold, each of them compared with none of the others.
  const std::string tags = times(40'000, "<Tag><Key>k</Key><Value>v</Value></Tag>"),
                    prefixes = times(100'000, "<Prefix>aaaaaaaaaaaa</Prefix>");
  EXPECT_EQ(put("/box?lifecycle", "<LifecycleConfiguration><Rule><Filter><And>" + tags +
                                      "</And></Filter>" + rule + "</LifecycleConfiguration>"),
            "InvalidTag");
  EXPECT_EQ(put("/box?lifecycle", "<LifecycleConfiguration><Rule><Filter>" + prefixes +
                                      "</Filter>" + rule + "</LifecycleConfiguration>"),
            "MalformedXML");
}

// Megabytes of rules are read where they are asked for, and go back as they came.
TEST_F(Bounds, LargeLifecycleRulesAreReadBack) {
  std::string document =
      "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (int i = 0; i < 1'000; ++i) {
    document +=
        "<Rule><ID>" + std::to_string(i) + "</ID><Filter><Prefix>" + std::string(900, 'p') +
        std::to_string(i) +
        "</Prefix></Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>";
  }
  document +=
      "<Rule><ID>all</ID><Filter></Filter><Status>Enabled</Status><Expiration><Days>7</Days></"
      "Expiration></Rule></LifecycleConfiguration>";
  document.erase(document.find("<Rule>"), document.find("</Rule>") + 7 - document.find("<Rule>"));
  ASSERT_EQ(put("/box?lifecycle", document), "OK");
  EXPECT_EQ(gateway_.ask("GET", "/box?lifecycle").elements("ID").size(), 1'000u);
  EXPECT_TRUE(
      gateway_.ask("PUT", "/box/k", "x").field("x-amz-expiration").contains("rule-id=\"all\""));
  EXPECT_TRUE(gateway_.ask("GET", "/box/k").field("x-amz-expiration").contains("rule-id=\"all\""));
  EXPECT_EQ(gateway_.ask("DELETE", "/box?lifecycle").status, 204);
  EXPECT_EQ(gateway_.ask("GET", "/box/k").field("x-amz-expiration"), "");
  EXPECT_EQ(code(gateway_.ask("GET", "/box?lifecycle")), "NoSuchLifecycleConfiguration");
}

TEST_F(Bounds, AThousandKeysGoAtOnceAndOneMoreDoesNot) {
  const auto document = [](size_t count, size_t size) {
    std::string out = "<Delete>";
    for (size_t i = 0; i < count; ++i) {
      out += "<Object><Key>" + std::to_string(i) +
             std::string(size, '&').replace(0, size, times(size, "&amp;")) + "</Key></Object>";
    }
    return out + "</Delete>";
  };
  const auto ask = [&](const std::string& body) {
    return gateway_.ask("POST", "/box?delete", body,
                        {{"content-md5", to_base64(as_bytes(crypto::md5(body)))}});
  };
  const Answer all = ask(document(1'000, 1'000));
  EXPECT_EQ(all.status, 200);
  EXPECT_EQ(all.elements("Deleted").size(), 1'000u);
  EXPECT_EQ(code(ask(document(1'001, 1))), "MalformedXML");
}

// Every parameter of every listing, and every name in a path: no byte of them is a fault of ours,
// and none comes back raw.
TEST_F(Bounds, BytesThatAreNoTextAreNoFaultOfOurs) {
  ASSERT_EQ(gateway_.ask("PUT", "/box/a%01%7f%EF%BF%BEb").status, 200);
  const std::string begun = gateway_.ask("POST", "/box/a%01b?uploads").element("UploadId");
  const std::vector<std::string> values{
      "%ff",       "%00",    "a%00b",           "%c0%80",           "%ed%a0%80",
      "%ef%bf%be", "%01%1b", times(3'000, "a"), times(1'000, "%ff")};
  const std::vector<std::pair<std::string, std::vector<std::string>>> asked{
      {"/", {"prefix", "continuation-token", "bucket-region", "max-buckets"}},
      {"/box", {"prefix", "delimiter", "marker", "max-keys", "encoding-type"}},
      {"/box?list-type=2",
       {"prefix", "delimiter", "start-after", "continuation-token", "fetch-owner", "max-keys",
        "encoding-type"}},
      {"/box?versions",
       {"prefix", "delimiter", "key-marker", "version-id-marker", "max-keys", "encoding-type"}},
      {"/box?uploads",
       {"prefix", "delimiter", "key-marker", "upload-id-marker", "max-uploads", "encoding-type"}},
      {"/box/a%01b?uploadId=" + begun, {"part-number-marker", "max-parts"}},
      {"/box/k", {"versionId", "partNumber", "response-content-type"}},
      {"/box/k?attributes", {"versionId"}},
      {"/box/k?tagging", {"versionId"}},
      {"/box/k?acl", {"versionId"}},
      {"/", {"x-id"}},
  };
  const auto expect_clean = [&](const std::string& target, const Answer& answer) {
    EXPECT_LT(answer.status, 500) << target;
    EXPECT_TRUE(is_valid_utf8(answer.body)) << target;
    for (const char c : answer.body) {
      ASSERT_TRUE(c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f)) << target;
    }
    EXPECT_FALSE(answer.body.contains("\xef\xbf\xbe")) << target;
  };
  for (const auto& [target, parameters] : asked) {
    for (const std::string& parameter : parameters) {
      for (const std::string& value : values) {
        const std::string whole =
            target + (target.contains('?') ? "&" : "?") + parameter + "=" + value;
        expect_clean(whole, gateway_.ask("GET", whole));
      }
    }
    expect_clean(target, gateway_.ask("GET", target));
  }
  for (const std::string& value : values) {
    for (const char* method : {"GET", "PUT", "DELETE", "HEAD", "POST", "OPTIONS", "PATCH"}) {
      for (const std::string& target :
           {"/" + value, "/" + value + "/k", "/box/" + value, "/box/k?uploadId=" + value}) {
        expect_clean(target, gateway_.ask(method, target));
      }
    }
  }
  // A token whose bytes are no name.
  for (const std::string& name :
       {std::string("a\0b", 3), std::string("\xff\xff\xff"), std::string(70, 'a')}) {
    EXPECT_EQ(code(gateway_.ask("GET", "/?continuation-token=" + to_base64url(as_bytes(name)))),
              "InvalidArgument");
  }
}

// A query may have thousands of parameters: one that comes twice is refused, however many others
// lie between.
TEST_F(Bounds, AParameterThatComesTwiceIsRefused) {
  ASSERT_EQ(gateway_.ask("PUT", "/box/p1").status, 200);
  ASSERT_EQ(gateway_.ask("PUT", "/box/q1").status, 200);
  for (const size_t others : {0u, 5u, 15u, 16u, 2'000u}) {
    std::string between;
    for (size_t n = 0; n < others; ++n) between += "&x" + std::to_string(n) + "=";
    const std::string target = "/box?list-type=2&prefix=p" + between;
    EXPECT_EQ(gateway_.ask("GET", target).elements("Key"), std::vector<std::string>{"p1"})
        << others;
    EXPECT_EQ(code(gateway_.ask("GET", target + "&prefix=q")), "InvalidArgument") << others;
  }
}

}  // namespace
}  // namespace rondel::api
