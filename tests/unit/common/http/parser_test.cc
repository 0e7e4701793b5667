// Heads and chunked bodies in memory: every form by which one request can be made to look like two
// is refused.
#include <gtest/gtest.h>

#include <random>

#include "common/http/chunked_decoder.h"
#include "common/http/head_parser.h"

namespace rondel::http {
namespace {

std::expected<RequestHead, Refusal> parse(std::string_view text, size_t fields_max = 100) {
  return parse_request_head(text, fields_max);
}

int refusal(std::string_view text) {
  const auto parsed = parse(text);
  return parsed ? 0 : parsed.error().status;
}

TEST(HeadParser, TakesARequestApartWithoutChangingIt) {
  const auto head = parse(
      "PUT /b/a%2Fb//../c?x=1&y=%20? HTTP/1.1\r\nHost: h:80\r\nX-Amz-Meta-A:  two  words "
      "\r\nx-amz-meta-a: b\r\n"
      "Content-Length: 18446744073709551615\r\n\r\n");
  ASSERT_TRUE(head) << head.error().reason;
  EXPECT_EQ(head->method, "PUT");
  EXPECT_EQ(head->path(), "/b/a%2Fb//../c");
  EXPECT_EQ(head->query(), "x=1&y=%20?");
  EXPECT_EQ(head->version, 11);
  EXPECT_EQ(head->content_length, UINT64_MAX);
  EXPECT_FALSE(head->chunked);
  EXPECT_EQ(head->fields.find("X-AMZ-META-A"), "two  words");
  EXPECT_EQ(head->fields.find_all("x-amz-meta-a"),
            (std::vector<std::string_view>{"two  words", "b"}));
}

TEST(HeadParser, ReducesAbsoluteTargetsToTheirPath) {
  EXPECT_EQ(parse("GET http://other/a?b HTTP/1.1\r\nHost: h\r\n\r\n")->target, "/a?b");
  EXPECT_EQ(parse("GET https://other HTTP/1.1\r\nHost: h\r\n\r\n")->target, "/");
  EXPECT_EQ(parse("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n")->target, "*");
  // What stands behind the host is the query's: the path is empty.
  EXPECT_EQ(parse("GET http://other?x=/y HTTP/1.1\r\nHost: h\r\n\r\n")->target, "/?x=/y");
  EXPECT_EQ(refusal("GET ftp://x/ HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
  EXPECT_EQ(refusal("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
}

TEST(HeadParser, RefusesWhatIsNoRequestLine) {
  for (const char* line : {"", "GET", "GET /", "GET / HTTP", "GET / HTTP/1.1 ", "GET  / HTTP/1.1",
                           " GET / HTTP/1.1", "GET /a b HTTP/1.1", "G\tT / HTTP/1.1",
                           "(GET) / HTTP/1.1", "GET \x01/ HTTP/1.1", "GET / http/1.1"}) {
    EXPECT_NE(refusal(std::string(line) + "\r\nHost: h\r\n\r\n"), 0) << line;
  }
  for (const char* version : {"2.0", "1.2", "0.9", "1.10", "11", "1.1x", ""}) {
    EXPECT_EQ(refusal("GET / HTTP/" + std::string(version) + "\r\nHost: h\r\n\r\n"), 505)
        << version;
  }
}

TEST(HeadParser, RefusesFieldsThatReadersMayUnderstandDifferently) {
  for (const std::string field :
       {"Host : h", "X y: z", ": z", "X", "X\t: y", "X: a\rb", "X: a\nb", " X: y",
        "X: a\r\n folded", "X: a\r\n\tfolded", "X\r: y", "X: \x7f", "X(): y", "X: \x01"}) {
    EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: h\r\n" + field + "\r\n\r\n"), 400) << field;
  }
  EXPECT_EQ(refusal(std::string_view("GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", 35)), 400);
  EXPECT_NE(refusal("GET / HTTP/1.1\nHost: h\n\n"), 0);
}

TEST(HeadParser, WantsExactlyOneHost) {
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(refusal("GET / HTTP/1.0\r\n\r\n"), 0);
}

TEST(HeadParser, RefusesEveryDoubtAboutWhereTheBodyEnds) {
  const auto framed = [](const std::string& fields) {
    return refusal("PUT / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n");
  };
  EXPECT_EQ(framed("Content-Length: 5\r\n"), 0);
  EXPECT_EQ(framed("Content-Length: 5\r\nContent-Length: 5\r\n"), 400);
  EXPECT_EQ(framed("Content-Length: 5\r\nContent-Length: 6\r\n"), 400);
  EXPECT_EQ(framed("Content-Length: 5, 5\r\n"), 400);
  for (const char* length :
       {"-1", "+5", "5 5", "0x5", "5;", "", "18446744073709551616", "1e3", "5\t6"}) {
    EXPECT_EQ(framed("Content-Length: " + std::string(length) + "\r\n"), 400) << length;
  }
  EXPECT_EQ(framed("Transfer-Encoding: chunked\r\n"), 0);
  EXPECT_EQ(framed("Transfer-Encoding: Chunked\r\n"), 0);
  EXPECT_EQ(framed("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400);
  // No coding at all beside a length is nothing to doubt; anything near it is.
  for (const char* coding : {"Transfer-Encoding: identity", "transfer-encoding:\tIdentity "}) {
    EXPECT_EQ(framed(std::string("Content-Length: 5\r\n") + coding + "\r\n"), 0) << coding;
    EXPECT_EQ(framed(std::string(coding) + "\r\nContent-Length: 5\r\n"), 0) << coding;
    EXPECT_NE(framed(std::string("Content-Length: 5\r\n") + coding +
                     "\r\nTransfer-Encoding: chunked\r\n"),
              0)
        << coding;
    EXPECT_NE(framed(std::string("Content-Length: 5\r\n") + coding + "\r\n" + coding + "\r\n"), 0)
        << coding;
    EXPECT_NE(framed(std::string("Content-Length: 5\r\nContent-Length: 6\r\n") + coding + "\r\n"),
              0)
        << coding;
    EXPECT_NE(framed(std::string(coding) + "\r\n"), 0) << coding;
  }
  for (const char* coding : {"identity, chunked", "identity,identity", "identity;q=1", "xidentity",
                             "identity chunked", ""}) {
    EXPECT_NE(framed(std::string("Content-Length: 5\r\nTransfer-Encoding: ") + coding + "\r\n"), 0)
        << coding;
  }
  for (const char* coding : {"gzip", "gzip, chunked", "chunked, chunked", "identity", "xchunked",
                             "chunked;x", "\"chunked\""}) {
    EXPECT_EQ(framed("Transfer-Encoding: " + std::string(coding) + "\r\n"), 501) << coding;
  }
  EXPECT_EQ(framed("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 501);
  EXPECT_EQ(refusal("PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
}

TEST(HeadParser, BoundsTheNumberOfFields) {
  std::string text = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; i < 9; ++i) text += "X: y\r\n";
  EXPECT_TRUE(parse(text + "\r\n", 10));
  EXPECT_EQ(parse(text + "X: y\r\n\r\n", 10).error().status, 431);
}

TEST(HeadParser, NeverCrashesOnNoise) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const std::string good =
      "PUT /b/k?x=y HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX-Amz-Meta-A: b\r\n\r\n";
  for (int i = 0; i < 20'000; ++i) {
    std::string text = good;
    for (uint64_t changes = 1 + random() % 4; changes > 0; --changes) {
      const size_t at = random() % text.size();
      if (random() % 3 == 0)
        text.erase(at, 1 + random() % 5);
      else if (random() % 2 == 0)
        text[at] = static_cast<char>(random());
      else
        text.insert(at, 1, static_cast<char>("\r\n :\t\0,;"[random() % 8]));
      if (text.empty()) break;
    }
    const auto parsed = parse(text);
    if (parsed && parsed->content_length && parsed->chunked) FAIL() << text;
  }
}

TEST(HasToken, LooksAtWholeListItems) {
  Fields fields;
  fields.add("Connection", "keep-alive , Close");
  fields.add("connection", "x");
  EXPECT_TRUE(has_token(fields, "CONNECTION", "close"));
  EXPECT_TRUE(has_token(fields, "connection", "X"));
  EXPECT_FALSE(has_token(fields, "connection", "clos"));
  EXPECT_FALSE(has_token(fields, "te", "close"));
}

struct Decoded {
  std::string body;
  bool done = false;
  bool malformed = false;
  size_t consumed = 0;
};

// Feeds `text` in runs of the given sizes (the last one repeats).
Decoded decode(std::string_view text, const std::vector<size_t>& runs) {
  ChunkedDecoder decoder;
  Decoded out;
  size_t run = 0;
  size_t have = 0;
  while (!decoder.done() && !out.malformed && out.consumed < text.size()) {
    if (have == out.consumed) {
      have = std::min(text.size(), have + runs[std::min(run++, runs.size() - 1)]);
    }
    const auto step = decoder.feed(as_bytes(text.substr(out.consumed, have - out.consumed)));
    out.body += as_text(step.body);
    out.consumed += step.consumed;
    out.malformed = step.malformed;
    if (step.consumed == 0 && !step.malformed) {
      ADD_FAILURE() << "no progress";
      break;
    }
  }
  out.done = decoder.done();
  return out;
}

TEST(ChunkedDecoder, JoinsChunksHoweverTheyArrive) {
  const std::string text =
      "5\r\nhello\r\n1;name=\"value\"\r\n \r\n00A\r\n0123456789\r\n0\r\nTrailer: x\r\nOther: "
      "y\r\n\r\nGET / HTTP/1.1";
  const size_t end = text.find("GET");
  std::mt19937_64 random(1);
  for (int i = 0; i < 500; ++i) {
    std::vector<size_t> runs;
    for (int j = 0; j < 20; ++j) runs.push_back(1 + random() % 9);
    const Decoded out = decode(text, runs);
    ASSERT_EQ(out.body, "hello 0123456789");
    ASSERT_TRUE(out.done);
    ASSERT_EQ(out.consumed, end) << "what follows is the next request's";
  }
}

TEST(ChunkedDecoder, RefusesEveryDeviation) {
  for (const std::string text :
       {"g\r\n", "\r\n", ";x\r\n", "-1\r\n", "+5\r\nhello\r\n", "0x5\r\nhello\r\n",
        "5 \r\nhello\r\n", " 5\r\nhello\r\n", "5\nhello\n", "5\r\nhelloX\r\n", "5\r\nhello\n",
        "5\r\nhello0\r\n\r\n", "1000000000000000\r\n", "5;a\nb\r\nhello\r\n", "0\r\n\n",
        "0\r\nA: b\n\r\n", "5;a\rb\r\nhello\r\n", "0\r\nA: b\rC: d\r\n\r\n"}) {
    for (const size_t run : {size_t{1}, size_t{1000}}) {
      const Decoded out = decode(text, {run});
      EXPECT_TRUE(out.malformed) << text;
      EXPECT_FALSE(out.done) << text;
    }
  }
}

TEST(ChunkedDecoder, StaysRefused) {
  ChunkedDecoder decoder;
  ASSERT_TRUE(decoder.feed(as_bytes("zz\r\n")).malformed);
  const auto after = decoder.feed(as_bytes("\r\n"));
  EXPECT_TRUE(after.malformed) << "a handler that asks again gets no end of body";
  EXPECT_FALSE(decoder.done());
}

TEST(ChunkedDecoder, BoundsLinesAndTrailers) {
  EXPECT_TRUE(decode("5;" + std::string(5000, 'x') + "\r\nhello\r\n", {100}).malformed);
  std::string trailers = "0\r\n";
  for (int i = 0; i < 2000; ++i) trailers += "A: bbbbbbbbbbbb\r\n";
  EXPECT_TRUE(decode(trailers + "\r\n", {1000}).malformed);
}

}  // namespace
}  // namespace rondel::http
