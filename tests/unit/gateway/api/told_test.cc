// What clients are told, row by row as AWS tells it: ranges, listings, tags, copies, documents,
// metadata, hosts.
#include "tests/unit/gateway/api/memory_gateway.h"

namespace rondel::api {
namespace {

using Headers = MemoryGateway::Headers;
using Elements = std::vector<std::pair<std::string, std::string>>;

class Told : public ::testing::Test {
 protected:
  void SetUp() override { EXPECT_EQ(gateway.ask("PUT", "/box").status, 200); }

  MemoryGateway gateway;
};

struct Refused {
  std::string method;
  std::string target;
  Headers headers;
  std::string body;
  int status;
  std::string code;
  std::string message = {};
  Elements elements = {};
};

void expect_refused(MemoryGateway& gateway, const Refused& row) {
  SCOPED_TRACE(row.method + " " + row.target + " " + row.body);
  const Answer answer = gateway.ask(row.method, row.target, row.body, row.headers);
  EXPECT_EQ(answer.status, row.status);
  EXPECT_EQ(answer.element("Code"), row.code) << answer.body;
  if (!row.message.empty()) EXPECT_EQ(answer.element("Message"), row.message);
  for (const auto& [name, value] : row.elements) EXPECT_EQ(answer.element(name), value) << name;
}

TEST_F(Told, Ranges) {
  gateway.ask("PUT", "/box/two", "ab");
  gateway.ask("PUT", "/box/none", "");

  struct Row {
    std::string key, range;
    int status;
    std::string body;
  };

  for (const Row& row :
       {Row{"two", "bytes= -1", 200, "ab"}, Row{"two", "bytes=0 -1", 200, "ab"},
        Row{"two", "bytes=0 - 1", 200, "ab"}, Row{"two", "bytes=0- 1", 200, "ab"},
        Row{"two", "bytes=\t-1", 200, "ab"}, Row{"two", "bytes=-1", 206, "b"},
        Row{"two", "bytes=00-00", 206, "a"}, Row{"two", "bytes=-5", 206, "ab"},
        Row{"two", "bytes=-0", 416, ""}, Row{"none", "bytes=-1", 200, ""},
        Row{"none", "bytes=-99999999999999999999", 200, ""}, Row{"none", "bytes=-0", 416, ""},
        Row{"none", "bytes=-00", 416, ""}, Row{"none", "bytes=0-", 416, ""},
        Row{"none", "bytes=0-0", 416, ""}, Row{"none", "bytes=00-01", 416, ""}}) {
    SCOPED_TRACE(row.key + " " + row.range);
    for (const char* method : {"GET", "HEAD"}) {
      const Answer answer = gateway.ask(method, "/box/" + row.key, "", {{"Range", row.range}});
      EXPECT_EQ(answer.status, row.status);
      EXPECT_EQ(answer.field("Content-Range").empty(), row.status == 200);
      if (row.status != 416 && method == std::string("GET")) EXPECT_EQ(answer.body, row.body);
      if (row.status == 416 && method == std::string("GET")) {
        EXPECT_EQ(answer.element("Code"), "InvalidRange");
      }
    }
  }
}

TEST_F(Told, NotModifiedCarriesWhatACacheRefreshes) {
  gateway.ask("PUT", "/box?versioning",
              "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>");
  gateway.ask("PUT", "/box/k", "x",
              {{"Cache-Control", "max-age=5"},
               {"Expires", "Wed, 02 Jan 2030 03:04:05 GMT"},
               {"Content-Language", "de"},
               {"x-amz-meta-a", "1"}});
  const Answer whole = gateway.ask("GET", "/box/k");
  for (const char* method : {"GET", "HEAD"}) {
    for (const auto& condition : Headers{{"If-None-Match", "*"},
                                         {"If-None-Match", whole.field("ETag")},
                                         {"If-Modified-Since", "Wed, 02 Jan 2030 03:04:05 GMT"}}) {
      const Answer answer = gateway.ask(method, "/box/k", "", {condition});
      EXPECT_EQ(answer.status, 304) << condition.first;
      for (const char* name :
           {"ETag", "Last-Modified", "Cache-Control", "Expires", "x-amz-version-id"}) {
        EXPECT_EQ(answer.field(name), whole.field(name)) << name;
        EXPECT_NE(answer.field(name), "") << name;
      }
      for (const char* name : {"Content-Language", "x-amz-meta-a", "Content-Type"}) {
        EXPECT_EQ(answer.field(name), "") << name;
      }
    }
  }
  EXPECT_EQ(
      gateway.ask("GET", "/box/k?response-cache-control=no-store", "", {{"If-None-Match", "*"}})
          .field("Cache-Control"),
      "no-store");
}

TEST_F(Told, SourcesOfCopiesAreEncodedAsForms) {
  for (const char* key : {"raw file name.txt", "a+b", "a%2Bb"}) {
    EXPECT_EQ(gateway.ask("PUT", "/box/" + percent_encode(key, false), key).status, 200);
  }

  struct Row {
    std::string source, key;
  };

  for (const Row& row :
       {Row{"box/raw+file+name.txt", "raw file name.txt"},
        Row{"/box/raw%20file+name.txt", "raw file name.txt"}, Row{"box/a%2Bb", "a+b"},
        Row{"box/a%252Bb", "a%2Bb"}, Row{"box%2Fa%2Bb", "a+b"}}) {
    EXPECT_EQ(gateway.ask("PUT", "/box/copy", "", {{"x-amz-copy-source", row.source}}).status, 200)
        << row.source;
    EXPECT_EQ(gateway.ask("GET", "/box/copy").body, row.key);
    const std::string id = gateway.ask("POST", "/box/u?uploads").element("UploadId");
    EXPECT_EQ(gateway
                  .ask("PUT", "/box/u?partNumber=1&uploadId=" + id, "",
                       {{"x-amz-copy-source", row.source}})
                  .status,
              200)
        << row.source;
  }
}

TEST_F(Told, CopiesJudgeTheHeadBeforeTheyLook) {
  const std::string unsupported =
      "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
      "[CRC32, CRC32C, "
      "CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]";
  expect_refused(gateway,
                 {"PUT",
                  "/box/c",
                  {{"x-amz-copy-source", "box/nothing"}, {"x-amz-checksum-algorithm", "CRC16"}},
                  "",
                  400,
                  "InvalidRequest",
                  unsupported});
  expect_refused(gateway, {"PUT",
                           "/box/c?partNumber=1&uploadId=nothing",
                           {{"x-amz-copy-source", "nonsense"}},
                           "",
                           400,
                           "InvalidArgument",
                           "",
                           {{"ArgumentName", "x-amz-copy-source"}}});
  gateway.ask("PUT", "/box/ten", "0123456789");
  const std::string id = gateway.ask("POST", "/box/u?uploads").element("UploadId");
  const auto range = [&](const std::string& text, int status, const std::string& code,
                         const std::string& message) {
    expect_refused(gateway, {"PUT",
                             "/box/u?partNumber=1&uploadId=" + id,
                             {{"x-amz-copy-source", "box/ten"}, {"x-amz-copy-source-range", text}},
                             "",
                             status,
                             code,
                             message});
  };
  range("bytes=100-200", 400, "InvalidRequest",
        "The specified copy range is invalid for the source object size");
  range("bytes=10-10", 400, "InvalidRequest",
        "The specified copy range is invalid for the source object size");
  range("bytes=0-21", 416, "InvalidRange", "");
  range("bytes= 0-1", 400, "InvalidArgument", "");
}

TEST_F(Told, ListingsSayWhatTheyDid) {
  for (const char* key : {"a+b/x", "a%b", "c d"}) {
    gateway.ask("PUT", "/box/" + percent_encode(key, false), "x");
  }
  for (const char* listing : {"/box?", "/box?list-type=2&", "/box?versions&"}) {
    SCOPED_TRACE(listing);
    EXPECT_EQ(gateway.ask("GET", std::string(listing) + "max-keys=5000").element("MaxKeys"),
              "1000");
    EXPECT_EQ(gateway.ask("GET", std::string(listing) + "max-keys=7").element("MaxKeys"), "7");
  }
  for (const char* listing : {"/box?", "/box?list-type=2&", "/box?versions&", "/box?uploads&"}) {
    for (const char* encoding : {"", "URL", "base64"}) {
      expect_refused(gateway, {"GET",
                               std::string(listing) + "encoding-type=" + encoding,
                               {},
                               "",
                               400,
                               "InvalidArgument",
                               "Invalid Encoding Method specified in Request",
                               {{"ArgumentName", "encoding-type"}}});
    }
  }
  const auto prefix = [&](const std::string& text) {
    return gateway.ask("GET", "/box?encoding-type=url&prefix=" + percent_encode(text, false))
        .element("Prefix");
  };
  EXPECT_EQ(prefix("a+b/"), "a%2Bb/");
  EXPECT_EQ(prefix("a%b"), "a%25b");
  EXPECT_EQ(prefix("c d"), "c d");
  EXPECT_EQ(gateway.ask("GET", "/box?prefix=a%2Bb/").element("Prefix"), "a+b/");
}

TEST_F(Told, UploadsNameWhereTheNextPageBegins) {
  const Answer none = gateway.ask("GET", "/box?uploads");
  EXPECT_TRUE(none.body.contains("NextKeyMarker") && none.body.contains("NextUploadIdMarker"));
  EXPECT_EQ(none.element("NextKeyMarker"), "");
  std::vector<std::string> ids;
  for (const char* key : {"a", "b", "dir/x"}) {
    ids.push_back(gateway.ask("POST", std::string("/box/") + key + "?uploads").element("UploadId"));
  }
  const Answer all = gateway.ask("GET", "/box?uploads");
  EXPECT_EQ(all.element("NextKeyMarker"), "dir/x");
  EXPECT_EQ(all.element("NextUploadIdMarker"), ids[2]);
  const Answer first = gateway.ask("GET", "/box?uploads&max-uploads=1");
  EXPECT_EQ(first.element("NextKeyMarker"), "a");
  EXPECT_EQ(first.element("NextUploadIdMarker"), ids[0]);
  const Answer folded = gateway.ask("GET", "/box?uploads&delimiter=/");
  EXPECT_EQ(folded.element("NextUploadIdMarker"), "");
  EXPECT_EQ(folded.element("NextKeyMarker"), "");

  EXPECT_EQ(gateway.ask("GET", "/box?uploads&key-marker=a&upload-id-marker=" + ids[0])
                .elements("UploadId")
                .size(),
            2u);
  for (const std::string& id : {ids[1], std::string("nonsense"), std::string(32, '0')}) {
    expect_refused(gateway, {"GET",
                             "/box?uploads&key-marker=a&upload-id-marker=" + id,
                             {},
                             "",
                             400,
                             "InvalidArgument",
                             "Invalid uploadId marker",
                             {{"ArgumentName", "upload-id-marker"}, {"ArgumentValue", id}}});
  }
  const Answer ignored = gateway.ask("GET", "/box?uploads&upload-id-marker=" + ids[1]);
  EXPECT_EQ(ignored.elements("UploadId").size(), 3u);
  EXPECT_EQ(ignored.element("UploadIdMarker"), "");
  // The marker's upload may be gone: whoever aborts page by page goes on.
  gateway.ask("DELETE", "/box/a?uploadId=" + ids[0]);
  EXPECT_EQ(gateway.ask("GET", "/box?uploads&key-marker=a&upload-id-marker=" + ids[0])
                .elements("UploadId")
                .size(),
            2u);
}

TEST_F(Told, Tags) {
  const std::string words =
      "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters "
      "without tag name duplicates.";
  for (const char* tags :
       {"=", "=v", "a=b&=c", "a=b=c", "key1=val1,key2=val2", "a==", "a=%zz", "a=1&a=2"}) {
    expect_refused(gateway, {"PUT",
                             "/box/k",
                             {{"x-amz-tagging", tags}},
                             "x",
                             400,
                             "InvalidArgument",
                             words,
                             {{"ArgumentName", "x-amz-tagging"}}});
  }
  for (const char* tags : {"", "a", "a=", "a=b%3Dc", "a=1&b=2&"}) {
    EXPECT_EQ(gateway.ask("PUT", "/box/k", "x", {{"x-amz-tagging", tags}}).status, 200) << tags;
  }
  const auto many = [](int count, const std::string& before, const std::string& between,
                       const std::string& after) {
    std::string out;
    for (int i = 0; i < count; ++i) out += before + std::to_string(i) + between + after;
    return out;
  };
  expect_refused(gateway, {"PUT",
                           "/box/k",
                           {{"x-amz-tagging", many(11, "k", "=v", "&")}},
                           "x",
                           400,
                           "BadRequest",
                           "Object tags cannot be greater than 10"});
  const auto document = [&](int count) {
    return "<Tagging><TagSet>" + many(count, "<Tag><Key>k", "</Key><Value>v</Value>", "</Tag>") +
           "</TagSet></Tagging>";
  };
  expect_refused(gateway, {"PUT",
                           "/box?tagging",
                           {},
                           document(51),
                           400,
                           "BadRequest",
                           "Bucket tag count cannot be greater than 50"});
  expect_refused(gateway, {"PUT",
                           "/box/k?tagging",
                           {},
                           document(11),
                           400,
                           "InvalidTag",
                           "Object tags cannot be greater than 10"});
}

TEST_F(Told, EmptyDocumentsAreMissing) {
  for (const char* target :
       {"/box?cors", "/box?versioning", "/box?lifecycle", "/box?tagging", "/box?encryption",
        "/box?object-lock", "/box?policy", "/box?ownershipControls", "/box?publicAccessBlock",
        "/box?requestPayment", "/box?notification", "/box?logging", "/box/k?tagging",
        "/box/k?retention", "/box/k?legal-hold"}) {
    expect_refused(
        gateway, {"PUT", target, {}, "", 400, "MissingRequestBodyError", "Request Body is empty"});
  }
}

TEST_F(Told, LockDocumentsAreJudgedBeforeTheBucket) {
  gateway.ask("PUT", "/box/k", "x");
  for (const char* body : {"<Retention>", "<Retention><Mode>X</Mode></Retention>"}) {
    expect_refused(gateway, {"PUT", "/box/k?retention", {}, body, 400, "MalformedXML"});
  }
  for (const char* body : {"<LegalHold/>", "nonsense"}) {
    expect_refused(gateway, {"PUT", "/box/k?legal-hold", {}, body, 400, "MalformedXML"});
  }
  expect_refused(gateway, {"PUT",
                           "/box/k?legal-hold",
                           {},
                           "<LegalHold><Status>ON</Status></LegalHold>",
                           400,
                           "InvalidRequest",
                           "Bucket is missing Object Lock Configuration"});
}

TEST_F(Told, DatesOfRetentionHaveAnyOffset) {
  gateway.ask("PUT", "/locked", "", {{"x-amz-bucket-object-lock-enabled", "true"}});
  gateway.ask("PUT", "/locked/k", "x");
  for (const auto& [text, kept] :
       Elements{{"2037-01-02T03:04:05-03:00", "2037-01-02T06:04:05.000Z"},
                {"2037-01-02T08:04:05+01:00", "2037-01-02T07:04:05.000Z"},
                {"2037-01-02T08:04:05.5Z", "2037-01-02T08:04:05.500Z"}}) {
    EXPECT_EQ(gateway
                  .ask("PUT", "/locked/k?retention",
                       "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>" + text +
                           "</RetainUntilDate></Retention>")
                  .status,
              200)
        << text;
    EXPECT_EQ(gateway.ask("GET", "/locked/k?retention").element("RetainUntilDate"), kept);
  }
}

TEST_F(Told, ExpiredObjectDeleteMarkerMayBeFalse) {
  const auto rule = [](const std::string& actions) {
    return "<LifecycleConfiguration><Rule><ID>a</ID><Filter/><Status>Enabled</Status>" + actions +
           "</Rule></LifecycleConfiguration>";
  };
  const std::string no =
      "<Expiration><ExpiredObjectDeleteMarker>false</ExpiredObjectDeleteMarker></Expiration>";
  for (const std::string& actions : {no, no + "<NoncurrentVersionExpiration><NoncurrentDays>3</"
                                              "NoncurrentDays></NoncurrentVersionExpiration>"}) {
    EXPECT_EQ(gateway.ask("PUT", "/box?lifecycle", rule(actions)).status, 200);
    EXPECT_EQ(gateway.ask("GET", "/box?lifecycle").element("ExpiredObjectDeleteMarker"), "false");
  }
}

TEST_F(Told, DocumentsThatAskForWhatIsAreTaken) {
  for (const auto& [name, root] : Elements{{"notification", "NotificationConfiguration"},
                                           {"logging", "BucketLoggingStatus"}}) {
    for (const std::string& body :
         {"<" + root + "/>",
          "<" + root + " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></" + root + ">"}) {
      EXPECT_EQ(gateway.ask("PUT", "/box?" + name, body).status, 200) << body;
    }
    const std::string operation =
        name == "logging" ? "PutBucketLogging" : "PutBucketNotificationConfiguration";
    expect_refused(
        gateway, {"PUT",
                  "/box?" + name,
                  {},
                  "<" + root + "><X/></" + root + ">",
                  501,
                  "NotImplemented",
                  "A header or query you provided implies functionality that is not implemented: " +
                      operation,
                  {{"Operation", operation}}});
    expect_refused(gateway, {"PUT", "/box?" + name, {}, "<Other/>", 400, "MalformedXML"});
  }
}

TEST_F(Told, WhatIsNotImplementedIsNamed) {
  for (const s3::OperationRow& row : s3::all_operations()) {
    if (row.level != s3::Level::kBucket || row.sub_resource.empty()) continue;
    const Answer answer =
        gateway.ask(std::string(row.method), "/box?" + std::string(row.sub_resource), "<x/>");
    if (answer.status == 501 && !answer.body.contains("<Header>")) {
      EXPECT_EQ(answer.element("Operation"), row.name);
      EXPECT_TRUE(answer.element("Message").ends_with(row.name)) << answer.body;
    }
  }
}

TEST_F(Told, PoliciesHaveAVersion) {
  const std::string statement =
      R"("Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::box/*"}]})";
  const auto told = [&](const std::string& policy) {
    EXPECT_EQ(gateway.ask("PUT", "/box?policy", policy).status, 204);
    return gateway.ask("GET", "/box?policy").body;
  };
  EXPECT_EQ(told("{" + statement), R"({"Version":"2008-10-17",)" + statement);
  EXPECT_EQ(told("{ " + statement), R"({"Version":"2008-10-17", )" + statement);
  for (const char* version : {"2008-10-17", "2012-10-17"}) {
    const std::string whole = R"({"Version":")" + std::string(version) + "\"," + statement;
    EXPECT_EQ(told(whole), whole);
  }
}

TEST_F(Told, MetadataBeyondAsciiIsEncoded) {
  struct Row {
    std::string sent, told;
  };

  const std::string long_word = std::string(44, 'a') + "\u00fc\u00fc" + std::string(40, 'b');
  for (const Row& row :
       {Row{"plain", "plain"}, Row{"gr\u00fcn", "=?UTF-8?B?Z3LDvG4=?="},
        Row{"\u65e5\u672c", "=?UTF-8?B?5pel5pys?="}, Row{"Hello World\xe9", "Hello World\xe9"},
        Row{"\xff\xfe", "\xff\xfe"}, Row{"=?UTF-8?B?Z3LDvG4=?=", "=?UTF-8?B?Z3LDvG4=?="}}) {
    EXPECT_EQ(gateway.ask("PUT", "/box/k", "x", {{"x-amz-meta-a", row.sent}}).status, 200);
    for (const char* method : {"GET", "HEAD"}) {
      EXPECT_EQ(gateway.ask(method, "/box/k").field("x-amz-meta-a"), row.told) << row.told;
    }
    EXPECT_EQ(gateway.ask("PUT", "/box/copy", "", {{"x-amz-copy-source", "box/k"}}).status, 200);
    EXPECT_EQ(gateway.ask("HEAD", "/box/copy").field("x-amz-meta-a"), row.told);
  }
  gateway.ask("PUT", "/box/k", "x", {{"x-amz-meta-a", long_word}});
  std::string told = gateway.ask("HEAD", "/box/k").field("x-amz-meta-a"), whole;
  for (size_t at = 0; at < told.size();) {
    const size_t end = std::min(told.find(' ', at), told.size());
    const std::string word = told.substr(at, end - at);
    EXPECT_LE(word.size(), 75u);
    ASSERT_TRUE(word.starts_with("=?UTF-8?B?") && word.ends_with("?=")) << word;
    const std::string part = from_base64(word.substr(10, word.size() - 12)).value();
    EXPECT_TRUE(is_valid_utf8(part));
    whole += part;
    at = end + 1;
  }
  EXPECT_EQ(whole, long_word);
}

TEST_F(Told, OverridesFitAHeader) {
  gateway.ask("PUT", "/box/k", "x");
  for (const char* name :
       {"response-content-disposition", "response-content-type", "response-expires",
        "response-cache-control", "response-content-language", "response-content-encoding"}) {
    expect_refused(gateway, {"GET",
                             std::string("/box/k?") + name + "=%E2%82%AC",
                             {},
                             "",
                             400,
                             "InvalidArgument",
                             "Header value cannot be represented using ISO-8859-1.",
                             {{"ArgumentName", name}}});
    EXPECT_EQ(gateway.ask("GET", std::string("/box/k?") + name + "=%C3%BC").status, 200);
    EXPECT_EQ(gateway.ask("GET", std::string("/box/k?") + name + "=%FC").status, 200);
  }
}

TEST_F(Told, RedirectsAreKeptAndNotCopied) {
  const std::string name = "x-amz-website-redirect-location";
  for (const char* value : {"/other", "http://a.test/", "https://a.test/x"}) {
    EXPECT_EQ(gateway.ask("PUT", "/box/k", "x", {{name, value}}).status, 200);
    EXPECT_EQ(gateway.ask("GET", "/box/k").field(name), value);
    EXPECT_EQ(gateway.ask("HEAD", "/box/k").field(name), value);
    EXPECT_EQ(gateway.ask("PUT", "/box/copy", "", {{"x-amz-copy-source", "box/k"}}).status, 200);
    EXPECT_EQ(gateway.ask("HEAD", "/box/copy").field(name), "");
    EXPECT_EQ(gateway.ask("PUT", "/box/copy", "", {{"x-amz-copy-source", "box/k"}, {name, "/new"}})
                  .status,
              200);
    EXPECT_EQ(gateway.ask("HEAD", "/box/copy").field(name), "/new");
  }
  const std::string id =
      gateway.ask("POST", "/box/u?uploads", "", {{name, "/part"}}).element("UploadId");
  const std::string etag =
      gateway.ask("PUT", "/box/u?partNumber=1&uploadId=" + id, "x").field("ETag");
  EXPECT_EQ(gateway
                .ask("POST", "/box/u?uploadId=" + id,
                     "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" + etag +
                         "</ETag></Part></CompleteMultipartUpload>")
                .status,
            200);
  EXPECT_EQ(gateway.ask("HEAD", "/box/u").field(name), "/part");
  // On itself: another redirect is a change.
  EXPECT_EQ(
      gateway.ask("PUT", "/box/k", "", {{"x-amz-copy-source", "box/k"}, {name, "/self"}}).status,
      200);
  EXPECT_EQ(gateway.ask("PUT", "/box/k", "", {{"x-amz-copy-source", "box/k"}}).element("Code"),
            "InvalidRequest");
  EXPECT_EQ(gateway.ask("HEAD", "/box/k").field(name), "/self");
  for (const char* value : {"other", "", "ftp://a.test/", "HTTP://a.test/", " "}) {
    for (const auto& [method, target] : Elements{{"PUT", "/box/k"}, {"POST", "/box/k?uploads"}}) {
      expect_refused(
          gateway,
          {method,
           target,
           {{name, value}},
           "",
           400,
           "InvalidRedirectLocation",
           "The website redirect location must have a prefix of 'http://' or 'https://' or '/'."});
    }
  }
  const std::string fits = "/" + std::string(2048 - name.size() - 1, 'x');
  EXPECT_EQ(gateway.ask("PUT", "/box/k", "x", {{name, fits}}).status, 200);
  expect_refused(gateway, {"PUT",
                           "/box/k",
                           {{name, fits + "x"}},
                           "x",
                           400,
                           "MetadataTooLarge",
                           "",
                           {{"Size", "2049"}, {"MaxSizeAllowed", "2048"}}});
}

TEST_F(Told, BucketsHaveArnsAndRegions) {
  EXPECT_EQ(gateway.ask("PUT", "/other").field("x-amz-bucket-arn"), "arn:aws:s3:::other");
  EXPECT_EQ(gateway.ask("HEAD", "/box").field("x-amz-bucket-arn"), "arn:aws:s3:::box");
  EXPECT_EQ(gateway.ask("GET", "/").elements("BucketArn"),
            (std::vector<std::string>{"arn:aws:s3:::box", "arn:aws:s3:::other"}));
  http::RequestHead head;
  head.method = "HEAD";
  for (const char* target : {"/box", "/box/k", "/box/k?versionId=x"}) {
    head.target = target;
    head.fields = {};
    head.fields.add("host", "gateway.test");
    EXPECT_EQ(gateway.send(head).field("x-amz-bucket-region"), "us-east-1") << target;
    head.fields.add("Authorization",
                    "AWS4-HMAC-SHA256 Credential=OWNERKEY/20300101/eu-west-9/s3/aws4_request, "
                    "SignedHeaders=host, Signature=" +
                        std::string(64, 'a'));
    EXPECT_EQ(gateway.send(head).field("x-amz-bucket-region"), "us-east-1") << target;
  }
  head.target = "/nobucket";
  EXPECT_EQ(gateway.send(head).field("x-amz-bucket-region"), "");
}

TEST_F(Told, MaxBucketsHasItsRange) {
  for (const char* value : {"0", "10001", "-1", "x"}) {
    expect_refused(gateway, {"GET",
                             std::string("/?max-buckets=") + value,
                             {},
                             "",
                             400,
                             "InvalidArgument",
                             "Argument max-buckets must be an integer between 1 and 10000.",
                             {{"ArgumentName", "max-buckets"}, {"ArgumentValue", value}}});
  }
}

TEST_F(Told, ABrowserSeesALine) {
  http::RequestHead head;
  head.method = "GET";
  head.target = "/";
  head.fields.add("host", "gateway.test");
  EXPECT_EQ(gateway.send(head).element("Code"), "AccessDenied");
  head.fields.add("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");
  const Answer answer = gateway.send(head);
  EXPECT_EQ(answer.field("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(std::ranges::count(answer.body, '\n'), 1);
  EXPECT_TRUE(answer.body.starts_with("<!DOCTYPE html>")) << answer.body;
  head.target = "/box";
  EXPECT_EQ(gateway.send(head).element("Code"), "AccessDenied");
}

TEST_F(Told, ModesOfChecksumsFitTheUpload) {
  const std::string id = gateway.ask("POST", "/box/u?uploads").element("UploadId");
  const std::string etag =
      gateway.ask("PUT", "/box/u?partNumber=1&uploadId=" + id, "x").field("ETag");
  const std::string body = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" +
                           etag + "</ETag></Part></CompleteMultipartUpload>";
  for (const char* type : {"COMPOSITE", "FULL_OBJECT"}) {
    expect_refused(gateway, {"POST",
                             "/box/u?uploadId=" + id,
                             {{"x-amz-checksum-type", type}},
                             body,
                             400,
                             "InvalidRequest",
                             "The upload was created using the null checksum mode. The complete "
                             "request must use the same checksum mode."});
  }
  expect_refused(gateway, {"POST",
                           "/box/u?uploadId=" + id,
                           {{"x-amz-checksum-type", "X"}},
                           body,
                           400,
                           "InvalidRequest",
                           "Value for x-amz-checksum-type header is invalid."});
  EXPECT_EQ(gateway.ask("POST", "/box/u?uploadId=" + id, body).status, 200);
}

TEST_F(Told, PartsOfAWholeChecksumHaveNone) {
  const std::string crc = "jNwWgw==";  // Of "x".
  for (const char* type : {"FULL_OBJECT", "COMPOSITE"}) {
    const std::string id =
        gateway
            .ask("POST", "/box/u?uploads", "",
                 {{"x-amz-checksum-algorithm", "CRC32"}, {"x-amz-checksum-type", type}})
            .element("UploadId");
    const std::string etag =
        gateway
            .ask("PUT", "/box/u?partNumber=1&uploadId=" + id, "x", {{"x-amz-checksum-crc32", crc}})
            .field("ETag");
    const std::string part = "<Part><PartNumber>1</PartNumber><ETag>" + etag +
                             "</ETag><ChecksumCRC32>" + crc + "</ChecksumCRC32></Part>";
    EXPECT_EQ(gateway
                  .ask("POST", "/box/u?uploadId=" + id,
                       "<CompleteMultipartUpload>" + part + "</CompleteMultipartUpload>")
                  .status,
              200);
    for (const char* method : {"GET", "HEAD"}) {
      const Answer answer =
          gateway.ask(method, "/box/u?partNumber=1", "", {{"x-amz-checksum-mode", "ENABLED"}});
      const bool none = type == std::string("FULL_OBJECT") && method == std::string("HEAD");
      EXPECT_EQ(answer.field("x-amz-checksum-crc32"), none ? "" : crc) << method;
      EXPECT_EQ(answer.field("x-amz-checksum-type"), none ? "" : type) << method;
    }
  }
}

}  // namespace
}  // namespace rondel::api
