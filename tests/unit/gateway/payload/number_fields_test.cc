// Numbers and dates of signatures, bodies and policies: the range each takes, and the error on both
// sides of it.
#include <gtest/gtest.h>

#include "common/base/dates.h"
#include "common/base/ip_range.h"
#include "gateway/payload/aws_chunked.h"
#include "gateway/signature/post_policy.h"
#include "gateway/signature/signature_v2.h"
#include "identity/policy/policy_time.h"
#include "identity/policy/request_values.h"
#include "tests/fakes/fixed_identities.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/memory_exchange.h"
#include "tests/unit/gateway/number_field.h"

#include "common/async/event_loop.h"

namespace rondel::payload {
namespace {

using tests::NumberField;

constexpr int64_t kNow = 1'700'000'000;
constexpr uint64_t kLastSecond = 253'402'300'799;  // Of the year 9999.
constexpr uint64_t kObjectMax = 5ull << 30;

std::string name_of(signature::Refusal refusal) {
  if (refusal == signature::Refusal::kAuthorizationQueryParametersError) {
    return "AuthorizationQueryParametersError";
  }
  if (refusal == signature::Refusal::kAccessDenied) return "AccessDenied";
  if (refusal == signature::Refusal::kMissingDecodedLength) return "MissingContentLength";
  return "OK";  // Refused for something else: the number was taken.
}

std::string authenticate(const http::RequestHead& head, const signature::QueryParameters& query) {
  fakes::ManualClock clock{SystemTime(std::chrono::seconds(kNow))};
  fakes::FixedIdentities accounts;
  metadata::IdentityCache identities(accounts, clock);
  signature::Authenticator authenticator(identities, {.clock = &clock});
  const auto outcome = async::block_on(
      authenticator.authenticate(head, query, deadline_in(std::chrono::seconds(60))));
  return outcome ? "OK" : name_of(outcome.error().refusal);
}

std::string expires(const std::string& text) {
  http::RequestHead head;
  head.method = "GET";
  head.target = "/b/k";
  head.fields.add("Host", "h");
  return authenticate(head, {{"X-Amz-Algorithm", "AWS4-HMAC-SHA256"},
                             {"X-Amz-Credential", "AKID/20231114/us-east-1/s3/aws4_request"},
                             {"X-Amz-Date", "20231114T221320Z"},
                             {"X-Amz-SignedHeaders", "host"},
                             {"X-Amz-Signature", std::string(64, 'a')},
                             {"X-Amz-Expires", text}});
}

std::string older_expires(const std::string& text) {
  http::RequestHead head;
  head.method = "GET";
  head.target = "/b/k";
  fakes::ManualClock clock{SystemTime(std::chrono::seconds(kNow))};
  const auto claim =
      signature::claim_v2(head, {{"AWSAccessKeyId", "A"}, {"Signature", "s"}, {"Expires", text}},
                          "", {.clock = &clock, .signature_v2 = true});
  return claim ? "OK" : name_of(claim.error().refusal);
}

std::string decoded_length(const std::string& text) {
  http::RequestHead head;
  head.method = "PUT";
  head.fields.add("x-amz-decoded-content-length", text);
  fakes::MemoryExchange exchange(head);
  signature::Identity identity;
  identity.payload_form = signature::PayloadForm::kStreamingUnsignedTrailer;
  const auto reader = PayloadReader::open(exchange, identity, {.size_max = kObjectMax});
  if (!reader) {
    return reader.error().refusal == PayloadRefusal::kTooLarge ? "EntityTooLarge" : "another";
  }
  return (*reader)->size() ? "OK" : "unknown";
}

std::string form_range(const std::string& min, const std::string& max) {
  return signature::parse_post_policy(
             R"({"expiration":"2030-01-01T00:00:00Z","conditions":[["content-length-range",)" +
             min + "," + max + "]]}")
             ? "OK"
             : "invalid";
}

TEST(NumberFields, EveryOneTakesItsRangeAndRefusesTheRest) {
  const std::string query = "AuthorizationQueryParametersError", denied = "AccessDenied",
                    invalid = "invalid";
  const NumberField fields[] = {
      {"X-Amz-Expires", expires, 1, 604'800, denied, query, query, query, query},
      {"Expires of version 2", older_expires, kNow + 1, kLastSecond, denied, denied, denied, denied,
       denied},
      {"x-amz-decoded-content-length", decoded_length, 0, kObjectMax, "", "EntityTooLarge",
       "unknown", "unknown", "unknown"},
      {"content-length-range, its upper end as text",
       [](const std::string& text) { return form_range("0", "\"" + text + "\""); }, 0, UINT64_MAX,
       invalid, invalid, invalid, invalid, invalid},
      {"prefix length of IPv4",
       [](const std::string& text) {
         return parse_ip_range("10.0.0.0/" + text) ? "OK" : "invalid";
       },
       0, 32, invalid, invalid, invalid, invalid, invalid},
      {"prefix length of IPv6",
       [](const std::string& text) { return parse_ip_range("fe80::/" + text) ? "OK" : "invalid"; },
       0, 128, invalid, invalid, invalid, invalid, invalid},
      {"seconds in a date of a policy",
       [](const std::string& text) { return policy::parse_policy_time(text) ? "OK" : "invalid"; },
       0, kLastSecond, invalid, invalid, invalid, invalid, invalid},
  };
  for (const NumberField& field : fields) {
    SCOPED_TRACE(field.name);
    tests::check(field);
  }
}

TEST(NumberFields, AChunkIsNeverLongerThanItsSizeCanSay) {
  const auto chunk = [](const std::string& size) {
    signature::Identity identity;
    identity.payload_form = signature::PayloadForm::kStreamingUnsignedTrailer;
    AwsChunkedDecoder decoder(identity, std::nullopt);
    const std::string text = size + "\r\n";
    ByteView input = as_bytes(text);
    return decoder.decode(input).has_value();
  };
  for (const char* good : {"0", "1", "a", "A", "7fffffff", "80000000", "7fffffffffffffff",
                           "8000000000000000", "ffffffffffffffff", "00000000000000000000001"}) {
    EXPECT_TRUE(chunk(good)) << good;
  }
  for (const char* bad : {"", " 1", "1 ", "-1", "+1", "0x1", "1.5", "g", "10000000000000000",
                          "fffffffffffffffffffffffffffff"}) {
    EXPECT_FALSE(chunk(bad)) << bad;
  }
}

TEST(NumberFields, NumbersOfConditionsAreFinite) {
  for (const char* good : {"0", "-1", "1.5", "1e3", "007", "9223372036854775808",
                           "18446744073709551616", "999999999999999999999999999999"}) {
    EXPECT_TRUE(policy::parse_policy_number(good)) << good;
  }
  for (const char* bad :
       {"", " ", " 1", "1 ", "+1", "0x10", "1e400", "-1e400", "nan", "inf", "1,5", "ten"}) {
    EXPECT_FALSE(policy::parse_policy_number(bad)) << bad;
  }
}

TEST(NumberFields, JsonNumbersOfAFormEndAtSixtyFourBits) {
  for (const char* good : {"0", "1", "2147483648", "9223372036854775807", "9223372036854775808",
                           "18446744073709551615"}) {
    EXPECT_EQ(form_range("0", good), "OK") << good;
  }
  for (const char* bad :
       {"-1", "1.5", "1e3", "18446744073709551616", "999999999999999999999999999999", "1e400",
        "null", "true", "[]", "\"\"", "\" 1\"", "\"+1\"", "\"1.5\""}) {
    EXPECT_EQ(form_range("0", bad), "invalid") << bad;
  }
  EXPECT_EQ(form_range("2", "1"), "invalid");
}

TEST(DateFields, EndWithTheCalendar) {
  const auto form = [](const std::string& text) {
    return signature::parse_post_policy(R"({"expiration":")" + text + R"(","conditions":[]})")
        .has_value();
  };
  for (const char* good :
       {"2030-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2030-01-01T00:00:00.123456789Z"}) {
    EXPECT_TRUE(form(good)) << good;
    EXPECT_TRUE(policy::parse_policy_time(good)) << good;
    EXPECT_TRUE(parse_iso_date(good)) << good;
  }
  for (const char* bad :
       {"", "10000-01-01T00:00:00Z", "2030-13-01T00:00:00Z", "2030-02-30T00:00:00Z",
        "2030-01-01T24:00:00Z", "2030-01-01T00:60:00Z", "2030-01-01T00:00:61Z",
        "-030-01-01T00:00:00Z", "+030-01-01T00:00:00Z", "2030-1-1T00:00:00Z", "1e3",
        "9223372036854775807", "999999999999999999999999999999"}) {
    EXPECT_FALSE(form(bad)) << bad;
    EXPECT_FALSE(policy::parse_policy_time(bad)) << bad;
    EXPECT_FALSE(parse_iso_date(bad)) << bad;
  }
  for (const char* outside : {"0000-01-01", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:60Z",
                              "9999-12-31T23:59:59-00:01"}) {
    EXPECT_FALSE(policy::parse_policy_time(outside)) << outside;
    EXPECT_FALSE(parse_iso_date(outside)) << outside;
  }
  EXPECT_TRUE(policy::parse_policy_time("1893456000"));
  EXPECT_FALSE(parse_iso_date("1893456000")) << "seconds stand in policies alone";
}

}  // namespace
}  // namespace rondel::payload
