// No reader of a document compares elements with one another: what it looks at grows with the
// document and not with its square, whatever stands in it again and again.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>

#include "gateway/s3/access_documents.h"
#include "gateway/s3/cors.h"
#include "gateway/s3/documents.h"
#include "gateway/s3/encryption_document.h"
#include "gateway/s3/lifecycle_document.h"
#include "gateway/s3/lock_documents.h"
#include "gateway/s3/tagging.h"

namespace rondel::s3 {
namespace {

struct Document {
  std::string name;
  std::function<void(const std::string&)> read;
  std::string root;
  // What stands around the elements that are repeated, and these.
  std::vector<std::array<std::string, 3>> places;
};

std::string times(size_t count, std::string_view text) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

std::vector<Document> documents() {
  const std::string done = "<Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>";
  const std::string tag = "<Tag><Key>k</Key><Value>v</Value></Tag>";
  return {
      {"delete",
       [](const std::string& text) { (void)parse_delete_document(text); },
       "Delete",
       {{"", "<Object><Key>k</Key></Object>", ""},
        {"", "<Quiet>x</Quiet>", ""},
        {"", "<x/>", ""},
        {"<Object>", "<Key>k</Key>", "</Object>"},
        {"<Object>", "<x/>", "<Key>k</Key></Object>"},
        {"<Object><Key>", "k<!---->", "</Key></Object>"}}},
      {"complete",
       [](const std::string& text) { (void)parse_complete_document(text); },
       "CompleteMultipartUpload",
       {{"", "<Part><PartNumber>1</PartNumber><ETag>e</ETag></Part>", ""},
        {"<Part>", "<PartNumber>1</PartNumber>", "</Part>"},
        {"<Part>", "<ChecksumCRC32>x</ChecksumCRC32>", "</Part>"},
        {"<Part>", "<ETag>x</ETag>", "</Part>"},
        {"", "<x/>", ""}}},
      {"bucket",
       [](const std::string& text) { (void)parse_create_bucket_document(text); },
       "CreateBucketConfiguration",
       {{"", "<x/>", "<LocationConstraint>r</LocationConstraint>"}, {"<Tags>", tag, "</Tags>"}}},
      {"tags",
       [](const std::string& text) { (void)parse_tagging_document(text, kBucketTagsMax); },
       "Tagging",
       {{"<TagSet>", tag, "</TagSet>"},
        {"<TagSet><Tag>", "<Key>k</Key>", "</Tag></TagSet>"},
        {"", "<TagSet/>", ""}}},
      {"lifecycle",
       [](const std::string& text) { (void)parse_lifecycle_document(text, "seed"); },
       "LifecycleConfiguration",
       {{"", "<Rule><Filter/>" + done, ""},
        {"<Rule><Filter>", "<Prefix>p</Prefix>", "</Filter>" + done},
        {"<Rule><Filter><And>", "<Prefix>p</Prefix>", "</And></Filter>" + done},
        {"<Rule><Filter>", tag, "</Filter>" + done},
        {"<Rule><Filter><And>", tag, "</And></Filter>" + done},
        {"<Rule><Filter>", "<And>" + tag + "</And>", "</Filter>" + done},
        {"<Rule><Filter>", "<ObjectSizeLessThan>1</ObjectSizeLessThan>", "</Filter>" + done},
        {"<Rule>", "<Prefix>p</Prefix>", done},
        {"<Rule><Filter/>", "<ID>i</ID>", done},
        {"<Rule><Filter/>", "<Transition><StorageClass>GLACIER</StorageClass></Transition>", done},
        {"<Rule><Filter/><Expiration>", "<Days>1</Days>", "</Expiration>" + done},
        {"<Rule><Filter/><NoncurrentVersionExpiration>", "<x/>",
         "</NoncurrentVersionExpiration>" + done}}},
      {"CORS",
       [](const std::string& text) { (void)parse_cors_document(text); },
       "CORSConfiguration",
       {{"",
         "<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>",
         ""},
        {"<CORSRule>", "<AllowedOrigin>*</AllowedOrigin>", "</CORSRule>"},
        {"<CORSRule>", "<AllowedMethod>GET</AllowedMethod>", "</CORSRule>"},
        {"<CORSRule>", "<AllowedHeader>x-*</AllowedHeader>", "</CORSRule>"},
        {"<CORSRule>", "<ExposeHeader>x</ExposeHeader>", "</CORSRule>"},
        {"<CORSRule>", "<ID>x</ID>", "</CORSRule>"},
        {"<CORSRule>", "<MaxAgeSeconds>1</MaxAgeSeconds>", "</CORSRule>"}}},
      {"ACL",
       [](const std::string& text) { (void)parse_acl_document(text); },
       "AccessControlPolicy",
       {{"<Owner><ID>o</ID></Owner><AccessControlList>",
         "<Grant><Grantee><ID>i</ID></Grantee><Permission>READ</Permission></Grant>",
         "</AccessControlList>"},
        {"<Owner><ID>o</ID></Owner><AccessControlList><Grant><Grantee>", "<x/>",
         "<ID>i</ID></Grantee><Permission>READ</Permission></Grant></AccessControlList>"},
        {"", "<Owner><ID>o</ID></Owner>", ""},
        {"<Owner>", "<x/>", "<ID>o</ID></Owner><AccessControlList/>"}}},
      {"ownership",
       [](const std::string& text) { (void)parse_ownership_document(text); },
       "OwnershipControls",
       {{"", "<Rule><ObjectOwnership>o</ObjectOwnership></Rule>", ""},
        {"<Rule>", "<x/>", "<ObjectOwnership>o</ObjectOwnership></Rule>"}}},
      {"public access",
       [](const std::string& text) { (void)parse_public_access_block_document(text); },
       "PublicAccessBlockConfiguration",
       {{"", "<BlockPublicAcls>true</BlockPublicAcls>", ""}}},
      {"encryption",
       [](const std::string& text) { (void)parse_bucket_encryption(text); },
       "ServerSideEncryptionConfiguration",
       {{"",
         "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></"
         "ApplyServerSideEncryptionByDefault></Rule>",
         ""},
        {"<Rule><ApplyServerSideEncryptionByDefault>", "<SSEAlgorithm>AES256</SSEAlgorithm>",
         "</ApplyServerSideEncryptionByDefault></Rule>"},
        {"<Rule>", "<BucketKeyEnabled>true</BucketKeyEnabled>", "</Rule>"}}},
      {"encryption of an object",
       [](const std::string& text) { (void)parse_object_encryption(text); },
       "ObjectEncryption",
       {{"", "<SSEKMS><KMSKeyArn>a</KMSKeyArn></SSEKMS>", ""},
        {"<SSEKMS>", "<KMSKeyArn>a</KMSKeyArn>", "</SSEKMS>"}}},
      {"versioning",
       [](const std::string& text) { (void)parse_versioning_document(text); },
       "VersioningConfiguration",
       {{"", "<Status>Enabled</Status>", ""}, {"", "<x/>", "<Status>Enabled</Status>"}}},
      {"object lock",
       [](const std::string& text) { (void)parse_object_lock_document(text); },
       "ObjectLockConfiguration",
       {{"",
         "<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>",
         ""},
        {"<Rule>", "<DefaultRetention/>", "</Rule>"},
        {"<Rule><DefaultRetention>", "<Days>1</Days>", "</DefaultRetention></Rule>"}}},
      {"retention",
       [](const std::string& text) { (void)parse_retention_document(text); },
       "Retention",
       {{"", "<Mode>GOVERNANCE</Mode>", ""}, {"", "<x/>", ""}}},
      {"legal hold",
       [](const std::string& text) { (void)parse_legal_hold_document(text); },
       "LegalHold",
       {{"", "<Status>ON</Status>", ""}}},
      {"payment",
       [](const std::string& text) { (void)parse_request_payment_document(text); },
       "RequestPaymentConfiguration",
       {{"", "<Payer>Requester</Payer>", ""}}},
  };
}

TEST(ReaderSteps, GrowWithTheDocument) {
  constexpr size_t kMany = 20'000;
  for (const Document& document : documents()) {
    for (const auto& [before, element, after] : document.places) {
      SCOPED_TRACE(document.name + ": " + before + element);
      const size_t nodes_each = 3 * static_cast<size_t>(std::ranges::count(element, '<'));
      const uint64_t begin = xml_steps();
      document.read("<" + document.root + ">" + before + times(kMany, element) + after + "</" +
                    document.root + ">");
      EXPECT_LE(xml_steps() - begin, 8 * nodes_each * kMany + 1'000);
    }
  }
}

}  // namespace
}  // namespace rondel::s3
