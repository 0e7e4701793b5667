// What a client does with objects, one request after the other, through the whole gateway in
// memory.
#include <fmt/format.h>

#include "tests/unit/gateway/api/memory_gateway.h"

namespace rondel::api {
namespace {

using Headers = MemoryGateway::Headers;
using Names = std::vector<std::string>;

constexpr size_t kPart = 5 << 20;

std::string text_of(size_t size, char first = 'a') {
  std::string text(size, first);
  for (size_t i = 0; i < size; i += 97) text[i] = static_cast<char>('A' + i / 97 % 26);
  return text;
}

// A bucket "box", and after each test no byte that nobody knows.
class RoundTrip : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(gateway_.ask("PUT", "/box").status, 200); }

  void TearDown() override { gateway_.expect_nothing_stray(); }

  Answer ask(const std::string& method, const std::string& target, const std::string& body = "",
             const Headers& headers = {}) {
    return gateway_.ask(method, target, body, headers);
  }

  std::string etag_of(const std::string& body) {
    return "\"" + to_hex(as_bytes(crypto::md5(body))) + "\"";
  }

  void set_versioning(const std::string& status) {
    const std::string document =
        "<VersioningConfiguration><Status>" + status + "</Status></VersioningConfiguration>";
    ASSERT_EQ(ask("PUT", "/box?versioning", document).status, 200);
  }

  // An upload of these parts under a key, with the document that completes it.
  std::pair<std::string, std::string> upload(const std::string& target, const Names& parts,
                                             const Headers& headers = {}) {
    const std::string id = ask("POST", target + "?uploads", "", headers).element("UploadId");
    std::string document = "<CompleteMultipartUpload>";
    for (size_t i = 0; i < parts.size(); ++i) {
      const Answer put =
          ask("PUT", fmt::format("{}?partNumber={}&uploadId={}", target, i + 1, id), parts[i]);
      EXPECT_EQ(put.status, 200) << put.body;
      document += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1,
                              put.field("ETag"));
    }
    return {id, document + "</CompleteMultipartUpload>"};
  }

  MemoryGateway gateway_;
};

struct Kept {
  const char* name;
  size_t size;
  Headers headers;
};

const std::vector<Kept>& all_kept() {
  static const std::vector<Kept> all = {
      {"empty", 0, {}},
      {"a byte", 1, {}},
      {"some blocks", 200'001, {}},
      {"two chunks", (8 << 20) + 5, {}},
      {"with headers", 10, {{"content-type", "a/b"}, {"x-amz-meta-colour", "red"}}},
      {"encrypted", 200'001, {{"x-amz-server-side-encryption", "AES256"}}},
      {"encrypted and empty", 0, {{"x-amz-server-side-encryption", "AES256"}}},
      {"with a checksum", 10, {{"x-amz-checksum-algorithm", "SHA256"}}},
  };
  return all;
}

TEST_F(RoundTrip, WhatWasPutIsReadBack) {
  for (const auto& [name, size, headers] : all_kept()) {
    SCOPED_TRACE(name);
    const std::string body = text_of(size);
    const Answer put = ask("PUT", "/box/k", body, headers);
    ASSERT_EQ(put.status, 200) << put.body;
    const Answer got = ask("GET", "/box/k");
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.body, body);
    EXPECT_EQ(got.field("ETag"), put.field("ETag"));
    const Answer head = ask("HEAD", "/box/k");
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.body, "");
    for (const auto& [field, value] : headers) {
      if (field != "x-amz-checksum-algorithm") EXPECT_EQ(head.field(field), value);
    }
    if (size > 0) {
      const Answer some =
          ask("GET", "/box/k", "", {{"range", fmt::format("bytes={}-", size - size / 2 - 1)}});
      EXPECT_EQ(some.status, 206);
      EXPECT_EQ(some.body, body.substr(size - size / 2 - 1));
    }
    gateway_.expect_nothing_stray();
  }
}

