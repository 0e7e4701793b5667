// The bytes of a body and every promise about them: five forms, cut and changed in every way that
// matters.
#include "gateway/payload/payload_reader.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "common/async/event_loop.h"
#include "common/base/encoding.h"
#include "common/crypto/digest.h"
#include "gateway/payload/object_checksum.h"
#include "tests/fakes/memory_exchange.h"

namespace rondel::payload {
namespace {

using Details = std::vector<std::pair<std::string, std::string>>;
using Trailer = Details;

struct Read {
  std::string bytes;
  std::optional<PayloadError> error;
  PayloadSummary summary;
};

async::Task<Read> read_all(fakes::MemoryExchange& exchange, const signature::Identity& identity,
                           PayloadOptions options) {
  Read out;
  auto reader = PayloadReader::open(exchange, identity, options);
  if (!reader) {
    out.error = reader.error();
    co_return out;
  }
  for (;;) {
    auto run = co_await (*reader)->read();
    if (!run) {
      out.error = run.error();
      // A refusal is final.
      auto again = co_await (*reader)->read();
      EXPECT_FALSE(again);
      co_return out;
    }
    if (run->empty()) break;
    out.bytes += as_text(*run);
  }
  out.summary = (*reader)->summary();
  co_return out;
}

std::string sha256(std::string_view text) { return crypto::sha256_hex(text); }

class PayloadTest : public ::testing::Test {
 protected:
  signature::Identity identity(signature::PayloadForm form, std::string hash = "") const {
    signature::Identity out;
    out.payload_form = form;
    out.payload_hash = std::move(hash);
    out.signing_key = kKey;
    out.seed_signature = kSeed;
    out.timestamp = kTime;
    out.scope = kScope;
    return out;
  }

  http::RequestHead head(std::optional<uint64_t> length, http::Fields fields = {}) const {
    http::RequestHead out;
    out.method = "PUT";
    out.target = "/b/k";
    out.fields = std::move(fields);
    out.content_length = length;
    out.chunked = !length;
    return out;
  }

  static http::Fields fields(std::vector<std::pair<std::string, std::string>> list) {
    http::Fields out;
    for (auto& [name, value] : list) out.add(name, value);
    return out;
  }

  Read read(const http::RequestHead& request, const signature::Identity& who, std::string body,
            PayloadOptions options = {}, size_t run = 1000,
            std::optional<Error> broken = std::nullopt) {
    fakes::MemoryExchange exchange(request);
    exchange.set_body(std::move(body), run, std::move(broken));
    return async::block_on(read_all(exchange, who, options));
  }

  // aws-chunked as a good client sends it. `spoil` may change each chunk's signature.
  std::string chunked(
      const std::string& body, size_t chunk_bytes, signature::PayloadForm form,
      std::vector<std::pair<std::string, std::string>> trailer = {},
      const std::function<void(size_t, std::string&)>& spoil = [](size_t, std::string&) {}) const {
    const bool is_signed = form == signature::PayloadForm::kStreamingSigned ||
                           form == signature::PayloadForm::kStreamingSignedTrailer;
    std::string out, previous = kSeed;
    for (size_t at = 0, number = 0;; at += chunk_bytes, ++number) {
      const std::string data = at < body.size() ? body.substr(at, chunk_bytes) : "";
      char size[20];
      std::snprintf(size, sizeof size, "%zx", data.size());
      out += size;
      if (is_signed) {
        previous = sigv4::signature(
            kKey, sigv4::chunk_string_to_sign(kTime, kScope, previous, sha256(data)));
        std::string sent = previous;
        spoil(number, sent);
        out += ";chunk-signature=" + sent;
      }
      out += "\r\n" + data;
      if (data.empty()) break;
      out += "\r\n";
    }
    if (form == signature::PayloadForm::kStreamingSigned) return out + "\r\n";
    std::string signed_text;
    for (const auto& [name, value] : trailer) {
      out += name + ":" + value + "\r\n";
      signed_text += name + ":" + value + "\n";
    }
    if (is_signed) {
      out += "x-amz-trailer-signature:" +
             sigv4::signature(kKey, sigv4::trailer_string_to_sign(kTime, kScope, previous,
                                                                  sha256(signed_text))) +
             "\r\n";
    }
    return out + "\r\n";
  }

  std::string crc32c(const std::string& body) const {
    return to_base64(as_bytes(object_checksum(model::ChecksumAlgorithm::kCrc32c, as_bytes(body))));
  }

