// What is decided is what is committed: rights, settings and keys are taken away while a body is on
// its way, and nothing of the request happens.
#include "tests/unit/gateway/api/memory_gateway.h"

namespace rondel::api {
namespace {

using metadata::SettingKind;
using Headers = MemoryGateway::Headers;

constexpr const char* kAllow =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::box","arn:aws:s3:::box/*"]}]})";
constexpr const char* kPublic =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::box/*"}]})";

struct Sent {
  const char* name;
  std::string method, target, body;
  Headers headers = {};
};

class DecidedRequests : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(gateway.ask("PUT", "/box", "", {{"x-amz-object-ownership", "ObjectWriter"}}).status,
              200);
    bob = async::block_on(
              gateway.stores.identities.create_account(
                  {.name = "bob", .access_key = "BOBKEY", .secret_key = "bobs-secret"}, soon()))
              ->account.id;
    set(SettingKind::kPolicy, kAllow);
    ASSERT_EQ(gateway.ask("PUT", "/box/there", "bytes").status, 200);
    gateway.keys = {"BOBKEY", "bobs-secret"};
  }

  static Deadline soon() { return deadline_in(std::chrono::seconds(60)); }

  int64_t box_id() { return gateway.state.find_bucket("box")->bucket.id; }

  void set(SettingKind kind, std::optional<std::string> document) {
    (void)async::block_on(gateway.stores.buckets.set_bucket_setting(
        {.bucket_id = box_id(), .deadline = soon()}, kind, std::move(document)));
  }

  void disable_bob() {
    (void)async::block_on(gateway.stores.identities.set_key_enabled(
        "BOBKEY", false, metadata::LastKey::kMayGo, soon()));
  }

  Answer send(const Sent& sent) {
    return gateway.ask(sent.method, sent.target, sent.body, sent.headers);
  }

  std::string code_of(const Sent& sent, std::function<void()> meanwhile) {
    gateway.meanwhile = std::move(meanwhile);
    const Answer answer = send(sent);
    EXPECT_FALSE(gateway.meanwhile) << "no body was read";
    return answer.status == 200 || answer.status == 204 ? "OK" : answer.element("Code");
  }

  // Every request that has a body, and is not for the bucket's owner alone.
  std::vector<Sent> requests() {
    const std::string upload = gateway.ask("POST", "/box/up?uploads").element("UploadId");
    EXPECT_EQ(gateway.ask("PUT", "/box/victim", "bytes").status, 200);
    const Answer part = gateway.ask("PUT", "/box/up?partNumber=1&uploadId=" + upload, "part");
    return {
        {"put", "PUT", "/box/new", "bytes"},
        {"append", "PUT", "/box/there", "more", {{"x-amz-write-offset-bytes", "5"}}},
        {"part", "PUT", "/box/up?partNumber=2&uploadId=" + upload, "bytes"},
        {"complete", "POST", "/box/up?uploadId=" + upload,
         "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" + part.field("ETag") +
             "</ETag></Part></CompleteMultipartUpload>"},
        {"deletes",
         "POST",
         "/box?delete",
         "<Delete><Object><Key>victim</Key></Object></Delete>",
         {{"content-md5", to_base64(as_bytes(crypto::md5(
                              "<Delete><Object><Key>victim</Key></Object></Delete>")))}}},
        {"tags", "PUT", "/box/there?tagging",
         "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"},
        {"cors", "PUT", "/box?cors",
         "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</"
         "AllowedOrigin></CORSRule></CORSConfiguration>"},
        {"lifecycle", "PUT", "/box?lifecycle",
         "<LifecycleConfiguration><Rule><ID>r</ID><Filter><Prefix></Prefix></"
         "Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule></"
         "LifecycleConfiguration>"},
        {"encryption", "PUT", "/box?encryption",
         "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><"
         "SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></"
         "ServerSideEncryptionConfiguration>"},
        {"bucket tags", "PUT", "/box?tagging",
         "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"},
        {"versioning", "PUT", "/box?versioning",
         "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"},
        {"payment", "PUT", "/box?requestPayment",
         "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>"},
        {"ownership", "PUT", "/box?ownershipControls",
         "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></"
         "OwnershipControls>"},
        {"block", "PUT", "/box?publicAccessBlock",
         "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></"
         "PublicAccessBlockConfiguration>"},
        {"bucket acl", "PUT", "/box?acl", "", {{"x-amz-acl", "public-read"}}},
        {"object acl", "PUT", "/box/there?acl", "", {{"x-amz-acl", "public-read"}}},
    };
  }

  // What there is of the bucket, but for what the test itself changes.
  std::string rows() {
    const metadata::StoredBucket& box = *gateway.state.find_bucket("box");
    std::string all = std::to_string(static_cast<int>(box.bucket.versioning));
    for (const auto& [kind, document] : box.bucket.settings) {
      if (kind != SettingKind::kPolicy) all += std::to_string(static_cast<int>(kind)) + document;
    }
    for (const auto& [key, versions] : box.keys) {
      const auto& head = versions.begin()->second.object;
      all += key + head.etag + head.acl + std::to_string(head.tags.size());
    }
    for (const auto& [id, upload] : gateway.state.uploads) {
      all += std::to_string(upload.parts.size());
    }
    return all;
  }

  MemoryGateway gateway;
  std::string bob;
};

TEST_F(DecidedRequests, HappenWhereNothingIsTakenAway) {
  for (const Sent& sent : requests()) {
    if (std::string_view(sent.name) == "bucket acl") break;  // It has no ACLs any more.
    EXPECT_EQ(code_of(sent, [] {}), "OK") << sent.name;
    set(SettingKind::kPolicy, kAllow);
    set(SettingKind::kRequestPayment, std::nullopt);
  }
}

TEST_F(DecidedRequests, AreRefusedWhenTheKeyIsDisabledMeanwhile) {
  for (const Sent& sent : requests()) {
    SCOPED_TRACE(sent.name);
    const std::string before = rows();
    EXPECT_EQ(code_of(sent, [this] { disable_bob(); }), "InvalidAccessKeyId");
    EXPECT_EQ(rows(), before);
    (void)async::block_on(gateway.stores.identities.set_key_enabled(
        "BOBKEY", true, metadata::LastKey::kMayGo, soon()));
  }
  gateway.expect_nothing_stray();
}

TEST_F(DecidedRequests, AreRefusedWhenTheKeyIsRemovedMeanwhileAndMadeAnew) {
  for (const Sent& sent : requests()) {
    SCOPED_TRACE(sent.name);
    const std::string before = rows();
    EXPECT_EQ(code_of(sent,
                      [this] {
                        auto& identities = gateway.stores.identities;
                        (void)async::block_on(
                            identities.delete_key("BOBKEY", metadata::LastKey::kMayGo, soon()));
                        (void)async::block_on(
                            identities.create_key(bob, "BOBKEY", "another-secret", soon()));
                      }),
              "InvalidAccessKeyId");
    EXPECT_EQ(rows(), before);
    (void)async::block_on(
        gateway.stores.identities.delete_key("BOBKEY", metadata::LastKey::kMayGo, soon()));
    (void)async::block_on(
        gateway.stores.identities.create_key(bob, "BOBKEY", "bobs-secret", soon()));
  }
}

TEST_F(DecidedRequests, AreRefusedWhenTheirRightIsTakenAwayMeanwhile) {
  for (const Sent& sent : requests()) {
    SCOPED_TRACE(sent.name);
    const std::string before = rows();
    gateway.meanwhile = [this] { set(SettingKind::kPolicy, std::nullopt); };
    const Answer answer = send(sent);
    // DeleteObjects refuses entry by entry.
    EXPECT_TRUE(answer.body.contains("<Code>AccessDenied</Code>")) << answer.body;
    EXPECT_EQ(rows(), before);
    set(SettingKind::kPolicy, kAllow);
  }
  gateway.expect_nothing_stray();
}

// Another key being taken away costs a second look, and nothing else.
TEST_F(DecidedRequests, HappenWhenTheKeyOfAnotherIsDisabledMeanwhile) {
  auto& identities = gateway.stores.identities;
  (void)async::block_on(identities.create_key(bob, "OTHERKEY", "other-secret", soon()));
  for (const Sent& sent : requests()) {
    if (std::string_view(sent.name) == "bucket acl") break;
    (void)async::block_on(
        identities.set_key_enabled("OTHERKEY", true, metadata::LastKey::kMayGo, soon()));
    EXPECT_EQ(code_of(sent,
                      [&] {
                        (void)async::block_on(identities.set_key_enabled(
                            "OTHERKEY", false, metadata::LastKey::kMayGo, soon()));
                      }),
              "OK")
        << sent.name;
    set(SettingKind::kPolicy, kAllow);
    set(SettingKind::kRequestPayment, std::nullopt);
  }
}

TEST_F(DecidedRequests, DoNotBecomePublicBehindABlock) {
  const std::string block("\x0f", 1);
  gateway.keys = {"OWNERKEY", "owner-secret"};
  const Sent all[] = {
      {"policy", "PUT", "/box?policy", kPublic},
      {"bucket acl", "PUT", "/box?acl", "", {{"x-amz-acl", "public-read"}}},
      {"object acl", "PUT", "/box/there?acl", "", {{"x-amz-acl", "public-read"}}},
      {"put", "PUT", "/box/new", "bytes", {{"x-amz-acl", "public-read"}}},
      {"put by grant",
       "PUT",
       "/box/new",
       "bytes",
       {{"x-amz-grant-read", "uri=http://acs.amazonaws.com/groups/global/AllUsers"}}},
      {"append",
       "PUT",
       "/box/new",
       "bytes",
       {{"x-amz-acl", "public-read"}, {"x-amz-write-offset-bytes", "0"}}},
  };
  for (const Sent& sent : all) {
    SCOPED_TRACE(sent.name);
    set(SettingKind::kPolicy, std::nullopt);
    set(SettingKind::kPublicAccessBlock, std::nullopt);
    const auto put_block = [&] {
      set(SettingKind::kPublicAccessBlock,
          access::encode_block({.block_public_acls = true, .block_public_policy = true}));
    };
    EXPECT_EQ(code_of(sent, put_block), "AccessDenied");
    set(SettingKind::kPublicAccessBlock, std::nullopt);
    const auto of_account = [&] {
      const auto account = gateway.state.find_bucket("box")->bucket.owner_account;
      (void)async::block_on(
          gateway.stores.identities.change_account(account, {.public_access_block = 15}, soon()));
    };
    EXPECT_EQ(code_of(sent, of_account), "AccessDenied") << "of the account";
    const auto account = gateway.state.find_bucket("box")->bucket.owner_account;
    (void)async::block_on(
        gateway.stores.identities.change_account(account, {.public_access_block = 0}, soon()));
  }
  gateway.expect_nothing_stray();
}

// The later look asks what the first one does.
TEST_F(DecidedRequests, AreRefusedWhenTheRequesterIsToPayMeanwhile) {
  const auto pays = [this] { set(SettingKind::kRequestPayment, "Requester"); };
  for (const Sent& sent : requests()) {
    SCOPED_TRACE(sent.name);
    EXPECT_EQ(code_of(sent, pays), "AccessDenied");
    set(SettingKind::kRequestPayment, std::nullopt);
  }
}

TEST_F(DecidedRequests, AppendsDoNotPassTheBeginOfVersions) {
  const auto begin = [this] {
    (void)async::block_on(gateway.stores.buckets.set_bucket_versioning(
        {.bucket_id = box_id(), .deadline = soon()}, metadata::Versioning::kEnabled));
  };
  EXPECT_EQ(
      code_of({"append", "PUT", "/box/there", "more", {{"x-amz-write-offset-bytes", "5"}}}, begin),
      "InvalidBucketState");
}

TEST_F(DecidedRequests, KeysThatAreTakenAwayMeanwhileEncryptNothing) {
  auto& keys = gateway.stores.keys;
  gateway.keys = {"OWNERKEY", "owner-secret"};
  gateway.make_kms_key("hers");
  gateway.keys = {"BOBKEY", "bobs-secret"};
  const Sent put{"put",
                 "PUT",
                 "/box/sealed",
                 "bytes",
                 {{"x-amz-server-side-encryption", "aws:kms"},
                  {"x-amz-server-side-encryption-aws-kms-key-id", "hers"}}};
  EXPECT_EQ(send(put).element("Code"), "AccessDenied") << "no grant";
  const auto grant = [&](uint8_t bits) {
    (void)async::block_on(keys.set_grant("hers", bob, bits, soon()));
  };
  grant(2);
  EXPECT_EQ(code_of(put, [] {}), "OK");
  EXPECT_EQ(gateway.ask("GET", "/box/sealed").status, 403) << "it may not decrypt";
  EXPECT_EQ(code_of(put, [&] { grant(0); }), "AccessDenied");
  grant(3);
  EXPECT_EQ(gateway.ask("GET", "/box/sealed").status, 200);
}

// Whatever names a key of another account is refused.
TEST_F(DecidedRequests, NoOperationTakesTheKeyOfAnother) {
  gateway.keys = {"OWNERKEY", "owner-secret"};
  gateway.make_kms_key("hers");
  ASSERT_EQ(gateway
                .ask("PUT", "/box/hers", "bytes",
                     {{"x-amz-server-side-encryption", "aws:kms"},
                      {"x-amz-server-side-encryption-aws-kms-key-id", "hers"}})
                .status,
            200);
  ASSERT_EQ(gateway.ask("PUT", "/box/sealed", "bytes", {{"x-amz-server-side-encryption", "AES256"}})
                .status,
            200);
  gateway.keys = {"BOBKEY", "bobs-secret"};
  const std::string arn = "arn:aws:kms:us-east-1:000000000000:key/hers";
  for (const std::string& id : {std::string("hers"), arn, std::string("alias/hers")}) {
    const Headers kms{{"x-amz-server-side-encryption", "aws:kms"},
                      {"x-amz-server-side-encryption-aws-kms-key-id", id}};
    Headers copy = kms, from_hers{{"x-amz-copy-source", "/box/hers"}};
    copy.emplace_back("x-amz-copy-source", "/box/there");
    const Sent all[] = {
        {"put", "PUT", "/box/new", "bytes", kms},
        {"begin", "POST", "/box/new?uploads", "", kms},
        {"copy to it", "PUT", "/box/new", "", copy},
        {"copy from it", "PUT", "/box/new", "", from_hers},
        {"get", "GET", "/box/hers", ""},
        {"rename", "PUT", "/box/renamed?renameObject", "", {{"x-amz-rename-source", "hers"}}},
        {"append", "PUT", "/box/hers", "more", {{"x-amz-write-offset-bytes", "5"}}},
        {"default", "PUT", "/box?encryption",
         "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><"
         "SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>" +
             id +
             "</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule></"
             "ServerSideEncryptionConfiguration>"},
        {"update", "PUT", "/box/sealed?encryption",
         "<ObjectEncryption><SSEKMS><KMSKeyArn>" + arn +
             "</KMSKeyArn></SSEKMS></ObjectEncryption>"},
        {"renewal", "PUT", "/box/hers?encryption",
         "<ObjectEncryption><SSEKMS><KMSKeyArn>" + arn +
             "</KMSKeyArn></SSEKMS></ObjectEncryption>"},
    };
    for (const Sent& sent : all) {
      const Answer answer = send(sent);
      EXPECT_EQ(answer.status, 403) << sent.name << " " << id << " " << answer.body;
      EXPECT_EQ(answer.element("Code"), "AccessDenied") << sent.name << " " << id;
    }
  }
  EXPECT_FALSE(gateway.state.find_key(box_id(), "new"));
}

// A Deny by a header holds however often the header comes.
TEST_F(DecidedRequests, DenialsByAHeaderHoldWhenItIsRepeated) {
  const std::string everybody = "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"";
  std::string policy = kAllow;
  policy.insert(
      policy.rfind("]}"),
      R"(,{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::box/*","Condition":{"StringLike":{"s3:x-amz-grant-read":"*AllUsers*"}}})");
  set(SettingKind::kPolicy, policy);
  const Headers both[] = {
      {{"x-amz-grant-read", "id=\"x\""}, {"x-amz-grant-read", everybody}},
      {{"x-amz-grant-read", everybody}, {"X-Amz-Grant-Read", "id=\"x\""}},
      {{"x-amz-grant-read", everybody}},
  };
  for (const Headers& headers : both) {
    const Answer answer = gateway.ask("PUT", "/box/evaded", "bytes", headers);
    EXPECT_EQ(answer.status, 403) << answer.body;
  }
  EXPECT_EQ(gateway
                .ask("PUT", "/box/evaded", "bytes",
                     {{"x-amz-acl", "private"}, {"x-amz-acl", "public-read"}})
                .element("Code"),
            "InvalidArgument");
  const Answer meta =
      gateway.ask("PUT", "/box/meta", "bytes", {{"x-amz-meta-a", "1"}, {"x-amz-meta-a", "2"}});
  EXPECT_EQ(meta.status, 200) << meta.body;
  EXPECT_EQ(gateway.ask("HEAD", "/box/meta").field("x-amz-meta-a"), "1,2");
}

}  // namespace
}  // namespace rondel::api