TEST_F(RoundTrip, ConditionsAreThoseOfWhatIsThere) {
  struct Case {
    const char* method;
    Headers headers;
    int status;
  };

  const std::string body = "there";
  ASSERT_EQ(ask("PUT", "/box/k", body).status, 200);
  const std::string etag = etag_of(body);
  for (const auto& [method, headers, status] : std::vector<Case>{
           {"PUT", {{"if-none-match", "*"}}, 412},
           {"PUT", {{"if-match", "\"other\""}}, 412},
           {"PUT", {{"if-match", etag}}, 200},
           {"GET", {{"if-match", etag}}, 200},
           {"GET", {{"if-match", "\"other\""}}, 412},
           {"GET", {{"if-none-match", etag}}, 304},
           {"HEAD", {{"if-none-match", etag}}, 304},
           {"DELETE", {{"if-match", "\"other\""}}, 412},
           {"DELETE", {{"if-match", etag}}, 204},
           {"GET", {}, 404},
           {"PUT", {{"if-match", etag}}, 404},
           {"PUT", {{"if-none-match", "*"}}, 200},
       }) {
    const std::string sent = method == std::string("PUT") ? body : "";
    EXPECT_EQ(ask(method, "/box/k", sent, headers).status, status)
        << method << " " << (headers.empty() ? "" : headers.front().first);
  }
}

TEST_F(RoundTrip, VersionsStayUntilTheyAreRemovedByName) {
  ASSERT_EQ(ask("PUT", "/box/k", "null").status, 200);
  set_versioning("Enabled");
  const std::string first = ask("PUT", "/box/k", "first").field("x-amz-version-id");
  const std::string second = ask("PUT", "/box/k", "second").field("x-amz-version-id");
  const Answer marker = ask("DELETE", "/box/k");
  EXPECT_EQ(marker.field("x-amz-delete-marker"), "true");
  EXPECT_EQ(ask("GET", "/box/k").status, 404);
  EXPECT_EQ(ask("GET", "/box/k?versionId=" + first).body, "first");
  EXPECT_EQ(ask("GET", "/box/k?versionId=null").body, "null");
  const Answer listed = ask("GET", "/box?versions");
  EXPECT_EQ(listed.elements("VersionId"),
            (Names{marker.field("x-amz-version-id"), second, first, "null"}))
      << listed.body;

  EXPECT_EQ(ask("DELETE", "/box/k?versionId=" + marker.field("x-amz-version-id")).status, 204);
  EXPECT_EQ(ask("GET", "/box/k").body, "second");
  EXPECT_EQ(ask("DELETE", "/box/k?versionId=" + second).status, 204);
  EXPECT_EQ(ask("GET", "/box/k").body, "first");
  set_versioning("Suspended");
  EXPECT_EQ(ask("PUT", "/box/k", "null again").status, 200);
  EXPECT_EQ(ask("GET", "/box?versions").elements("VersionId"), (Names{"null", first}));
}

