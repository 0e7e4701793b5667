// The error table and the documents made of it.
#include "gateway/s3/error.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/encoding.h"
#include "gateway/s3/xml_writer.h"

namespace rondel::s3 {
namespace {

// What a document carries of a text that a stranger chose.
TEST(XmlWriter, NoTextLeavesAByteThatXmlCannotCarry) {
  const auto written = [](std::string_view text, Quotes quotes = Quotes::kEscaped) {
    XmlWriter xml("a", "", quotes);
    xml.text("b", text);
    const std::string all = std::move(xml).finish();
    const size_t begin = all.find("<b>") + 3;
    return all.substr(begin, all.find("</b>") - begin);
  };
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"plain", "plain"},
      {"caf\xc3\xa9 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xf0\x9f\x98\x80"},
      {"a&<>\"b", "a&amp;&lt;&gt;&quot;b"},
      {"\x01\x1f\x7f", "&#x1;&#x1f;&#x7f;"},
      {"\t\n\r", "&#x9;&#xa;&#xd;"},
      {std::string_view("a\0b", 3), "a&#x0;b"},
      {"\xc2\x80\xc2\x9f\xc2\xa0", "&#x80;&#x9f;\xc2\xa0"},
      {"\xef\xbf\xbd\xef\xbf\xbe\xef\xbf\xbf", "\xef\xbf\xbd&#xfffe;&#xffff;"},
      {"\xff", "\xef\xbf\xbd"},
      {"a\xc3", "a\xef\xbf\xbd"},
      {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xed\xa0\x80<", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd&lt;"},
      {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
  };
  for (const auto& [text, expected] : rows) EXPECT_EQ(written(text), expected);
  EXPECT_EQ(written("\"", Quotes::kPlain), "\"");
  // Every pair of bytes.
  for (int i = 0; i < 65'536; ++i) {
    const std::string text = {static_cast<char>(i >> 8), static_cast<char>(i & 255)};
    const std::string out = written(text);
    ASSERT_TRUE(is_valid_utf8(out) && !has_control_character(out)) << i;
    ASSERT_TRUE(out.find_first_of("<>\"") == std::string::npos) << i;
    ASSERT_EQ(fits_xml(text),
              !out.contains("\xef\xbf\xbd") && out.find("&#x0;") == std::string::npos &&
                  std::ranges::none_of(text,
                                       [](char c) {
                                         return static_cast<unsigned char>(c) < 0x20 && c != '\t' &&
                                                c != '\n' && c != '\r';
                                       }))
        << i;
  }
}

TEST(ErrorTable, EveryCodeHasNameStatusAndMessage) {
  size_t codes = 0;
  for (size_t i = 0; i < kErrorCodesMax; ++i, ++codes) {
    const auto code = static_cast<ErrorCode>(i);
    if (name(code).empty()) break;
    EXPECT_TRUE(std::ranges::all_of(name(code), [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0;
    })) << name(code);
    EXPECT_TRUE(http_status(code) == 304 || (http_status(code) >= 400 && http_status(code) < 600))
        << name(code);
    if (http_status(code) != 304) EXPECT_FALSE(default_message(code).empty()) << name(code);
    if (code == ErrorCode::kInvalidRetentionPeriod) break;  // The last row.
  }
  EXPECT_GE(codes, 80u);
}

TEST(ErrorTable, SaysWhatAwsSays) {
  const std::vector<std::tuple<ErrorCode, std::string, int>> known{
      {ErrorCode::kNoSuchKey, "NoSuchKey", 404},
      {ErrorCode::kNoSuchBucket, "NoSuchBucket", 404},
      {ErrorCode::kAccessDenied, "AccessDenied", 403},
      {ErrorCode::kSlowDown, "SlowDown", 503},
      {ErrorCode::kNotImplemented, "NotImplemented", 501},
      {ErrorCode::kPreconditionFailed, "PreconditionFailed", 412},
      {ErrorCode::kInvalidRange, "InvalidRange", 416},
      {ErrorCode::kBucketNotEmpty, "BucketNotEmpty", 409},
      {ErrorCode::kNotModified, "NotModified", 304},
      {ErrorCode::kMethodNotAllowed, "MethodNotAllowed", 405},
      {ErrorCode::kMissingContentLength, "MissingContentLength", 411},
      {ErrorCode::kInternalError, "InternalError", 500}};
  for (const auto& [code, text, status] : known) {
    EXPECT_EQ(name(code), text);
    EXPECT_EQ(http_status(code), status) << text;
  }
}

TEST(ErrorFrom, LaterIsBetterBecomes503AndInnerWordsStayInside) {
  using Lower = rondel::ErrorCode;
  for (const Lower code : {Lower::kUnavailable, Lower::kResourceExhausted, Lower::kDeadlineExceeded,
                           Lower::kOutcomeUnknown}) {
    const Error error = from({code, "secret inner state"});
    EXPECT_EQ(error.code, code == Lower::kResourceExhausted ? ErrorCode::kSlowDown
                                                            : ErrorCode::kServiceUnavailable);
    EXPECT_EQ(error.headers,
              (std::vector<std::pair<std::string, std::string>>{{"Retry-After", "1"}}));
    EXPECT_EQ(error_document(error, "/", "r", "h").find("secret"), std::string::npos);
    EXPECT_NE(error.log_message.find("secret"), std::string::npos);
  }
  EXPECT_EQ(from({Lower::kCancelled, ""}).code, ErrorCode::kRequestTimeout);
  const Error full = from({Lower::kStorageFull, "secret inner state"});
  EXPECT_EQ(full.code, ErrorCode::kInsufficientStorage);
  EXPECT_EQ(http_status(full.code), 507);
  EXPECT_TRUE(full.headers.empty()) << "waiting is no help";
  for (const Lower code :
       {Lower::kInternal, Lower::kCorruption, Lower::kNotFound, Lower::kInvalidArgument}) {
    EXPECT_EQ(from({code, ""}).code, ErrorCode::kInternalError);
  }
}

TEST(ErrorDocument, IsWellFormedWhateverStandsInIt) {
  const Error error{ErrorCode::kNoSuchKey, "", {{"Key", "a<b>&\"c\x01\n"}}, {}, {}};
  EXPECT_EQ(error_document(error, "/b/a<b>", "R1", "H1"),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The "
            "specified key does not exist.</Message>"
            "<Key>a&lt;b&gt;&amp;\"c&#x1;&#xa;</Key><Resource>/b/a&lt;b&gt;</"
            "Resource><RequestId>R1</RequestId><HostId>H1</HostId></Error>");
}

TEST(XmlWriter, KnowsWhatXmlCannotCarry) {
  for (const char* good : {"", "a b", "\t\n\r", "\xC3\xA9\x7F"}) {
    EXPECT_TRUE(fits_xml(good)) << good;
  }
  for (const char* bad : {"\x01", "a\x1F", "\b"}) EXPECT_FALSE(fits_xml(bad));
  EXPECT_FALSE(fits_xml(std::string_view("\0", 1)));
}

TEST(XmlWriter, EscapesQuotesInAnswersAndLeavesThemInErrors) {
  XmlWriter answer("R", "");
  answer.text("ETag", "\"e\"");
  EXPECT_TRUE(std::move(answer).finish().ends_with("<R><ETag>&quot;e&quot;</ETag></R>"));
  const Error error{
      ErrorCode::kAccessDenied, "Policy Condition failed: [\"eq\", \"$key\", \"k\"]", {}, {}, {}};
  EXPECT_NE(error_document(error, "/", "r", "h")
                .find("<Message>Policy Condition failed: [\"eq\", \"$key\", \"k\"]</Message>"),
            std::string::npos);
}

TEST(XmlWriter, ClosesWhatItOpened) {
  XmlWriter xml("Root");
  xml.open("A");
  xml.open_with("B", "x=\"y\"");
  xml.number("N", UINT64_MAX);
  xml.close();
  xml.boolean("T", true);
  xml.text("E", "");
  EXPECT_EQ(std::move(xml).finish(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Root "
            "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><A><B "
            "x=\"y\"><N>18446744073709551615</N></B><T>true</T><E></E></A></Root>");
}

}  // namespace
}  // namespace rondel::s3
