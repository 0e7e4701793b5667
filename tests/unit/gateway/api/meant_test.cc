// What a request means when its parts do not fit together: nothing is done that was not meant, and
// what a presigned URL carries in its query is not dropped.
#include "tests/unit/gateway/api/memory_gateway.h"

namespace rondel::api {
namespace {

using Headers = MemoryGateway::Headers;

class Meant : public ::testing::Test {
 protected:
  void SetUp() override {
    EXPECT_EQ(gateway.ask("PUT", "/box").status, 200);
    EXPECT_EQ(gateway.ask("PUT", "/box/k", "kept").status, 200);
    EXPECT_EQ(gateway.ask("PUT", "/empty").status, 200);
  }

  void expect_untouched() {
    EXPECT_EQ(gateway.ask("GET", "/box/k").body, "kept");
    EXPECT_EQ(gateway.ask("HEAD", "/empty").status, 200);
    EXPECT_EQ(gateway.ask("GET", "/box").elements("Key"), std::vector<std::string>{"k"});
  }

  MemoryGateway gateway;
};

struct Refused {
  std::string method;
  std::string target;
  Headers headers;
  int status;
  std::string code;
  std::string message;
  std::vector<std::pair<std::string, std::string>> elements = {};
};

void expect_refused(MemoryGateway& gateway, const Refused& row) {
  SCOPED_TRACE(row.method + " " + row.target);
  const std::string body = row.method == "PUT" || row.method == "POST" ? "<x/>" : "";
  const Answer answer = gateway.ask(row.method, row.target, body, row.headers);
  EXPECT_EQ(answer.status, row.status);
  if (row.method == "HEAD") return;
  EXPECT_EQ(answer.element("Code"), row.code) << answer.body;
  if (!row.message.empty()) EXPECT_EQ(answer.element("Message"), row.message);
  for (const auto& [name, value] : row.elements) EXPECT_EQ(answer.element(name), value) << name;
}

TEST_F(Meant, ASourceOfACopyIsTakenByCopiesAlone) {
  const std::string message = "You can only specify a copy source header for copy requests.";
  for (const auto& [method, target] :
       std::vector<std::pair<std::string, std::string>>{{"GET", "/"},
                                                        {"GET", "/box"},
                                                        {"HEAD", "/box"},
                                                        {"PUT", "/other"},
                                                        {"DELETE", "/empty"},
                                                        {"POST", "/box?delete"},
                                                        {"GET", "/box/k"},
                                                        {"HEAD", "/box/k"},
                                                        {"DELETE", "/box/k"},
                                                        {"POST", "/box/k?uploads"},
                                                        {"PUT", "/box/k?tagging"},
                                                        {"PUT", "/box/k?acl"},
                                                        {"PUT", "/box/k?retention"},
                                                        {"PUT", "/box/k?renameObject"},
                                                        {"DELETE", "/box/k?tagging"},
                                                        {"PUT", "/box?versioning"},
                                                        {"GET", "/box/k?uploadId=00"},
                                                        {"DELETE", "/box/k?uploadId=00"}}) {
    for (const char* source : {"box/k", "", "nonsense"}) {
      expect_refused(gateway, {method,
                               target,
                               {{"x-amz-copy-source", source}},
                               400,
                               "InvalidArgument",
                               message,
                               {{"ArgumentName", "x-amz-copy-source"}, {"ArgumentValue", source}}});
    }
  }
  expect_untouched();
  EXPECT_EQ(gateway.ask("PUT", "/box/copy", "", {{"x-amz-copy-source", "box/k"}}).status, 200);
}

TEST_F(Meant, WhatSelectsAnOperationOfBucketsIsNoneOfKeys) {
  for (const s3::OperationRow& row : s3::all_operations()) {
    const std::string name(row.sub_resource);
    if (row.level != s3::Level::kBucket || name.empty() || name == "list-type") continue;
    const auto shared = [&](const s3::OperationRow& other) {
      return other.level == s3::Level::kObject && other.sub_resource == name;
    };
    if (std::ranges::any_of(s3::all_operations(), shared)) continue;
    for (const char* method : {"GET", "PUT", "DELETE", "HEAD"}) {
      expect_refused(gateway,
                     {method,
                      "/box/k?" + name,
                      {},
                      400,
                      name == "logging" ? "NoLoggingStatusForKey" : "InvalidRequest",
                      "There is no such thing as the ?" + name + " sub-resource for a key"});
    }
  }
  expect_refused(gateway, {"GET",
                           "/box/k?uploads",
                           {},
                           400,
                           "InvalidRequest",
                           "Key is not expected for the GET method ?uploads subresource"});
  expect_refused(gateway, {"DELETE", "/box/k?uploads", {}, 405, "MethodNotAllowed", ""});
  expect_untouched();
  // Names that select nothing are nobody's business.
  EXPECT_EQ(gateway.ask("GET", "/box/k?x-id=GetObject&list-type=2&foo").body, "kept");
}

TEST_F(Meant, WhatSelectsAnOperationOfKeysIsNoneOfBuckets) {
  for (const s3::OperationRow& row : s3::all_operations()) {
    const std::string name(row.sub_resource);
    if (row.level != s3::Level::kObject || name.empty() || name == "x-amz-copy-source") continue;
    const auto shared = [&](const s3::OperationRow& other) {
      return other.level == s3::Level::kBucket && other.sub_resource == name;
    };
    if (std::ranges::any_of(s3::all_operations(), shared)) continue;
    for (const char* method : {"GET", "PUT", "DELETE"}) {
      expect_refused(gateway, {method,
                               "/empty?" + name,
                               {},
                               405,
                               "MethodNotAllowed",
                               "",
                               {{"ResourceType", "BUCKET"}}});
    }
  }
  expect_untouched();
}

TEST_F(Meant, APartHasAnUpload) {
  for (const char* target :
       {"/box/k?partNumber=1", "/box/k?partNumber=1&uploadId=", "/nobucket/k?partNumber=x"}) {
    expect_refused(gateway, {"PUT",
                             target,
                             {},
                             400,
                             "InvalidArgument",
                             "This operation does not accept partNumber without uploadId",
                             {{"ArgumentName", "partNumber"}, {"ArgumentValue", "partNumber"}}});
  }
  expect_untouched();
}

TEST_F(Meant, NoKeyClimbsAboveItsBucket) {
  for (const char* key : {"..", "../x", "../", "a/../../b", "./../x", "a/b/../../../c", "%2e%2e/x",
                          "..%2fx", "a/../.."}) {
    for (const char* method : {"PUT", "GET", "DELETE"}) {
      expect_refused(gateway, {method, std::string("/box/") + key, {}, 400, "InvalidURI", ""});
    }
    EXPECT_EQ(
        gateway.ask("PUT", "/box/copy", "", {{"x-amz-copy-source", std::string("box/") + key}})
            .element("Code"),
        "InvalidArgument")
        << key;
  }
  for (const char* key : {".", "a/../b", "a//b", "./x", "a/..", "a/b/../../c", "..a/x", "a/..b",
                          "...", "//../x", "x/./..", "..%00"}) {
    EXPECT_EQ(gateway.ask("PUT", std::string("/box/") + key, "x").status, 200) << key;
    EXPECT_EQ(gateway.ask("DELETE", std::string("/box/") + key).status, 204) << key;
  }
  expect_untouched();
}

TEST_F(Meant, AnAbortComparesTheTimeThatItNames) {
  const auto begin = [&] { return gateway.ask("POST", "/box/u?uploads").element("UploadId"); };
  const auto abort = [&](const std::string& id, const std::string& time) {
    return gateway.ask("DELETE", "/box/u?uploadId=" + id, "",
                       {{"x-amz-if-match-initiated-time", time}});
  };
  const std::string id = begin();
  const std::string initiated = gateway.ask("GET", "/box?uploads").element("Initiated");
  ASSERT_FALSE(initiated.empty());
  for (const char* time : {"2001-01-01T00:00:00Z", "Mon, 01 Jan 2001 00:00:00 GMT"}) {
    const Answer answer = abort(id, time);
    EXPECT_EQ(answer.status, 412) << time;
    EXPECT_EQ(answer.element("Code"), "PreconditionFailed");
    EXPECT_EQ(answer.element("Condition"), "x-amz-if-match-initiated-time");
  }
  for (const char* time : {"", "yesterday", "0"}) {
    EXPECT_EQ(abort(id, time).element("Code"), "InvalidArgument") << time;
  }
  EXPECT_EQ(gateway.ask("GET", "/box?uploads").elements("UploadId"), std::vector<std::string>{id});
  EXPECT_EQ(abort(id, initiated).status, 204);
  EXPECT_EQ(abort(begin(), "2999-01-01T00:00:00Z").status, 204);
  EXPECT_EQ(gateway.ask("GET", "/box?uploads").element("UploadId"), "");
}

TEST_F(Meant, HeadersInTheQueryOfAPresignedUrlAreHeaders) {
  const sigv4::NameValues query{{"x-amz-meta-Colour", "blue"},
                                {"x-amz-tagging", "a=1&b=2"},
                                {"X-Amz-Storage-Class", "STANDARD"},
                                {"x-amz-checksum-crc32", "AAAAAA=="},
                                {"x-amz-sdk-checksum-algorithm", "CRC32"}};
  EXPECT_EQ(gateway.ask_presigned("PUT", "/box/p", query, "bytes").status, 200);
  const Answer head = gateway.ask("HEAD", "/box/p");
  EXPECT_EQ(head.field("x-amz-meta-colour"), "blue");
  EXPECT_EQ(gateway.ask("GET", "/box/p?tagging").elements("Key"),
            (std::vector<std::string>{"a", "b"}));

  struct Row {
    std::string name, value, code;
  };

  for (const Row& row :
       {Row{"x-amz-storage-class", "NONE", "InvalidStorageClass"},
        Row{"x-amz-storage-class", "GLACIER", "NotImplemented"},
        Row{"x-amz-expected-bucket-owner", "999999999999", "AccessDenied"},
        Row{"x-amz-tagging", "=", "InvalidArgument"},
        Row{"x-amz-acl", "nonsense", "InvalidArgument"},
        Row{"x-amz-object-lock-mode", "GOVERNANCE", "InvalidArgument"},
        Row{"x-amz-meta-a", "x\ny", "InvalidArgument"},
        Row{"x-amz-meta-\r\nb", "x", "InvalidArgument"},
        Row{"x-amz-server-side-encryption", "AES256", "NotImplemented"},
        Row{"X-Amz-Server-Side-Encryption-Customer-Algorithm", "AES256", "NotImplemented"},
        Row{"x-amz-copy-source", "box/nothing", "NoSuchKey"},
        Row{"x-amz-copy-source", "nonsense", "InvalidArgument"}}) {
    const Answer answer = gateway.ask_presigned("PUT", "/box/k", {{row.name, row.value}}, "new");
    EXPECT_EQ(answer.element("Code"), row.code) << row.name << " " << answer.body;
  }
  EXPECT_EQ(
      gateway.ask_presigned("DELETE", "/box/k", {{"x-amz-copy-source", "box/k"}}).element("Code"),
      "InvalidArgument");
  EXPECT_EQ(
      gateway.ask_presigned("DELETE", "/box/k", {{"x-amz-if-match-size", "77"}}).element("Code"),
      "PreconditionFailed");
  expect_refused(gateway, {"PUT",
                           "/box/k?x-amz-expected-bucket-owner=1",
                           {{"x-amz-copy-source", "box/x"}},
                           404,
                           "NoSuchKey",
                           ""});
  EXPECT_EQ(gateway.ask("GET", "/box/k").body, "kept");
}

TEST_F(Meant, AHeaderAndAParameterOfOneNameAreRefused) {
  // The header is refused for itself where nothing signs it.
  const Answer answer =
      gateway.ask_presigned("PUT", "/box/k", {{"x-amz-meta-a", "1"}, {"X-Amz-Meta-A", "2"}}, "new");
  EXPECT_EQ(answer.element("Code"), "InvalidArgument");
  EXPECT_EQ(answer.element("ArgumentName"), "x-amz-meta-a");
  EXPECT_EQ(gateway
                .ask_presigned("PUT", "/box/k", {{"x-amz-acl", "private"}}, "new",
                               {{"x-amz-acl", "private"}})
                .status,
            403);
  expect_untouched();
}

// Of a request that is signed in its head, or not at all, the query is no place for headers.
TEST_F(Meant, ParametersOfOtherRequestsAreNoHeaders) {
  EXPECT_EQ(gateway.ask("PUT", "/box/p?x-amz-meta-a=1", "x").status, 200);
  EXPECT_EQ(gateway.ask("HEAD", "/box/p").field("x-amz-meta-a"), "");
}

TEST_F(Meant, ABodyHasALength) {
  http::RequestHead head;
  head.method = "PUT";
  const std::string id = gateway.ask("POST", "/box/u?uploads").element("UploadId");
  for (const auto& [path, query] : std::vector<std::pair<std::string, sigv4::NameValues>>{
           {"/box/k", {}}, {"/box/u", {{"partNumber", "1"}, {"uploadId", id}}}}) {
    head.fields = {};
    head.fields.add("host", "gateway.test");
    head.target = path + "?" + gateway.presigned_query("PUT", path, query);
    const Answer answer = gateway.send(head);
    EXPECT_EQ(answer.status, 411) << path;
    EXPECT_EQ(answer.element("Code"), "MissingContentLength");
  }
  EXPECT_EQ(gateway.ask("GET", "/box/k").body, "kept");
}

}  // namespace
}  // namespace rondel::api
