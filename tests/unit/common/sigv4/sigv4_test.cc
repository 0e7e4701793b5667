#include "common/sigv4/sigv4.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/base/encoding.h"
#include "common/crypto/digest.h"

namespace rondel::sigv4 {
namespace {

// The key pair and time of the examples in the S3 documentation.
constexpr std::string_view kAccessKey = "AKIAIOSFODNN7EXAMPLE";
constexpr std::string_view kSecretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
constexpr std::string_view kTimestamp = "20130524T000000Z";
const Scope kScope{"20130524", "us-east-1", "s3"};

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Vector {
  std::string method;
  std::string path;
  NameValues query;
  NameValues headers;
  std::string payload;

  SignedRequest request() const {
    return {method, path, {query.begin(), query.end()}, {headers.begin(), headers.end()}, payload};
  }
};

NameValues parse_query(std::string_view text) {
  NameValues query;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    const size_t equals = part.find('=');
    const std::string_view value = equals == std::string_view::npos ? "" : part.substr(equals + 1);
    query.emplace_back(percent_decode(part.substr(0, equals)).value(),
                       percent_decode(value).value());
  }
  return query;
}

Vector parse_vector(const std::string& text) {
  Vector vector;
  std::istringstream in(text);
  std::string target;
  std::string line;
  in >> vector.method >> target;
  std::getline(in, line);
  vector.path = target.substr(0, target.find('?'));
  if (vector.path.size() < target.size()) {
    vector.query = parse_query(target.substr(vector.path.size() + 1));
  }
  while (std::getline(in, line) && !line.empty()) {
    const size_t colon = line.find(':');
    vector.headers.emplace_back(line.substr(0, colon), line.substr(colon + 1));
  }
  std::getline(in, vector.payload);
  return vector;
}

TEST(Vectors, EveryStageOfEveryCase) {
  int cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(RONDEL_VECTORS)) {
    if (!entry.is_directory()) continue;
    SCOPED_TRACE(entry.path().filename().string());
    const Vector vector = parse_vector(read_file(entry.path() / "request.txt"));
    const std::string canonical = canonical_request(vector.request());
    EXPECT_EQ(canonical, read_file(entry.path() / "canonical_request.txt"));
    const std::string to_sign = string_to_sign(kTimestamp, kScope, canonical);
    EXPECT_EQ(to_sign, read_file(entry.path() / "string_to_sign.txt"));
    EXPECT_EQ(signature(signing_key(kSecretKey, kScope), to_sign),
              read_file(entry.path() / "signature.txt"));
    ++cases;
  }
  EXPECT_GE(cases, 12);
}

TEST(SigningKey, EqualsTheDocumentedOne) {
  EXPECT_EQ(to_hex(as_bytes(signing_key(kSecretKey, kScope))),
            "dbb893acc010964918f1fd433add87c70e8b0db6be30c1fbeafefa5ec6ba8378");
}

std::string chunk_signature(std::string_view previous, const std::string& chunk) {
  const std::string to_sign =
      chunk_string_to_sign(kTimestamp, kScope, previous, crypto::sha256_hex(chunk));
  return signature(signing_key(kSecretKey, kScope), to_sign);
}

TEST(Chunks, DocumentedChain) {
  const std::string seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
  const std::string first = chunk_signature(seed, std::string(65536, 'a'));
  EXPECT_EQ(first, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648");
  const std::string second = chunk_signature(first, std::string(1024, 'a'));
  EXPECT_EQ(second, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497");
  EXPECT_EQ(chunk_signature(second, ""),
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9");
}

TEST(Chunks, DocumentedTrailer) {
  const std::string seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
  const std::string first = chunk_signature(seed, std::string(65536, 'a'));
  EXPECT_EQ(first, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2");
  const std::string second = chunk_signature(first, std::string(1024, 'a'));
  EXPECT_EQ(second, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7");
  const std::string last = chunk_signature(second, "");
  EXPECT_EQ(last, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992");
  const std::string hash = crypto::sha256_hex("x-amz-checksum-crc32c:sOO8/Q==\n");
  EXPECT_EQ(signature(signing_key(kSecretKey, kScope),
                      trailer_string_to_sign(kTimestamp, kScope, last, hash)),
            "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435");
}

TEST(Timestamps, RoundTripAndStrict) {
  for (const char* text :
       {"20130524T000000Z", "19700101T000000Z", "20240229T235959Z", "20991231T120102Z"}) {
    EXPECT_EQ(format_timestamp(parse_timestamp(text).value()), text);
  }
  for (const char* text :
       {"", "20130524", "20130524T000000", "20130524T000000z", "20130524t000000Z",
        "20130524T250000Z", "20130524T006000Z", "20131324T000000Z", "20130532T000000Z",
        "20230229T000000Z", "2013-05-24T00:00:00Z", "2013052 T000000Z", "-0130524T000000Z",
        "20130524T000000Z ", "+0130524T000000Z"}) {
    EXPECT_FALSE(parse_timestamp(text)) << text;
  }
}

TEST(Sign, GivesTheDocumentedAuthorization) {
  const SystemTime now = parse_timestamp(kTimestamp).value();
  const Signer signer{{std::string(kAccessKey), std::string(kSecretKey)}, "us-east-1", now};
  const NameValues headers{{"range", "bytes=0-9"}, {"host", "examplebucket.s3.amazonaws.com"}};
  const NameValues added = sign(signer, {"GET", "/test.txt", {}, headers, kEmptySha256});
  ASSERT_EQ(added.size(), 3U);
  EXPECT_EQ(added[0], (NameValues::value_type{"x-amz-date", "20130524T000000Z"}));
  EXPECT_EQ(added[1].second, kEmptySha256);
  EXPECT_EQ(added[2].second,
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(Presign, GivesTheDocumentedUrl) {
  const SystemTime now = parse_timestamp(kTimestamp).value();
  const Signer signer{{std::string(kAccessKey), std::string(kSecretKey)}, "us-east-1", now};
  EXPECT_EQ(
      presign(signer, {"GET", "/test.txt", {}, {{"host", "examplebucket.s3.amazonaws.com"}}, {}},
              86400),
      "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-"
      "1%2Fs3%2F"
      "aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-"
      "Signature="
      "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

}  // namespace
}  // namespace rondel::sigv4
