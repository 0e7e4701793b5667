// No control character comes in by a door from which a header of an answer is made: every such
// source, every such byte.
#include <algorithm>

#include "gateway/admission/gate.h"
#include "gateway/api/cors.h"
#include "gateway/api/post_object.h"
#include "gateway/s3/cors.h"
#include "tests/unit/gateway/api/access_fixture.h"

namespace rondel::api {
namespace {

struct Door {
  std::string name;
  std::function<std::string(const std::string&)> outcome;  // "OK", or the code of the error.
  std::string refusal;
  // Documents: of the bytes that XML cannot carry even as a reference, when it is another code.
  std::string no_xml = {};
};

std::string ask(std::string_view method, const Asked& asked) {
  AccessFixture fixture;
  fixture.box.object_lock = true;
  const Told told = fixture.ask(Who::kOwner, method, asked);
  // What was asked of the store, or of the keys, came in.
  return told.changes > 0 || told.code == "ServiceUnavailable" || told.code == "SlowDown"
             ? "OK"
             : told.code;
}

// As a client writes what stands for a markup character or cannot stand in XML.
std::string reference(const std::string& text) {
  std::string out;
  for (const char c : text) {
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f
               ? "&#" + std::to_string(static_cast<int>(c)) + ";"
               : std::string(1, c);
  }
  return out;
}

auto document(std::string target, std::string before, std::string after) {
  return [=](const std::string& text) {
    return ask("PUT", {target, {}, before + reference(text) + after});
  };
}

auto raw_document(std::string target, std::string before, std::string after) {
  return [=](const std::string& text) { return ask("PUT", {target, {}, before + text + after}); };
}

auto parameter(std::string method, std::string target) {
  return
      [=](const std::string& text) { return ask(method, {target + percent_encode(text, false)}); };
}

auto header(std::string target, std::string name,
            std::vector<std::pair<std::string, std::string>> more = {}) {
  return [=](const std::string& text) {
    auto headers = more;
    headers.emplace_back(name, text);
    return ask("PUT", {target, headers});
  };
}

// A field of a form becomes a header of the upload; `name` may hold "$" where the text goes.
std::string form(std::string name, const std::string& text, std::string value) {
  if (const size_t at = name.find('$'); at != std::string::npos) name.replace(at, 1, text);
  const auto field = [](const std::string& key, const std::string& content) {
    return "--b\r\nContent-Disposition: form-data; name=\"" + key + "\"\r\n\r\n" + content + "\r\n";
  };
  http::RequestHead head;
  head.method = "POST";
  head.target = "/box";
  head.chunked = true;
  head.fields.add("Content-Type", "multipart/form-data; boundary=b");
  fakes::MemoryExchange exchange(head);
  exchange.set_body(
      field("key", "k") + field(name, value) +
      "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nx\r\n--b--\r\n");
  const auto open = [](http::Exchange& outer) -> async::Task<std::string> {
    admission::Gate gate;
    const auto opened =
        co_await PostForm::open(outer, gate.documents, gate.parties.address("127.0.0.1"));
    co_return opened ? "OK" : std::string(s3::name(opened.error().code));
  };
  return async::block_on(open(exchange));
}

auto form_value(std::string name) {
  return [=](const std::string& text) { return form(name, "", text); };
}

std::vector<Door> doors() {
  const std::string argument = "InvalidArgument", request = "InvalidRequest", xml = "MalformedXML";
  const auto cors = [](const std::string& element) {
    std::string rest = "<AllowedMethod>GET</AllowedMethod>";
    if (element != "AllowedOrigin") rest += "<AllowedOrigin>*</AllowedOrigin>";
    return document("/box?cors", "<CORSConfiguration><CORSRule>" + rest + "<" + element + ">",
                    "</" + element + "></CORSRule></CORSConfiguration>");
  };
  const std::string expose =
      "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</"
      "AllowedOrigin><ExposeHeader>";
  std::vector<Door> doors{
      {"CORS AllowedOrigin", cors("AllowedOrigin"), request},
      {"CORS AllowedHeader", cors("AllowedHeader"), request},
      {"CORS AllowedMethod", cors("AllowedMethod"), request},
      {"CORS ExposeHeader", cors("ExposeHeader"), request},
      {"CORS ExposeHeader in CDATA",
       raw_document("/box?cors", expose + "<![CDATA[",
                    "]]></ExposeHeader></CORSRule></CORSConfiguration>"),
       request, xml},
      {"CORS ID", cors("ID"), request},
      {"KMSMasterKeyID",
       document("/box?encryption",
                "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><"
                "SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>",
                "</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule></"
                "ServerSideEncryptionConfiguration>"),
       argument},
      {"KMSKeyArn",
       document("/box/k?encryption",
                "<ObjectEncryption><SSEKMS><KMSKeyArn>arn:aws:kms:us-east-1:123456789012:key/",
                "</KMSKeyArn></SSEKMS></ObjectEncryption>"),
       argument},
      {"region of KMSKeyArn",
       document("/box/k?encryption", "<ObjectEncryption><SSEKMS><KMSKeyArn>arn:aws:kms:",
                ":123456789012:key/name</KMSKeyArn></SSEKMS></ObjectEncryption>"),
       argument},
      {"x-amz-server-side-encryption-aws-kms-key-id",
       header("/box/k", "x-amz-server-side-encryption-aws-kms-key-id",
              {{"x-amz-server-side-encryption", "aws:kms"}}),
       argument},
      {"lifecycle ID",
       document("/box?lifecycle",
                "<LifecycleConfiguration><Rule><Filter/><Status>Enabled</"
                "Status><Expiration><Days>1</Days></Expiration><ID>",
                "</ID></Rule></LifecycleConfiguration>"),
       argument},
      {"x-amz-storage-class", header("/box/k", "x-amz-storage-class"), "InvalidStorageClass"},
      {"x-amz-website-redirect-location", header("/box/k", "x-amz-website-redirect-location"),
       argument},
      {"name of metadata",
       [](const std::string& text) {
         return ask("PUT", {"/box/k", {{"x-amz-meta-" + text, "v"}}});
       },
       argument},
      {"metadata of an upload",
       [](const std::string& text) {
         return ask("POST", {"/box/k?uploads", {{"x-amz-meta-a", text}}});
       },
       argument},
      {"metadata of a copy",
       header("/box/k", "x-amz-meta-a",
              {{"x-amz-copy-source", "/open/k"}, {"x-amz-metadata-directive", "REPLACE"}}),
       argument},
      {"name of metadata of a form",
       [](const std::string& text) { return form("x-amz-meta-$", text, "v"); }, argument},
      {"key id of a form", form_value("x-amz-server-side-encryption-aws-kms-key-id"), argument},
      {"redirect of a form", form_value("x-amz-website-redirect-location"), argument},
  };
  for (const char* name : {"x-amz-meta-a", "Content-Type", "Cache-Control", "Content-Disposition",
                           "Content-Encoding", "Content-Language", "Expires"}) {
    doors.push_back({name, header("/box/k", name), argument});
    std::string lower(name);
    std::ranges::transform(lower, lower.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    doors.push_back({lower + " of a form", form_value(lower), argument});
  }
  for (const char* name : {"content-type", "cache-control", "content-disposition",
                           "content-encoding", "content-language", "expires"}) {
    for (const char* method : {"GET", "HEAD"}) {
      doors.push_back({std::string("response-") + name + " " + method,
                       parameter(method, "/box/k?response-" + std::string(name) + "="), argument});
    }
  }
  return doors;
}

std::vector<char> controls() {
  std::vector<char> out{0x7f};
  for (char c = 0; c < 0x20; ++c) out.push_back(c);
  return out;
}

TEST(ControlCharacters, AreRefusedAtEveryDoor) {
  for (const Door& door : doors()) {
    SCOPED_TRACE(door.name);
    for (const char c : controls()) {
      const std::string code = door.outcome("a" + std::string(1, c) + "b");
      EXPECT_NE(code, "OK") << static_cast<int>(c);
      // A NUL ends more than one reader.
      if (c != 0) {
        EXPECT_TRUE(code == door.refusal || (!door.no_xml.empty() && code == door.no_xml))
            << static_cast<int>(c) << " " << code;
      }
    }
    const std::string split = "a\r\nSet-Cookie: x=1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
    EXPECT_NE(door.outcome(split), "OK");
  }
}

// Nothing of what clients may say today is lost with it.
TEST(ControlCharacters, OtherBytesStay) {
  const std::string plain = "caf\xc3\xa9 \xe2\x82\xac";
  for (const char* name :
       {"x-amz-meta-a", "Cache-Control", "Content-Disposition", "Content-Language", "Expires"}) {
    EXPECT_EQ(header("/box/k", name)(plain + " \xff"), "OK") << name;
  }
  EXPECT_EQ(parameter("GET", "/box/k?response-content-disposition=")("caf\xc3\xa9"), "OK");
  EXPECT_EQ(parameter("GET", "/box/k?response-content-disposition=")(plain), "InvalidArgument")
      << "beyond ISO 8859-1";
  EXPECT_EQ(header("/box/k", "x-amz-server-side-encryption-aws-kms-key-id",
                   {{"x-amz-server-side-encryption", "aws:kms"}})(plain),
            "OK");
}

// Origin and names of headers are said again in the answer.
TEST(ControlCharacters, WhatAPreflightSaysIsNotRepeated) {
  const s3::CorsRules rules(*s3::parse_cors_document(
      "<CORSConfiguration><CORSRule><AllowedOrigin>http://*</AllowedOrigin><AllowedMethod>GET</"
      "AllowedMethod><AllowedHeader>*</AllowedHeader></CORSRule></CORSConfiguration>"));
  const auto told = [&](const std::string& origin, const std::string& names) {
    http::RequestHead request;
    request.method = "GET";
    request.fields.add("Origin", origin);
    request.fields.add("Access-Control-Request-Headers", names);
    http::Fields answer;
    add_cors_fields(answer, request, &rules);
    return answer.has("Access-Control-Allow-Origin");
  };
  EXPECT_TRUE(told("http://a", "x-a, x-b"));
  for (const char c : controls()) {
    EXPECT_FALSE(told("http://a" + std::string(1, c) + "b", "")) << static_cast<int>(c);
    EXPECT_FALSE(told("http://a", "x-a" + std::string(1, c) + "b")) << static_cast<int>(c);
  }
  EXPECT_FALSE(told("http://a", "x: y"));
}

}  // namespace
}  // namespace rondel::api
