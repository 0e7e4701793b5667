// Whose share requests count to, and what is read from whom.
#include "tests/unit/gateway/api/access_fixture.h"

#include "gateway/api/dispatch.h"

namespace rondel::api {
namespace {

using s3::Operation;

constexpr std::string_view kNoKeyOfOurs =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"s3:*","Resource":["arn:aws:s3:::box","arn:aws:s3:::box/*"]}]})";
constexpr std::string_view kOneKey =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["s3:DeleteObject","s3:PutObjectTagging","s3:PutObjectRetention","s3:PutObjectLegalHold"],"Resource":"arn:aws:s3:::box/k"}]})";
constexpr std::string_view kDenied =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::box","arn:aws:s3:::box/*"]}]})";

class AdmissionTest : public ::testing::Test, protected AccessFixture {};

// Every operation with a document, sent by nobody to a bucket that has nothing for nobody: no byte
// of it is read.
TEST_F(AdmissionTest, DocumentsOfStrangersAreNotRead) {
  const std::pair<const char*, const char*> requests[] = {
      {"POST", "/box?delete"},
      {"PUT", "/box/k?tagging"},
      {"PUT", "/box/k?retention"},
      {"PUT", "/box/k?legal-hold"},
      {"PUT", "/box/k?acl"},
      {"PUT", "/box?acl"},
      {"PUT", "/box?policy"},
      {"PUT", "/box?lifecycle"},
      {"PUT", "/box?cors"},
      {"PUT", "/box?tagging"},
      {"PUT", "/box?versioning"},
      {"PUT", "/box?encryption"},
      {"PUT", "/box?object-lock"},
      {"PUT", "/box?requestPayment"},
      {"PUT", "/box?ownershipControls"},
      {"PUT", "/box?publicAccessBlock"},
      {"PUT", "/brand-new"},
      {"PUT", "/box/k?encryption"},
      {"POST", "/box/k?uploadId=00000000000000000000000000000001"},
      {"PUT", "/box/k"},
      {"PUT", "/box/k?partNumber=1&uploadId=00000000000000000000000000000001"},
  };
  for (const std::string_view document : {std::string_view(), kNoKeyOfOurs, kDenied}) {
    document.empty() ? void(box.settings.erase(metadata::SettingKind::kPolicy))
                     : set_policy(std::string(document));
    for (const auto& [method, target] : requests) {
      // With ACLs the object's own may let everybody write it, and that is seen with the object
      // alone.
      const bool by_object = std::string_view(target) == "/box/k?acl";
      box.settings[metadata::SettingKind::kOwnership] =
          by_object ? "BucketOwnerEnforced" : "ObjectWriter";
      const Told told =
          ask(Who::kNobody, method, {target, {}, "<Delete><Object><Key>k</Key></Object></Delete>"});
      EXPECT_TRUE(told.denied) << method << " " << target << " " << told.code;
      EXPECT_EQ(told.reads, 0) << method << " " << target;
    }
  }
}

TEST_F(AdmissionTest, DocumentsAreReadWhereOneKeyIsAllowed) {
  set_policy(std::string(kOneKey));
  const std::string two =
      "<Delete><Object><Key>k</Key></Object><Object><Key>other</Key></Object></Delete>";
  const Told told = ask(Who::kNobody, "POST", {"/box?delete", {}, two});
  EXPECT_NE(told.code, "AccessDenied") << "each is decided about on its own";
  EXPECT_GT(told.reads, 0);
  EXPECT_GT(ask(Who::kNobody, "PUT", {"/box/k?tagging", {}, "<Tagging><TagSet/></Tagging>"}).reads,
            0);
}

// Whom a request counts to once it was decided about.
TEST_F(AdmissionTest, AnAnonymousRequestThatIsAllowedCountsToTheBucketsOwner) {
  set_policy(
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::box"}]})");

  struct Case {
    Who who;
    const char* target;
    std::string party;
  };

  const Case cases[] = {
      {Who::kNobody, "/box", box.owner_account},
      {Who::kNobody, "/box?versions", "127.0.0.1"},
      {Who::kWriter, "/box", "222222222222"},
      {Who::kWriter, "/box?versions", "222222222222"},
  };
  for (const Case& c : cases) EXPECT_EQ(ask(c.who, "GET", {c.target}).party, c.party) << c.target;
}

// Each statement that lists runs in a turn of its account, and leaves it.
TEST_F(AdmissionTest, ListingsTakeTurns) {
  for (const char* target : {"/", "/box", "/box?list-type=2", "/box?versions", "/box?uploads"}) {
    std::vector<uint64_t> under_way;
    listing.on_call = [&] { under_way.push_back(gate->listings.status().in_use); };
    EXPECT_EQ(ask(Who::kOwner, "GET", {target}).code, "OK") << target;
    EXPECT_EQ(under_way, std::vector<uint64_t>{1}) << target;
    EXPECT_EQ(gate->listings.status().in_use, 0u) << target;
  }
}

}  // namespace
}  // namespace rondel::api
