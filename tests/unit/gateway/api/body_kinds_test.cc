// How long a body may take is decided by what it is: every operation that reads one says so, or it
// is a document.
#include "tests/unit/gateway/api/memory_gateway.h"

namespace rondel::api {
namespace {

using http::BodyKind;
using Kinds = std::vector<BodyKind>;

std::string form(const std::string& key) {
  return "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n" + key +
         "\r\n--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nfile\r\n--b--\r\n";
}

TEST(BodyKinds, ObjectsAreStreamedAndAllElseIsADocument) {
  MemoryGateway gateway;
  ASSERT_EQ(gateway.ask("PUT", "/box").status, 200);
  ASSERT_EQ(gateway.ask("PUT", "/box/source", "bytes").status, 200);
  const std::string upload = gateway.ask("POST", "/box/parts?uploads").element("UploadId");

  const struct {
    const char* method;
    std::string target;
    std::string body;
    Kinds kinds;
  } cases[] = {
      {"PUT", "/box/key", "bytes", {BodyKind::kObject}},
      {"PUT", "/box/parts?partNumber=1&uploadId=" + upload, "bytes", {BodyKind::kObject}},
      {"PUT", "/other", "<CreateBucketConfiguration/>", {}},
      {"PUT", "/box?tagging", "<Tagging><TagSet/></Tagging>", {}},
      {"PUT", "/box?policy", "{}", {}},
      {"PUT", "/box?acl", "<AccessControlPolicy/>", {}},
      {"PUT", "/box?cors", "<CORSConfiguration/>", {}},
      {"PUT", "/box?lifecycle", "<LifecycleConfiguration/>", {}},
      {"PUT", "/box?encryption", "<ServerSideEncryptionConfiguration/>", {}},
      {"PUT", "/box?versioning", "<VersioningConfiguration/>", {}},
      {"PUT", "/box?object-lock", "<ObjectLockConfiguration/>", {}},
      {"PUT", "/box?ownershipControls", "<OwnershipControls/>", {}},
      {"PUT", "/box?publicAccessBlock", "<PublicAccessBlockConfiguration/>", {}},
      {"PUT", "/box?requestPayment", "<RequestPaymentConfiguration/>", {}},
      {"POST", "/box?delete", "<Delete/>", {}},
      {"PUT", "/box/key?tagging", "<Tagging><TagSet/></Tagging>", {}},
      {"PUT", "/box/key?acl", "<AccessControlPolicy/>", {}},
      {"PUT", "/box/key?retention", "<Retention/>", {}},
      {"PUT", "/box/key?legal-hold", "<LegalHold/>", {}},
      {"PUT", "/box/key?encryption", "<ObjectEncryption/>", {}},
      {"POST", "/box/parts?uploadId=" + upload, "<CompleteMultipartUpload/>", {}},
  };

  for (const auto& c : cases) {
    EXPECT_EQ(gateway.ask(c.method, c.target, c.body).body_kinds, c.kinds)
        << c.method << " " << c.target;
  }
  const MemoryGateway::Headers type{{"Content-Type", "multipart/form-data; boundary=b"}};
  EXPECT_EQ(gateway.ask("POST", "/box", form("k"), type).body_kinds.front(), BodyKind::kFormFields);
}

}  // namespace
}  // namespace rondel::api
