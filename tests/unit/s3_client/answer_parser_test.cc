#include "s3_client/answer_parser.h"

#include <gtest/gtest.h>

namespace rondel::s3_client {
namespace {

constexpr std::string_view kSized = "HTTP/1.1 200 OK\r\nDate: x\r\ncontent-length: 5\r\n\r\nhello";
constexpr std::string_view kChunked =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

bool feed_in_pieces(AnswerParser& parser, std::string_view text, size_t piece) {
  for (size_t at = 0; at < text.size(); at += piece) {
    if (!parser.feed(as_bytes(text.substr(at, piece)))) return false;
  }
  return true;
}

TEST(AnswerParser, FindsTheEndHoweverTheBytesArrive) {
  for (std::string_view text : {kSized, kChunked}) {
    for (size_t piece = 1; piece <= text.size(); ++piece) {
      AnswerParser parser;
      parser.begin(false);
      ASSERT_TRUE(feed_in_pieces(parser, text, piece)) << piece;
      EXPECT_TRUE(parser.done()) << piece;
      EXPECT_EQ(parser.status(), 200);
      EXPECT_EQ(parser.body_bytes(), text == kSized ? 5u : 3u);
      EXPECT_TRUE(parser.keep_alive());
    }
  }
}

TEST(AnswerParser, AnAnswerToHeadHasNoBody) {
  AnswerParser parser;
  parser.begin(true);
  EXPECT_TRUE(parser.feed(as_bytes("HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n")));
  EXPECT_TRUE(parser.done());
}

TEST(AnswerParser, NoContentHasNoBody) {
  AnswerParser parser;
  parser.begin(false);
  EXPECT_TRUE(parser.feed(as_bytes("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")));
  EXPECT_TRUE(parser.done());
  EXPECT_FALSE(parser.keep_alive());
}

TEST(AnswerParser, InterimAnswersArePassedOver) {
  for (size_t piece : {1u, 7u, 200u}) {
    AnswerParser parser;
    parser.begin(false);
    ASSERT_TRUE(
        feed_in_pieces(parser, std::string("HTTP/1.1 100 Continue\r\n\r\n").append(kSized), piece));
    EXPECT_TRUE(parser.done());
    EXPECT_EQ(parser.status(), 200);
  }
}

TEST(AnswerParser, KeepsTheTextOfAnError) {
  AnswerParser parser;
  parser.begin(false);
  EXPECT_TRUE(parser.feed(as_bytes("HTTP/1.1 503 Slow Down\r\nContent-Length: 8\r\n\r\n<Error/>")));
  EXPECT_EQ(parser.error_text(), "<Error/>");
}

TEST(AnswerParser, RefusesWhatIsMalformed) {
  for (std::string_view text :
       {"HTTP/1.0 200 OK\r\n\r\n", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"}) {
    AnswerParser parser;
    parser.begin(false);
    EXPECT_FALSE(parser.feed(as_bytes(text))) << text;
  }
}

}  // namespace
}  // namespace rondel::s3_client