  http::RequestHead streaming_head(const std::string& body, const std::string& coded,
                                   bool trailer) const {
    http::Fields out = fields({{"x-amz-decoded-content-length", std::to_string(body.size())},
                               {"Content-Encoding", "aws-chunked"}});
    if (trailer) out.add("x-amz-trailer", "x-amz-checksum-crc32c");
    return head(coded.size(), std::move(out));
  }

  const std::string kTime = "20240524T130000Z";
  const sigv4::Scope kScope{"20240524", "us-east-1", "s3"};
  const std::string kKey = sigv4::signing_key("secret", kScope);
  const std::string kSeed = std::string(64, '1');
  const std::string body_ = [] {
    std::string text(30'000, 'x');
    for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 31 >> 3);
    return text;
  }();
};

#define EXPECT_REFUSAL(expected, outcome)                 \
  do {                                                    \
    const Read outcome_ = (outcome);                      \
    ASSERT_TRUE(outcome_.error) << "was accepted";        \
    EXPECT_EQ(static_cast<int>(outcome_.error->refusal),  \
              static_cast<int>(PayloadRefusal::expected)) \
        << outcome_.error->message;                       \
  } while (false)

TEST_F(PayloadTest, OneHashProtectsTheWhole) {
  const Read good =
      read(head(body_.size()), identity(signature::PayloadForm::kHash, sha256(body_)), body_);
  ASSERT_FALSE(good.error);
  EXPECT_EQ(good.bytes, body_);
  EXPECT_EQ(good.summary.size, body_.size());
  EXPECT_EQ(good.summary.md5_hex.size(), 32u);
  std::string other = body_;
  other[20'000] ^= 1;
  EXPECT_REFUSAL(
      kContentSha256Mismatch,
      read(head(body_.size()), identity(signature::PayloadForm::kHash, sha256(body_)), other));
  EXPECT_FALSE(
      read(head(0), identity(signature::PayloadForm::kHash, std::string(sigv4::kEmptySha256)), "")
          .error);
  EXPECT_REFUSAL(kContentSha256Mismatch,
                 read(head(0), identity(signature::PayloadForm::kHash, sha256("x")), ""));
}

TEST_F(PayloadTest, AnUnsignedBodyIsWhatCame) {
  const Read sized = read(head(body_.size()), identity(signature::PayloadForm::kUnsigned), body_);
  EXPECT_FALSE(sized.error);
  EXPECT_EQ(sized.bytes, body_);
  EXPECT_EQ(read(head(std::nullopt), identity(signature::PayloadForm::kUnsigned), body_).bytes,
            body_);
}

TEST_F(PayloadTest, ABodyThatIsCutIsNeverWhole) {
  const Error gone{ErrorCode::kCancelled, "gone"};
  const Error late{ErrorCode::kDeadlineExceeded, "late"};
  const Error malformed{ErrorCode::kInvalidArgument, "malformed"};
  const std::string half = body_.substr(0, 100);
  EXPECT_REFUSAL(
      kIncompleteBody,
      read(head(body_.size()), identity(signature::PayloadForm::kUnsigned), half, {}, 10, gone));
  EXPECT_REFUSAL(kTimeout, read(head(body_.size()), identity(signature::PayloadForm::kUnsigned),
                                half, {}, 10, late));
  EXPECT_REFUSAL(kMalformedChunk,
                 read(head(std::nullopt), identity(signature::PayloadForm::kUnsigned), half, {}, 10,
                      malformed));
}

TEST_F(PayloadTest, StreamingFormsComeBackHoweverTheyArrive) {
  for (const signature::PayloadForm form :
       {signature::PayloadForm::kStreamingSigned, signature::PayloadForm::kStreamingSignedTrailer,
        signature::PayloadForm::kStreamingUnsignedTrailer}) {
    const bool trailer = form != signature::PayloadForm::kStreamingSigned;
    for (const std::string& body : {body_, std::string("a"), std::string()}) {
      const std::string coded = chunked(
          body, 8192, form,
          trailer ? std::vector<std::pair<std::string, std::string>>{{"x-amz-checksum-crc32c",
                                                                      crc32c(body)}}
                  : std::vector<std::pair<std::string, std::string>>{});
      for (const size_t run : {size_t{1}, size_t{7}, size_t{8192}, size_t{100'000}}) {
        const Read got = read(streaming_head(body, coded, trailer), identity(form), coded, {}, run);
        ASSERT_FALSE(got.error) << static_cast<int>(form) << " " << run << ": "
                                << got.error->message;
        EXPECT_EQ(got.bytes, body);
        EXPECT_EQ(got.summary.checksum_from_client, trailer);
        if (trailer) EXPECT_EQ(to_base64(as_bytes(got.summary.checksum->value)), crc32c(body));
      }
    }
  }
}

TEST_F(PayloadTest, EveryCutOfAStreamingBodyIsNoticed) {
  const std::string body = body_.substr(0, 9000);
  for (const signature::PayloadForm form :
       {signature::PayloadForm::kStreamingSigned, signature::PayloadForm::kStreamingSignedTrailer,
        signature::PayloadForm::kStreamingUnsignedTrailer}) {
    const bool trailer = form != signature::PayloadForm::kStreamingSigned;
    const std::string coded =
        chunked(body, 8192, form,
                trailer ? std::vector<std::pair<std::string, std::string>>{{"x-amz-checksum-crc32c",
                                                                            crc32c(body)}}
                        : std::vector<std::pair<std::string, std::string>>{});
    const size_t last_line = coded.rfind("\r\n", coded.size() - 5);
    for (size_t cut = 0; cut < last_line; cut += cut + 200 < 8192 && cut > 200 ? 97 : 1) {
      const Read got =
          read(streaming_head(body, coded, trailer), identity(form), coded.substr(0, cut));
      ASSERT_TRUE(got.error) << "cut at " << cut << " of " << coded.size() << ", form "
                             << static_cast<int>(form);
    }
  }
}

TEST_F(PayloadTest, EveryChangedByteOfASignedStreamIsNoticed) {
  const std::string body = body_.substr(0, 9000);
  for (const signature::PayloadForm form : {signature::PayloadForm::kStreamingSigned,
                                            signature::PayloadForm::kStreamingSignedTrailer}) {
    const bool trailer = form != signature::PayloadForm::kStreamingSigned;
    const std::string coded =
        chunked(body, 8192, form,
                trailer ? std::vector<std::pair<std::string, std::string>>{{"x-amz-checksum-crc32c",
                                                                            crc32c(body)}}
                        : std::vector<std::pair<std::string, std::string>>{});
    std::mt19937_64 random(3);
    for (int i = 0; i < 1500; ++i) {
      std::string changed = coded;
      const size_t at = i < 200   ? static_cast<size_t>(i)
                        : i < 500 ? coded.size() - static_cast<size_t>(i - 199)
                                  : random() % coded.size();
      changed[at] = static_cast<char>(changed[at] ^ (1 << random() % 8));
      const Read got = read(streaming_head(body, changed, trailer), identity(form), changed);
      // Letters of a trailer's name and hexadecimal sizes have two spellings; what is believed must
      // be what was sent.
      if (!got.error) EXPECT_EQ(got.bytes, body) << "changed at " << at;
      if (!got.error && at < coded.size() - 250) {
        EXPECT_TRUE(std::isalpha(static_cast<unsigned char>(coded[at])) || coded[at] == '\r')
            << "changed at " << at << " " << static_cast<int>(coded[at]);
      }
    }
  }
}

TEST_F(PayloadTest, WrongChunkSignaturesAreNamed) {
  for (size_t wrong = 0; wrong < 4; ++wrong) {
    const std::string coded = chunked(body_, 10'000, signature::PayloadForm::kStreamingSigned, {},
                                      [wrong](size_t number, std::string& signature) {
                                        if (number == wrong) {
                                          signature[0] = signature[0] == '0' ? '1' : '0';
                                        }
                                      });
    EXPECT_REFUSAL(kChunkSignatureMismatch,
                   read(streaming_head(body_, coded, false),
                        identity(signature::PayloadForm::kStreamingSigned), coded));
  }
  const std::string unsigned_chunks =
      chunked(body_, 10'000, signature::PayloadForm::kStreamingUnsignedTrailer);
  EXPECT_REFUSAL(kMalformedChunk,
                 read(streaming_head(body_, unsigned_chunks, false),
                      identity(signature::PayloadForm::kStreamingSigned), unsigned_chunks));
}

TEST_F(PayloadTest, SmallChunksBeforeTheLastAreRefused) {
  for (const signature::PayloadForm form :
       {signature::PayloadForm::kStreamingSigned, signature::PayloadForm::kStreamingSignedTrailer,
        signature::PayloadForm::kStreamingUnsignedTrailer}) {
    const std::string coded = chunked(body_, 8191, form);
    EXPECT_REFUSAL(kInvalidChunkSize,
                   read(streaming_head(body_, coded, false), identity(form), coded));
    // Told by the number of the chunk that came behind it.
    const Read later = read(streaming_head(body_, coded, false), identity(form), coded);
    EXPECT_EQ(later.error->details, (Details{{"Chunk", "2"}, {"BadChunkSize", "8191"}}));
    const std::string one_is_small = chunked(body_, 8192, form);
    EXPECT_FALSE(
        read(streaming_head(body_, one_is_small, false), identity(form), one_is_small).error)
        << "the last one is";
  }
  const std::string third =
      "2000\r\n" + std::string(8192, 'a') + "\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n";
  const Read got = read(streaming_head(std::string(8198, 'a'), third, false),
                        identity(signature::PayloadForm::kStreamingUnsignedTrailer), third);
  ASSERT_TRUE(got.error);
  EXPECT_EQ(got.error->details, (Details{{"Chunk", "3"}, {"BadChunkSize", "5"}}));
}

// Everything that is wrong with the framing of a good body is the same refusal, wherever it is
// noticed.
TEST_F(PayloadTest, FramingIsExact) {
  using Form = signature::PayloadForm;
  const std::string body = body_.substr(0, 9000);
  const std::string sum = "x-amz-checksum-crc32c:" + crc32c(body);
  for (const Form form :
       {Form::kStreamingSigned, Form::kStreamingSignedTrailer, Form::kStreamingUnsignedTrailer}) {
    const bool trailer = form != Form::kStreamingSigned,
               is_signed = form != Form::kStreamingUnsignedTrailer;
    const std::string coded = chunked(
        body, 8192, form, trailer ? Trailer{{"x-amz-checksum-crc32c", crc32c(body)}} : Trailer{});
    const size_t data = coded.find("\r\n") + 2, behind = data + 8192;
    const auto without = [&](size_t at, size_t count) {
      return coded.substr(0, at) + coded.substr(at + count);
    };
    std::vector<std::pair<std::string, std::string>> rows{
        {"a line feed alone behind a size", without(data - 2, 1)},
        {"a return alone behind a size", without(data - 1, 1)},
        {"nothing behind a chunk", without(behind, 2)},
        {"a line feed alone behind a chunk", without(behind, 1)},
        {"another byte behind a chunk", coded.substr(0, behind) + "x" + coded.substr(behind)},
        {"a size that is too small", "1fff" + coded.substr(4)},
        {"a size that is none", "200g" + coded.substr(4)},
        {"no size", coded.substr(4)},
        {"an empty line first", "\r\n" + coded},
        {"bytes behind the end", coded + "\r\n"},
        {"another last byte", coded.substr(0, coded.size() - 1) + "X"},
        {"nothing", ""},
    };
    for (size_t cut = 1; cut <= 4; ++cut) {
      rows.emplace_back("a cut of the end by " + std::to_string(cut),
                        coded.substr(0, coded.size() - cut));
    }
    if (is_signed) {
      const size_t at = coded.find('=') + 1;
      rows.emplace_back("a signature of 63 digits", without(at, 1));
      rows.emplace_back("a signature of 65 digits", coded.substr(0, at) + "0" + coded.substr(at));
      rows.emplace_back("a signature with a letter",
                        coded.substr(0, at) + "g" + coded.substr(at + 1));
      rows.emplace_back("a signature by another name",
                        coded.substr(0, at - 2) + "x=" + coded.substr(at));
      rows.emplace_back("no signature", without(4, at + 64 - 4));
    } else {
      rows.emplace_back("a signature of chunks that have none",
                        "2000;chunk-signature=" + std::string(64, '0') + coded.substr(4));
    }
    if (is_signed && trailer) {
      const size_t at = coded.rfind(':') + 1;
      rows.emplace_back("a signature of the trailer of 63 digits", without(at, 1));
      rows.emplace_back("a signature of the trailer with a letter",
                        coded.substr(0, at) + "g" + coded.substr(at + 1));
      rows.emplace_back("a trailer without its signature",
                        coded.substr(0, coded.find("x-amz-trailer-signature")) + "\r\n");
    }
    if (trailer) {
      rows.emplace_back("one line feed for two",
                        coded.substr(0, coded.find(sum) + sum.size()) + "\n" +
                            coded.substr(coded.find(sum) + sum.size() + 2));
    }
    for (const auto& [what, text] : rows) {
      for (const size_t run : {size_t{1}, size_t{100'000}}) {
        SCOPED_TRACE(what + ", form " + std::to_string(static_cast<int>(form)) + ", runs of " +
                     std::to_string(run));
        const Read got = read(streaming_head(body, text, trailer), identity(form), text, {}, run);
        ASSERT_TRUE(got.error) << "was accepted";
        // Its signature is over other bytes.
        if (what == "a size that is too small" && is_signed) continue;
        // One line less in a signed trailer is one that lacks its end: what is in it is no trailer.
        const bool joined = what == "one line feed for two" && is_signed;
        EXPECT_EQ(static_cast<int>(got.error->refusal),
                  static_cast<int>(joined ? PayloadRefusal::kMalformedTrailer
                                          : PayloadRefusal::kMalformedChunk))
            << got.error->message;
        if (!joined) EXPECT_EQ(got.error->message, "The request body terminated unexpectedly");
      }
    }
  }
}

TEST_F(PayloadTest, ASignatureThatIsOneIsShown) {
  const std::string coded =
      chunked(body_, 10'000, signature::PayloadForm::kStreamingSigned, {},
              [](size_t, std::string& signature) { signature = std::string(64, '0'); });
  const Read got = read(streaming_head(body_, coded, false),
                        identity(signature::PayloadForm::kStreamingSigned), coded);
  ASSERT_TRUE(got.error);
  const std::string to_sign =
      sigv4::chunk_string_to_sign(kTime, kScope, kSeed, sha256(body_.substr(0, 10'000)));
  EXPECT_EQ(got.error->details[1], std::pair(std::string("StringToSign"), to_sign));
  EXPECT_EQ(got.error->details[2],
            std::pair(std::string("SignatureProvided"), std::string(64, '0')));
  EXPECT_TRUE(got.error->details[3].second.starts_with("41 57 53 34 2d"));
}

TEST_F(PayloadTest, TheDecodedLengthIsExact) {
  const std::string coded = chunked(body_, 8192, signature::PayloadForm::kStreamingSigned);
  for (const int off : {-1, 1}) {
    auto request = streaming_head(body_, coded, false);
    request.fields.set("x-amz-decoded-content-length",
                       std::to_string(static_cast<int>(body_.size()) + off));
    EXPECT_REFUSAL(kIncompleteBody,
                   read(request, identity(signature::PayloadForm::kStreamingSigned), coded));
  }
}

TEST_F(PayloadTest, NothingMayFollowTheLastChunk) {
  const std::string coded =
      chunked(body_, 8192, signature::PayloadForm::kStreamingSigned) + "GET / HTTP/1.1\r\n";
  EXPECT_REFUSAL(kMalformedChunk, read(streaming_head(body_, coded, false),
                                       identity(signature::PayloadForm::kStreamingSigned), coded));
  EXPECT_REFUSAL(kMalformedChunk,
                 read(streaming_head(body_, coded, false),
                      identity(signature::PayloadForm::kStreamingSigned), coded, {}, 1));
}

TEST_F(PayloadTest, MalformedChunkHeadersAreRefused) {
  for (const char* coded : {"\r\n", "g\r\n", "-1\r\nx\r\n", "1;\r\nxx\r\n0\r\n\r\n",
                            "ffffffffffffffffff\r\n", "1 \r\nx\r\n"}) {
    EXPECT_TRUE(read(streaming_head("x", coded, false),
                     identity(signature::PayloadForm::kStreamingUnsignedTrailer), coded)
                    .error)
        << coded;
  }
  const std::string endless(5000, '1');
  EXPECT_REFUSAL(kMalformedChunk,
                 read(streaming_head("x", endless, false),
                      identity(signature::PayloadForm::kStreamingUnsignedTrailer), endless));
}

TEST_F(PayloadTest, TrailersArePromisesToo) {
  const auto send = [&](std::vector<std::pair<std::string, std::string>> trailer, bool announced,
                        signature::PayloadForm form) {
    const std::string coded = chunked(body_, 8192, form, std::move(trailer));
    return read(streaming_head(body_, coded, announced), identity(form), coded);
  };
  for (const signature::PayloadForm form : {signature::PayloadForm::kStreamingSignedTrailer,
                                            signature::PayloadForm::kStreamingUnsignedTrailer}) {
    EXPECT_FALSE(send({{"X-Amz-Checksum-CRC32C", crc32c(body_)}}, true,
                      signature::PayloadForm::kStreamingUnsignedTrailer)
                     .error);
    EXPECT_REFUSAL(kChecksumMismatch,
                   send({{"x-amz-checksum-crc32c", crc32c("other")}}, true, form));
    EXPECT_REFUSAL(kMalformedTrailer, send({}, true, form));
    EXPECT_REFUSAL(kMalformedChecksum, send({{"x-amz-checksum-crc32c", "AAAA"}}, true, form));
    EXPECT_REFUSAL(kMalformedChecksum, send({{"x-amz-checksum-crc32c", ""}}, true, form));
    EXPECT_REFUSAL(kMalformedTrailer, send({{"", crc32c(body_)}}, true, form));
    EXPECT_REFUSAL(kMalformedTrailer, send({{"x-amz-checksum-crc32", crc32c(body_)}}, true, form));
    EXPECT_REFUSAL(kMalformedTrailer,
                   send({{"x-amz-checksum-garbage", crc32c(body_)}}, true, form));
    EXPECT_FALSE(send({{"x-amz-checksum-crc32c", crc32c(body_)}}, true, form).error);
    // What was not announced, or comes twice, is not passed over: it could be any value.
    EXPECT_REFUSAL(kMalformedTrailer,
                   send({{"x-amz-checksum-crc32c", crc32c("other")}}, false, form));
    EXPECT_REFUSAL(kMalformedTrailer, send({{"x-amz-checksum-crc32c", crc32c(body_)},
                                            {"x-amz-checksum-sha1", "other"}},
                                           true, form));
    EXPECT_REFUSAL(kMalformedTrailer, send({{"x-amz-checksum-crc32c", crc32c("other")},
                                            {"x-amz-checksum-crc32c", crc32c(body_)}},
                                           true, form));
    EXPECT_FALSE(send({}, false, form).error) << "a trailer form without a trailer";
  }
}

TEST_F(PayloadTest, AChangedTrailerOfASignedBodyIsNoticed) {
  const std::string coded = chunked(body_, 8192, signature::PayloadForm::kStreamingSignedTrailer,
                                    {{"x-amz-checksum-crc32c", crc32c(body_)}});
  std::string changed = coded;
  changed.replace(changed.find("x-amz-checksum-crc32c:"), 22, "x-amz-checksum-crc32c: ");
  EXPECT_FALSE(read(streaming_head(body_, changed, true),
                    identity(signature::PayloadForm::kStreamingSignedTrailer), changed)
                   .error)
      << "a blank before the value";
  std::string unsigned_trailer = coded.substr(0, coded.find("x-amz-trailer-signature")) + "\r\n";
  EXPECT_REFUSAL(kMalformedChunk,
                 read(streaming_head(body_, unsigned_trailer, true),
                      identity(signature::PayloadForm::kStreamingSignedTrailer), unsigned_trailer));
  std::string forged = coded;
  forged[forged.rfind(':') + 1] = forged[forged.rfind(':') + 1] == '0' ? '1' : '0';
  EXPECT_REFUSAL(kChunkSignatureMismatch,
                 read(streaming_head(body_, forged, true),
                      identity(signature::PayloadForm::kStreamingSignedTrailer), forged));
  // A line without a name's end, whether or not somebody signed it.
  std::string no_colon = coded;
  no_colon.erase(no_colon.find("crc32c:") + 6, 1);
  EXPECT_REFUSAL(kMalformedTrailer,
                 read(streaming_head(body_, no_colon, true),
                      identity(signature::PayloadForm::kStreamingSignedTrailer), no_colon));
  // Nobody signs the trailer of unsigned chunks.
  const std::string plain = chunked(body_, 8192, signature::PayloadForm::kStreamingUnsignedTrailer,
                                    {{"x-amz-checksum-crc32c", crc32c(body_)},
                                     {"x-amz-trailer-signature", std::string(64, '0')}});
  EXPECT_REFUSAL(kMalformedTrailer,
                 read(streaming_head(body_, plain, true),
                      identity(signature::PayloadForm::kStreamingUnsignedTrailer), plain));
}

TEST_F(PayloadTest, ATrailerOfABodyThatHasNoneIsRefused) {
  const std::string sum = "x-amz-checksum-crc32c:" + crc32c(body_);
  std::string coded = chunked(body_, 8192, signature::PayloadForm::kStreamingSigned);
  EXPECT_REFUSAL(kMalformedTrailer,
                 read(streaming_head(body_, coded, true),
                      identity(signature::PayloadForm::kStreamingSigned), coded));
  coded.insert(coded.size() - 2, sum + "\r\n");
  for (const bool announced : {true, false}) {
    EXPECT_REFUSAL(kMalformedTrailer,
                   read(streaming_head(body_, coded, announced),
                        identity(signature::PayloadForm::kStreamingSigned), coded));
  }
}

TEST_F(PayloadTest, ContentMd5IsChecked) {
  const std::string md5 = object_checksum(model::ChecksumAlgorithm::kMd5, as_bytes(body_));
  const auto with = [&](std::string value) {
    return read(head(body_.size(), fields({{"content-md5", value}})),
                identity(signature::PayloadForm::kUnsigned), body_, {.compute_md5 = false});
  };
  EXPECT_FALSE(with(to_base64(as_bytes(md5))).error);
  EXPECT_EQ(with(to_base64(as_bytes(md5))).summary.md5_hex, "");
  EXPECT_REFUSAL(kBadDigest, with(to_base64(as_bytes(std::string(16, 'x')))));
  for (const char* bad : {"", "abc", "not base64 at all!!!!!!!", "AAAA"}) {
    EXPECT_REFUSAL(kInvalidDigest, with(bad));
  }
}

// As minio-go and the example of the S3 API reference write it: there is a line feed before the end
// of the trailer's line.
TEST_F(PayloadTest, ALineFeedMayEndTheValueOfATrailer) {
  const std::string coded =
      "7530\r\n" + body_ + "\r\n0\r\nx-amz-checksum-crc32c:" + crc32c(body_) + "\n\r\n\r\n";
  const auto send = [&](const std::string& text, size_t run) {
    return read(streaming_head(body_, text, true),
                identity(signature::PayloadForm::kStreamingUnsignedTrailer), text, {}, run);
  };
  for (const size_t run : {size_t{1}, size_t{7}, size_t{100'000}}) {
    EXPECT_FALSE(send(coded, run).error);
    EXPECT_REFUSAL(kMalformedChunk, send(coded.substr(0, coded.size() - 2), run));
    for (const char* more : {"\r", "\n", "\r\n", "\r\n\r\n", "\r\n0\r\n", "x"}) {
      EXPECT_REFUSAL(kMalformedChunk, send(coded + more, run));
    }
  }
  std::string with_signature = chunked(body_, 8192, signature::PayloadForm::kStreamingSignedTrailer,
                                       {{"x-amz-checksum-crc32c", crc32c(body_)}});
  with_signature.insert(with_signature.find("\r\nx-amz-trailer-signature"), "\n");
  EXPECT_FALSE(read(streaming_head(body_, with_signature, true),
                    identity(signature::PayloadForm::kStreamingSignedTrailer), with_signature)
                   .error);
}

TEST_F(PayloadTest, EveryChecksumAlgorithmIsCheckedInTheHead) {
  for (const model::ChecksumAlgorithm algorithm : model::all_checksum_algorithms()) {
    const std::string name(model::header_name(algorithm));
    const std::string good = to_base64(as_bytes(object_checksum(algorithm, as_bytes(body_))));
    const auto with = [&](http::Fields list) {
      return read(head(body_.size(), std::move(list)), identity(signature::PayloadForm::kUnsigned),
                  body_);
    };
    const Read accepted = with(fields({{name, good}}));
    ASSERT_FALSE(accepted.error) << name;
    EXPECT_EQ(accepted.summary.checksum->algorithm, algorithm);
    EXPECT_TRUE(accepted.summary.checksum_from_client);
    EXPECT_REFUSAL(
        kChecksumMismatch,
        with(fields({{name, to_base64(as_bytes(object_checksum(algorithm, as_bytes("other"))))}})));
    for (const std::string& bad :
         {std::string("AAAA"), good + "!", std::string(), good + good, good.substr(1)}) {
      EXPECT_REFUSAL(kMalformedChecksum, with(fields({{name, bad}})));
    }
    // They are counted before any is looked at.
    for (const char* other :
         {"x-amz-checksum-crc32c", "X-Amz-Checksum-SHA512", "x-amz-checksum-garbage"}) {
      for (const std::string& value : {std::string(), std::string("AAAA"), good}) {
        const Read two =
            with(fields({{name == "x-amz-checksum-crc32c" ? "x-amz-checksum-sha1" : name, value},
                         {other, ""}}));
        ASSERT_TRUE(two.error);
        EXPECT_EQ(
            two.error->message,
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
      }
    }
    EXPECT_FALSE(with(fields({{name, good},
                              {"x-amz-checksum-algorithm", "CRC32"},
                              {"x-amz-checksum-mode", "ENABLED"},
                              {"x-amz-checksum-type", "FULL_OBJECT"}}))
                     .error);
    // Of a part: the algorithm is the upload's.
    const auto part = [&](http::Fields list, model::ChecksumAlgorithm expected, bool required) {
      return read(head(body_.size(), std::move(list)), identity(signature::PayloadForm::kUnsigned),
                  body_, {.expected = expected, .checksum_required = required});
    };
    EXPECT_FALSE(part(fields({{name, good}}), algorithm, true).error);
    EXPECT_FALSE(part({}, algorithm, false).error);
    EXPECT_REFUSAL(kInvalidChecksum, part({}, algorithm, true));
    const auto another = algorithm == model::ChecksumAlgorithm::kMd5
                             ? model::ChecksumAlgorithm::kSha1
                             : model::ChecksumAlgorithm::kMd5;
    EXPECT_REFUSAL(kInvalidChecksum, part(fields({{name, good}}), another, false));
    EXPECT_REFUSAL(kInvalidChecksum, with(fields({{name, good}, {name, good}})));
    const std::string other = algorithm == model::ChecksumAlgorithm::kSha1 ? "SHA256" : "SHA1";
    EXPECT_REFUSAL(kInvalidChecksum,
                   with(fields({{name, good}, {"x-amz-sdk-checksum-algorithm", other}})));
    EXPECT_FALSE(
        with(fields({{name, good},
                     {"x-amz-sdk-checksum-algorithm", std::string(model::to_string(algorithm))}}))
            .error);
    EXPECT_TRUE(read(head(body_.size(), fields({{name, "AAAA"}})),
                     identity(signature::PayloadForm::kUnsigned), body_,
                     {.checksum_headers = false})
                    .error == std::nullopt);
  }
  EXPECT_REFUSAL(kInvalidChecksum,
                 read(head(0, fields({{"x-amz-sdk-checksum-algorithm", "CRC32"}})),
                      identity(signature::PayloadForm::kUnsigned), ""));
  EXPECT_REFUSAL(kInvalidChecksum,
                 read(head(0, fields({{"x-amz-sdk-checksum-algorithm", "CRC99"}})),
                      identity(signature::PayloadForm::kUnsigned), ""));
}

TEST_F(PayloadTest, AChecksumIsComputedWhereTheClientSentNone) {
  const Read got = read(head(body_.size()), identity(signature::PayloadForm::kUnsigned), body_,
                        {.compute = model::ChecksumAlgorithm::kCrc64Nvme});
  EXPECT_EQ(got.summary.checksum->value,
            object_checksum(model::ChecksumAlgorithm::kCrc64Nvme, as_bytes(body_)));
  EXPECT_FALSE(got.summary.checksum_from_client);
}

TEST_F(PayloadTest, AlgorithmsThatAreNoneAreRefused) {
  for (const char* name : {"x-amz-checksum-garbage", "x-amz-checksum-sha256a",
                           "X-Amz-Checksum-CRC16", "x-amz-checksum-x"}) {
    for (const char* value : {"", "AAAA"}) {
      const Read got = read(head(body_.size(), fields({{name, value}})),
                            identity(signature::PayloadForm::kUnsigned), body_);
      ASSERT_TRUE(got.error) << name;
      EXPECT_EQ(static_cast<int>(got.error->refusal),
                static_cast<int>(PayloadRefusal::kInvalidChecksum));
      EXPECT_EQ(got.error->message,
                "The algorithm type you specified in x-amz-checksum- header is invalid.");
    }
  }
}

TEST_F(PayloadTest, ALengthMayBeNeeded) {
  http::RequestHead nothing = head(std::nullopt);
  EXPECT_FALSE(
      read(nothing, identity(signature::PayloadForm::kUnsigned), body_, {.needs_length = true})
          .error)
      << "chunks of HTTP";
  nothing.chunked = false;
  EXPECT_REFUSAL(kMissingLength, read(nothing, identity(signature::PayloadForm::kUnsigned), "",
                                      {.needs_length = true}));
  EXPECT_FALSE(read(nothing, identity(signature::PayloadForm::kUnsigned), "").error);
  EXPECT_FALSE(
      read(head(0), identity(signature::PayloadForm::kUnsigned), "", {.needs_length = true}).error);
}

TEST_F(PayloadTest, TooLargeIsSaidBeforeOrWhileReading) {
  EXPECT_REFUSAL(kTooLarge, read(head(body_.size()), identity(signature::PayloadForm::kUnsigned),
                                 body_, {.size_max = 1000}));
  EXPECT_REFUSAL(kTooLarge, read(head(std::nullopt), identity(signature::PayloadForm::kUnsigned),
                                 body_, {.size_max = 1000}));
}

}  // namespace
}  // namespace rondel::payload