TEST_F(RoundTrip, ACopyHasTheBytesOfItsSource) {
  const std::string body = text_of(300'000);
  ASSERT_EQ(ask("PUT", "/box/source", body, {{"x-amz-meta-colour", "red"}}).status, 200);
  const size_t blobs = gateway_.cluster.blobs().size();

  struct Case {
    const char* name;
    Headers headers;
    std::string colour;
    bool moves_bytes;
  };

  for (const auto& [name, headers, colour, moves_bytes] : std::vector<Case>{
           {"as it is", {}, "red", false},
           {"with other headers",
            {{"x-amz-metadata-directive", "REPLACE"}, {"x-amz-meta-colour", "blue"}},
            "blue",
            false},
           {"encrypted", {{"x-amz-server-side-encryption", "AES256"}}, "red", true},
       }) {
    SCOPED_TRACE(name);
    Headers all = headers;
    all.emplace_back("x-amz-copy-source", "/box/source");
    const Answer copied = ask("PUT", "/box/copy", "", all);
    ASSERT_EQ(copied.status, 200) << copied.body;
    const Answer got = ask("GET", "/box/copy");
    EXPECT_EQ(got.body, body);
    EXPECT_EQ(got.field("x-amz-meta-colour"), colour);
    EXPECT_EQ(gateway_.cluster.blobs().size() > blobs, moves_bytes);
  }
  EXPECT_EQ(ask("DELETE", "/box/source").status, 204);
  EXPECT_EQ(ask("GET", "/box/copy").body, body);
  const Answer gone = ask("PUT", "/box/copy", "", {{"x-amz-copy-source", "/box/source"}});
  EXPECT_EQ(gone.element("Code"), "NoSuchKey");
}

TEST_F(RoundTrip, PartsBecomeAnObject) {
  const Names parts = {text_of(kPart), text_of(kPart, 'b'), "the end"};
  for (const Headers& headers : {Headers{}, Headers{{"x-amz-server-side-encryption", "AES256"}}}) {
    SCOPED_TRACE(headers.empty() ? "plain" : "encrypted");
    const auto [id, document] = upload("/box/m", parts, headers);
    EXPECT_EQ(ask("GET", "/box?uploads").elements("UploadId"), Names{id});
    EXPECT_EQ(ask("GET", "/box/m?uploadId=" + id).elements("PartNumber"), (Names{"1", "2", "3"}));
    const Answer done = ask("POST", "/box/m?uploadId=" + id, document);
    ASSERT_EQ(done.status, 200) << done.body;
    EXPECT_TRUE(done.element("ETag").contains("-3")) << done.body;
    EXPECT_EQ(ask("GET", "/box/m").body, parts[0] + parts[1] + parts[2]);
    const Answer part = ask("GET", "/box/m?partNumber=3");
    EXPECT_EQ(part.status, 206);
    EXPECT_EQ(part.body, parts[2]);
    EXPECT_EQ(part.field("x-amz-mp-parts-count"), "3");
    const Answer again = ask("POST", "/box/m?uploadId=" + id, document);
    EXPECT_EQ(again.element("ETag"), done.element("ETag")) << again.body;
    EXPECT_TRUE(ask("GET", "/box?uploads").elements("UploadId").empty());
  }
}

TEST_F(RoundTrip, AnUploadThatIsAbortedLeavesNothing) {
  const auto [id, document] = upload("/box/m", {"part"});
  EXPECT_EQ(ask("DELETE", "/box/m?uploadId=" + id).status, 204);
  EXPECT_EQ(ask("POST", "/box/m?uploadId=" + id, document).element("Code"), "NoSuchUpload");
  EXPECT_EQ(ask("GET", "/box/m?uploadId=" + id).element("Code"), "NoSuchUpload");
  EXPECT_EQ(ask("GET", "/box/m").status, 404);
  EXPECT_TRUE(gateway_.state.references.empty());
}

TEST_F(RoundTrip, APartIsCopiedOfARange) {
  const std::string body = text_of(6 << 20);
  ASSERT_EQ(ask("PUT", "/box/source", body).status, 200);
  const std::string id = ask("POST", "/box/m?uploads").element("UploadId");
  const Answer copied =
      ask("PUT", "/box/m?partNumber=1&uploadId=" + id, "",
          {{"x-amz-copy-source", "/box/source"}, {"x-amz-copy-source-range", "bytes=100-6000000"}});
  ASSERT_EQ(copied.status, 200) << copied.body;
  const Answer done = ask("POST", "/box/m?uploadId=" + id,
                          "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" +
                              copied.element("ETag") + "</ETag></Part></CompleteMultipartUpload>");
  ASSERT_EQ(done.status, 200) << done.body;
  EXPECT_EQ(ask("DELETE", "/box/source").status, 204);
  EXPECT_EQ(ask("GET", "/box/m").body, body.substr(100, 5'999'901));
}

TEST_F(RoundTrip, WhatWasAppendedIsReadWholeAndAsOnePart) {
  ASSERT_EQ(ask("PUT", "/box/log", "first ").status, 200);
  const Answer appended = ask("PUT", "/box/log", "second", {{"x-amz-write-offset-bytes", "6"}});
  ASSERT_EQ(appended.status, 200) << appended.body;
  EXPECT_EQ(ask("GET", "/box/log").body, "first second");
  EXPECT_EQ(ask("GET", "/box/log", "", {{"range", "bytes=4-7"}}).body, "t se");
  EXPECT_EQ(ask("GET", "/box/log?partNumber=1").body, "first second");
  EXPECT_EQ(ask("GET", "/box/log?partNumber=2").element("Code"), "InvalidPartNumber");
}

TEST_F(RoundTrip, ListingsAreFoldedAndGoOn) {
  for (const char* key : {"a", "b/1", "b/2", "c", "d/e/f", "g"}) {
    ASSERT_EQ(ask("PUT", std::string("/box/") + key, key).status, 200);
  }
  Names keys, prefixes;
  std::string token;
  for (int page = 0; page < 10; ++page) {
    const Answer listed = ask(
        "GET", "/box?list-type=2&delimiter=%2F&max-keys=2" +
                   (token.empty() ? "" : "&continuation-token=" + percent_encode(token, false)));
    ASSERT_EQ(listed.status, 200) << listed.body;
    for (const std::string& key : listed.elements("Key")) keys.push_back(key);
    for (const std::string& common : listed.elements("CommonPrefixes")) {
      prefixes.push_back(common);
    }
    token = listed.element("NextContinuationToken");
    if (token.empty()) break;
  }
  EXPECT_EQ(keys, (Names{"a", "c", "g"}));
  EXPECT_EQ(prefixes, (Names{"<Prefix>b/</Prefix>", "<Prefix>d/</Prefix>"}));
  EXPECT_EQ(ask("GET", "/box?prefix=b%2F").elements("Key"), (Names{"b/1", "b/2"}));
  EXPECT_EQ(ask("GET", "/").elements("Name"), Names{"box"});
}

TEST_F(RoundTrip, SeveralAreDeletedAtOnce) {
  for (const char* key : {"1", "2", "3"}) {
    ASSERT_EQ(ask("PUT", std::string("/box/") + key, key).status, 200);
  }
  const std::string document =
      "<Delete><Object><Key>1</Key></Object><Object><Key>3</Key></Object>"
      "<Object><Key>absent</Key></Object></Delete>";
  const Answer deleted = ask("POST", "/box?delete", document,
                             {{"content-md5", to_base64(as_bytes(crypto::md5(document)))}});
  ASSERT_EQ(deleted.status, 200) << deleted.body;
  EXPECT_EQ(deleted.elements("Key"), (Names{"1", "3", "absent"}));
  EXPECT_EQ(ask("GET", "/box").elements("Key"), Names{"2"});
  EXPECT_EQ(ask("DELETE", "/box").element("Code"), "BucketNotEmpty");
  EXPECT_EQ(ask("DELETE", "/box/2").status, 204);
  EXPECT_EQ(ask("DELETE", "/box").status, 204);
  EXPECT_EQ(ask("GET", "/box/2").element("Code"), "NoSuchBucket");
}

TEST_F(RoundTrip, WhileTheDatabaseIsAwayNoBodyIsTaken) {
  ASSERT_EQ(ask("PUT", "/box/k", "before").status, 200);
  gateway_.state.set_away(true);
  const Answer put = ask("PUT", "/box/k", "meanwhile");
  EXPECT_EQ(put.status, 503);
  EXPECT_EQ(put.body_reads, 0);
  EXPECT_EQ(ask("GET", "/box/k").status, 503);
  EXPECT_EQ(ask("DELETE", "/box/k").status, 503);
  gateway_.state.set_away(false);
  EXPECT_EQ(ask("GET", "/box/k").body, "before");
}

}  // namespace
}  // namespace rondel::api
