#include "gateway/s3/lock_documents.h"

#include <gtest/gtest.h>

namespace rondel::s3 {
namespace {

template <class T>
std::string error_of(const S3Result<T>& parsed) {
  return parsed ? "none" : std::string(name(parsed.error().code));
}

std::string lock_document(const std::string& retention) {
  return "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</"
         "ObjectLockEnabled><Rule><DefaultRetention>" +
         retention + "</DefaultRetention></Rule></ObjectLockConfiguration>";
}

TEST(VersioningDocument, StatusIsNeeded) {
  EXPECT_TRUE(parse_versioning_document(
                  "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
                  ->enabled);
  const auto off = parse_versioning_document(
      "<VersioningConfiguration><Status>Suspended</Status><MfaDelete>Disabled</MfaDelete></"
      "VersioningConfiguration>");
  EXPECT_FALSE(off->enabled);
  EXPECT_EQ(off->mfa_delete, false);
  EXPECT_EQ(error_of(parse_versioning_document("<VersioningConfiguration/>")),
            "IllegalVersioningConfigurationException");
  EXPECT_EQ(error_of(parse_versioning_document(
                "<VersioningConfiguration><Status>On</Status></VersioningConfiguration>")),
            "MalformedXML");
}

TEST(ObjectLockDocument, DaysOrYears) {
  const auto days =
      parse_object_lock_document(lock_document("<Mode>GOVERNANCE</Mode><Days>30</Days>"));
  ASSERT_TRUE(days && days->rule);
  EXPECT_EQ(days->rule->days, 30u);
  const auto again = parse_object_lock_document(write_object_lock_document(*days));
  EXPECT_EQ(again->rule->days, 30u);
  EXPECT_FALSE(parse_object_lock_document(write_object_lock_document({}))->rule);
  EXPECT_EQ(error_of(parse_object_lock_document(
                lock_document("<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>"))),
            "MalformedXML");
  EXPECT_EQ(error_of(parse_object_lock_document(lock_document("<Mode>GOVERNANCE</Mode>"))),
            "MalformedXML");
  EXPECT_EQ(
      error_of(parse_object_lock_document(lock_document("<Mode>governance</Mode><Days>1</Days>"))),
      "MalformedXML");
  EXPECT_EQ(
      error_of(parse_object_lock_document(lock_document("<Mode>GOVERNANCE</Mode><Days>0</Days>"))),
      "InvalidRetentionPeriod");
  EXPECT_EQ(error_of(parse_object_lock_document(
                lock_document("<Mode>COMPLIANCE</Mode><Years>-1</Years>"))),
            "InvalidRetentionPeriod");
  EXPECT_EQ(error_of(parse_object_lock_document(
                lock_document("<Mode>COMPLIANCE</Mode><Years>101</Years>"))),
            "InvalidRetentionPeriod");
  EXPECT_EQ(
      error_of(parse_object_lock_document("<ObjectLockConfiguration><ObjectLockEnabled>Disabled</"
                                          "ObjectLockEnabled></ObjectLockConfiguration>")),
      "MalformedXML");
}

TEST(DefaultRetention, YearsAreCalendarYears) {
  const SystemTime leap =
      std::chrono::sys_days(std::chrono::year(2024) / 2 / 29) + std::chrono::hours(5);
  EXPECT_EQ((DefaultRetention{LockMode::kGovernance, 0, 1}.until(leap)),
            std::chrono::sys_days(std::chrono::year(2025) / 2 / 28) + std::chrono::hours(5));
  EXPECT_EQ((DefaultRetention{LockMode::kGovernance, 2, 0}.until(leap)),
            leap + std::chrono::days(2));
}

TEST(RetentionDocument, ModeAndDateBelongTogether) {
  const auto parsed = parse_retention_document(
      "<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2030-01-02T03:04:05.678Z</"
      "RetainUntilDate></Retention>");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(format_retain_until(parsed->until), "2030-01-02T03:04:05.678Z");
  EXPECT_FALSE(parse_retention_document("<Retention/>")->mode);
  EXPECT_EQ(error_of(parse_retention_document("<Retention><Mode>COMPLIANCE</Mode></Retention>")),
            "MalformedXML");
  EXPECT_EQ(error_of(parse_retention_document(
                "<Retention><Mode>abc</Mode><RetainUntilDate>2030-01-02T03:04:05Z</"
                "RetainUntilDate></Retention>")),
            "MalformedXML");
}

TEST(SmallDocuments, KnowTheirValues) {
  EXPECT_TRUE(*parse_legal_hold_document("<LegalHold><Status>ON</Status></LegalHold>"));
  EXPECT_EQ(error_of(parse_legal_hold_document("<LegalHold><Status>abc</Status></LegalHold>")),
            "MalformedXML");
  EXPECT_TRUE(*parse_request_payment_document(
      "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>"));
  EXPECT_EQ(error_of(parse_request_payment_document("<RequestPaymentConfiguration/>")),
            "MalformedXML");
}

}  // namespace
}  // namespace rondel::s3
