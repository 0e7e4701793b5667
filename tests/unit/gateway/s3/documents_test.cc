#include "gateway/s3/documents.h"

#include <gtest/gtest.h>

namespace rondel::s3 {
namespace {

TEST(Documents, DeleteKeepsKeysAsSent) {
  const auto document = parse_delete_document(
      "<Delete><Quiet>true</Quiet><Object><Key> "
      "a\n</Key><VersionId>v</VersionId><ETag>&quot;e&quot;</ETag><Size>7</Size></Object>"
      "<Object><Key>b</Key><VersionId/></Object></Delete>");
  ASSERT_TRUE(document);
  EXPECT_TRUE(document->quiet);
  ASSERT_EQ(document->entries.size(), 2u);
  EXPECT_EQ(document->entries[0].key, " a\n");
  EXPECT_EQ(document->entries[0].version_id, "v");
  EXPECT_EQ(document->entries[0].etag, "e");
  EXPECT_EQ(document->entries[0].size, 7u);
  EXPECT_EQ(document->entries[1].version_id, std::nullopt);
}

TEST(Documents, DeleteRefuses) {
  std::string many = "<Delete>";
  for (int i = 0; i < 1001; ++i) many += "<Object><Key>k</Key></Object>";
  for (const std::string& text :
       {std::string("<Delete/>"), std::string("<Delete><Object/></Delete>"), many + "</Delete>",
        "<Delete><Object><Key>" + std::string(1025, 'k') + "</Key></Object></Delete>",
        std::string("<Delete><Object><Key>k</Key><Size>x</Size></Object></Delete>")}) {
    EXPECT_FALSE(parse_delete_document(text)) << text.substr(0, 80);
  }
}

TEST(Documents, CompleteTakesEveryChecksum) {
  const auto parts = parse_complete_document(
      "<CompleteMultipartUpload><Part><PartNumber> 1 "
      "</PartNumber><ETag>\"e\"</ETag><ChecksumXXHASH128>v</ChecksumXXHASH128></Part>"
      "<Part><ETag>f</ETag><PartNumber>10000</PartNumber><ChecksumSHA512>w</ChecksumSHA512></"
      "Part></CompleteMultipartUpload>");
  ASSERT_TRUE(parts);
  EXPECT_EQ((*parts)[0].etag, "e");
  EXPECT_EQ((*parts)[0].checksums.front().first, model::ChecksumAlgorithm::kXxhash128);
  EXPECT_EQ((*parts)[1].number, 10'000u);
  EXPECT_EQ((*parts)[1].checksums.front().second, "w");
  for (const char* bad :
       {"", "<CompleteMultipartUpload/>",
        "<CompleteMultipartUpload><Part><ETag>e</ETag></Part></CompleteMultipartUpload>",
        "<CompleteMultipartUpload><Part><PartNumber>0</PartNumber><ETag>e</ETag></Part></"
        "CompleteMultipartUpload>",
        "<CompleteMultipartUpload><Part><PartNumber>10001</PartNumber><ETag>e</ETag></Part></"
        "CompleteMultipartUpload>"}) {
    EXPECT_FALSE(parse_complete_document(bad)) << bad;
  }
}

TEST(Documents, CreateBucketMayBeEmpty) {
  EXPECT_EQ(parse_create_bucket_document(" \n")->location_constraint, "");
  EXPECT_EQ(parse_create_bucket_document("<CreateBucketConfiguration><LocationConstraint> eu "
                                         "</LocationConstraint></CreateBucketConfiguration>")
                ->location_constraint,
            "eu");
  EXPECT_FALSE(parse_create_bucket_document("<Create/>"));
}

}  // namespace
}  // namespace rondel::s3
